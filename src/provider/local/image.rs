//! The base image that all machines of all projects share: built once per recipe, kept in the cache, never changed
//! afterwards. The recipe (its content) is `recipe.rs`; disks over the image are `disk.rs`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use tempfile::NamedTempFile;

use super::command::{last_lines, search_path, tool};
use super::files::{cannot, entries};
use super::recipe::Recipe;
use super::{inherited_settings, sys};
use crate::duration::Millis;
use crate::error::{Error, Result};
use crate::event::{Event, Events};

/// Where base images are kept.
const CACHE: &str = "/var/cache/monctl/images";
const MAKE: &str = include_str!("make-image.sh");

/// The folder of the image with this name.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(CACHE).join(name)
}

/// Builds the image of this computer's recipe unless it exists; returns its name.
pub(super) async fn ensure(events: &Events) -> Result<String> {
    let recipe = Recipe::of_this_computer()?;
    let name = recipe.name();
    if folder(&name).is_dir() {
        return Ok(name);
    }
    let what = "build the base image of machines (once, about half a minute)".to_owned();
    events.send(Event::Infra { what: what.clone(), took: None });
    let start = Instant::now();
    make(&recipe, &folder(&name)).await?;
    events.send(Event::Infra { what, took: Some(Millis(start.elapsed())) });
    Ok(name)
}

/// Removes images, which are built again when they are needed. Returns the removed folders, and those that stay
/// because machines use them or because they are being built.
pub(super) fn purge(used: &[String]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for path in entries(Path::new(CACHE))? {
        // A build that was killed left its lock and perhaps an unfinished folder.
        let (image, lock) = (path.with_extension(""), path.with_extension("lock"));
        let is_used = used.iter().any(|name| image.ends_with(name));
        let held = match File::open(&lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other.map_err(|error| cannot("read", &lock, error))?),
        };
        if is_used || held.as_ref().is_some_and(|lock| lock.try_lock().is_err()) {
            kept.extend(path.is_dir().then_some(path));
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| cannot("remove", &path, error))?;
        gone.extend((path == image).then_some(path));
    }
    Ok((gone, kept))
}

/// Runs the build in a process group of its own, so that all of it ends if the run is interrupted.
async fn make(recipe: &Recipe, target: &Path) -> Result<()> {
    let failed = || {
        Error::failed("cannot build the base image of machines").remedy(
            "check that this computer reaches its apt mirror (`apt-get update`), then run the command again",
        )
    };
    fs::create_dir_all(CACHE).map_err(|error| failed().because(error))?;
    let proxies = apt_options().await.map_err(|error| failed().because(error))?;
    let mut command = tool("sh");
    command.args(["-c", MAKE, "make-image"]).arg(target).args(recipe.arguments());
    command.args(proxies.as_ref().map(|file| format!("--aptopt={}", file.path().display())));
    // Package scripts run in there: of this run's environment, which holds secrets, they get only the proxies.
    command.env_clear().env("PATH", search_path()).env("LC_ALL", "C").envs(inherited_settings::proxies());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().map_err(|error| failed().because(error))?;
    let mut interruption = EndGroup(child.id());
    let output = child.wait_with_output().await.map_err(|error| failed().because(error))?;
    interruption.0 = None;
    if output.status.success() {
        return Ok(());
    }
    Err(failed().because(last_lines(&String::from_utf8_lossy(&output.stderr))))
}

/// The proxies of this computer's apt in a file that only root may read, since they may hold a password.
async fn apt_options() -> std::io::Result<Option<NamedTempFile>> {
    let proxies = inherited_settings::apt_proxies(None).await;
    if proxies.is_empty() {
        return Ok(None);
    }
    let mut file = NamedTempFile::new_in(CACHE)?;
    file.write_all(proxies.as_bytes())?;
    Ok(Some(file))
}

/// Ends a process group when dropped, which happens when the run is interrupted.
struct EndGroup(Option<u32>);

impl Drop for EndGroup {
    fn drop(&mut self) {
        let Some(leader) = self.0 else { return };
        sys::end_group(leader);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};
    use std::time::Duration;

    use super::*;

    /// A folder for images with a stand-in for mmdebstrap, which notes each run, waits until `go` exists and
    /// makes a root with one file in it.
    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Self {
            let bench = Self(tempfile::tempdir().unwrap());
            let body = "cd \"$(dirname \"$0\")\" && echo run >>runs && eval root=\\${$#} && mkdir \"$root\" || exit 1\n\
                until [ -e go ]; do sleep 0.01; done\n! [ -e fail ] && touch \"$root/whole\"\n";
            let path = bench.path("mmdebstrap");
            fs::write(&path, format!("#!/bin/sh\n{body}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            bench
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn runs(&self) -> usize {
            fs::read_to_string(self.path("runs")).unwrap_or_default().lines().count()
        }

        fn start(&self) -> Child {
            self.command().spawn().unwrap()
        }

        fn command(&self) -> Command {
            let path = format!("{}:/usr/bin:/bin", self.0.path().display());
            let mut command = Command::new("sh");
            command.args(["-c", MAKE, "make-image"]).arg(self.path("image")).args(["trixie", ""]);
            command.env("PATH", path);
            command
        }

        fn await_runs(&self, count: usize) {
            for _ in 0..1000 {
                if self.runs() >= count {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            panic!("mmdebstrap ran {} times, not {count}", self.runs());
        }
    }

    #[test]
    fn two_concurrent_builds_make_one_image() {
        let bench = Bench::new();
        let mut makers = [bench.start(), bench.start()];
        bench.await_runs(1);
        fs::write(bench.path("go"), "").unwrap();
        assert!(makers.iter_mut().all(|maker| maker.wait().unwrap().success()));
        assert_eq!(bench.runs(), 1);
        assert!(bench.path("image/whole").exists());
    }

    #[test]
    fn a_killed_build_leaves_no_image() {
        let bench = Bench::new();
        let mut first = bench.start();
        bench.await_runs(1);
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(!bench.path("image").exists());

        // The processes of the first build still run and hold the lock; the next build waits for their end.
        let mut second = bench.start();
        fs::write(bench.path("go"), "").unwrap();
        assert!(second.wait().unwrap().success());
        assert_eq!(bench.runs(), 2);
        assert!(bench.path("image/whole").exists());
        assert!(!bench.path("image.unfinished").exists());
    }

    #[test]
    fn an_interrupted_run_ends_all_that_makes_the_image() {
        let bench = Bench::new();
        let mut maker = bench.command().process_group(0).spawn().unwrap();
        bench.await_runs(1);
        drop(EndGroup(Some(maker.id())));
        assert!(!maker.wait().unwrap().success());
        // The lock is free at once: no process of the build is left.
        fs::write(bench.path("go"), "").unwrap();
        assert!(bench.start().wait().unwrap().success());
        assert_eq!(bench.runs(), 2);
    }

    #[test]
    fn a_failed_build_leaves_no_image() {
        let bench = Bench::new();
        for name in ["go", "fail"] {
            fs::write(bench.path(name), "").unwrap();
        }
        assert!(!bench.start().wait().unwrap().success());
        assert!(!bench.path("image").exists());
    }
}
