//! Runs a Prometheus on loopback, with a history that was written before its start or with a configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use monctl::http::Endpoint;
use monctl::http::prometheus::Prometheus;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::pipeline::{Process, free_address};
use crate::support::tools::program;

const DEADLINE: Duration = Duration::from_mins(2);

/// A Prometheus that runs until it is dropped.
pub struct TestPrometheus {
    pub address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl TestPrometheus {
    /// Contains the history, in `OpenMetrics` with times, and scrapes nothing. `None` if Prometheus is not installed,
    /// which fails the test with `CI=true`.
    pub async fn with_history(history: &str) -> Option<Self> {
        let promtool = program("promtool")?;
        let folder = tempfile::tempdir().unwrap();
        write_history(&promtool, folder.path(), history);
        Self::start(folder, free_address(), &json!({}), "up").await
    }

    /// Scrapes the targets of the configuration for its address, and returns data for `until`.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub async fn scraping(configuration: impl Fn(SocketAddr) -> Value, until: &str) -> Option<Self> {
        let address = free_address();
        Self::start(tempfile::tempdir().unwrap(), address, &configuration(address), until).await
    }

    async fn start(folder: TempDir, address: SocketAddr, configuration: &Value, until: &str) -> Option<Self> {
        fs::write(folder.path().join("prometheus.yml"), configuration.to_string()).unwrap();
        let process = Command::new(program("prometheus")?)
            .current_dir(folder.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = Process(Mutex::new(process.unwrap()));
        let client = Prometheus::new(&Endpoint::Tcp(address)).unwrap();
        let begin = Instant::now();
        while !client.query(until).await.is_ok_and(|found| !found.is_empty()) {
            assert!(begin.elapsed() < DEADLINE, "Prometheus has no answer to {until}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(Self { address, _process: process, _folder: folder })
    }

    /// Its address for Grafana.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn write_history(promtool: &Path, folder: &Path, history: &str) {
    fs::write(folder.join("history"), history).unwrap();
    let written = Command::new(promtool)
        .current_dir(folder)
        .args(["tsdb", "create-blocks-from", "openmetrics", "history", "data"])
        .output()
        .unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
}
