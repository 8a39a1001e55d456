//! Screenshots of dashboards, taken with the user's Chromium through the port forward or the relay to Grafana. A page
//! that works once logs the browser in, and its profile is temporary. The content of a picture is not verified, except
//! that the page is the dashboard's and not the login, and that something is drawn.

mod browser;
mod picture;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::browser::{Browser, DrawnPage};
use crate::error::{Error, Result};
use crate::http::login_page::LoginPage;
use crate::secret::Secret;

/// The program's names in distributions.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const WIDTH: u64 = 1_600;
/// Height of a row of Grafana's grid: 30 pixels, and 8 between rows.
const ROW: u64 = 38;
/// Height of the bar above the panels and the margins.
const AROUND: u64 = 140;
/// Default height of a row of a dashboard from before Grafana 5, in pixels.
const OLD_ROW: u64 = 250;

/// Saves a screenshot of each dashboard of the Grafana at `base` (`http://…/`) in a folder, which is created if
/// necessary; returns the files.
///
/// # Errors
/// When the browser fails, a page is not the dashboard's or is empty, or a file cannot be written.
pub async fn take(
    browser: &Path,
    into: &Path,
    dashboards: &[Value],
    base: &str,
    cookies: Vec<Secret>,
) -> Result<Vec<PathBuf>> {
    let mut browser = Browser::start(browser).await?;
    std::fs::create_dir_all(into)
        .map_err(|error| Error::failed(format!("cannot create `{}`", into.display())).because(error))?;
    let door = LoginPage::open(&Secret::random()?, cookies, &format!("{base}api/health")).await?;
    browser.open(door.url(), (WIDTH, AROUND)).await?;
    let mut files = Vec::new();
    for dashboard in dashboards {
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        let page = browser.open(&format!("{base}d/{uid}?kiosk"), (WIDTH, height(dashboard))).await?;
        let taken = browser.picture().await?;
        let title = dashboard["title"].as_str().unwrap_or(uid);
        judge(&page, &taken, uid).map_err(|why| {
            Error::failed(format!("cannot take a screenshot of dashboard `{title}`: {why}"))
        })?;
        let file = into.join(format!("{uid}.png"));
        std::fs::write(&file, taken)
            .map_err(|error| Error::failed(format!("cannot write `{}`", file.display())).because(error))?;
        files.push(file);
    }
    browser.close().await;
    Ok(files)
}

/// Checks that this is a picture of the dashboard with this uid, as far as possible; else returns the reason.
fn judge(page: &DrawnPage, picture: &[u8], uid: &str) -> Result<(), String> {
    if page.asks_for_password {
        return Err("Grafana requires a login".into());
    }
    let parts: Vec<&str> = page.path.split('/').collect();
    if !parts.windows(2).any(|pair| pair == ["d", uid]) {
        return Err(format!("Grafana redirected the browser to `{}`", page.path));
    }
    if picture::is_of_one_colour(picture)? {
        return Err("the page is empty".into());
    }
    Ok(())
}

/// The Chromium of this computer.
///
/// # Errors
/// When there is none.
pub fn find() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file()).ok_or_else(|| {
        Error::could_not_run("screenshots need Chromium, which is not installed")
            .remedy("apt-get install chromium")
    })
}

/// The height of the page with all panels.
fn height(dashboard: &Value) -> u64 {
    let list = |key: &str| dashboard[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let end = |panel: &Value| {
        panel["gridPos"]["y"].as_u64().unwrap_or(0) + panel["gridPos"]["h"].as_u64().unwrap_or(0)
    };
    let old = |row: &Value| {
        let given = row["height"].as_u64();
        // As in Grafana: a height that is not a number is the default one.
        let written = row["height"].as_str().and_then(|it| it.trim_end_matches("px").parse().ok());
        given.or(written).unwrap_or(OLD_ROW) + ROW
    };
    let panels = list("panels").iter().map(end).max().unwrap_or(0) * ROW;
    panels + list("rows").iter().map(old).sum::<u64>() + AROUND
}

#[cfg(test)]
mod tests;
