//! `monctl open`: a web interface of the monitoring host, reached through ssh from a loopback port of this
//! computer until Ctrl-C. A Grafana that exists is opened where it is.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::grafana::{self, Access};
use super::way::Way;
use super::{Context, Outcome};
use crate::cli::{OpenArgs, Web};
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::host::{HostName, Machine};
use crate::http::door::Door;
use crate::provider::Provider;
use crate::render::OVERVIEW_UID;
use crate::secret::Secret;
use crate::spec::load;

/// # Errors
/// Where the monitoring host does not run or does not answer, or no loopback port can be had.
pub(super) async fn run(args: &OpenArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    if let (Web::Grafana, Some(existing)) = (args.service, loaded.spec.grafana.existing()) {
        show(args, &format!("{}/d/{OVERVIEW_UID}", existing.url), &context.events);
        return Ok(Outcome::success("", Value::Null));
    }
    let provider = Provider::of(&loaded, &context.events).await?;
    let machines = provider.observe().await?.running();
    let way = Way::open(monitoring(&machines)?.clone(), port(args.service), context.events.clone()).await?;
    let door = match args.service {
        Web::Grafana => door(&Access::of(&loaded, &provider)?, &way, &context.events).await,
        Web::Prometheus | Web::Alertmanager => None,
    };
    show(args, door.as_ref().map_or(way.url(), Door::url), &context.events);
    context.events.note("open until Ctrl-C");
    context.cancel.raised().await;
    Ok(Outcome::success("", Value::Null))
}

/// Tells the address, and opens it in the browser.
fn show(args: &OpenArgs, address: &str, events: &Events) {
    events.send(Event::Opened { service: name(args.service), url: address.to_owned() });
    if !args.print {
        browse(address, events);
    }
}

/// The monitoring host among machines that run.
pub(super) fn monitoring(machines: &[Machine]) -> Result<&Machine> {
    machines.iter().find(|it| it.name == HostName::MONITORING).ok_or_else(|| {
        Error::could_not_run("the monitoring host does not run").remedy("`monctl up` makes or starts it")
    })
}

const fn name(service: Web) -> &'static str {
    match service {
        Web::Grafana => "Grafana",
        Web::Prometheus => "Prometheus",
        Web::Alertmanager => "Alertmanager",
    }
}

pub(super) const fn port(service: Web) -> u16 {
    match service {
        Web::Grafana => grafana::PORT,
        Web::Prometheus => 9090,
        Web::Alertmanager => 9093,
    }
}

/// A page that logs the browser in. Where Grafana refuses, a person logs in there.
async fn door(access: &Access, way: &Way, events: &Events) -> Option<Door> {
    let open = async {
        let cookies = access.log_in(way.socket()).await?;
        Door::open(&Secret::random()?, cookies, way.url()).await
    };
    match open.await {
        Ok(door) => Some(door),
        Err(error) => {
            events.warn(format!("you have to log in yourself: {error}"));
            None
        }
    }
}

/// Opens the browser that the user has chosen.
fn browse(url: &str, events: &Events) {
    // None is the usual case.
    let chosen = std::env::var("BROWSER").ok().filter(|it| !it.is_empty() && !it.contains([' ', ':', '%']));
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let browser = chosen.unwrap_or_else(|| usual.to_owned());
    let mut command = Command::new(&browser);
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = quiet.spawn() {
        events.warn(format!("cannot run `{browser}` ({error}); open the address yourself"));
    }
}
