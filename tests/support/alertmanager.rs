//! A real Alertmanager with the configuration and the secrets of a spec, without a Prometheus.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use monctl::http::{Client, Endpoint};
use monctl::render::{Addresses, Bundle};
use monctl::spec::{Secrets, Spec};
use serde_json::Value;

use super::pipeline::{Process, alertmanager_process, free_address};
use super::tools::program;

const DEADLINE: Duration = Duration::from_mins(1);

/// A real Alertmanager with a spec's configuration and files, until it is dropped.
pub struct RunningAlertmanager {
    pub client: Client,
    pub address: SocketAddr,
    _process: Process,
    folder: tempfile::TempDir,
}

impl RunningAlertmanager {
    pub async fn start(spec: &Spec, secrets: &Secrets) -> Option<Self> {
        let program = program("prometheus-alertmanager")?;
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::render(spec, &Addresses::default()).unwrap();
        fs::create_dir(folder.path().join("webhooks")).unwrap();
        for (name, content) in bundle.iter().filter(|(name, _)| name.starts_with("alertmanager/")) {
            let file = folder.path().join(name.trim_start_matches("alertmanager/"));
            fs::write(file, content.reveal(secrets).unwrap().expose()).unwrap();
        }
        let text = bundle.get("alertmanager.yml").unwrap().reveal(secrets).unwrap().expose().to_owned();
        let text = text.replace("/etc/monctl/monitoring", &folder.path().display().to_string());
        fs::write(folder.path().join("alertmanager.yml"), text).unwrap();
        let address = free_address();
        let process = alertmanager_process(&program, folder.path(), address);
        let client = Client::new("Alertmanager", &Endpoint::Tcp(address)).unwrap();
        let begin = Instant::now();
        while !client.get("/-/ready").await.is_ok_and(|answer| answer.is_success()) {
            assert!(begin.elapsed() < DEADLINE, "Alertmanager does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(Self { client, address, _process: process, folder })
    }

    pub async fn post(&self, alerts: &Value) {
        assert!(self.client.post("/api/v2/alerts", alerts).await.unwrap().is_success());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("alertmanager.log")).unwrap()
    }
}
