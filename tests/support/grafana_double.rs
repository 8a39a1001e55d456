//! Runs the stand-in for Grafana (`tests/doubles/grafana`) on loopback, with levers to make it fail.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper's failure is the test's failure")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use monctl::http::grafana::GrafanaClient;
use monctl::http::{Answer, Client, Endpoint};
use monctl::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

pub const PASSWORD: &str = "correct horse battery";

/// A stand-in that runs until it is dropped.
pub struct GrafanaDouble {
    process: Child,
    pub address: SocketAddr,
    levers: Client,
    admin: Client,
    _folder: TempDir,
}

impl GrafanaDouble {
    /// Starts one with empty data.
    pub fn start() -> Self {
        Self::start_with(0, &[])
    }

    /// Starts one on a port.
    pub fn start_at(port: u16) -> Self {
        Self::start_with(port, &[])
    }

    /// Starts one that answers as a later release.
    pub fn of_release(release: u8) -> Self {
        Self::start_with(0, &[&format!("--release={release}")])
    }

    /// Starts one on a port, 0 lets the kernel choose, with options of its own.
    pub fn start_with(port: u16, options: &[&str]) -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/grafana");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("admin-password"), PASSWORD).unwrap();
        let ini = format!(
            "[server]\nhttp_addr = 127.0.0.1\nhttp_port = {port}\n[paths]\ndata = {}\n[security]\nadmin_password = $__file{{{}}}\n",
            at("data").display(),
            at("admin-password").display(),
        );
        fs::write(at("grafana.ini"), ini).unwrap();
        let mut process = Command::new(home.join("bin/grafana"))
            .args(["server", "--control"])
            .args(options)
            .arg("--homepath")
            .arg(&home)
            .arg("--config")
            .arg(at("grafana.ini"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts: it needs python3");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit('=').next().and_then(|text| text.parse().ok());
        let address: SocketAddr = address.unwrap_or_else(|| panic!("the stand-in said {line:?}"));
        let plain = Client::new("grafana", &Endpoint::Tcp(address)).unwrap();
        let admin = plain.clone().with_login("admin", Secret::new(PASSWORD));
        Self { process, address, levers: plain, admin, _folder: folder }
    }

    /// The client under test, with the right password.
    pub fn client(&self) -> GrafanaClient {
        self.client_with(PASSWORD)
    }

    /// The client under test, with any password.
    pub fn client_with(&self, password: &str) -> GrafanaClient {
        GrafanaClient::new(self.address, "admin", Secret::new(password)).unwrap()
    }

    /// Asks as another tool or a person would.
    pub async fn get(&self, path: &str) -> Answer {
        self.admin.get(path).await.unwrap()
    }

    /// Writes as another tool or a person would; it must be taken.
    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let request = self.admin.clone();
        let path = path.to_owned();
        async move {
            let answer = request.post(&path, &body).await.unwrap();
            assert!(answer.is_success(), "{at}: {}", answer.says());
        }
    }

    /// The next `times` requests like this meet a fault: `drop`, `lose`, `delay`, or `refuse` with a status.
    pub async fn fault(&self, method: &str, path: &str, times: u32, fault: Value) {
        let mut body = json!({"method": method, "path": path, "times": times});
        body.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.levers.post("/_double/faults", &body).await.unwrap();
    }

    /// A dashboard or data source belongs to a file from now on.
    pub async fn provision(&self, uid: &str, file: &str) {
        self.levers.post("/_double/provision", &json!({"uid": uid, "file": file})).await.unwrap();
    }

    /// The requests since the start or since they were forgotten, as `METHOD path status`.
    pub async fn requests(&self) -> Vec<String> {
        let log: Value = self.levers.get("/_double/requests").await.unwrap().json().unwrap();
        let line = |one: &Value| {
            format!("{} {} {}", one["method"].as_str().unwrap(), one["path"].as_str().unwrap(), one["status"])
        };
        log["requests"].as_array().unwrap().iter().map(line).collect()
    }

    /// How many requests were under way at a time at most.
    pub async fn most_at_once(&self) -> u64 {
        let log: Value = self.levers.get("/_double/requests").await.unwrap().json().unwrap();
        log["most_at_once"].as_u64().unwrap()
    }

    /// Forgets the requests so far.
    pub async fn forget_requests(&self) {
        self.levers.delete("/_double/requests").await.unwrap();
    }
}

impl Drop for GrafanaDouble {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
