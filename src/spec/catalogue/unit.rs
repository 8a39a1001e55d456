//! What a threshold of the catalogue measures, and which values it may have.

use serde::Deserialize;

use super::super::names::Percent;

/// What a threshold measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdUnit {
    /// 0 to 100.
    Percent,
    /// A time, 0 or more.
    Seconds,
    /// A count, 0 or more; the alert's page names what is counted.
    Count,
}

impl ThresholdUnit {
    /// Checks a threshold of this unit.
    ///
    /// # Errors
    /// Where the value is outside the unit's range, or no value can exceed it.
    pub fn check(self, value: f64) -> Result<(), String> {
        let is_amount = value.is_finite() && value >= 0.0;
        match self {
            Self::Percent if Percent::new(value).is_none() => {
                Err(format!("{value} is not a percentage between 0 and 100"))
            }
            Self::Percent if value >= 100.0 => {
                Err(format!("the alert could never fire above {value}%; use less than 100"))
            }
            Self::Seconds if !is_amount => Err(format!("{value} is not a number of seconds, 0 or more")),
            Self::Count if !is_amount => Err(format!("{value} is not a count, 0 or more")),
            Self::Percent | Self::Seconds | Self::Count => Ok(()),
        }
    }
}
