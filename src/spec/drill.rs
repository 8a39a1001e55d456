//! The drill of an alert, as the catalogue's file or the spec declares it: which fault it injects, or why it has none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an alert is proven: the fault that a drill injects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
        #[schemars(range(min = 200, max = 599))]
        status: u16,
    },
    /// Real requests are answered later than the threshold.
    SlowRequests,
    /// Workers of the application are terminated, one after the other, and are replaced.
    ReplacedWorkers,
    /// A program on the host causes the fault, and another one ends it.
    Run {
        /// The command that causes it and returns. Its words have letters, digits and `_./:=@%+-`.
        run: Vec<String>,
        /// The command that ends it, whatever the host's state.
        undo: Vec<String>,
        /// A command that succeeds only if the fault is gone; it runs after `undo`.
        #[serde(default)]
        undone: Vec<String>,
        /// The value of the alert's expression during the fault.
        reaches: f64,
        /// The scrape job that sees the fault.
        job: String,
        /// What could go wrong: a sentence without its full stop.
        danger: String,
    },
    /// No fault is injected: only rule tests prove the alert.
    #[schemars(skip)]
    None {
        /// Why a drill would do harm or is impossible: a sentence without its full stop.
        because: String,
    },
}

impl DrillKind {
    /// What is wrong with a drill that has the right form: the path of keys, and a message. `jobs` are the scrape jobs
    /// that may see its fault.
    pub(super) fn fault<'a>(
        &self,
        jobs: impl IntoIterator<Item = &'a str>,
    ) -> Option<(&'static str, String)> {
        let words: Vec<(&str, &String)> = match self {
            Self::Run { run, undo, undone, .. } => {
                let commands = [("run", run), ("undo", undo), ("undone", undone)];
                for (key, command) in commands {
                    let is_optional = key == "undone" && command.is_empty();
                    if !is_optional && !command.first().is_some_and(|program| program.starts_with('/')) {
                        return Some((key, "it must begin with the absolute path of a program".to_owned()));
                    }
                }
                let words = commands.into_iter();
                words.flat_map(|(key, words)| words.iter().map(move |word| (key, word))).collect()
            }
            Self::Stop { units, .. } => {
                if units.is_empty() {
                    return Some(("units", "name at least one unit".to_owned()));
                }
                units.iter().map(|unit| ("units", unit)).collect()
            }
            _ => return None,
        };
        // The words pass through shells and units.
        let is_plain = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_./:=@%+-".contains(c))
        };
        if let Some((key, word)) = words.iter().find(|(_, word)| !is_plain(word)) {
            return Some((
                key,
                format!("the word `{word}` may only contain letters, digits and `_./:=@%+-`"),
            ));
        }
        let (Self::Run { job, .. } | Self::Stop { job: Some(job), .. }) = self else { return None };
        let jobs: Vec<&str> = jobs.into_iter().collect();
        let known: Vec<String> = jobs.iter().map(|job| format!("`{job}`")).collect();
        (!jobs.contains(&job.as_str()))
            .then(|| ("job", format!("there is no scrape job `{job}`; the jobs are {}", known.join(", "))))
    }
}
