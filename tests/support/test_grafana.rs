//! Runs a Grafana on loopback behind a relay: the stand-in, or a given release.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use monctl::grafana::GrafanaClient;
use monctl::http::{Answer, Client, Endpoint};
use monctl::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::grafana_release::Release;
use crate::support::relay::Relay;

pub const PASSWORD: &str = "correct horse battery";
/// The settings that monctl gives its Grafana.
const SETTINGS: &str = include_str!("../../templates/grafana/grafana.ini");
/// A real one creates its database first, which takes 20 s on a slow disk.
const DEADLINE: Duration = Duration::from_mins(2);

/// A Grafana with empty data that runs until it is dropped. The relay in front of it sees the requests of `client`, and
/// can make them fail; the test's own requests bypass the relay.
pub struct TestGrafana {
    relay: Relay,
    admin: Client,
    process: Child,
    folder: TempDir,
}

impl TestGrafana {
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts one on a port.
    pub fn start_at(port: u16) -> Self {
        Self::launch(port, &[], tempfile::tempdir().unwrap())
    }

    /// The given release if it is this one, else the stand-in, which answers as this release. 9 and 12 were recorded.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn of_release(release: u8) -> Self {
        if Release::named().is_some() && Self::release() == release {
            return Self::start();
        }
        Self::stand_in_with(release, &[])
    }

    /// The stand-in for a release with further options, even if a real release is given.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn stand_in_with(release: u8, more: &[&str]) -> Self {
        let release = option(release);
        let options = [&[release.as_str()], more].concat();
        Self::launch_from(&stand_in(), 0, &options, &[], tempfile::tempdir().unwrap())
    }

    /// The release that answers, by its first number.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn release() -> u8 {
        let first = |version: String| version.split('.').next().and_then(|it| it.parse().ok());
        Release::named()
            .map_or(9, |release| first(release.version()).expect("a version begins with a number"))
    }

    /// Starts one that serves everything below a path, as behind a proxy.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn below(path: &str) -> Self {
        let root = format!("http://localhost{path}/");
        let settings = [("GF_SERVER_ROOT_URL", root.as_str()), ("GF_SERVER_SERVE_FROM_SUB_PATH", "true")];
        Self::launch_with(0, &[], &settings, tempfile::tempdir().unwrap())
    }

    /// One of a release that lets guests in, who may look.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn open_to_guests(release: u8) -> Self {
        let settings = [("GF_AUTH_ANONYMOUS_ENABLED", "true")];
        if Release::named().is_some() && Self::release() == release {
            return Self::launch_with(0, &[], &settings, tempfile::tempdir().unwrap());
        }
        Self::launch_from(&stand_in(), 0, &[&option(release)], &settings, tempfile::tempdir().unwrap())
    }

    /// One after the other of the releases that are known to differ. One that is named is what it is.
    pub fn of_each_release() -> impl Iterator<Item = Self> {
        let of_stand_in = [9, 11, 12, 13].map(|release| Some(option(release)));
        let options = if Release::named().is_some() { vec![None] } else { of_stand_in.to_vec() };
        let start = |option: Option<String>| {
            let option: Vec<&str> = option.iter().map(String::as_str).collect();
            Self::launch(0, &option, tempfile::tempdir().unwrap())
        };
        options.into_iter().map(start)
    }

    /// Starts one with a dashboard that belongs to a file of this name.
    pub async fn with_a_dashboard_of_a_file(name: &str, dashboard: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provisioning = folder.path().join("provisioning/dashboards");
        let path = folder.path().join("files");
        fs::create_dir_all(&provisioning).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join(name), dashboard.to_string()).unwrap();
        let provider = json!({"name": "files", "type": "file", "options": {"path": path}});
        let providers = json!({"apiVersion": 1, "providers": [provider]});
        fs::write(provisioning.join("files.yaml"), providers.to_string()).unwrap();
        let grafana = Self::launch(0, &[], folder);
        let begin = Instant::now();
        let address = format!("/api/dashboards/uid/{}", dashboard["uid"].as_str().unwrap());
        while grafana.get(&address).await.status != 200 {
            assert!(begin.elapsed() < DEADLINE, "the file is not read:\n{}", grafana.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        grafana
    }

    fn launch(port: u16, options: &[&str], folder: TempDir) -> Self {
        Self::launch_with(port, options, &[], folder)
    }

    fn launch_with(port: u16, options: &[&str], environment: &[(&str, &str)], folder: TempDir) -> Self {
        let home = Release::named().map_or_else(stand_in, |release| release.home);
        Self::launch_from(&home, port, options, environment, folder)
    }

    fn launch_from(
        home: &Path,
        port: u16,
        options: &[&str],
        environment: &[(&str, &str)],
        folder: TempDir,
    ) -> Self {
        fs::write(folder.path().join("admin-password"), PASSWORD).unwrap();
        let settings = SETTINGS
            .replace("http_port = 3000", "http_port = 0")
            .replace("/var/lib/monctl/grafana", folder.path().join("data").to_str().unwrap())
            .replace("/etc/monctl/grafana", folder.path().to_str().unwrap());
        let file = folder.path().join("grafana.ini");
        fs::write(&file, settings).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut process = server(home)
            .args(options)
            .envs(environment.iter().copied())
            .arg("--homepath")
            .arg(home)
            .arg("--config")
            .arg(&file)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .expect("Grafana starts; the stand-in needs python3");
        let address = listens(&mut process, folder.path());
        let relay = Relay::start((Ipv4Addr::LOCALHOST, port).into(), address);
        let admin = Client::new("grafana", &Endpoint::Tcp(address)).unwrap();
        let admin = admin.with_login("admin", Secret::new(PASSWORD));
        Self { relay, admin, process, folder }
    }

    /// The client under test, with the right password.
    pub fn client(&self) -> GrafanaClient {
        self.client_with(PASSWORD)
    }

    /// The client under test, with any password.
    pub fn client_with(&self, password: &str) -> GrafanaClient {
        GrafanaClient::new(self.address, "admin", Secret::new(password)).unwrap()
    }

    /// A request as of another tool or a person.
    pub async fn get(&self, path: &str) -> Answer {
        self.admin.get(path).await.unwrap()
    }

    /// A write as of another tool or a person; it must succeed.
    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let request = self.admin.clone();
        let path = path.to_owned();
        async move {
            let answer = request.post(&path, &body).await.unwrap();
            assert!(answer.is_success(), "{at}: {}", answer.message());
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

/// The relay's address is Grafana's own for all clients.
impl Deref for TestGrafana {
    type Target = Relay;

    fn deref(&self) -> &Relay {
        &self.relay
    }
}

impl Drop for TestGrafana {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How the stand-in is made to answer as a release: as it was recorded, or as none was ever seen to.
fn option(release: u8) -> String {
    if [9, 12].contains(&release) {
        format!("--release={release}")
    } else {
        format!("--invented-release={release}")
    }
}

/// Where the stand-in is.
fn stand_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/grafana")
}

/// The server's command, which is a program of its own in early releases of Grafana 9.
fn server(home: &Path) -> Command {
    let program = home.join("bin/grafana");
    if program.is_file() {
        let mut command = Command::new(program);
        command.arg("server");
        return command;
    }
    Command::new(home.join("bin/grafana-server"))
}

/// The listen address in the server's log.
fn listens(process: &mut Child, folder: &Path) -> SocketAddr {
    let begin = Instant::now();
    loop {
        let log = fs::read_to_string(folder.join("log")).unwrap();
        let line = log.lines().find(|line| line.contains("HTTP Server Listen"));
        let address = line.and_then(|line| line.split(' ').find_map(|word| word.strip_prefix("address=")));
        if let Some(address) = address {
            return address.parse().unwrap_or_else(|_| panic!("it listens on {address:?}"));
        }
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none() && begin.elapsed() < DEADLINE, "Grafana does not start:\n{log}");
        sleep(Duration::from_millis(20));
    }
}
