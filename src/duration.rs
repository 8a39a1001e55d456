//! Durations as Prometheus writes them, `1m30s`, and as JSON has them, in milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration as Prometheus writes it, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromDuration(u64);

/// Prometheus' units and their length in milliseconds, longest first
/// (`parseDuration` in prometheus/common/model/time.go).
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Pattern of durations in specs: at least one unit, and no number that would overflow.
const PATTERN: &str = "^(0|([0-9]{1,2}y)?([0-9]{1,3}w)?([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?([0-9]{1,12}ms)?)$";

impl PromDuration {
    /// A duration in seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// A duration in milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Converts it to a standard duration.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Seconds, with fractions.
    pub fn as_secs_f64(self) -> f64 {
        self.get().as_secs_f64()
    }
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        // Prometheus writes years, weeks only where they divide evenly; days and below always fit.
        for (unit, length) in UNITS {
            if matches!(unit, "y" | "w") && !rest.is_multiple_of(length) {
                continue;
            }
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl FromStr for PromDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a valid duration; write for example `15s`, `1m30s`, `2h` or `15d`");
        if text == "0" {
            return Ok(Self(0));
        }
        let mut rest = text;
        let mut total: u64 = 0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&at| at > 0).ok_or_else(wrong)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, length) = units.by_ref().find(|(unit, _)| *unit == &rest[..end]).ok_or_else(wrong)?;
            total = number.checked_mul(*length).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
            rest = &rest[end..];
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self(total)) }
    }
}

impl Serialize for PromDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for PromDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a duration in Prometheus' syntax",
            "examples": ["15s", "1m30s", "2h", "15d"],
            "pattern": PATTERN,
            "patternErrorMessage": "write a duration such as `15s`, `1m30s`, `2h` or `15d`"
        })
    }
}

/// A duration that is serialized as whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub Duration);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Serializes a duration as whole milliseconds.
///
/// # Errors
/// Those of the serializer.
pub fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    Millis(*duration).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_and_printed_as_prometheus_does() {
        for (text, millis) in
            [("15s", 15_000), ("1m30s", 90_000), ("2h", 7_200_000), ("15d", 1_296_000_000), ("500ms", 500)]
        {
            let duration: PromDuration = text.parse().unwrap();
            assert_eq!(duration.get(), Duration::from_millis(millis), "{text}");
            assert_eq!(duration.to_string(), text);
        }
        assert_eq!("0".parse::<PromDuration>().unwrap().to_string(), "0s");
    }

    #[test]
    fn durations_that_prometheus_refuses_are_refused() {
        for text in ["", "5", "s", "1.5s", "1s1m", "1m1m", "-1s", "1 s", "99999999999999999999s", "1x"] {
            assert!(text.parse::<PromDuration>().is_err(), "{text}");
        }
    }
}
