//! Times in which a source did not answer while a drill ran. A stage that was not seen in such a gap may have been
//! reached, so its absence is not a verdict. Pure; `run` notes each look and evaluates the gaps at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::timing::phrases;

/// The longest time to wait for a source that does not answer.
const LONGEST: Duration = Duration::from_mins(1);

/// The sources that a drill queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObservationSource {
    /// The host of the drill, over ssh.
    Host,
    /// Prometheus.
    Prometheus,
    /// Alertmanager.
    Alertmanager,
    /// The channel, read by a bot.
    Channel,
}

/// A source that did not answer during a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// The source.
    pub source: ObservationSource,
    /// Why.
    pub why: String,
}

/// A period without answers, measured from the beginning of the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The source.
    pub source: ObservationSource,
    /// The last answer before it.
    pub from: Duration,
    /// The last look without an answer.
    pub to: Duration,
    /// The first failure.
    pub why: String,
}

/// All gaps of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    past: Vec<Gap>,
    open: BTreeMap<ObservationSource, Gap>,
    last_look: Duration,
}

impl Gaps {
    /// Takes a look into account: which sources did not answer it.
    pub fn note(&mut self, at: Duration, unseen: &[Unseen]) {
        let is_unseen = |source: &ObservationSource| unseen.iter().any(|one| one.source == *source);
        let (open, ended) =
            std::mem::take(&mut self.open).into_iter().partition(|(source, _)| is_unseen(source));
        self.open = open;
        self.past.extend(ended.into_values().collect::<Vec<_>>());
        for Unseen { source, why } in unseen {
            let from = self.last_look;
            let gap = self.open.entry(*source).or_insert_with(|| Gap {
                source: *source,
                from,
                to: at,
                why: why.clone(),
            });
            gap.to = at;
        }
        self.last_look = at;
    }

    /// The longest gap that reaches beyond this moment.
    pub fn since(&self, moment: Duration) -> Option<&Gap> {
        self.all().filter(|gap| gap.to >= moment).max_by_key(|gap| gap.to.saturating_sub(gap.from))
    }

    /// How much later than predicted a stage may come: the length of the gaps, [`LONGEST`] at most, and `memory` in
    /// addition where Prometheus has a gap, since its ranges have to fill again.
    pub fn delay(&self, memory: Duration) -> Duration {
        let blind: Duration = self.all().map(|gap| gap.to.saturating_sub(gap.from)).sum();
        let anew = self.all().any(|gap| gap.source == ObservationSource::Prometheus);
        blind.min(LONGEST) + if anew { memory } else { Duration::ZERO }
    }

    fn all(&self) -> impl Iterator<Item = &Gap> {
        self.past.iter().chain(self.open.values())
    }
}

impl fmt::Display for ObservationSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host",
            Self::Prometheus => "Prometheus",
            Self::Alertmanager => "Alertmanager",
            Self::Channel => "the channel",
        })
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (phrases::seconds(self.from), phrases::seconds(self.to));
        write!(f, "{} did not answer from {from} to {to} after the fault began: {}", self.source, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn without(source: ObservationSource) -> [Unseen; 1] {
        [Unseen { source, why: "refused".into() }]
    }

    #[test]
    fn a_gap_reaches_from_the_last_answer_to_the_last_look_without_one() {
        let mut gaps = Gaps::default();
        gaps.note(seconds(1), &[]);
        gaps.note(seconds(2), &without(ObservationSource::Prometheus));
        gaps.note(seconds(5), &without(ObservationSource::Prometheus));
        gaps.note(seconds(6), &[]);
        gaps.note(seconds(9), &without(ObservationSource::Channel));
        let gap = gaps.since(seconds(4)).unwrap();
        assert_eq!((gap.source, gap.from, gap.to), (ObservationSource::Prometheus, seconds(1), seconds(5)));
        assert_eq!(gaps.since(seconds(7)).unwrap().source, ObservationSource::Channel);
        assert_eq!(gaps.since(seconds(10)), None, "a gap before the last observation does not matter");
        let text = gap.to_string();
        assert!(text.starts_with("Prometheus did not answer from 1 s to 5 s"), "{text}");
    }

    #[test]
    fn gaps_extend_the_deadline_and_those_of_prometheus_by_its_range_too() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.delay(seconds(30)), Duration::ZERO);
        gaps.note(seconds(3), &without(ObservationSource::Channel));
        assert_eq!(gaps.delay(seconds(30)), seconds(3));
        gaps.note(seconds(5), &without(ObservationSource::Prometheus));
        assert_eq!(gaps.delay(seconds(30)), seconds(3 + 2 + 30));
        gaps.note(seconds(5_000), &without(ObservationSource::Prometheus));
        assert_eq!(gaps.delay(seconds(30)), LONGEST + seconds(30), "the wait for a silent source is limited");
    }
}
