//! Runs the real binary, with assertions on its output.
//!
//! `Monctl::new().arg("plan").run().code(2).stderr_contains("no such file")`. Nothing here starts machines.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A generous deadline for anything that a test waits for on this computer.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A call of the binary that is being put together.
pub struct Monctl(Command);

impl Monctl {
    /// A call without arguments, untouched by the caller's settings.
    pub fn new() -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_monctl")))
    }

    /// The same, for a copy of the binary that other programs start.
    pub fn behind(words: &[String], binary: &Path) -> Self {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(binary);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        for name in ["MONCTL_SPEC", "NO_COLOR", "TERM"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        Self(command)
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Without the caller's variables whose names begin so.
    pub fn clear_env(mut self, beginning: &str) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(beginning) {
                self.0.env_remove(name);
            }
        }
        self
    }

    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// The call itself, for a test that drives it in its own way.
    pub fn command(self) -> Command {
        self.0
    }

    /// Runs to the end.
    #[track_caller]
    pub fn run(mut self) -> Ran {
        let start = Instant::now();
        let output = self.0.output().expect("the binary runs");
        Ran {
            call: format!("{:?}", self.0),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: start.elapsed(),
        }
    }

    /// Starts it; the test goes on meanwhile.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { call: format!("{:?}", self.0), child: Some(self.0.spawn().expect("the binary starts")) }
    }
}

/// A running call. Killed if the test ends before it.
pub struct Running {
    call: String,
    child: Option<Child>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it is running").id()
    }

    /// Sends a signal by its name, such as `INT`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().expect("it was started").try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let start = Instant::now();
        let output = self.child.take().expect("it is running").wait_with_output().unwrap();
        Ran {
            call: self.call.clone(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: start.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A call that ended. Every assertion that fails shows all of it.
pub struct Ran {
    call: String,
    code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Wall time; after [`Running::wait`] only that of the waiting.
    pub took: Duration,
}

impl Ran {
    pub const fn exit_code(&self) -> Option<i32> {
        self.code
    }

    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of\n{self}");
        self
    }

    #[track_caller]
    pub fn stdout_is(self, text: &str) -> Self {
        assert_eq!(self.stdout, text, "standard output of\n{self}");
        self
    }

    #[track_caller]
    pub fn stdout_contains(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} on standard output of\n{self}");
        self
    }

    #[track_caller]
    pub fn stdout_lacks(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text), "{text:?} on standard output of\n{self}");
        self
    }

    #[track_caller]
    pub fn stderr_is(self, text: &str) -> Self {
        assert_eq!(self.stderr, text, "standard error of\n{self}");
        self
    }

    #[track_caller]
    pub fn stderr_contains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} on standard error of\n{self}");
        self
    }

    #[track_caller]
    pub fn stderr_lacks(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{text:?} on standard error of\n{self}");
        self
    }

    /// Ended within this time.
    #[track_caller]
    pub fn within(self, limit: Duration) -> Self {
        assert!(self.took <= limit, "took {:?}, more than {limit:?}:\n{self}", self.took);
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in\n{self}"))
    }

    /// Standard error as JSON lines.
    #[track_caller]
    pub fn events(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in\n{self}"));
        self.stderr.lines().map(parse).collect()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, code, stdout, stderr, took } = self;
        write!(f, "{call}\nexit code {code:?} after {took:?}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

/// A folder with a spec and a Django project's outline beside it, removed at the end of the test.
pub struct Project(TempDir);

/// A spec that is valid in a [`Project`] and needs no secret.
pub const SPEC: &str = "\
version: 1
project: notes
provider: local
app:
  path: site
  wsgi: notes.wsgi
alerts:
  HighCPUUsage: {above: 80, for: 1m}
notify:
  capture: {}
";

impl Project {
    /// With [`SPEC`] as its `monctl.yaml`.
    #[track_caller]
    pub fn new() -> Self {
        let project = Self(TempDir::new().unwrap());
        project
            .file("monctl.yaml", SPEC)
            .file("site/manage.py", "")
            .file("site/requirements.txt", "Django==5.2.*\n")
            .file("site/notes/__init__.py", "")
            .file("site/notes/wsgi.py", "application = None\n")
    }

    /// With another spec.
    #[track_caller]
    pub fn with_spec(spec: &str) -> Self {
        Self::new().file("monctl.yaml", spec)
    }

    /// Writes a file, with the folders above it.
    #[track_caller]
    pub fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// A call of the binary in this folder.
    pub fn monctl(&self) -> Monctl {
        Monctl::new().current_dir(self.0.path())
    }

    /// Every file below, as paths relative to the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.0.path()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}
