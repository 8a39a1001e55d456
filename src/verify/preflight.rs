//! What is looked at before any fault is caused: whether the pipeline stands, is quiet, and lets the alert pass, and
//! whether the host is well enough for a drill.

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

/// Alertmanager clears groups without alerts away every half minute.
const CLEARING: Duration = Duration::from_secs(35);
/// Prometheus lets an alert last for four times its resend delay of a minute beyond what it last said of it
/// (`rules/manager.go` and `--rules.alert.resend-delay`); then Alertmanager tells its end.
const EXPIRING: Duration = Duration::from_mins(6);
/// A host that was busy may take so long to calm down, beyond what the expression remembers.
const CALMING: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);
/// The severity of alerts beside which no drill is begun.
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

/// What the look beforehand gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// Go on.
    Ready(Ready),
    /// The alert cannot make the whole way, whatever the fault.
    Blocked(Diagnosis),
}

/// One look beforehand.
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
    /// When its messages are held back.
    pub mutes: &'a Mutes,
    /// Where people are told what is waited for.
    pub notes: &'a Notes<'a>,
}

/// What people are told while the drills of a wave are prepared: each thing once, however many drills wait for it.
#[derive(Debug)]
pub struct Notes<'a> {
    events: &'a Events,
    told: RefCell<BTreeSet<String>>,
}

impl<'a> Notes<'a> {
    /// Nothing was told yet.
    pub fn new(events: &'a Events) -> Self {
        Self { events, told: RefCell::default() }
    }

    fn tell(&self, text: String) {
        if self.told.borrow_mut().insert(text.clone()) {
            self.events.note(text);
        }
    }
}

impl Preflight<'_> {
    /// Looks at everything that is known before the fault is caused. Waits for a group of alerts that ended to be
    /// cleared away, because an alert that joins it would be told late or not at all.
    ///
    /// # Errors
    /// When a service does not answer, the rule is not there, the alert is muted or active already, or the host
    /// suffers.
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
            let cause = "Prometheus knows no Alertmanager".to_owned();
            return blocked(Stage::InAlertmanager, (cause, "`monctl up` mends its configuration".to_owned()));
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

    /// Whether a message of now, and the one that the alert is over, can be sent.
    fn not_muted(&self) -> Result<()> {
        let TimingSettings { scrape_interval, evaluation_interval, hold, group_wait, group_interval, .. } =
            *self.settings;
        let seen = self.settings.range() + scrape_interval + evaluation_interval;
        let needed = 2 * seen + hold + group_wait + group_interval;
        self.mutes.allow(&self.subject.alert, jiff::Timestamp::now(), needed)
    }

    /// Why the target that the drill is seen by cannot be scraped, where that lasts: what was installed or restarted a
    /// moment ago is scraped within two intervals, and a Prometheus that was started a moment ago knows no target yet.
    async fn lasting_target_error(&self) -> Result<Option<String>> {
        let patience = (2 * self.settings.scrape_interval + PAUSE).max(DISCOVERY_SETTLES_WITHIN);
        let until = Instant::now() + patience;
        let job = watched_job(self.kind);
        loop {
            let error = target_error(&self.services.prometheus, self.subject, job).await?;
            let Some(why) = error.as_ref().filter(|_| Instant::now() < until) else { return Ok(error) };
            self.notes.tell(format!(
                "`{job}` cannot be scraped yet ({why}); waiting for at most {}",
                phrases::seconds(patience)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Waits until the alert is over where it is active: what `up` did a moment ago may have caused it.
    async fn not_active(&self) -> Result<()> {
        let subject = self.subject;
        let active = |alert: &ActiveAlert| alert.name() == subject.alert && subject.is_meant(&alert.labels);
        match self.wait_for_none(active, "is active already").await? {
            None => Ok(()),
            Some(alert) => Err(is_active(subject, &alert)),
        }
    }

    /// Refuses where something serious is wrong with the host; what an earlier drill caused may still be ending.
    async fn not_suffering(&self) -> Result<()> {
        let serious = |alert: &ActiveAlert| {
            alert.state == AlertState::Firing
                && alert.labels.get("severity").is_some_and(|severity| severity == SERIOUS)
                && alert.labels.contains_key("instance")
                && self.subject.is_meant(&alert.labels)
        };
        let Some(alert) = self.wait_for_none(serious, "fires").await? else { return Ok(()) };
        let (name, since) = (alert.name(), &alert.active_at);
        Err(Error::could_not_run(format!("the host suffers already: `{name}` fires since {since}"))
            .at(self.subject.address.clone())
            .remedy("mend that first: a drill would add to it, and its alert may be inhibited"))
    }

    /// Waits until no active alert is like this, for as long as the expression and the host need to calm down; returns
    /// one that stays.
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
            self.notes.tell(format!(
                "`{}` {what}, since {}; waiting until it is over (at most {})",
                alert.name(),
                alert.active_at,
                phrases::seconds(patience)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Waits until the whole range of the expression is filled with scrapes. Before that, as after a restart, `rate`
    /// takes what it has not seen for idle time that was not there, and a quiet host looks busy.
    async fn filled(&self) -> Result<()> {
        let (range, scrape_interval) = (self.settings.range(), self.settings.scrape_interval);
        // What is counted is not more in a range that begins before the counting.
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
            self.notes.tell(format!("waiting until `{job}` was scraped for {}", phrases::seconds(range)));
            sleep(PAUSE).await;
        }
    }

    /// The labels of the series that the rule is about, and its value now; what has no series yet has none.
    async fn series(&self, expression: &str) -> Result<(Labels, f64)> {
        let reading = read(expression, self.settings.scrape_interval);
        let left = reading.map_or_else(|| expression.to_owned(), |reading| reading.left);
        let samples = self.services.prometheus.query(&left).await?;
        let meant = samples.into_iter().filter(|sample| self.subject.is_meant(&sample.labels));
        let highest = meant.max_by(|one, other| one.value.total_cmp(&other.value));
        Ok(highest.map_or_else(|| (Labels::new(), 0.0), |sample| (sample.labels, sample.value)))
    }

    /// Waits until Alertmanager has forgotten the alerts that have ended. Returns how much longer than usual the
    /// first message may take because the alert joins a group that was told of others.
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
                self.notes.tell(format!(
                    "Alertmanager tells of other alerts already ({others}); `{}` may join their next message, up to {} later",
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
            self.notes.tell(format!(
                "waiting until Alertmanager has told that an earlier alert is over (at most {})",
                phrases::seconds(patience)
            ));
            sleep(PAUSE).await;
        }
    }

    /// Waits until Alertmanager holds the alert itself no more. That of a Prometheus that was stopped stays until its time is
    /// over, and would be taken for the one that the drill causes.
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
                    "Alertmanager still holds `{alert}`, since {since}"
                ))
                .at(self.subject.address.clone())
                .remedy(
                    "find out who sends it there (another Prometheus?), and run it again once it is over",
                ));
            }
            self.notes.tell(format!(
                "Alertmanager still holds an earlier `{alert}`, since {since}; waiting until that is over (at most {})",
                phrases::seconds(EXPIRING)
            ));
            sleep(PAUSE).await;
        }
    }

    /// How many CPUs the host has; zero where the drill does not ask.
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

    /// How many requests per second users make; zero where the drill does not ask.
    async fn requests(&self) -> Result<f64> {
        if !matches!(self.kind, DrillKind::Requests { .. } | DrillKind::SlowRequests) {
            return Ok(0.0);
        }
        let range = self.settings.range().max(4 * self.settings.scrape_interval).as_millis();
        self.sum(&format!("sum by (instance) (rate(django_http_responses_total_by_status_total[{range}ms]))"))
            .await
    }

    /// The sum of what a query gives for the host.
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
            .remedy("add it to the spec's `alerts` where it is missing there, then `monctl up`")
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
        None => Some(format!("no job `{job}` has it as a target")),
        Some(target) if target.health == "down" => Some(target.last_error.clone()),
        Some(_) => None,
    })
}

fn is_active(subject: &Subject, alert: &ActiveAlert) -> Error {
    let (name, since) = (&subject.alert, &alert.active_at);
    Error::could_not_run(format!("`{name}` is active already, since {since}: a drill would prove nothing"))
        .at(subject.address.clone())
        .remedy("find out what causes it, and run it again once the alert is over")
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

/// How long a group whose alerts are over is waited for. Once their end was told, an alert that joins it comes at
/// the group's next tick; only where ticks are far apart is it quicker to wait until the group is gone.
fn patience(group_interval: Duration) -> Duration {
    if group_interval < CLEARING { 2 * group_interval } else { group_interval + CLEARING }
}
