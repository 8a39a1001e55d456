//! The condition of an alert on the value of its expression.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::duration::PromDuration;

/// From this many seconds on, a duration is shown in minutes, hours and days.
const LONG: f64 = 600.0;

/// A comparison of the expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Comparison {
    /// `>`
    #[serde(rename = ">")]
    More,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    Unequal,
}

impl Comparison {
    /// The same comparison with its sides exchanged.
    #[must_use]
    pub const fn turned(self) -> Self {
        match self {
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::Equal | Self::Unequal => self,
        }
    }
}

/// The condition under which a rule is true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// How the value is compared.
    pub comparison: Comparison,
    /// The number that it is compared with.
    pub value: f64,
    /// The unit after the number: `%`, ` s`, or nothing.
    pub unit: &'static str,
}

impl Threshold {
    /// More than `percent` percent.
    pub const fn above(percent: f64) -> Self {
        Self { comparison: Comparison::More, value: percent, unit: "%" }
    }

    /// Whether the rule is true for this value. Values that differ by rounding alone are equal.
    pub fn holds(&self, value: f64) -> bool {
        let equal = (value - self.value).abs() <= 1e-9 * self.value.abs().max(1.0);
        match self.comparison {
            Comparison::More => value > self.value && !equal,
            Comparison::AtLeast => value > self.value || equal,
            Comparison::Less => value < self.value && !equal,
            Comparison::AtMost => value < self.value || equal,
            Comparison::Equal => equal,
            Comparison::Unequal => !equal,
        }
    }

    /// The smallest whole number beyond it, for `>` and `>=`.
    pub fn least_count(&self) -> f64 {
        if self.comparison == Comparison::More { self.value.floor() + 1.0 } else { self.value.ceil() }
    }

    /// Formats a value in the same unit.
    pub fn show(&self, value: f64) -> String {
        let rounded = (value * 1000.0).round() / 1000.0;
        if self.unit == " s" && rounded >= LONG {
            return PromDuration::seconds(Duration::from_secs_f64(rounded.round()).as_secs()).to_string();
        }
        format!("{rounded}{}", self.unit)
    }
}

impl fmt::Display for Threshold {
    /// `more than 80%`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.comparison {
            Comparison::More => "more than ",
            Comparison::AtLeast => "at least ",
            Comparison::Less => "less than ",
            Comparison::AtMost => "at most ",
            Comparison::Equal => "",
            Comparison::Unequal => "other than ",
        };
        write!(f, "{words}{}", self.show(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_holds_according_to_its_comparison() {
        for (comparison, below, at, above) in [
            (Comparison::More, false, false, true),
            (Comparison::AtLeast, false, true, true),
            (Comparison::Less, true, false, false),
            (Comparison::AtMost, true, true, false),
            (Comparison::Equal, false, true, false),
            (Comparison::Unequal, true, false, true),
        ] {
            let threshold = Threshold { comparison, value: 80.0, unit: "%" };
            assert_eq!([79.9, 80.0, 80.1].map(|value| threshold.holds(value)), [below, at, above]);
        }
        assert_eq!(Threshold::above(80.0).to_string(), "more than 80%");
        let age = Threshold { comparison: Comparison::More, value: 691_200.0, unit: " s" };
        assert_eq!((age.to_string().as_str(), age.show(1.5).as_str()), ("more than 8d", "1.5 s"));
    }
}
