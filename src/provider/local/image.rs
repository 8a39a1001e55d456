//! The base image that all machines of all projects share: made once for each recipe, kept in the cache, never
//! changed afterwards. The recipe (what goes in) is `recipe.rs`; disks over the image are `disk.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::command::{last_lines, tool};
use super::recipe::Recipe;
use crate::error::{Error, Result};
use crate::event::{Event, Events, Millis};

/// Where base images are kept.
const CACHE: &str = "/var/cache/monctl/images";
const MAKE: &str = include_str!("make-image.sh");

/// The folder of the image with this name.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(CACHE).join(name)
}

/// Makes the image of this computer's recipe unless it is there; returns its name.
pub(super) async fn ensure(events: &Events) -> Result<String> {
    let recipe = Recipe::of_this_computer()?;
    let name = recipe.name();
    if folder(&name).is_dir() {
        return Ok(name);
    }
    let what = "make the base image of machines (once, about half a minute)".to_owned();
    events.send(Event::Infra { what: what.clone(), took: None });
    let start = Instant::now();
    make(&recipe, &folder(&name)).await?;
    events.send(Event::Infra { what, took: Some(Millis(start.elapsed())) });
    Ok(name)
}

/// Removes images, which are made again when they are needed. Returns the folders that are gone, and those that
/// stay because machines use them.
pub(super) fn purge(used: &[String]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(CACHE).into_iter().flatten().flatten() {
        let path = entry.path();
        if used.iter().any(|name| entry.file_name() == name.as_str()) {
            kept.push(path);
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| {
            Error::failed(format!("cannot remove base image `{}`", path.display())).because(error)
        })?;
        gone.push(path);
    }
    Ok((gone, kept))
}

/// Runs the maker in a process group of its own, so that all of it ends if the run is interrupted.
async fn make(recipe: &Recipe, target: &Path) -> Result<()> {
    let failed = || {
        Error::failed("cannot make the base image of machines").remedy(
            "check that this computer reaches its apt mirror (`apt-get update`), then run the command again",
        )
    };
    fs::create_dir_all(CACHE).map_err(|error| failed().because(error))?;
    let mut command = tool("sh");
    command.args(["-c", MAKE, "make-image"]).arg(target).args(recipe.arguments());
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

/// Ends a process group when dropped, which happens when the run is interrupted.
struct EndGroup(Option<u32>);

impl Drop for EndGroup {
    fn drop(&mut self) {
        let Some(leader) = self.0 else { return };
        let _ = std::process::Command::new("sh")
            .args(["-c", "kill -TERM \"-$1\"", "sh", &leader.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
