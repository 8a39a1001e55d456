//! Runs promtool on many rules at once: starting it costs more than a small test.

use std::path::Path;
use std::process::Command;
use std::{fs, thread};

/// A rule file and a file of tests, which names the rules `rules.yml`.
pub struct Trial {
    pub rule: String,
    pub tests: String,
}

/// promtool's verdicts, in the order of the trials.
pub fn judge(promtool: &Path, trials: &[Trial]) -> Vec<Result<(), String>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    // Adjacent trials are similar, so each worker gets some of each kind.
    let mut verdicts: Vec<Result<(), String>> = trials.iter().map(|_| Ok(())).collect();
    thread::scope(|scope| {
        let work = |worker: usize| {
            let share: Vec<&Trial> = trials.iter().skip(worker).step_by(workers).collect();
            scope.spawn(move || batch(promtool, &share))
        };
        let running: Vec<_> = (0..workers).map(work).collect();
        for (worker, thread) in running.into_iter().enumerate() {
            for (index, verdict) in thread.join().unwrap().into_iter().enumerate() {
                verdicts[index * workers + worker] = verdict;
            }
        }
    });
    verdicts
}

/// Tests all of them in one run. promtool prints a line before each file and its errors after it.
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
    // Successes go to standard output and failures to standard error: one file keeps them in order.
    let output = folder.path().join("output");
    let log = fs::File::create(&output).unwrap();
    let mut command = Command::new(promtool);
    command.args(["test", "rules"]).args(&names).current_dir(folder.path());
    // One process runs on each core.
    command.env("GOMAXPROCS", "1");
    command.stdout(log.try_clone().unwrap()).stderr(log).status().unwrap();
    verdicts(&fs::read_to_string(output).unwrap(), trials.len())
}

/// The verdicts in promtool's output: `SUCCESS`, or `FAILED:` and the reason, once for each file, in their order.
fn verdicts(output: &str, count: usize) -> Vec<Result<(), String>> {
    let mut found: Vec<Result<(), String>> = Vec::new();
    for line in output.lines() {
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
    assert_eq!(found.len(), count, "unexpected output of promtool: {output}");
    // An invalid expression would prove nothing about the tests.
    assert!(!output.contains("could not parse expression"), "{output}");
    found
}
