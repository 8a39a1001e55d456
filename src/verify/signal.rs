//! What an alert's expression sees of a fault: how far and in which way it looks back, and the condition
//! on its value. A closed vocabulary, so that `walk` needs to know no `PromQL`; `read` finds both in an expression.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::settings::millis;
use crate::spec::PromDuration;

/// So many seconds are read more easily as minutes, hours and days.
const LONG: f64 = 600.0;

/// How an expression looks at the scrapes before its evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Signal {
    /// The last scrape decides: a gauge, `up == 0`.
    Latest,
    /// `rate`, and what is made of it or of frequent events: the mean of the time between the first and
    /// the last scrape in the range, which a fault fills steadily.
    Rate {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `increase`, `changes`, `resets` of something rare: how many events lie between the first and the last scrape in
    /// the range, in whole numbers. `increase` stretches its number to the whole range by some percent; that is left
    /// out.
    Count {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `histogram_quantile` of rates: turns over as soon as the share of bad requests in the range is large enough.
    Quantile {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
        /// Which quantile, from 0 to 1.
        quantile: f64,
    },
    /// `avg_over_time`: the mean of the scrapes in the range.
    Mean {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `max_over_time`: the highest of the scrapes in the range.
    Highest {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `min_over_time`: the lowest of the scrapes in the range.
    Lowest {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `predict_linear`: a straight line through the scrapes in the range, looked at some time ahead.
    Trend {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
        /// How far ahead.
        #[serde(serialize_with = "millis")]
        ahead: Duration,
    },
    /// `absent` (without a range) and `absent_over_time`: 1 where no scrape brought the series.
    Missing {
        /// The range; zero for `absent`, which asks the last scrape alone.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
}

impl Signal {
    /// How far back the expression looks.
    pub const fn range(self) -> Duration {
        match self {
            Self::Latest => Duration::ZERO,
            Self::Rate { range }
            | Self::Count { range }
            | Self::Quantile { range, .. }
            | Self::Mean { range }
            | Self::Highest { range }
            | Self::Lowest { range }
            | Self::Trend { range, .. }
            | Self::Missing { range } => range,
        }
    }

    /// The same way of looking, over another range. What has no range stays as it is.
    #[must_use]
    pub fn over(self, range: Duration) -> Self {
        match self {
            Self::Latest => self,
            Self::Missing { range: old } if old.is_zero() => self,
            Self::Rate { .. } => Self::Rate { range },
            Self::Count { .. } => Self::Count { range },
            Self::Quantile { quantile, .. } => Self::Quantile { range, quantile },
            Self::Mean { .. } => Self::Mean { range },
            Self::Highest { .. } => Self::Highest { range },
            Self::Lowest { .. } => Self::Lowest { range },
            Self::Trend { ahead, .. } => Self::Trend { range, ahead },
            Self::Missing { .. } => Self::Missing { range },
        }
    }

    /// The function that looks back, as it stands in an expression.
    pub const fn function(self) -> &'static str {
        match self {
            Self::Latest => "the last scrape",
            Self::Rate { .. } => "rate",
            Self::Count { .. } => "increase",
            Self::Quantile { .. } => "histogram_quantile",
            Self::Mean { .. } => "avg_over_time",
            Self::Highest { .. } => "max_over_time",
            Self::Lowest { .. } => "min_over_time",
            Self::Trend { .. } => "predict_linear",
            Self::Missing { range } if range.is_zero() => "absent",
            Self::Missing { .. } => "absent_over_time",
        }
    }
}

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
    /// With what.
    pub value: f64,
    /// The unit as it stands behind the number: `%`, ` s`, or nothing.
    pub unit: &'static str,
}

impl Threshold {
    /// More than so many percent.
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

    /// The smallest whole number beyond it, for comparisons that ask for more.
    pub fn least_count(&self) -> f64 {
        if self.comparison == Comparison::More { self.value.floor() + 1.0 } else { self.value.ceil() }
    }

    /// A value of the same unit as people read it.
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
    fn a_threshold_is_held_to_its_comparison() {
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
