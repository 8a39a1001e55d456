//! A command of `stress-ng` whose effect can be predicted: a load on CPUs for a fixed time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::duration::{PromDuration, millis};

/// `stress-ng --cpu WORKERS --cpu-load PERCENT --timeout TIME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StressCommand {
    /// The number of processes that each load one CPU.
    pub workers: u16,
    /// The load of each, in percent, from 1 to 100.
    pub load_percent: u8,
    /// The time after which they end.
    #[serde(serialize_with = "millis")]
    pub timeout: Duration,
}

/// What a command must look like, for messages.
const FORM: &str = "write `--cpu N --timeout TIME`, with `--cpu-load PERCENT` for less than a full load";

impl StressCommand {
    /// The command by which tutorials test an alert on CPU usage.
    pub const CLASSIC: Self = Self { workers: 4, load_percent: 85, timeout: Duration::from_mins(2) };
}

impl fmt::Display for StressCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stress-ng --cpu {}", self.workers)?;
        if self.load_percent < 100 {
            write!(f, " --cpu-load {}", self.load_percent)?;
        }
        write!(f, " --timeout {}s", self.timeout.as_secs())
    }
}

impl FromStr for StressCommand {
    type Err = String;

    /// Reads the options of `stress-ng`, with or without the name of the program.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut workers, mut load_percent, mut timeout) = (None, 100, None);
        let spaced = text.replace('=', " ");
        let mut words = spaced.split_whitespace().skip_while(|word| *word == "stress-ng");
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{option}` has no value; {FORM}"))?;
            let invalid = || format!("`{value}` is not a valid value of `{option}`; {FORM}");
            match option {
                "--cpu" | "-c" => {
                    workers = match value.parse() {
                        Ok(count) if count > 0 => Some(count),
                        _ => return Err(invalid()),
                    };
                }
                "--cpu-load" | "-l" => {
                    load_percent = match value.parse() {
                        Ok(percent) if (1..=100).contains(&percent) => percent,
                        _ => return Err(invalid()),
                    };
                }
                "--timeout" | "-t" => timeout = Some(seconds(value).ok_or_else(invalid)?),
                _ => return Err(format!("monctl cannot predict the effect of `{option}`; {FORM}")),
            }
        }
        let missing = |option: &str| format!("`{option}` is missing; {FORM}");
        Ok(Self {
            workers: workers.ok_or_else(|| missing("--cpu"))?,
            load_percent,
            timeout: timeout.ok_or_else(|| missing("--timeout"))?,
        })
    }
}

/// A time as `stress-ng` reads it: seconds, or a number with a unit. Fractions of a second are refused.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_number { format!("{text}s") } else { text.to_owned() };
    // The caller names a text that is not a duration.
    let time = text.parse::<PromDuration>().ok()?.get();
    (time.subsec_nanos() == 0 && !time.is_zero()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_stress_ng_are_read_in_every_spelling() {
        for text in [
            "stress-ng --cpu 4 --cpu-load 85 --timeout 120s",
            "--cpu 4 --cpu-load 85 --timeout 2m",
            "-c 4 -l 85 -t 120",
            "--timeout=120 --cpu=4  --cpu-load=85",
        ] {
            assert_eq!(text.parse(), Ok(StressCommand::CLASSIC), "{text}");
        }
        let full: StressCommand = "--cpu 2 --timeout 30s".parse().unwrap();
        assert_eq!(full.to_string(), "stress-ng --cpu 2 --timeout 30s");
        assert_eq!(StressCommand::CLASSIC.to_string(), "stress-ng --cpu 4 --cpu-load 85 --timeout 120s");
    }

    #[test]
    fn what_cannot_be_predicted_is_refused_by_name() {
        for (text, named) in [
            ("--vm 1 --timeout 10s", "`--vm`"),
            ("--cpu 4", "`--timeout` is missing"),
            ("--timeout 10s", "`--cpu` is missing"),
            ("--cpu 0 --timeout 10s", "`0`"),
            ("--cpu 1 --cpu-load 101 --timeout 10s", "`101`"),
            ("--cpu 1 --timeout 1.5s", "`1.5s`"),
            ("--cpu 1 --timeout 500ms", "`500ms`"),
            ("--cpu", "`--cpu` has no value"),
        ] {
            let error = text.parse::<StressCommand>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
