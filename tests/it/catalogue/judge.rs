//! promtool as a judge of many rules at once: starting it costs more than a small test.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, thread};

use monctl::render::Tool;

/// A rule file and a file of tests, which names the rules `rules.yml`.
pub struct Trial {
    pub rule: String,
    pub tests: String,
}

/// promtool, or none where it is not installed; in continuous integration it must be there.
pub fn promtool() -> Option<PathBuf> {
    let found = Tool::Promtool.find();
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "promtool is not installed");
    if found.is_none() {
        // Past the capture of the test harness, so that it is seen.
        let _ = writeln!(std::io::stderr(), "NOT RUN: promtool is not installed here (`make tools`)");
    }
    found
}

/// What promtool says of each, in their order.
pub fn judge(promtool: &Path, trials: &[Trial]) -> Vec<Result<(), String>> {
    let hands = thread::available_parallelism().map_or(1, usize::from);
    // Neighbours are alike, so that every hand gets some of each kind.
    let mut verdicts: Vec<Result<(), String>> = trials.iter().map(|_| Ok(())).collect();
    thread::scope(|scope| {
        let work = |hand: usize| {
            let share: Vec<&Trial> = trials.iter().skip(hand).step_by(hands).collect();
            scope.spawn(move || batch(promtool, &share))
        };
        let running: Vec<_> = (0..hands).map(work).collect();
        for (hand, thread) in running.into_iter().enumerate() {
            for (index, verdict) in thread.join().unwrap().into_iter().enumerate() {
                verdicts[index * hands + hand] = verdict;
            }
        }
    });
    verdicts
}

/// Asks about all of them in one run. promtool writes a line before each file and its complaints behind it.
fn batch(promtool: &Path, trials: &[&Trial]) -> Vec<Result<(), String>> {
    if trials.is_empty() {
        return Vec::new();
    }
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..trials.len()).map(|number| format!("{number}/test.yml")).collect();
    for (number, trial) in trials.iter().enumerate() {
        let own = folder.path().join(number.to_string());
        fs::create_dir(&own).unwrap();
        fs::write(own.join("rules.yml"), &trial.rule).unwrap();
        fs::write(own.join("test.yml"), &trial.tests).unwrap();
    }
    // Good verdicts go to standard output and bad ones to standard error: one file keeps them in order.
    let said = folder.path().join("said");
    let log = fs::File::create(&said).unwrap();
    let mut command = Command::new(promtool);
    command.args(["test", "rules"]).args(&names).current_dir(folder.path());
    // Every core has one of its own.
    command.env("GOMAXPROCS", "1");
    command.stdout(log.try_clone().unwrap()).stderr(log).status().unwrap();
    verdicts(&fs::read_to_string(said).unwrap(), trials.len())
}

/// The verdicts in what promtool wrote: `SUCCESS` or `FAILED:` and why, once for each file, in their order.
fn verdicts(said: &str, count: usize) -> Vec<Result<(), String>> {
    let mut found: Vec<Result<(), String>> = Vec::new();
    for line in said.lines() {
        match (line.trim(), found.last_mut()) {
            ("SUCCESS", _) => found.push(Ok(())),
            ("FAILED:", _) => found.push(Err(String::new())),
            (_, Some(Err(why))) if !line.starts_with("Unit Testing:") => {
                why.push_str(line);
                why.push('\n');
            }
            _ => {}
        }
    }
    assert_eq!(found.len(), count, "promtool said something else: {said}");
    // What is no expression at all shows nothing of the tests.
    assert!(!said.contains("could not parse expression"), "{said}");
    found
}
