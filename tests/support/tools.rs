//! The programs that tests need beside monctl. If one is missing, its tests say that they did not run; with continuous
//! integration they fail.

use std::env;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Whether this run belongs to continuous integration: `CI` is set, and not to a word for "no".
fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| !["", "0", "false", "no"].contains(&value.to_lowercase().as_str()))
}

/// What was found, or nothing after a message: then the test ends.
///
/// # Panics
/// If it is missing with continuous integration.
pub fn required<T, E: Display>(what: impl Display, found: Result<T, E>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(reason) => {
            assert!(!is_ci(), "{what} is required with continuous integration: {reason}");
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            // Bypasses the capture of the test harness, so that it is visible.
            let _ = writeln!(io::stderr(), "NOT RUN {test}: {what}: {reason}");
            None
        }
    }
}

/// The path of a program that is on the `PATH`, or that `make tools` unpacked.
pub fn program(name: &str) -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache")));
    let tools = cache.map(|cache| cache.join("monctl/tools/usr/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).chain(tools).map(|folder| folder.join(name)).find(|path| path.is_file());
    required(name, found.ok_or("not installed here (`make tools`)"))
}
