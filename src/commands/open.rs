//! `monctl open`: a web interface of the monitoring host, reached through ssh from a loopback port of this
//! computer until Ctrl-C. An existing Grafana is opened at its own address.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::context::Context;
use crate::cli::{OpenArgs, Web};
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::grafana::{self, GrafanaAccess};
use crate::http::login_page::LoginPage;
use crate::http::{alertmanager, prometheus};
use crate::provider;
use crate::remote::PortForward;
use crate::render::OVERVIEW_UID;
use crate::report::Outcome;
use crate::secret::Secret;
use crate::services::monitoring;
use crate::spec::load;

/// # Errors
/// When the monitoring host does not run or does not answer, or no loopback port is available.
pub(super) async fn run(args: &OpenArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    if let (Web::Grafana, Some(existing)) = (args.service, loaded.spec.grafana.existing()) {
        let address = format!("{}/d/{OVERVIEW_UID}", existing.url);
        show(args, &address, &context.events);
        if !args.print {
            browse(&address, &context.events);
        }
        return Ok(Outcome::success("", Value::Null));
    }
    let provider = provider::of(&loaded, &context.events).await?;
    let machines = provider.observe().await?.running();
    let way =
        PortForward::open(monitoring(&machines)?.clone(), port(args.service), context.events.clone()).await?;
    let door = match args.service {
        Web::Grafana => door(&GrafanaAccess::of(&loaded, provider.folder())?, &way, &context.events).await,
        Web::Prometheus | Web::Alertmanager => None,
    };
    show(args, door.as_ref().map_or(way.url(), LoginPage::url), &context.events);
    // Removed at the end: the browser may read it late.
    let _page = match &door {
        _ if args.print => None,
        // Every user of this computer can read the arguments of its processes.
        Some(door) => Some(browse_in_private(door.url(), &context.events)?),
        None => {
            browse(way.url(), &context.events);
            None
        }
    };
    context.events.note("open until Ctrl-C");
    context.cancel.raised().await;
    Ok(Outcome::success("", Value::Null))
}

/// Reports the address.
fn show(args: &OpenArgs, address: &str, events: &Events) {
    events.send(Event::Opened { service: name(args.service), url: address.to_owned() });
}

/// Opens a secret address: the browser opens a file that only its user can read, and the file redirects it to the
/// address.
fn browse_in_private(url: &str, events: &Events) -> Result<TempDir> {
    let (folder, path) = private_page(url).map_err(|error| {
        Error::could_not_run("cannot write the page that redirects the browser")
            .because(error)
            .remedy("`monctl open --print` shows the address; open it yourself")
    })?;
    browse(&format!("file://{}", path.display()), events);
    Ok(folder)
}

/// Writes a page that redirects a browser, in its own folder; only this user can read it.
fn private_page(url: &str) -> io::Result<(TempDir, PathBuf)> {
    let only_owner = Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("monctl-open-").permissions(only_owner).tempdir()?;
    let path = folder.path().join("open.html");
    let page = include_str!("open.html").replace("@URL@", url);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(page.as_bytes())?;
    Ok((folder, path))
}

/// The port of a service on the loopback of the monitoring host.
const fn port(service: Web) -> u16 {
    match service {
        Web::Grafana => grafana::PORT,
        Web::Prometheus => prometheus::PORT,
        Web::Alertmanager => alertmanager::PORT,
    }
}

const fn name(service: Web) -> &'static str {
    match service {
        Web::Grafana => "Grafana",
        Web::Prometheus => "Prometheus",
        Web::Alertmanager => "Alertmanager",
    }
}

/// A page that logs the browser in. If Grafana refuses, the user has to log in.
async fn door(access: &GrafanaAccess, way: &PortForward, events: &Events) -> Option<LoginPage> {
    let open = async {
        let cookies = access.log_in(way.socket()).await?;
        LoginPage::open(&Secret::random()?, cookies, way.url()).await
    };
    match open.await {
        Ok(door) => Some(door),
        Err(error) => {
            events.warn(format!("cannot log in automatically, log in yourself: {error}"));
            None
        }
    }
}

/// Opens the browser that the user has chosen.
fn browse(url: &str, events: &Events) {
    // Usually not set.
    let chosen = std::env::var("BROWSER").ok().filter(|it| !it.is_empty() && !it.contains([' ', ':', '%']));
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let browser = chosen.unwrap_or_else(|| usual.to_owned());
    let mut command = Command::new(&browser);
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = quiet.spawn() {
        events.warn(format!("cannot run `{browser}` ({error}); open the address yourself"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_the_browser_is_private_and_removed_at_the_end() {
        let (folder, path) = private_page("http://127.0.0.1:4000/k3y").unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(folder.path())), (0o600, 0o700));
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(
            page.contains(r#"content="0; url=http://127.0.0.1:4000/k3y""#) && !page.contains('@'),
            "{page}"
        );
        drop(folder);
        assert!(!path.exists());
    }
}
