//! How an expression looks back at samples: over which range, and with which function. A closed set, so that
//! predictions do not need to know `PromQL`.

use std::time::Duration;

use serde::Serialize;

use crate::duration::millis;

/// How an expression looks at the scrapes before its evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Signal {
    /// The last scrape decides: a gauge, `up == 0`.
    Latest,
    /// `rate`, expressions derived from it, and counts of frequent events: the mean over the time between the first and
    /// the last scrape in the range, which a fault fills steadily.
    Rate {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `increase`, `changes`, `resets` of rare events: the whole number of events between the first and the last scrape
    /// in the range. The extrapolation of `increase` to the whole range, some percent, is ignored.
    Count {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
    },
    /// `histogram_quantile` of rates: changes as soon as the share of bad requests in the range is large enough.
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
    /// `predict_linear`: a straight line through the scrapes in the range, extrapolated some time ahead.
    Trend {
        /// The range.
        #[serde(serialize_with = "millis")]
        range: Duration,
        /// How far ahead.
        #[serde(serialize_with = "millis")]
        ahead: Duration,
    },
    /// `absent` (without a range) and `absent_over_time`: 1 if no scrape contains the series.
    Missing {
        /// The range; zero for `absent`, which only looks at the last scrape.
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

    /// The same signal over another range. A signal without a range is unchanged.
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

    /// The function that looks back, as written in an expression.
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
