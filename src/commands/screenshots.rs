//! Pictures of dashboards, taken by the user's own Chromium through the way to Grafana. It is logged in by a page
//! that opens once, and has a profile of its own that goes with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::way::Way;
use crate::error::{Error, Result};
use crate::http::door::Door;
use crate::secret::Secret;

/// The names under which distributions know it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// How long a page may load and draw, in its own time, in milliseconds.
const DRAWING: u32 = 20_000;
/// After so long a browser does not come to its end.
const PATIENCE: Duration = Duration::from_mins(2);
const WIDTH: u64 = 1_600;
/// A row of Grafana's grid has 30 pixels and 8 between.
const ROW: u64 = 38;
/// The bar above the panels and the room around them.
const AROUND: u64 = 140;

/// Takes a picture of each dashboard into a folder, which is made where it is missing; returns the files.
///
/// # Errors
/// When there is no Chromium, it does not end well, or the folder cannot be made.
pub(super) async fn take(
    into: &Path,
    dashboards: &[Value],
    way: &Way,
    cookies: &[Secret],
) -> Result<Vec<PathBuf>> {
    let browser = find()?;
    std::fs::create_dir_all(into)
        .map_err(|error| Error::failed(format!("cannot make `{}`", into.display())).because(error))?;
    let mut files = Vec::new();
    for dashboard in dashboards {
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        let page = format!("{}d/{uid}?kiosk", way.url());
        let door = Door::open(&Secret::random()?, cookies.to_vec(), &page).await?;
        let file = into.join(format!("{uid}.png"));
        photograph(&browser, door.url(), height(dashboard), &file).await?;
        files.push(file);
    }
    Ok(files)
}

fn find() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file()).ok_or_else(|| {
        Error::could_not_run("screenshots need Chromium, and none is installed here")
            .remedy("apt-get install chromium")
    })
}

async fn photograph(browser: &Path, url: &str, height: u64, file: &Path) -> Result<()> {
    let failed = || Error::failed(format!("`{}` took no picture", browser.display()));
    let profile = tempfile::tempdir().map_err(|error| failed().because(error))?;
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-quic"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={WIDTH},{height}"))
        .arg(format!("--virtual-time-budget={DRAWING}"))
        .arg(format!("--screenshot={}", file.display()));
    if rustix::process::geteuid().is_root() {
        // Its sandbox does not work for root.
        command.arg("--no-sandbox");
    }
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.kill_on_drop(true).spawn().map_err(|error| failed().because(error))?;
    match timeout(PATIENCE, child.wait()).await {
        Ok(Ok(status)) if status.success() && file.is_file() => Ok(()),
        Ok(Ok(status)) => Err(failed().because(format!("it ended with {status}"))),
        Ok(Err(error)) => Err(failed().because(error)),
        Err(_) => Err(failed().because(format!("it did not end within {} s", PATIENCE.as_secs()))),
    }
}

/// How high the page is on which all panels stand.
fn height(dashboard: &Value) -> u64 {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let end = |panel: &Value| {
        panel["gridPos"]["y"].as_u64().unwrap_or(0) + panel["gridPos"]["h"].as_u64().unwrap_or(0)
    };
    panels.map(end).max().unwrap_or(0) * ROW + AROUND
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_picture_is_as_high_as_its_dashboard() {
        let panel = |y: u64, h: u64| json!({"gridPos": {"x": 0, "y": y, "w": 12, "h": h}});
        assert_eq!(height(&json!({"panels": [panel(0, 4), panel(4, 8), panel(4, 6)]})), 12 * ROW + AROUND);
        assert_eq!(height(&json!({})), AROUND);
    }
}
