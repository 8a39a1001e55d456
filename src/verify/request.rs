//! What is to be proven.

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
    /// When its messages are held back.
    pub mutes: Mutes,
    /// The application on the host.
    pub application: Application,
    /// The requests per second below which the alert says nothing; zero where it has no such floor.
    pub floor: f64,
    /// What the user wishes.
    pub options: Options,
}

impl Request {
    /// What there is to decide on the fault from, with these settings.
    pub fn plan<'a>(&'a self, settings: &'a TimingSettings) -> DrillPlan<'a> {
        let Self { subject, kind, options, application, floor, .. } = self;
        let (options, application, floor) = (*options, *application, *floor);
        DrillPlan { alert: &subject.alert, kind, settings, options, application, floor }
    }
}
