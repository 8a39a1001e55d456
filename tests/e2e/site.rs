//! A project as a user has it: a folder with a spec and an application, the real binary, and real machines.
//! Every call of the binary is searched for the project's secrets.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use monctl::host::HostName;
use serde_json::Value;
use tempfile::TempDir;

use crate::programs::{PACKAGES, Programs};
use crate::support::binary::{Monctl, Ran};
use crate::test_project::TestProject;
use crate::turns;

pub const APP: HostName = HostName::app(1);
pub const MONITORING: HostName = HostName::MONITORING;

/// The value of the application's secret, and the end of the webhook's address.
pub const SECRETS: [&str; 2] = ["n0t-t0-be-seen-anywhere", "T0K3N-0f-the-webh00k"];

/// The intervals that the spec has. They cost half a core.
pub const EACH_SECOND: &str = "  scrape_interval: 1s\n  evaluation_interval: 1s\n";
/// Those of tests that prove no alert.
pub const CALM: &str = "  scrape_interval: 5s\n  evaluation_interval: 5s\n";

/// A generous deadline for awaited conditions.
pub const PATIENCE: Duration = Duration::from_mins(2);

pub struct Site {
    pub project: TestProject,
    pub programs: Programs,
    folder: TempDir,
    /// Where its calls of the binary have their temporary files; no other test looks in there.
    temporary: TempDir,
}

impl Site {
    /// A fresh project with the example application; nothing where machines cannot be made here.
    pub fn new() -> Option<Self> {
        let project = TestProject::new()?;
        let programs = Programs::of(&project);
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes");
        copy(&example, &folder.path().join("app"));
        let spec = include_str!("monctl.yaml").replace("PROJECT", project.name.as_str());
        let spec = spec.replace(PACKAGES, &programs.install());
        fs::write(folder.path().join("monctl.yaml"), spec).unwrap();
        // A short name: paths of sockets are short.
        let temporary = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        Some(Self { project, programs, folder, temporary })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// A copy of the user's files.
    pub fn files(&self) -> TempDir {
        let copied = tempfile::tempdir().unwrap();
        copy(&self.path("."), copied.path());
        copied
    }

    /// Makes the user's files what they were.
    pub fn put_back(&self, files: &TempDir) {
        fs::remove_dir_all(self.path("app")).unwrap();
        copy(&files.path().join("."), self.folder.path());
    }

    /// Replaces text in a file of the user's.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "no {from:?} in {name}:\n{text}");
        fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A call of the binary as its user would make it.
    pub fn call(&self, words: &str) -> Monctl {
        Monctl::new()
            .current_dir(self.folder.path())
            .env("NOTES_SECRET_KEY", SECRETS[0])
            .env("WEBHOOK_URL", webhook_url())
            .env("TMPDIR", self.temporary())
            .args(words.split(' '))
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn monctl(&self, words: &str) -> Ran {
        let _turn = turns::of(words.split(' '));
        self.monctl_at_once(words)
    }

    /// The same without a wait for a turn, for a caller that holds it.
    #[track_caller]
    pub fn monctl_at_once(&self, words: &str) -> Ran {
        keeps_secrets(self.call(words).run())
    }

    /// Works while requests go on, none of which may fail.
    pub fn under_load(&self, work: impl FnOnce()) {
        let address = self.address(APP);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let client = || {
                let mut answers = 0;
                while !stop.load(Ordering::Relaxed) {
                    match get(&address, "/") {
                        Ok((200, _)) => answers += 1,
                        other => return Err(format!("after {answers} answers: {other:?}")),
                    }
                    sleep(Duration::from_millis(10));
                }
                Ok(answers)
            };
            let clients = [scope.spawn(client), scope.spawn(client)];
            let done = catch_unwind(AssertUnwindSafe(work));
            stop.store(true, Ordering::Relaxed);
            for client in clients {
                let answers = client.join().unwrap();
                assert!(answers.as_ref().is_ok_and(|count| *count > 10), "{answers:?}");
            }
            if let Err(panic) = done {
                resume_unwind(panic);
            }
        });
    }

    /// Runs `up`; afterwards there is nothing to do.
    #[track_caller]
    pub fn converge(&self) -> Ran {
        let ran = self.monctl("up --yes").success();
        self.monctl("plan").success();
        ran
    }

    /// What `plan` finds on a host: step, thing, reason, diff.
    #[track_caller]
    pub fn findings(&self, host: HostName) -> Vec<Finding> {
        let plan = self.monctl("--output json plan").json();
        let changes = plan["plan"]["hosts"][host.to_string()]["changes"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let changes = changes.as_array().cloned().unwrap_or_default();
        let of_step = |change: &Value| {
            let details = change["details"].as_array().cloned().unwrap_or_default();
            let finding = |detail: &Value| Finding {
                step: text(&change["step"]),
                what: text(&detail["what"]),
                why: text(&detail["why"]),
                diff: text(&detail["diff"]),
            };
            details.iter().map(finding).collect::<Vec<_>>()
        };
        changes.iter().flat_map(of_step).collect()
    }

    /// Starts the binary, does `act` as soon as an event holds `moment`, and waits for its end: the exit code, how long that
    /// took, and its standard error.
    #[track_caller]
    pub fn act_at(
        &self,
        words: &str,
        moment: &str,
        act: impl FnOnce(&Child),
    ) -> (Option<i32>, Duration, String) {
        let _turn = turns::of(words.split(' '));
        let mut command = Command::new(env!("CARGO_BIN_EXE_monctl"));
        command
            .args(["--output", "json"])
            .args(words.split(' '))
            .current_dir(self.folder.path())
            .env("NOTES_SECRET_KEY", SECRETS[0])
            .env("WEBHOOK_URL", webhook_url())
            .env("TMPDIR", self.temporary())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut output = String::new();
        while !output.contains(moment) {
            let begin = output.len();
            assert!(lines.read_line(&mut output).unwrap() > 0, "it ended before {moment}:\n{output}");
            assert!(begin < output.len());
        }
        let acted = Instant::now();
        act(&child);
        let status = child.wait().unwrap();
        let took = acted.elapsed();
        // A process that it started may hold standard error open for a while after a kill.
        if status.code().is_some() {
            lines.read_to_string(&mut output).unwrap();
        }
        (status.code(), took, output)
    }

    /// The same with a signal.
    #[track_caller]
    pub fn signal_at(&self, words: &str, moment: &str, signal: &str) -> (Option<i32>, Duration, String) {
        self.act_at(words, moment, |child| {
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        })
    }

    /// Kills the ssh connections of running calls: their masters are in this site's own folder for temporary files.
    #[track_caller]
    pub fn cut_connections(&self) {
        let pattern = format!("^ssh .* -S {}/", self.temporary().display());
        assert!(Command::new("pkill").args(["-KILL", "-f", &pattern]).status().unwrap().success());
    }

    /// What a command printed on a host.
    #[track_caller]
    pub fn on(&self, host: HostName, command: &str) -> String {
        self.project.output(host, command)
    }

    /// The address of a host.
    pub fn address(&self, host: HostName) -> String {
        let config = fs::read_to_string(self.project.folder().join("ssh/config")).unwrap();
        let section = config.split("Host ").find(|part| part.starts_with(&format!("{host}\n"))).unwrap();
        let line = section.lines().find_map(|line| line.trim().strip_prefix("HostName ")).unwrap();
        line.trim().to_owned()
    }

    /// The first process of a unit.
    #[track_caller]
    pub fn process(&self, host: HostName, unit: &str) -> String {
        self.on(host, &format!("systemctl show --property MainPID --value monctl-{unit}.service"))
    }

    /// The processes of everything that runs on the pair, in one line each.
    #[track_caller]
    pub fn processes(&self) -> Processes {
        let of = |host, units: &[&str]| {
            let of_unit = |unit: &&str| ((*unit).to_owned(), self.process(host, unit));
            units.iter().map(of_unit).collect::<Vec<_>>()
        };
        let mut all = of(APP, &["app", "app-metrics", "node-exporter"]);
        all.extend(of(MONITORING, &["prometheus", "alertmanager", "node-exporter"]));
        Processes(all)
    }

    /// The application's start page.
    #[track_caller]
    pub fn page(&self) -> String {
        let (status, body) = get(&self.address(APP), "/").unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }

    /// JSON that a server on the monitoring host's loopback answers.
    #[track_caller]
    pub fn json(&self, url: &str) -> Value {
        serde_json::from_str(&self.on(MONITORING, &format!("curl -sf '{url}'"))).unwrap()
    }

    /// Waits until Prometheus has scraped so many targets with success, and has no other.
    #[track_caller]
    pub fn targets_are_up(&self, count: usize) {
        eventually(&format!("{count} targets are up"), || {
            let answer = self.json("http://127.0.0.1:9090/api/v1/targets");
            let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
            targets.len() == count && targets.iter().all(|target| target["health"] == "up")
        });
    }
}

/// One line of a plan.
#[derive(Debug)]
pub struct Finding {
    pub step: String,
    pub what: String,
    pub why: String,
    pub diff: String,
}

/// Processes by unit.
#[derive(Debug, PartialEq, Eq)]
pub struct Processes(Vec<(String, String)>);

impl Processes {
    /// The units whose process is another one than before, or none.
    pub fn changed_since(&self, before: &Self) -> Vec<&str> {
        let pairs = self.0.iter().zip(&before.0);
        pairs.filter(|(now, then)| now != then || now.1 == "0").map(|(now, _)| now.0.as_str()).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-rT").args([from, to]).status().unwrap().success());
}

/// Asserts that the output of the binary contains no secret.
#[track_caller]
pub fn keeps_secrets(ran: Ran) -> Ran {
    SECRETS.into_iter().fold(ran, |ran, secret| ran.stdout_lacks(secret).stderr_lacks(secret))
}

/// Asks the application by plain HTTP.
pub fn get(address: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect((address, 8000))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map(|status| (status, answer)).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// Waits for a condition, for a generous while.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(200));
    }
}

/// The webhook of the specs that have one; there is no server.
fn webhook_url() -> String {
    format!("http://127.0.0.1:9/services/{}", SECRETS[1])
}
