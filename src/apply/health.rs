//! Whether what was set up holds: units that systemd does not start again and again, targets that Prometheus scrapes,
//! and no critical alert that fires. `up` ends well only after it has seen that; `status` shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::HostName;
use crate::http::prometheus::{ActiveAlert, AlertState, Prometheus, Target};
use crate::integrations::Integration;
use crate::playbook::{Playbook, UnitFact};
use crate::remote::Remote;
use crate::retry::Patience;

/// A unit that is up for less has not shown yet that it stays up.
const YOUNG: Duration = Duration::from_secs(3);
/// How long a unit is watched that is starting, or that systemd started again a short while ago.
const WATCHED: Duration = Duration::from_secs(6);
/// The pause between two looks at units.
const PAUSE: Duration = Duration::from_secs(1);
/// A unit that has been active for so long without a restart does not flap.
const SETTLED: Duration = Duration::from_mins(1);
/// What a scrape, an evaluation and their answers take beyond their intervals.
const MARGIN: Duration = Duration::from_secs(5);
/// The severity of alerts that a setup must not end with.
const CRITICAL: &str = "critical";
/// Prints for how long the host has been running, in seconds, and then what systemd says of units.
const UNITS: &str = r#"cut -d ' ' -f 1 /proc/uptime && exec systemctl show \
    -p Id -p LoadState -p ActiveState -p NRestarts -p ActiveEnterTimestampMonotonic "$@""#;

/// A unit of monctl's as it was seen over some seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitHealth {
    /// Its name.
    pub name: String,
    /// systemd's word for its state; `masked` where it is.
    pub state: String,
    /// How often systemd started it again while it was watched, or shortly before.
    pub restarts: u32,
}

impl UnitHealth {
    /// What is wrong with it; nothing where it runs and stays.
    pub fn trouble(&self) -> Option<String> {
        let Self { name, state, restarts } = self;
        match (state.as_str(), restarts) {
            ("active", 0) => None,
            (_, 0) => Some(format!("`{name}` is {state}")),
            (_, count) => Some(format!("`{name}` does not stay up: systemd started it again {count} times")),
        }
    }
}

/// The units of a host. They are watched for some seconds if one is starting, started a moment ago, or was restarted a
/// short while ago.
///
/// # Errors
/// When the connection breaks, or systemd does not answer.
pub async fn units(remote: &Remote, integrations: &[Integration]) -> Result<Vec<UnitHealth>> {
    let playbook = Playbook::of(remote.host().role(), integrations)?;
    let names: Vec<&str> = playbook.units().collect();
    let first = show(remote, &names).await?;
    let until = Instant::now() + WATCHED;
    let mut last = first.clone();
    while (last.is_restless() || last.is_starting())
        && !last.restarted_since(&first)
        && Instant::now() < until
    {
        sleep(PAUSE).await;
        last = show(remote, &names).await?;
    }
    Ok(last.judge(&first))
}

/// What systemd said at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    uptime: Duration,
    units: BTreeMap<String, UnitFact>,
}

async fn show(remote: &Remote, names: &[&str]) -> Result<Look> {
    let words = ["sh", "-c", UNITS, "sh"].into_iter().chain(names.iter().copied());
    let output = remote.run(&words.collect::<Vec<_>>(), b"").await?;
    Look::parse(&output.stdout).filter(|_| output.status.success()).ok_or_else(|| {
        Error::failed("systemd does not say how its units are")
            .at(remote.host().to_string())
            .because(output.stderr.trim().to_owned())
    })
}

impl Look {
    fn parse(text: &str) -> Option<Self> {
        let (uptime, units) = text.split_once('\n')?;
        let uptime = Duration::try_from_secs_f64(uptime.parse().ok()?).ok()?;
        let mut units = UnitFact::parse_all(units);
        // What is not there has nothing to say.
        units.retain(|_, unit| unit.load != "not-found");
        Some(Self { uptime, units })
    }

    /// How often systemd started a unit again, where that may go on.
    fn recent(&self, unit: &UnitFact) -> u32 {
        let is_settled = unit.active == "active" && self.uptime.saturating_sub(unit.active_since) > SETTLED;
        if is_settled { 0 } else { unit.restarts }
    }

    fn is_restless(&self) -> bool {
        self.units.values().any(|unit| self.recent(unit) > 0)
    }

    /// Whether a unit is on its way up, or has only just come up: starting it by hand, as a run does, begins its count of
    /// restarts anew, and between two starts systemd calls it `activating`.
    fn is_starting(&self) -> bool {
        let is_young = |unit: &UnitFact| self.uptime.saturating_sub(unit.active_since) < YOUNG;
        let is_starting =
            |unit: &UnitFact| unit.active == "activating" || (unit.active == "active" && is_young(unit));
        self.units.values().any(is_starting)
    }

    fn restarted_since(&self, first: &Self) -> bool {
        self.units.iter().any(|(name, unit)| unit.restarts > first.restarts(name))
    }

    fn restarts(&self, name: &str) -> u32 {
        self.units.get(name).map_or(0, |unit| unit.restarts)
    }

    /// A unit flaps where systemd started it again since the first look, or more than once within a short time.
    fn judge(&self, first: &Self) -> Vec<UnitHealth> {
        self.units
            .iter()
            .map(|(name, unit)| {
                let recent = self.recent(unit);
                let again = unit.restarts > first.restarts(name) || recent > 1;
                let state = if unit.load == "masked" { &unit.load } else { &unit.active };
                UnitHealth {
                    name: name.clone(),
                    state: state.clone(),
                    restarts: if again { recent.max(1) } else { 0 },
                }
            })
            .collect()
    }
}

/// Waits until all hosts' units stay up, each target is scraped and no critical alert fires, for as long as a change of a
/// moment ago may take to be seen. Returns what is wrong then. `is_spared` names units without which the rest goes on.
pub async fn troubles(
    remotes: &BTreeMap<HostName, &Remote>,
    integrations: &[Integration],
    intervals: (Duration, Duration),
    prometheus: impl Future<Output = Result<Prometheus>>,
    is_spared: impl Fn(&str) -> bool,
    events: &Events,
) -> Vec<Error> {
    let all_units = || join_all(remotes.values().map(|remote| units(remote, integrations)));
    let (mut looks, seen) = tokio::join!(
        all_units(),
        alerting(remotes.get(&HostName::MONITORING).copied(), intervals, prometheus, events)
    );
    // A unit that this run started may have begun to flap since; then it is the cause of what Prometheus sees.
    if !seen.is_empty() {
        looks = all_units().await;
    }
    let mut troubles = Vec::new();
    for (host, look) in remotes.keys().zip(looks) {
        match look {
            Ok(units) => {
                let units = units.iter().filter(|unit| !is_spared(&unit.name));
                troubles.extend(units.filter_map(|unit| Some(unit_error(*host, unit, unit.trouble()?))));
            }
            Err(error) => troubles.push(error),
        }
    }
    troubles.extend(seen);
    troubles
}

fn unit_error(host: HostName, unit: &UnitHealth, trouble: String) -> Error {
    Error::failed(trouble)
        .at(host.to_string())
        .remedy(format!("see why: monctl ssh {host} -- journalctl -u {} -n 50", unit.name))
}

/// What Prometheus sees wrong, once there was time for a scrape and an evaluation.
async fn alerting(
    monitoring: Option<&Remote>,
    (scrape, evaluation): (Duration, Duration),
    prometheus: impl Future<Output = Result<Prometheus>>,
    events: &Events,
) -> Vec<Error> {
    let Some(monitoring) = monitoring else { return vec![] };
    let prometheus = match prometheus.await {
        Ok(prometheus) => prometheus,
        Err(error) => return vec![error],
    };
    let mut patience = Patience::new(2 * (scrape + evaluation) + MARGIN);
    let mut is_waiting = false;
    loop {
        let troubles = match look(&prometheus, monitoring).await {
            Ok(troubles) if troubles.is_empty() => return vec![],
            Ok(troubles) => troubles,
            Err(error) => vec![error],
        };
        if let Some(first) = troubles.first().filter(|_| !std::mem::replace(&mut is_waiting, true)) {
            let limit = patience.limit().as_secs();
            events.note(format!("waiting for at most {limit} s until it is well: {}", first.in_one_line()));
        }
        // What is tried again is the look; its own error is not of interest.
        if patience.again(Error::failed("not yet")).await.is_err() {
            return troubles;
        }
    }
}

/// What is wrong now.
async fn look(prometheus: &Prometheus, monitoring: &Remote) -> Result<Vec<Error>> {
    let mut troubles = Vec::new();
    for target in prometheus.targets().await? {
        // One that was not scraped yet is asked as Prometheus will ask it.
        let why = match target.health.as_str() {
            "up" => None,
            "unknown" => refusal(monitoring, &target).await?,
            _ => Some(target.last_error.clone()),
        };
        troubles.extend(why.map(|why| target_error(&target, why)));
    }
    troubles.extend(prometheus.alerts().await?.iter().filter(|alert| is_critical(alert)).map(alert_error));
    Ok(troubles)
}

/// Why the monitoring host gets no metrics from a target; nothing where it does.
async fn refusal(monitoring: &Remote, target: &Target) -> Result<Option<String>> {
    let words =
        ["curl", "--fail", "--location", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5"];
    let words: Vec<&str> = words.into_iter().chain(["--output", "/dev/null", &target.scrape_url]).collect();
    let output = monitoring.run(&words, b"").await?;
    Ok((!output.status.success()).then(|| output.stderr.trim().to_owned()))
}

fn is_critical(alert: &ActiveAlert) -> bool {
    alert.state == AlertState::Firing && alert.labels.get("severity").is_some_and(|it| it == CRITICAL)
}

fn target_error(target: &Target, why: String) -> Error {
    let label = |name: &str| target.labels.get(name).map_or("", String::as_str);
    Error::failed(format!("Prometheus gets no metrics of `{}` from `{}`", label("job"), label("instance")))
        .at(HostName::MONITORING.to_string())
        .because(why)
        .remedy("see `monctl status`; what a service logs: `monctl logs`")
}

fn alert_error(alert: &ActiveAlert) -> Error {
    let name = alert.name();
    let about = alert.labels.get("instance").map(|instance| format!(" for `{instance}`")).unwrap_or_default();
    Error::failed(format!("the critical alert `{name}` fires{about}, since {}", alert.active_at))
        .at(HostName::MONITORING.to_string())
        .remedy(format!("see what it means and what to do: monctl runbook {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(uptime: u64, state: &str, restarts: u32, since: u64) -> Look {
        Look::parse(&format!(
            "{uptime}.5\nNRestarts={restarts}\nId=a.service\nLoadState=loaded\nActiveState={state}\n\
             ActiveEnterTimestampMonotonic={}\n\nNRestarts=9\nId=b.service\nLoadState=not-found\nActiveState=inactive\n",
            since * 1_000_000
        ))
        .unwrap()
    }

    fn trouble(first: &Look, last: &Look) -> Option<String> {
        let units = last.judge(first);
        assert_eq!(units.len(), 1, "what is not there is not spoken of: {units:?}");
        units[0].trouble()
    }

    #[test]
    fn a_unit_that_systemd_starts_again_and_again_is_in_trouble_whatever_its_state_at_the_moment() {
        let calm = look(1000, "active", 0, 10);
        assert!(!calm.is_restless());
        assert_eq!(trouble(&calm, &calm), None);
        // It fell once an hour ago.
        let recovered = look(5000, "active", 1, 1400);
        assert!(!recovered.is_restless());
        assert_eq!(trouble(&recovered, &recovered), None);
        let first = look(1000, "active", 1, 998);
        assert!(first.is_restless(), "it is looked at again");
        assert_eq!(trouble(&first, &look(1006, "active", 1, 998)), None, "once, and it stays");
        let again = look(1003, "active", 2, 1002);
        assert!(again.restarted_since(&first));
        assert!(trouble(&first, &again).unwrap().contains("`a.service` does not stay up"));
        assert!(trouble(&again, &again).is_some(), "twice within a minute");
        assert!(trouble(&calm, &look(1003, "activating", 1, 900)).is_some());
        assert_eq!(trouble(&calm, &look(1003, "failed", 0, 900)).unwrap(), "`a.service` is failed");
    }

    #[test]
    fn a_unit_is_watched_until_it_has_been_up_for_a_while() {
        assert!(look(1000, "activating", 0, 10).is_starting(), "between two starts");
        assert!(look(1000, "active", 0, 999).is_starting());
        for (state, since) in [("active", 990), ("failed", 999), ("inactive", 999)] {
            assert!(!look(1000, state, 0, since).is_starting(), "{state}");
        }
    }

    #[test]
    fn an_answer_of_systemd_that_is_not_whole_is_no_answer() {
        assert_eq!(Look::parse(""), None);
        assert_eq!(Look::parse("Failed to connect to bus\n"), None);
    }

    #[test]
    fn only_a_critical_alert_that_fires_keeps_up_from_ending_well() {
        let alert = |severity: &str, state| ActiveAlert {
            labels: [("alertname", "AppDown"), ("severity", severity), ("instance", "10.0.0.2:9101")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            state,
            active_at: "2026-11-24T03:00:00Z".into(),
        };
        assert!(is_critical(&alert("critical", AlertState::Firing)));
        assert!(!is_critical(&alert("critical", AlertState::Pending)));
        assert!(!is_critical(&alert("warning", AlertState::Firing)));
        let error = alert_error(&alert("critical", AlertState::Firing));
        assert!(error.message().contains("`AppDown` fires for `10.0.0.2:9101`"), "{error}");
        assert!(error.hint().unwrap().contains("monctl runbook AppDown"));
    }
}
