//! The stages of an alert, from the fault to the resolved notification.

use std::fmt;

use serde::{Serialize, Serializer};

/// A stage of an alert. The order is that of a drill that ends once the alert is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The fault began on the host.
    LoadOn,
    /// A query of the rule's expression returns a value above the threshold.
    Above,
    /// Prometheus evaluated the rule and found it true.
    Pending,
    /// The rule stayed true for the time of its `for`.
    Firing,
    /// Alertmanager lists the alert.
    InAlertmanager,
    /// Alertmanager sent its request to the receiver.
    Sent,
    /// The receiver accepted it.
    Delivered,
    /// The fault ended.
    LoadOff,
    /// A query of the rule's expression returns nothing above the threshold.
    Below,
    /// Prometheus found the rule false and notified Alertmanager.
    Resolved,
    /// The receiver accepted the resolved notification.
    ResolvedDelivered,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 11] = [
        Self::LoadOn,
        Self::Above,
        Self::Pending,
        Self::Firing,
        Self::InAlertmanager,
        Self::Sent,
        Self::Delivered,
        Self::LoadOff,
        Self::Below,
        Self::Resolved,
        Self::ResolvedDelivered,
    ];

    /// The name of the stage in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadOn => "load on",
            Self::Above => "expression above threshold",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::InAlertmanager => "in Alertmanager",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::LoadOff => "load off",
            Self::Below => "expression below threshold",
            Self::Resolved => "resolved",
            Self::ResolvedDelivered => "resolved delivered",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
