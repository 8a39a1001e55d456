//! Requests for a proof.

use super::observer::Subject;
use crate::drill::{Application, DrillPlan, Options};
use crate::host::HostName;
use crate::spec::DrillKind;
use crate::timing::{Mutes, TimingSettings};

/// An alert that is to be proven on a host.
#[derive(Debug, Clone)]
pub struct Request {
    /// The alert and the host.
    pub subject: Subject,
    /// The host by name.
    pub host: HostName,
    /// The kind of its drill.
    pub kind: DrillKind,
    /// The settings that decide the times.
    pub settings: TimingSettings,
    /// When its notifications are muted.
    pub mutes: Mutes,
    /// The application on the host.
    pub application: Application,
    /// The requests per second below which the alert does not fire; zero if it has no such floor.
    pub floor: f64,
    /// The user's options.
    pub options: Options,
}

impl Request {
    /// The input for choosing the fault, with these settings.
    pub fn plan<'a>(&'a self, settings: &'a TimingSettings) -> DrillPlan<'a> {
        let Self { subject, kind, options, application, floor, .. } = self;
        let (options, application, floor) = (*options, *application, *floor);
        DrillPlan { alert: &subject.alert, kind, settings, options, application, floor }
    }
}
