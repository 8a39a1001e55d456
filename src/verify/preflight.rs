//! What is looked at before any load goes on: whether the pipeline stands, is quiet, and lets the alert pass.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::diagnose::{Diagnosis, target_is_down};
use super::settings::comparison;
use super::watch::{Services, Subject};
use super::{Settings, Stage, words};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::http::alertmanager::Counters;
use crate::http::prometheus::{ActiveAlert, AlertingRule, Labels, Prometheus};

/// Alertmanager clears groups without alerts away every half minute.
const CLEARING: Duration = Duration::from_secs(35);
/// A host that was busy may take so long to calm down, beyond what the expression remembers.
const CALMING: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

/// A pipeline that a drill can begin on.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// The rule's expression.
    pub expression: String,
    /// How many CPUs node exporter reports on the host.
    pub cpus: u16,
    /// How busy the host is now, in percent.
    pub baseline: f64,
    /// Alertmanager's counters now.
    pub counters: Counters,
    /// How much longer than `group_wait` the first message may take.
    pub extra: Duration,
}

/// What the look beforehand gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// Go on.
    Ready(Ready),
    /// The alert cannot make the whole way, whatever the load.
    Blocked(Diagnosis),
}

/// Looks at everything that is known before the load goes on. Waits for a group of alerts that ended
/// to be cleared away, because an alert that joins it would be told late or not at all.
///
/// # Errors
/// When a service does not answer, the rule is not there, or the alert is active already.
pub async fn look(
    services: &Services,
    subject: &Subject,
    settings: &Settings,
    events: &Events,
) -> Result<Readiness> {
    let prometheus = &services.prometheus;
    let rule = rule(prometheus, &subject.alert).await?;
    let blocked = |stage, (cause, remedy)| Ok(Readiness::Blocked(Diagnosis { stage, cause, remedy }));
    if let Some(error) = lasting_target_error(prometheus, subject, settings, events).await? {
        return blocked(Stage::Above, target_is_down(&subject.address, &error));
    }
    if let Some(error) = rule.last_error.filter(|error| !error.is_empty()) {
        let remedy = "correct its expression in the spec, then `monctl up`".to_owned();
        return blocked(Stage::Pending, (format!("Prometheus cannot evaluate the rule: {error}"), remedy));
    }
    not_active(prometheus, subject, settings, events).await?;
    if prometheus.alertmanagers().await? == 0 {
        let cause = "Prometheus knows no Alertmanager".to_owned();
        return blocked(Stage::InAlertmanager, (cause, "`monctl up` mends its configuration".to_owned()));
    }
    filled(prometheus, subject, settings, events).await?;
    let (labels, baseline) = series(prometheus, subject, &rule.query).await?;
    let expected: Labels =
        labels.into_iter().chain(rule.labels).chain([("alertname".into(), subject.alert.clone())]).collect();
    if let Some(problem) = silenced(services, &expected).await? {
        return blocked(Stage::Sent, problem);
    }
    let extra = quiet(services, settings, events).await?;
    Ok(Readiness::Ready(Ready {
        expression: rule.query,
        cpus: cpus(prometheus, subject).await?,
        baseline,
        counters: services.alertmanager.counters().await?,
        extra,
    }))
}

async fn rule(prometheus: &Prometheus, alert: &str) -> Result<AlertingRule> {
    let rules = prometheus.rules().await?;
    rules.into_iter().find(|rule| rule.name == alert).ok_or_else(|| {
        Error::could_not_run(format!("Prometheus has no rule `{alert}`"))
            .at("monitoring")
            .remedy("add it to the spec's `alerts` where it is missing there, then `monctl up`")
    })
}

/// Why the host's node exporter cannot be scraped.
pub async fn target_error(prometheus: &Prometheus, subject: &Subject) -> Result<Option<String>> {
    let targets = prometheus.targets().await?;
    let mut exporters = targets
        .iter()
        .filter(|target| target.labels.get("job").is_some_and(|job| job == "node-exporter"))
        .filter(|target| subject.is_meant(&target.labels));
    Ok(match exporters.next() {
        None => Some("no job `node-exporter` has it as a target".into()),
        Some(target) if target.health == "down" => Some(target.last_error.clone()),
        Some(_) => None,
    })
}

/// The same where it lasts: what was installed or restarted a moment ago is scraped within two intervals.
async fn lasting_target_error(
    prometheus: &Prometheus,
    subject: &Subject,
    settings: &Settings,
    events: &Events,
) -> Result<Option<String>> {
    let patience = 2 * settings.scrape_interval + PAUSE;
    let until = Instant::now() + patience;
    let mut told = false;
    loop {
        let error = target_error(prometheus, subject).await?;
        let Some(why) = error.as_ref().filter(|_| Instant::now() < until) else { return Ok(error) };
        if !told {
            told = true;
            events.note(format!(
                "node exporter cannot be scraped yet ({why}); waiting for at most {}",
                words::seconds(patience)
            ));
        }
        sleep(PAUSE).await;
    }
}

/// Waits until the alert is over where it is active: what `up` did a moment ago may have caused it.
async fn not_active(
    prometheus: &Prometheus,
    subject: &Subject,
    settings: &Settings,
    events: &Events,
) -> Result<()> {
    let Settings { scrape_interval, evaluation_interval, .. } = *settings;
    let range = settings.range();
    let patience = range + 2 * (scrape_interval + evaluation_interval) + CALMING;
    let until = Instant::now() + patience;
    let mut told = false;
    loop {
        let alerts = prometheus.alerts().await?;
        let active = |alert: &&ActiveAlert| alert.name() == subject.alert && subject.is_meant(&alert.labels);
        let Some(alert) = alerts.iter().find(active) else { return Ok(()) };
        if Instant::now() >= until {
            return Err(is_active(subject, alert));
        }
        if !told {
            told = true;
            events.note(format!(
                "`{}` is active already, since {}; waiting until it is over (at most {})",
                subject.alert,
                alert.active_at,
                words::seconds(patience)
            ));
        }
        sleep(PAUSE).await;
    }
}

fn is_active(subject: &Subject, alert: &ActiveAlert) -> Error {
    let (name, since) = (&subject.alert, &alert.active_at);
    Error::could_not_run(format!("`{name}` is active already, since {since}: a drill would prove nothing"))
        .at(subject.address.clone())
        .remedy("find out what keeps the host busy, and run it again once the alert is over")
}

/// Waits until the whole range of the expression is filled with scrapes. Before that, as after a restart, `rate`
/// takes what it has not seen for idle time that was not there, and a quiet host looks busy.
async fn filled(
    prometheus: &Prometheus,
    subject: &Subject,
    settings: &Settings,
    events: &Events,
) -> Result<()> {
    let (range, scrape_interval) = (settings.range(), settings.scrape_interval);
    let wanted = range.as_millis().div_ceil(scrape_interval.as_millis().max(1));
    let scrapes =
        format!(r#"count_over_time(node_cpu_seconds_total{{mode="idle"}}[{}ms])"#, range.as_millis());
    let until = Instant::now() + range + 2 * scrape_interval;
    let mut told = false;
    loop {
        let counts = prometheus.query(&scrapes).await?;
        let counts =
            counts.iter().filter(|sample| subject.is_meant(&sample.labels)).map(|sample| sample.value);
        #[expect(clippy::cast_precision_loss, reason = "a count of scrapes")]
        let is_filled = counts.min_by(f64::total_cmp).is_some_and(|count| count >= wanted as f64);
        if is_filled || Instant::now() >= until {
            return Ok(());
        }
        if !told {
            told = true;
            events.note(format!("waiting until node exporter was scraped for {}", words::seconds(range)));
        }
        sleep(PAUSE).await;
    }
}

/// The labels of the series that the rule is about, and its value now: how busy the host is.
async fn series(prometheus: &Prometheus, subject: &Subject, expression: &str) -> Result<(Labels, f64)> {
    let left = comparison(expression).map_or(expression, |(left, _)| left);
    let samples = prometheus.query(left).await?;
    let sample = samples.into_iter().find(|sample| subject.is_meant(&sample.labels));
    Ok(sample.map_or_else(|| (Labels::new(), 0.0), |sample| (sample.labels, sample.value.clamp(0.0, 100.0))))
}

async fn silenced(services: &Services, labels: &Labels) -> Result<Option<(String, String)>> {
    let silences = services.alertmanager.silences().await?;
    Ok(silences.iter().find(|silence| silence.matches(labels)).map(|silence| {
        (
            format!(
                "the alert is silenced by {} of `{}` until {}",
                silence.id, silence.created_by, silence.ends_at
            ),
            "end the silence in Alertmanager (`monctl open alertmanager`), or wait until it ends".into(),
        )
    }))
}

/// Waits until Alertmanager has forgotten the alerts that have ended. Returns how much longer than usual the
/// first message may take because other alerts are being told.
async fn quiet(services: &Services, settings: &Settings, events: &Events) -> Result<Duration> {
    let alertmanager = &services.alertmanager;
    let patience = patience(settings.group_interval);
    let until = Instant::now() + patience;
    let mut told = false;
    loop {
        let others = alertmanager.alerts().await?.len();
        if others > 0 {
            events.note(format!(
                "Alertmanager tells of other alerts already ({others}); this one may join their next message, up to {} later",
                words::seconds(settings.group_interval)
            ));
            return Ok(settings.group_interval);
        }
        if alertmanager.counters().await?.groups < 1.0 {
            return Ok(Duration::ZERO);
        }
        if Instant::now() >= until {
            return Ok(settings.group_interval);
        }
        if !told {
            told = true;
            events.note(format!(
                "waiting until Alertmanager has told that an earlier alert is over (at most {})",
                words::seconds(patience)
            ));
        }
        sleep(PAUSE).await;
    }
}

/// How long a group whose alerts are over is waited for. Once their end was told, an alert that joins it comes at
/// the group's next tick; only where ticks are far apart is it quicker to wait until the group is gone.
fn patience(group_interval: Duration) -> Duration {
    if group_interval < CLEARING { 2 * group_interval } else { group_interval + CLEARING }
}

async fn cpus(prometheus: &Prometheus, subject: &Subject) -> Result<u16> {
    let counts = prometheus.query(r#"count by (instance) (node_cpu_seconds_total{mode="idle"})"#).await?;
    let count =
        counts.iter().find(|sample| subject.is_meant(&sample.labels)).map_or(0.0, |sample| sample.value);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of CPUs")]
    let count = count.clamp(0.0, f64::from(u16::MAX)) as u16;
    if count > 0 {
        return Ok(count);
    }
    Err(Error::could_not_run("node exporter reports no CPU yet")
        .at(subject.address.clone())
        .remedy("wait for the first scrape, then run it again"))
}
