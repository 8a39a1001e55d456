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
    /// How many, 0 or more; of what, the alert's page says.
    Count,
}

impl ThresholdUnit {
    /// Why a threshold cannot be one of this unit, if so.
    ///
    /// # Errors
    /// Where the value lies outside the unit's range, or where nothing lies above it.
    pub fn check(self, value: f64) -> Result<(), String> {
        let is_amount = value.is_finite() && value >= 0.0;
        match self {
            Self::Percent if Percent::new(value).is_none() => {
                Err(format!("{value} is no percentage; it lies between 0 and 100"))
            }
            Self::Percent if value >= 100.0 => Err(format!(
                "no value lies above {value}%, so that the alert could never fire; write less than 100"
            )),
            Self::Seconds if !is_amount => Err(format!("{value} is no time in seconds; it is 0 or more")),
            Self::Count if !is_amount => Err(format!("{value} is no count; it is 0 or more")),
            Self::Percent | Self::Seconds | Self::Count => Ok(()),
        }
    }
}
