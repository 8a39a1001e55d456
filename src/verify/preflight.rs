//! Checks before any fault is caused: whether the pipeline works, is quiet, and lets the alert pass, and whether the
//! host is healthy enough for a drill.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::diagnosis::{Diagnosis, target_is_down};
use super::observer::{Services, Subject};
use crate::drill::{Measured, watched_job};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::http::alertmanager::Counters;
use crate::http::prometheus::{
    ActiveAlert, AlertState, AlertingRule, DISCOVERY_SETTLES_WITHIN, Labels, Prometheus,
};
use crate::promql::read;
use crate::spec::DrillKind;
use crate::timing::{Mutes, Stage, TimingSettings, phrases};

/// Alertmanager removes empty groups every half minute.
const CLEARING: Duration = Duration::from_secs(35);
/// Prometheus sets an alert's `endsAt` to four times its resend delay of a minute
/// (`rules/manager.go` and `--rules.alert.resend-delay`); then Alertmanager resolves it.
const EXPIRING: Duration = Duration::from_mins(6);
/// Time that a busy host may take to calm down, beyond the range of the expression.
const CALMING: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);
/// The severity of alerts that prevent a drill on their host.
const SERIOUS: &str = "critical";

/// A pipeline that a drill can begin on.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// The rule's expression.
    pub expression: String,
    /// The host's figures now.
    pub measured: Measured,
    /// Alertmanager's counters now.
    pub counters: Counters,
    /// How much longer than `group_wait` the first message may take.
    pub extra: Duration,
}

/// Result of the preflight.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// Go on.
    Ready(Ready),
    /// The alert cannot reach its receiver, whatever the fault.
    Blocked(Diagnosis),
}

/// One preflight.
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'a> {
    /// Where to look.
    pub services: &'a Services,
    /// The alert and the host.
    pub subject: &'a Subject,
    /// The kind of its drill.
    pub kind: &'a DrillKind,
    /// The settings that decide the times.
    pub settings: &'a TimingSettings,
    /// When its notifications are muted.
    pub mutes: &'a Mutes,
    /// Reports what is being waited for.
    pub notes: &'a Notes<'a>,
}

/// Notes printed while the drills of a wave are prepared: each once, however many drills wait for the same thing.
#[derive(Debug)]
pub struct Notes<'a> {
    events: &'a Events,
    sent: RefCell<BTreeSet<String>>,
}

impl<'a> Notes<'a> {
    /// No notes sent yet.
    pub fn new(events: &'a Events) -> Self {
        Self { events, sent: RefCell::default() }
    }

    fn send(&self, text: String) {
        if self.sent.borrow_mut().insert(text.clone()) {
            self.events.note(text);
        }
    }
}

impl Preflight<'_> {
    /// Checks everything that can be known before the fault is caused. Waits until a group of resolved alerts is
    /// removed, because the notification of an alert that joins it would be late or missing.
    ///
    /// # Errors
    /// When a service does not answer, the rule does not exist, the alert is muted or already active, or the host is
    /// unhealthy.
    pub async fn look(&self) -> Result<Readiness> {
        let Self { services, subject, .. } = *self;
        self.not_muted()?;
        let prometheus = &services.prometheus;
        let rule = rule(prometheus, &subject.alert).await?;
        let blocked = |stage, (cause, remedy)| Ok(Readiness::Blocked(Diagnosis { stage, cause, remedy }));
        if let Some(error) = self.lasting_target_error().await? {
            return blocked(Stage::Above, target_is_down(&subject.address, &error));
        }
        if let Some(error) = rule.last_error.filter(|error| !error.is_empty()) {
            let remedy = "correct its expression in the spec, then `monctl up`".to_owned();
            return blocked(
                Stage::Pending,
                (format!("Prometheus cannot evaluate the rule: {error}"), remedy),
            );
        }
        self.not_active().await?;
        self.not_suffering().await?;
        if prometheus.settled_alertmanagers().await? == 0 {
            let cause = "Prometheus sends alerts to no Alertmanager".to_owned();
            return blocked(
                Stage::InAlertmanager,
                (cause, "`monctl up` repairs its configuration".to_owned()),
            );
        }
        self.filled().await?;
        let (labels, value) = self.series(&rule.query).await?;
        let name = ("alertname".to_owned(), subject.alert.clone());
        let expected: Labels = labels.into_iter().chain(rule.labels).chain([name]).collect();
        if let Some(problem) = silenced(services, &expected).await? {
            return blocked(Stage::Sent, problem);
        }
        let extra = self.quiet(&expected).await?;
        let measured = Measured { cpus: self.cpus().await?, value, requests: self.requests().await? };
        let counters = services.alertmanager.counters().await?;
        Ok(Readiness::Ready(Ready { expression: rule.query, measured, counters, extra }))
    }

    /// Whether the firing and the resolved notification can be sent now.
    fn not_muted(&self) -> Result<()> {
        let TimingSettings { scrape_interval, evaluation_interval, hold, group_wait, group_interval, .. } =
            *self.settings;
        let seen = self.settings.range() + scrape_interval + evaluation_interval;
        let needed = 2 * seen + hold + group_wait + group_interval;
        self.mutes.allow(&self.subject.alert, jiff::Timestamp::now(), needed)
    }

    /// Why the target that exposes the drill cannot be scraped, if that persists: a target that was just installed or
    /// restarted is scraped within two intervals, and a Prometheus that was just started has no targets yet.
    async fn lasting_target_error(&self) -> Result<Option<String>> {
        let patience = (2 * self.settings.scrape_interval + PAUSE).max(DISCOVERY_SETTLES_WITHIN);
        let until = Instant::now() + patience;
        let job = watched_job(self.kind);
        loop {
            let error = target_error(&self.services.prometheus, self.subject, job).await?;
            let Some(why) = error.as_ref().filter(|_| Instant::now() < until) else { return Ok(error) };
            self.notes.send(format!(
                "`{job}` cannot be scraped yet ({why}); waiting for at most {}",
                phrases::seconds(patience)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Waits until an active alert has resolved: `up` may have caused it a moment ago.
    async fn not_active(&self) -> Result<()> {
        let subject = self.subject;
        let active = |alert: &ActiveAlert| alert.name() == subject.alert && subject.is_meant(&alert.labels);
        match self.wait_for_none(active, "is already active").await? {
            None => Ok(()),
            Some(alert) => Err(is_active(subject, &alert)),
        }
    }

    /// Refuses if a critical alert fires on the host; one caused by an earlier drill may still be resolving.
    async fn not_suffering(&self) -> Result<()> {
        let serious = |alert: &ActiveAlert| {
            alert.state == AlertState::Firing
                && alert.labels.get("severity").is_some_and(|severity| severity == SERIOUS)
                && alert.labels.contains_key("instance")
                && self.subject.is_meant(&alert.labels)
        };
        let Some(alert) = self.wait_for_none(serious, "fires").await? else { return Ok(()) };
        let (name, since) = (alert.name(), &alert.active_at);
        Err(Error::could_not_run(format!(
            "the host is already unhealthy: `{name}` has been firing since {since}"
        ))
        .at(self.subject.address.clone())
        .remedy("fix that first: a drill would make it worse, and its alert may be inhibited"))
    }

    /// Waits until no active alert matches, for as long as the expression and the host need to calm down; returns one
    /// that persists.
    async fn wait_for_none(
        &self,
        like: impl Fn(&ActiveAlert) -> bool,
        what: &str,
    ) -> Result<Option<ActiveAlert>> {
        let TimingSettings { scrape_interval, evaluation_interval, .. } = *self.settings;
        let patience = self.settings.range() + 2 * (scrape_interval + evaluation_interval) + CALMING;
        let until = Instant::now() + patience;
        loop {
            let alerts = self.services.prometheus.alerts().await?;
            let Some(alert) = alerts.into_iter().find(|alert| like(alert)) else { return Ok(None) };
            if Instant::now() >= until {
                return Ok(Some(alert));
            }
            self.notes.send(format!(
                "`{}` {what}, since {}; waiting until it resolves (at most {})",
                alert.name(),
                alert.active_at,
                phrases::seconds(patience)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Waits until the whole range of the expression is filled with scrapes. Before that, as after a restart, `rate`
    /// extrapolates over missing samples, and an idle host looks busy.
    async fn filled(&self) -> Result<()> {
        let (range, scrape_interval) = (self.settings.range(), self.settings.scrape_interval);
        // A count does not grow when its range begins before the first sample.
        if range.is_zero() || *self.kind == DrillKind::ReplacedWorkers {
            return Ok(());
        }
        let job = watched_job(self.kind);
        let wanted = range.as_millis().div_ceil(scrape_interval.as_millis().max(1));
        let scrapes = format!(r#"sum_over_time(up{{job="{job}"}}[{}ms])"#, range.as_millis());
        let until = Instant::now() + range + 2 * scrape_interval;
        loop {
            let counts = self.services.prometheus.query(&scrapes).await?;
            let counts = counts
                .iter()
                .filter(|sample| self.subject.is_meant(&sample.labels))
                .map(|sample| sample.value);
            #[expect(clippy::cast_precision_loss, reason = "a count of scrapes")]
            let is_filled = counts.min_by(f64::total_cmp).is_some_and(|count| count >= wanted as f64);
            if is_filled || Instant::now() >= until {
                return Ok(());
            }
            self.notes.send(format!("waiting until `{job}` was scraped for {}", phrases::seconds(range)));
            sleep(PAUSE).await;
        }
    }

    /// The labels and current value of the series that the rule is about; none if there is no series yet.
    async fn series(&self, expression: &str) -> Result<(Labels, f64)> {
        let reading = read(expression, self.settings.scrape_interval);
        let left = reading.map_or_else(|| expression.to_owned(), |reading| reading.left);
        let samples = self.services.prometheus.query(&left).await?;
        let meant = samples.into_iter().filter(|sample| self.subject.is_meant(&sample.labels));
        let highest = meant.max_by(|one, other| one.value.total_cmp(&other.value));
        Ok(highest.map_or_else(|| (Labels::new(), 0.0), |sample| (sample.labels, sample.value)))
    }

    /// Waits until Alertmanager has dropped the resolved alerts. Returns how much longer than usual the first
    /// notification may take because the alert joins a group that has already been notified.
    async fn quiet(&self, labels: &Labels) -> Result<Duration> {
        self.forgotten().await?;
        let alertmanager = &self.services.alertmanager;
        let interval = self.settings.group_interval;
        let patience = patience(interval);
        let until = Instant::now() + patience;
        loop {
            let groups = alertmanager.groups().await?;
            let others: usize =
                groups.iter().filter(|group| group.takes(labels)).map(|it| it.alerts.len()).sum();
            if others > 0 {
                self.notes.send(format!(
                    "the group already has other alerts ({others}): `{}` may join their next notification, up to {} later",
                    self.subject.alert,
                    phrases::seconds(interval)
                ));
                return Ok(interval);
            }
            // Groups without alerts are counted and not listed.
            #[expect(clippy::cast_precision_loss, reason = "a count of groups")]
            let emptied = alertmanager.counters().await?.groups - groups.len() as f64;
            if emptied < 1.0 {
                return Ok(Duration::ZERO);
            }
            if Instant::now() >= until {
                return Ok(interval);
            }
            self.notes.send(format!(
                "waiting for the resolved notification of an earlier alert (at most {})",
                phrases::seconds(patience)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Waits until Alertmanager no longer has the alert itself. That of a Prometheus that was stopped stays until it
    /// expires, and would be mistaken for the one that the drill causes.
    async fn forgotten(&self) -> Result<()> {
        let until = Instant::now() + EXPIRING;
        loop {
            let groups = self.services.alertmanager.groups().await?;
            let held = groups.iter().flat_map(|group| &group.alerts);
            let Some(own) = held.into_iter().find(|alert| self.subject.is_alert(&alert.labels)) else {
                return Ok(());
            };
            let (alert, since) = (&self.subject.alert, own.starts_at);
            if Instant::now() >= until {
                return Err(Error::could_not_run(format!(
                    "Alertmanager still has an active `{alert}`, since {since}"
                ))
                .at(self.subject.address.clone())
                .remedy(
                    "find out what sends it (another Prometheus?), and run it again once it has resolved",
                ));
            }
            self.notes.send(format!(
                "Alertmanager still has an earlier `{alert}`, since {since}; waiting until it resolves (at most {})",
                phrases::seconds(EXPIRING)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Number of CPUs of the host; zero if the drill does not need it.
    async fn cpus(&self) -> Result<u16> {
        if *self.kind != DrillKind::Cpu {
            return Ok(0);
        }
        let counted = r#"count by (instance) (node_cpu_seconds_total{mode="idle"})"#;
        let count = self.sum(counted).await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of CPUs")]
        let count = count.clamp(0.0, f64::from(u16::MAX)) as u16;
        if count > 0 {
            return Ok(count);
        }
        Err(Error::could_not_run("node exporter reports no CPU yet")
            .at(self.subject.address.clone())
            .remedy("wait for the first scrape, then run it again"))
    }

    /// Requests per second of the users; zero if the drill does not need it.
    async fn requests(&self) -> Result<f64> {
        if !matches!(self.kind, DrillKind::Requests { .. } | DrillKind::SlowRequests) {
            return Ok(0.0);
        }
        let range = self.settings.range().max(4 * self.settings.scrape_interval).as_millis();
        self.sum(&format!("sum by (instance) (rate(django_http_responses_total_by_status_total[{range}ms]))"))
            .await
    }

    /// The sum of a query's samples for the host.
    async fn sum(&self, query: &str) -> Result<f64> {
        let samples = self.services.prometheus.query(query).await?;
        Ok(samples
            .iter()
            .filter(|sample| self.subject.is_meant(&sample.labels))
            .map(|sample| sample.value)
            .sum())
    }
}

async fn rule(prometheus: &Prometheus, alert: &str) -> Result<AlertingRule> {
    let rules = prometheus.rules().await?;
    rules.into_iter().find(|rule| rule.name == alert).ok_or_else(|| {
        Error::could_not_run(format!("Prometheus has no rule `{alert}`"))
            .at("monitoring")
            .remedy("add it to the spec's `alerts` if it is missing there, then `monctl up`")
    })
}

/// Why the host's target of a job cannot be scraped.
pub async fn target_error(prometheus: &Prometheus, subject: &Subject, job: &str) -> Result<Option<String>> {
    let targets = prometheus.targets().await?;
    let mut of_host = targets
        .iter()
        .filter(|target| target.labels.get("job").is_some_and(|it| it == job))
        .filter(|target| subject.is_meant(&target.labels));
    Ok(match of_host.next() {
        None => Some(format!("it is not a target of job `{job}`")),
        Some(target) if target.health == "down" => Some(target.last_error.clone()),
        Some(_) => None,
    })
}

fn is_active(subject: &Subject, alert: &ActiveAlert) -> Error {
    let (name, since) = (&subject.alert, &alert.active_at);
    Error::could_not_run(format!("`{name}` is already active, since {since}: a drill would prove nothing"))
        .at(subject.address.clone())
        .remedy("find out what causes it, and run it again once the alert has resolved")
}

async fn silenced(services: &Services, labels: &Labels) -> Result<Option<(String, String)>> {
    let silences = services.alertmanager.silences().await?;
    Ok(silences
        .iter()
        .find(|silence| silence.matches(labels))
        .map(|silence| (format!("the alert is {silence}"), silence.remedy())))
}

/// How long to wait for a group of resolved alerts to be removed. After their resolved notification, an alert that
/// joins the group is sent at its next tick; waiting until the group is gone is quicker only if ticks are far apart.
fn patience(group_interval: Duration) -> Duration {
    if group_interval < CLEARING { 2 * group_interval } else { group_interval + CLEARING }
}
