//! Projects for tests: each has its own name and is removed when the test ends, however that happens. A failing test
//! unwinds, Ctrl-C is caught here, and the next process removes the projects of a killed one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, exit};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::thread;

use monctl::event::Events;
use monctl::host::{HostName, ProjectName};
use monctl::provider::local::{self, LocalProvider};
use monctl::provider::{Piece, Provider as _};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::support::tools::required;

/// Prefix of the names of test projects, followed by their owner.
const PREFIX: &str = "monctl-tests-";
/// The locks of the owners of test projects, beside the projects.
const OWNERS: &str = "/var/lib/monctl/test-owners";

/// The current projects of this process's tests.
static LIVE: Mutex<Vec<ProjectName>> = Mutex::new(Vec::new());

/// A project that is destroyed when it is dropped.
pub struct TestProject {
    pub name: ProjectName,
    pub provider: LocalProvider,
}

impl TestProject {
    /// A new project, or none if machines cannot be made here: then it prints a note, and the test succeeds.
    /// With `CI=true` such a test fails.
    pub fn new() -> Option<Self> {
        static READY: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{}{}", own_prefix(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name: ProjectName = name.parse().unwrap();
        let provider = provider(&name);
        required("a machine", provider.check_prerequisites())?;
        READY.call_once(|| {
            catch_interrupts();
            sweep();
        });
        live(|projects| projects.push(name.clone()));
        Some(Self { name, provider })
    }

    /// The project's folder.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from("/var/lib/monctl/local").join(self.name.as_str())
    }

    /// Runs a command on a host with the pinned keys.
    pub fn ssh(&self, host: HostName, command: &str) -> Output {
        let config = self.folder().join("ssh/config");
        Command::new("ssh").arg("-F").arg(config).arg(host.to_string()).arg(command).output().unwrap()
    }

    /// What a command that must succeed printed on a host, without white space around it.
    pub fn output(&self, host: HostName, command: &str) -> String {
        let output = self.ssh(host, command);
        assert!(output.status.success(), "`{command}` on {host}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for TestProject {
    fn drop(&mut self) {
        let left = destroy(&self.name);
        live(|projects| projects.retain(|name| *name != self.name));
        // A failing test already reports its own error.
        assert!(thread::panicking() || left.is_empty(), "left of {}: {left:?}", self.name);
    }
}

/// A provider whose events are discarded.
pub fn provider(name: &ProjectName) -> LocalProvider {
    LocalProvider::new(name.clone(), Events::channel().0)
}

/// Destroys a project on a thread of its own, since a caller may be inside a runtime; returns what is left.
pub fn destroy(name: &ProjectName) -> Vec<Piece> {
    let name = name.clone();
    let work = move || {
        runtime().block_on(async {
            let provider = provider(&name);
            if let Err(error) = provider.destroy().await {
                let _ = writeln!(io::stderr(), "{error}: {:?}", error.causes());
            }
            provider.leftovers().await.unwrap_or_default()
        })
    };
    thread::spawn(work).join().unwrap_or_default()
}

/// A runtime of one thread.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn live<T>(change: impl FnOnce(&mut Vec<ProjectName>) -> T) -> T {
    change(&mut LIVE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Destroys this process's projects when it is terminated.
fn catch_interrupts() {
    thread::spawn(|| {
        runtime().block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).unwrap();
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        for name in live(|projects| projects.clone()) {
            destroy(&name);
        }
        #[expect(clippy::exit, reason = "the test harness has no other way out")]
        exit(130);
    });
}

/// Destroys test projects whose process is gone.
fn sweep() {
    for name in local::projects().unwrap() {
        let Some(owner) = owner(&name) else { continue };
        let path = Path::new(OWNERS).join(owner);
        // Locked, so that two concurrent cleanups do not take the same.
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        if lock.try_lock().is_ok() {
            destroy(&name);
            let _ = fs::remove_file(&path);
        }
    }
}

/// Prefix of the names of this process's projects. The process holds a lock of that name, which is effective in every
/// namespace that sees the projects.
fn own_prefix() -> String {
    static OWNER: OnceLock<(String, File)> = OnceLock::new();
    let (owner, _) = OWNER.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        let owner = id[..8].to_owned();
        fs::create_dir_all(OWNERS).unwrap();
        let lock = File::create(Path::new(OWNERS).join(&owner)).unwrap();
        lock.lock().unwrap();
        (owner, lock)
    });
    format!("{PREFIX}{owner}-")
}

fn owner(name: &ProjectName) -> Option<&str> {
    name.as_str().strip_prefix(PREFIX)?.split('-').next()
}
