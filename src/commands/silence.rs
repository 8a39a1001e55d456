//! `monctl silence`: creates, lists and ends silences in Alertmanager. A silence always has an end, an author and a reason.

use std::net::IpAddr;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::deployment::ANSWERS_WITHIN;
use super::outcome::Outcome;
use super::services;
use crate::cli::SilenceArgs;
use crate::duration::PromDuration;
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::http::alertmanager::{Alertmanager, Matcher, NewSilence, Silence};
use crate::provider;
use crate::remote::Remote;
use crate::render::rules;
use crate::spec::{Spec, load, suggestion};

/// The longest silence: a longer one would be forgotten.
const LONGEST: PromDuration = PromDuration::seconds(28 * 24 * 3600);

/// A silence as people and programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ActiveSilence {
    id: String,
    /// Its matchers, in Alertmanager's notation.
    matchers: String,
    ends_at: String,
    created_by: String,
    reason: String,
}

impl ActiveSilence {
    pub(super) fn of(silence: Silence) -> Self {
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        let Silence { id, ends_at, created_by, comment, .. } = silence;
        Self { id, matchers: matchers.join(", "), ends_at, created_by, reason: comment }
    }

    pub(super) fn line(&self) -> String {
        let Self { id, matchers, ends_at, created_by, reason } = self;
        format!("{id}: {matchers} until {ends_at} by {created_by}: {reason}")
    }
}

/// # Errors
/// When the alert, the duration or the silence is unknown or invalid, or Alertmanager does not answer.
pub(super) async fn run(args: &SilenceArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    if let Some(alert) = &args.alert {
        check_alert(&loaded.spec, alert)?;
    }
    let lasts = args.duration.map(checked_duration).transpose()?;
    let why = args.why.as_deref().map(checked_reason).transpose()?;
    if let Some(host) = args.host {
        loaded.spec.check_host(host)?;
    }
    let provider = provider::of(&loaded, &context.events).await?;
    let observed = provider.observe().await?;
    let machines = observed.running();
    let remote = Remote::connect(services::monitoring(&machines)?, ANSWERS_WITHIN, &context.events).await?;
    let alertmanager = services::alertmanager(&remote).await?;
    if let Some(id) = &args.end {
        return end(&alertmanager, id).await;
    }
    let (Some(alert), Some(lasts), Some(why)) = (&args.alert, lasts, why) else {
        return list(&alertmanager).await;
    };
    let address = |host: HostName| {
        let machine = observed.machines.get(&host).map(|found| found.machine.address);
        machine.ok_or_else(|| {
            Error::could_not_run("the machine does not exist")
                .at(host.to_string())
                .remedy("`monctl up` creates it")
        })
    };
    let host = args.host.map(|host| Ok::<_, Error>((host, address(host)?))).transpose()?;
    let begin = clock(&remote).await?;
    let end = begin
        .checked_add(lasts)
        .map_err(|cause| Error::invalid("the end is too far ahead").because(cause))?;
    let silence = NewSilence {
        matchers: matchers(alert, host),
        starts_at: begin,
        ends_at: end,
        created_by: author()?,
        comment: why.to_owned(),
    };
    let id = alertmanager.silence(&silence).await?;
    let on = host.map(|(host, _)| format!(" on {host}")).unwrap_or_default();
    let text = format!("{alert}{on} is silenced until {end}; `monctl silence --end {id}` ends it earlier");
    Ok(Outcome::success(text, json!({"id": id, "ends_at": end})))
}

async fn list(alertmanager: &Alertmanager) -> Result<Outcome> {
    let silences: Vec<ActiveSilence> =
        alertmanager.silences().await?.into_iter().map(ActiveSilence::of).collect();
    let lines: Vec<String> = silences.iter().map(ActiveSilence::line).collect();
    let text = if lines.is_empty() { "no alert is silenced".to_owned() } else { lines.join("\n") };
    Ok(Outcome::success(text, json!({"silences": silences})))
}

async fn end(alertmanager: &Alertmanager, id: &str) -> Result<Outcome> {
    let active = alertmanager.silences().await?;
    if !active.iter().any(|silence| silence.id == *id) {
        return Err(Error::invalid(format!("Alertmanager has no active silence `{id}`"))
            .remedy("`monctl silence --list` shows the silences with their ids"));
    }
    alertmanager.end_silence(id).await?;
    Ok(Outcome::success(format!("silence {id} is ended"), json!({"ended": id})))
}

fn check_alert(spec: &Spec, alert: &str) -> Result<()> {
    let names: Vec<String> = rules(spec).into_iter().map(|rule| rule.name).collect();
    if names.iter().any(|name| name == alert) {
        return Ok(());
    }
    let near = suggestion(alert, names.iter().map(String::as_str));
    Err(Error::invalid(format!("the spec has no alert `{alert}`{near}"))
        .remedy(format!("its alerts are `{}`", names.join("`, `"))))
}

fn checked_duration(duration: PromDuration) -> Result<SignedDuration> {
    if duration.as_millis() < 1_000 || duration > LONGEST {
        return Err(Error::invalid(format!("a silence of {duration} is not possible"))
            .remedy(format!("choose `--for` between 1s and {LONGEST}, such as `--for 2h`")));
    }
    SignedDuration::try_from(duration.get())
        .map_err(|cause| Error::invalid(format!("a silence of {duration} is not possible")).because(cause))
}

fn checked_reason(why: &str) -> Result<&str> {
    let why = why.trim();
    if why.is_empty() {
        return Err(Error::invalid("the reason of a silence is empty")
            .remedy("write why, for those who find the silence: `--why \"database migration\"`"));
    }
    Ok(why)
}

/// What the silence matches: the alert, and the instances of a host.
fn matchers(alert: &str, host: Option<(HostName, IpAddr)>) -> Vec<Matcher> {
    let matcher =
        |name: &str, value: String, is_regex| Matcher { name: name.into(), value, is_regex, is_equal: true };
    let of_host = host.map(|(host, address)| {
        // Targets on the monitoring host have its name in place of an address.
        let place = if host == HostName::MONITORING { host.to_string() } else { address.to_string() };
        matcher("instance", format!("\\[?{}\\]?(:[0-9]+)?", place.replace('.', "\\.")), true)
    });
    [matcher("alertname", alert.to_owned(), false)].into_iter().chain(of_host).collect()
}

/// The time on the monitoring host, which decides when a silence ends.
async fn clock(monitoring: &Remote) -> Result<Timestamp> {
    let output = monitoring.run(&["date", "+%s"], b"").await?;
    let seconds = output.stdout.trim().parse().map(Timestamp::from_second);
    match seconds {
        Ok(Ok(now)) if output.status.success() => Ok(now),
        _ => Err(Error::failed("cannot read the clock").at(monitoring.host().to_string())),
    }
}

/// Who creates the silence: `user@computer`.
fn author() -> Result<String> {
    let word = |program: &str, option: &str| {
        let cannot = || Error::could_not_run(format!("`{program} {option}` does not work on this computer"));
        let output = Command::new(program).arg(option).output().map_err(|cause| cannot().because(cause))?;
        let word = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !word.is_empty() { Ok(word) } else { Err(cannot()) }
    };
    Ok(format!("{}@{}", word("id", "-un")?, word("uname", "-n")?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_silence_of_a_host_matches_its_instances_only() {
        let silenced = |host: HostName, address: &str, instance: &str| {
            let matchers = matchers("DiskSpaceLow", Some((host, address.parse().unwrap())));
            let labels = [("alertname", "DiskSpaceLow"), ("instance", instance)];
            let labels: BTreeMap<String, String> =
                labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            matchers.iter().all(|matcher| matcher.matches(&labels))
        };
        for (host, address, instance, expected) in [
            (HostName::app(1), "10.0.0.1", "10.0.0.1:9100", true),
            (HostName::app(1), "10.0.0.1", "10.0.0.1", true),
            (HostName::app(1), "10.0.0.1", "10.0.0.12:9100", false),
            (HostName::app(1), "10.0.0.1", "10x0.0.1:9100", false),
            (HostName::app(2), "fd00::7", "[fd00::7]:9100", true),
            (HostName::MONITORING, "10.0.0.3", "monitoring:9100", true),
        ] {
            assert_eq!(silenced(host, address, instance), expected, "{host} {instance}");
        }
    }

    #[test]
    fn a_silence_needs_a_duration_and_a_reason_that_mean_something() {
        let duration = |text: &str| checked_duration(text.parse().unwrap());
        assert_eq!(duration("2h").unwrap(), SignedDuration::from_hours(2));
        for text in ["0", "500ms", "29d"] {
            assert!(duration(text).unwrap_err().hint().unwrap().contains("between 1s and 4w"), "{text}");
        }
        assert_eq!(checked_reason(" migration ").unwrap(), "migration");
        assert!(checked_reason("  ").is_err());
    }
}
