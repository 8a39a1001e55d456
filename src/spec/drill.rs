//! The drill of a catalogue alert as its file declares it: which fault it injects, or why it has none.

use serde::Deserialize;

use crate::integrations::ScrapeJob;

/// How an alert of the catalogue is proven.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DrillKind {
    /// Every CPU of the host is kept busy.
    Cpu,
    /// Memory of the host is taken until a little more than the threshold is in use.
    Memory,
    /// A small file system of its own is mounted and filled.
    Disk,
    /// A small file system of its own is mounted and its inodes are used up.
    Inodes,
    /// Services are stopped.
    Stop {
        /// Names of units; a socket before its service. `app.unit` is the setting of the spec.
        units: Vec<String>,
        /// The scrape job that sees the fault; by default the one of the unit that monctl installs.
        #[serde(default)]
        job: Option<String>,
    },
    /// A unit created for the drill fails.
    FailingUnit,
    /// Real requests are answered with a status, by the instrumentation in place of the application.
    Requests {
        /// The status of the answers.
        status: u16,
    },
    /// Real requests are answered later than the threshold.
    SlowRequests,
    /// Workers of the application are terminated, one after the other, and are replaced.
    ReplacedWorkers,
    /// A program of the integration causes the fault, and another one ends it.
    Run {
        /// The command that causes it and returns. Its words have letters, digits and `_./:=@%+-`.
        run: Vec<String>,
        /// The command that ends it, whatever the host's state.
        undo: Vec<String>,
        /// The value of the alert's expression during the fault.
        reaches: f64,
        /// The scrape job that sees the fault.
        job: String,
        /// What could go wrong: a sentence without its full stop.
        danger: String,
    },
    /// No fault is injected: only rule tests prove the alert.
    None {
        /// Why a drill would do harm or is impossible: a sentence without its full stop.
        because: String,
    },
}

impl DrillKind {
    /// A fault in a well-formed drill, if any. `jobs` are the scrape jobs of its integration.
    pub(super) fn fault(&self, jobs: &[ScrapeJob]) -> Option<String> {
        let Self::Run { run, undo, job, .. } = self else { return None };
        // The words pass through shells and units.
        let is_plain = |word: &String| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_./:=@%+-".contains(c))
        };
        if let Some(word) = run.iter().chain(undo).find(|word| !is_plain(word)) {
            return Some(format!(
                "the drill's word `{word}` may only contain letters, digits and `_./:=@%+-`"
            ));
        }
        let is_absolute = |words: &[String]| words.first().is_some_and(|program| program.starts_with('/'));
        if !is_absolute(run) || !is_absolute(undo) {
            return Some(
                "`run` and `undo` of the drill must begin with the absolute path of a program".to_owned(),
            );
        }
        let is_known = jobs.iter().any(|known| known.job == *job);
        (!is_known).then(|| format!("the drill's `job` `{job}` is not a scrape job of the integration"))
    }
}
