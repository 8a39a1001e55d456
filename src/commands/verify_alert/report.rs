//! `verify-alert --report FILE`: the results of the drills as a page for managers and engineers. The curves come
//! from Prometheus afterwards, the messages from its own copy of the inbox.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::event::{ChatMessage, Events};
use crate::host::HostName;
use crate::http::prometheus::Prometheus;
use crate::http::slack::{Mark, Received, escaped};
use crate::own_files;
use crate::promql;
use crate::remote::Remote;
use crate::render::{Rule, rules};
use crate::report::{AlertVerdict, ReportPage, Section, StageSeen};
use crate::spec::Spec;
use crate::timing::Stage;
use crate::verify::{Coverage, NotRun, Proof, Round, Services, Subject, Witness};

/// How much time before the fault a curve shows.
const BEFORE: Duration = Duration::from_secs(15);
/// Approximate number of points of a curve.
const POINTS: f64 = 200.0;
/// One fact a line: its name, a tab, its value.
const FACTS: &str = include_str!("facts.sh");

/// Collects what the page needs while the drills run.
pub(super) struct ReportCollector {
    services: Services,
}

impl ReportCollector {
    /// Collects messages from now on.
    pub fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    /// Writes the page. Data that cannot be queried any more is left out, with a note.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn write(
        mut self,
        file: &Path,
        events: &Events,
        spec: &Spec,
        round: &Round,
        coverage: Option<&Coverage>,
        hosts: &[(HostName, &str, &Remote)],
    ) -> Result<()> {
        let rules = rules(spec);
        let rule_of = |alert: &str| rules.iter().find(|rule| rule.name == alert);
        let messages = self.messages();
        let mut page = ReportPage {
            project: spec.project.to_string(),
            made: readable(Timestamp::now()),
            coverage: coverage.map(Coverage::text).unwrap_or_default(),
            ..ReportPage::default()
        };
        for (alert, _) in &round.verdicts {
            let mut section = section(alert, rule_of(alert));
            if let Some(proof) = round.proofs().find(|proof| proof.alert == *alert) {
                prove(&mut section, proof, &messages);
                if let Some(rule) = rule_of(alert) {
                    section.curve = match curve(&self.services.prometheus, rule, proof, hosts).await {
                        Ok(curve) => curve,
                        Err(error) => {
                            events.warn(format!(
                                "the report has no curve for {alert}: {}",
                                error.in_one_line()
                            ));
                            Vec::new()
                        }
                    };
                }
            }
            if let Some(missing) = round.not_run().into_iter().find(|it| it.alert == *alert) {
                stopped(&mut section, missing);
            }
            page.alerts.push(section);
        }
        let drilled = |name: &String| page.alerts.iter().any(|section| section.alert == *name);
        let others: Vec<Section> = rules
            .iter()
            .filter(|rule| !drilled(&rule.name))
            .map(|rule| section(&rule.name, Some(rule)))
            .collect();
        page.alerts.extend(others);
        for (name, address, remote) in hosts {
            let facts = facts(remote).await.unwrap_or_else(|error| unknown(&error));
            page.hosts.push((format!("{name} ({address})"), facts));
        }
        let Services { prometheus, alertmanager, .. } = &self.services;
        let known = |version: Result<String>| version.unwrap_or_else(|error| format!("unknown ({error})"));
        page.versions = vec![
            ("Prometheus".into(), known(prometheus.version().await)),
            ("Alertmanager".into(), known(alertmanager.version().await)),
        ];
        put(file, &page.render()?)
    }

    /// The messages that arrived, with their times.
    fn messages(&mut self) -> Vec<Arrived> {
        let when = |at: tokio::time::Instant| {
            // A drill does not last centuries.
            let ago = jiff::SignedDuration::try_from(at.elapsed()).unwrap_or_default();
            Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let received = self.services.inbox.take().into_iter();
        let arrived = |Received { at, message, marks, .. }: Received| {
            Some(Arrived { at: when(at), message: message?, marks })
        };
        received.filter_map(arrived).collect()
    }
}

/// A message that arrived.
struct Arrived {
    at: Timestamp,
    message: ChatMessage,
    marks: Vec<Mark>,
}

impl Arrived {
    /// Whether it is about the alert of a drill. A message from the user's own template need not name it; its marks do.
    fn is_about(&self, proof: &Proof) -> bool {
        if self.marks.is_empty() {
            let names = [proof.alert.clone(), escaped(&proof.alert)];
            let texts = [&self.message.title, &self.message.text];
            return texts.into_iter().any(|text| names.iter().any(|name| text.contains(name)));
        }
        self.marks.iter().any(|mark| proof.identities.iter().any(|identity| identity.is_meant(mark)))
    }
}

/// A section for an alert without a drill, from its rule.
fn section(alert: &str, rule: Option<&Rule>) -> Section {
    let word = |name: &str| rule.and_then(|rule| rule.labels.get(name).cloned()).unwrap_or_default();
    Section {
        alert: alert.to_owned(),
        severity: word("severity"),
        summary: rule.and_then(|rule| rule.annotations.get("summary").cloned()).unwrap_or_default(),
        expression: rule.map(|rule| rule.expr.clone()).unwrap_or_default(),
        ..Section::default()
    }
}

/// Fills a section with the results of a drill.
fn prove(section: &mut Section, proof: &Proof, messages: &[Arrived]) {
    let seconds = |stage: Stage| proof.when(stage).map(|millis| millis.0.as_secs_f64());
    section.verdict = match &proof.diagnosis {
        None => AlertVerdict::Proven,
        Some(diagnosis) => AlertVerdict::Stopped {
            stage: if proof.lost { "observation lost".into() } else { diagnosis.stage.to_string() },
            cause: diagnosis.cause.clone(),
            remedy: diagnosis.remedy.clone(),
        },
    };
    section.host = proof.host.to_string();
    section.begun = readable(proof.at);
    section.fault = proof.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    section.fault_ended = seconds(Stage::LoadOff);
    section.threshold = Some(proof.settings.threshold.value);
    proof.settings.threshold.unit.clone_into(&mut section.unit);
    section.stages = proof
        .timeline
        .iter()
        .map(|entry| StageSeen {
            name: entry.stage.to_string(),
            seen: Some(entry.after.0.as_secs_f64()),
            predicted: entry.predicted.map(|(from, to)| (from.0.as_secs_f64(), to.0.as_secs_f64())),
            detail: entry.detail.clone(),
        })
        .collect();
    let after = |at: Timestamp| at.duration_since(proof.at).as_secs_f64();
    let own = messages.iter().filter(|arrived| after(arrived.at) >= 0.0 && arrived.is_about(proof));
    section.messages = own.map(|arrived| (after(arrived.at), arrived.message.clone())).collect();
    unseen(proof).unwrap_or_default().clone_into(&mut section.unseen);
}

/// Why there is no picture of a message that was delivered.
fn unseen(proof: &Proof) -> Option<&'static str> {
    let is_counted = proof.witness == Witness::Counters && proof.when(Stage::Delivered).is_some();
    is_counted.then_some(
        "The message itself is not shown, since only Slack has received it: Alertmanager's counters show that Slack \
         accepted it. With a bot in the channel (`notify.slack.bot_token`), monctl reads it there and shows it here.",
    )
}

fn stopped(section: &mut Section, missing: NotRun) {
    section.verdict = AlertVerdict::Stopped {
        stage: if missing.undo_failed { "the undo failed" } else { "not started" }.into(),
        cause: missing.error,
        remedy: missing.remedy.unwrap_or_else(|| "run it again".into()),
    };
}

/// The values of the expression's compared side for the host of the drill; of several sides, the one that changed most.
async fn curve(
    prometheus: &Prometheus,
    rule: &Rule,
    proof: &Proof,
    hosts: &[(HostName, &str, &Remote)],
) -> Result<Vec<(f64, f64)>> {
    let last = proof.timeline.iter().map(|entry| entry.after.0).max().unwrap_or_default();
    let begin = proof.at.as_duration().as_secs_f64();
    let (from, to) = (begin - BEFORE.as_secs_f64(), begin + (last + BEFORE).as_secs_f64());
    let step = ((to - from) / POINTS).max(1.0);
    let address =
        hosts.iter().find(|(name, ..)| *name == proof.host).map(|(_, address, _)| (*address).to_owned());
    let subject = Subject { alert: proof.alert.clone(), address: address.unwrap_or_default() };
    let mut curves = Vec::new();
    for side in promql::compared_sides(&rule.expr, proof.settings.scrape_interval) {
        let series = prometheus.range(&side, from, to, step).await?;
        curves.extend(
            series.into_iter().find(|(labels, _)| subject.is_meant(labels)).map(|(_, points)| points),
        );
    }
    let moved = curves.into_iter().max_by(|one, other| span(one).total_cmp(&span(other))).unwrap_or_default();
    Ok(moved.into_iter().map(|(at, value)| (at - begin, value)).collect())
}

/// The difference between a curve's maximum and minimum.
fn span(curve: &[(f64, f64)]) -> f64 {
    let values = || curve.iter().map(|(_, value)| *value);
    values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
}

/// The facts of a host that cannot be queried.
fn unknown(error: &Error) -> Vec<(String, String)> {
    vec![("unknown".to_owned(), error.in_one_line())]
}

/// Checks that the report can be written, before any fault is caused.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn check(file: &Path, option: &str) -> Result<()> {
    let folder = own_files::folder_of(file);
    if file.is_dir() {
        return Err(unwritable(file)
            .because("it is a folder")
            .remedy(format!("name a file: `{option} FILE`")));
    }
    tempfile::NamedTempFile::new_in(folder).map(drop).map_err(|error| {
        unwritable(file)
            .because(error)
            .remedy(format!("create the folder `{}`, or choose a file in another one", folder.display()))
    })
}

/// Replaces the file atomically.
///
/// # Errors
/// When it cannot be written.
pub(super) fn put(file: &Path, text: &str) -> Result<()> {
    own_files::replace(file, text.as_bytes(), 0o644).map_err(|error| {
        Error::failed(format!("cannot write the report `{}`", file.display())).because(error)
    })
}

fn unwritable(file: &Path) -> Error {
    Error::could_not_run(format!("the report `{}` could not be written", file.display()))
}

/// Reads the facts of a host.
async fn facts(remote: &Remote) -> Result<Vec<(String, String)>> {
    let output = remote.run(&["sh", "-s"], FACTS.as_bytes()).await?;
    if !output.status.success() {
        return Err(Error::failed("the host does not answer").because(output.stderr.trim().to_owned()));
    }
    let pair = |line: &str| line.split_once('\t').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(output.stdout.lines().filter_map(pair).collect())
}

/// A time in a readable form.
fn readable(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Millis;
    use crate::timing::{Fault, TimingSettings, predict};
    use crate::verify::{AlertIdentity, Entry};

    fn proof(witness: Witness) -> Proof {
        let (settings, fault) = (TimingSettings::classic(), Fault::silence());
        let delivered =
            Entry { stage: Stage::Delivered, after: Millis(BEFORE), predicted: None, detail: String::new() };
        Proof {
            alert: "HighCPUUsage".into(),
            host: HostName::app(1),
            proven: true,
            lost: false,
            at: Timestamp::UNIX_EPOCH,
            witness,
            settings,
            cause: None,
            fault,
            prediction: predict(&settings, &fault),
            timeline: vec![delivered],
            diagnosis: None,
            identities: vec![AlertIdentity { fingerprint: "ab12".into(), since: 7 }],
        }
    }

    fn shown(proof: &Proof, arrived: Arrived) -> Section {
        let mut section = Section::default();
        prove(&mut section, proof, &[arrived]);
        section
    }

    fn arrived(title: &str, marks: &[(&str, i64)]) -> Arrived {
        let mark = |&(fingerprint, since): &(&str, i64)| Mark {
            is_over: false,
            fingerprint: fingerprint.to_owned(),
            since,
        };
        Arrived {
            at: Timestamp::UNIX_EPOCH,
            message: ChatMessage { title: title.into(), ..ChatMessage::default() },
            marks: marks.iter().map(mark).collect(),
        }
    }

    #[test]
    fn a_message_from_the_users_template_is_found_by_its_mark() {
        let proof = proof(Witness::Channel);
        for (title, marks, is_shown) in [
            ("Alert! ", [("cd34", 1), ("ab12", 7)].as_slice(), true),
            ("HighCPUUsage", &[("cd34", 7)], false),
            ("HighCPUUsage", &[("ab12", 6)], false),
            ("[FIRING] HighCPUUsage", &[], true),
            ("[FIRING] AppDown", &[], false),
        ] {
            let section = shown(&proof, arrived(title, marks));
            assert_eq!(section.messages.len(), usize::from(is_shown), "{title} {marks:?}");
            assert!(section.unseen.is_empty());
        }
    }

    #[test]
    fn the_report_explains_why_a_message_is_not_shown() {
        let section = shown(&proof(Witness::Counters), arrived("x", &[]));
        assert!(section.messages.is_empty());
        assert!(section.unseen.contains("only Slack has received it"), "{}", section.unseen);
        let undelivered = Proof { timeline: vec![], ..proof(Witness::Counters) };
        assert!(shown(&undelivered, arrived("x", &[])).unseen.is_empty(), "there was no message");
    }
}
