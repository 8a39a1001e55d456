//! Overrides for alerts of one severity: where they are sent, how often they are repeated, and when they are muted.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret_ref::SecretRef;
use crate::duration::PromDuration;

/// Overrides for alerts of one severity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Severity {
    /// Another incoming Slack webhook, which is a secret.
    pub webhook_url: Option<SecretRef>,
    /// Another channel; app webhooks ignore it.
    pub channel: Option<String>,
    /// Whether resolved notifications are sent for such alerts.
    pub send_resolved: Option<bool>,
    /// How long until such an alert that still fires is sent again.
    pub repeat_interval: Option<PromDuration>,
    /// Times in which such alerts are muted. Alerts that still fire at the end of the time are sent then.
    pub mute: Vec<Mute>,
}

impl Severity {
    /// Whether messages of this severity need a receiver of their own.
    pub const fn has_receiver(&self) -> bool {
        self.webhook_url.is_some() || self.channel.is_some() || self.send_resolved.is_some()
    }
}

/// A time of every day, or of some days, in which alerts are muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends; on the next day if earlier than `from`.
    pub to: TimeOfDay,
    /// The days on which it begins. Defaults to every day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// The time zone of both times, such as `Europe/Berlin`. Defaults to UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
}

/// A day of the week, as Alertmanager writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Monday => Self::Tuesday,
            Self::Tuesday => Self::Wednesday,
            Self::Wednesday => Self::Thursday,
            Self::Thursday => Self::Friday,
            Self::Friday => Self::Saturday,
            Self::Saturday => Self::Sunday,
            Self::Sunday => Self::Monday,
        }
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        })
    }
}

/// A time of day to the minute; `24:00` is the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// The pattern of a time.
const PATTERN: &str = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
const HINT: &str = "write a time such as `22:00`, in quotes";

impl TimeOfDay {
    /// The beginning of a day.
    pub const MIDNIGHT: Self = Self(0);
    /// The end of a day.
    pub const END: Self = Self(24 * 60);

    /// Minutes since the beginning of the day.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let number = |digits: &str| {
                let fits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
                // Two digits fit; invalid times of day are refused below.
                fits.then(|| digits.parse::<u16>().ok())?
            };
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            let whole = Self(hours * 60 + minutes);
            (minutes < 60 && whole <= Self::END).then_some(whole)
        };
        parts(text).ok_or_else(|| HINT.to_owned())
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a time of day",
            "examples": ["22:00"],
            "pattern": PATTERN,
            "patternErrorMessage": HINT
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_as_they_are_written() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for text in ["00:00", "09:05", "22:00", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
            assert!(pattern.is_match(text), "{text}");
        }
        for text in ["", "9:00", "24:01", "25:00", "12:60", "12", "12:0", "+1:00", "ab:cd"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
            assert!(!pattern.is_match(text), "{text}");
        }
    }
}
