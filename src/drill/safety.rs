//! The effect of each kind of drill on a host: its risk, its safeguard, its undo, and what it uses and breaks
//! meanwhile, which decides which drills may run at the same time. Pure; keep docs/drills.md in sync.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::spec::DrillKind;

/// A resource of a host that a drill needs intact or for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostResource {
    /// Node exporter's figures.
    NodeExporter,
    /// The application answers.
    Application,
    /// The application's metrics are served.
    ApplicationMetrics,
    /// The host's CPUs.
    Cpu,
    /// The host's memory.
    Memory,
    /// The figures of file systems' space.
    Space,
    /// The figures of file systems' inodes.
    Inodes,
    /// The states of systemd's units.
    Units,
    /// The traffic of the application: shares and quantiles of two drills would mix.
    Traffic,
}

use HostResource::{
    Application, ApplicationMetrics, Cpu, Inodes, Memory, NodeExporter, Space, Traffic, Units,
};

/// What users need to know about a kind of drill before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Safety {
    /// What could go wrong.
    pub danger: String,
    /// The safeguard, besides the limits that all drills have.
    pub guard: &'static str,
    /// What restores the host.
    pub undo: &'static str,
    /// Whether users of the application notice it.
    pub is_felt: bool,
}

/// The resources that a drill needs intact, and those that it takes away meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    uses: BTreeSet<HostResource>,
    breaks: BTreeSet<HostResource>,
    /// Whether it runs alone: its alert reports that the host is down and inhibits all others of the host, or what it
    /// disturbs is unknown.
    is_alone: bool,
}

impl Footprint {
    /// The footprint of a kind; none if it causes nothing.
    pub fn of(kind: &DrillKind) -> Option<Self> {
        let (uses, breaks): (&[HostResource], &[HostResource]) = match kind {
            DrillKind::Cpu => (&[NodeExporter], &[Cpu]),
            // Allocating memory keeps a CPU busy, and so does loading an application.
            DrillKind::Memory => (&[NodeExporter], &[Memory, Cpu]),
            DrillKind::Disk => (&[NodeExporter], &[Space]),
            DrillKind::Inodes => (&[NodeExporter], &[Inodes]),
            DrillKind::FailingUnit => (&[NodeExporter], &[Units]),
            DrillKind::Stop { units, .. } => return Some(Self::of_stopped(units)),
            DrillKind::Requests { .. } => (&[Application, ApplicationMetrics], &[Traffic]),
            // On a host whose CPUs are busy all responses may be late.
            DrillKind::SlowRequests => (&[Application, ApplicationMetrics, Cpu], &[Traffic]),
            DrillKind::ReplacedWorkers => (&[ApplicationMetrics], &[Application, Cpu]),
            DrillKind::Run { .. } => (&[], &[]),
            DrillKind::None { .. } => return None,
        };
        let set = |resources: &[HostResource]| resources.iter().copied().collect();
        Some(Self { uses: set(uses), breaks: set(breaks), is_alone: matches!(kind, DrillKind::Run { .. }) })
    }

    fn of_stopped(units: &[String]) -> Self {
        let breaks: BTreeSet<HostResource> = units.iter().flat_map(|unit| broken(unit)).copied().collect();
        let is_alone = breaks.contains(&NodeExporter) || units.iter().any(|unit| broken(unit).is_empty());
        Self { uses: BTreeSet::new(), is_alone, breaks }
    }

    /// Whether two drills may run at the same time.
    pub fn agrees_with(&self, other: &Self) -> bool {
        !self.is_alone && !other.is_alone && self.leaves(other)
    }

    /// Whether neither takes away what the other needs.
    pub fn leaves(&self, other: &Self) -> bool {
        let disturbs = |one: &Self, other: &Self| {
            one.breaks.iter().any(|it| other.uses.contains(it) || other.breaks.contains(it))
        };
        !disturbs(self, other) && !disturbs(other, self)
    }
}

/// The job whose target has to be up for the drill to be observed.
pub fn watched_job(kind: &DrillKind) -> &str {
    let of_application = match kind {
        DrillKind::Run { job, .. } | DrillKind::Stop { job: Some(job), .. } => return job,
        DrillKind::Requests { .. } | DrillKind::SlowRequests | DrillKind::ReplacedWorkers => true,
        DrillKind::Stop { units, .. } => units.iter().any(|unit| is_of_application(unit)),
        _ => false,
    };
    if of_application { "django-instance" } else { "node-exporter" }
}

/// The resources that are missing while a unit is stopped; none of a unit whose effect is unknown.
fn broken(unit: &str) -> &'static [HostResource] {
    match unit {
        "monctl-node-exporter.service" => &[NodeExporter],
        "monctl-app-metrics.service" => &[ApplicationMetrics],
        // Its restart makes all counters begin anew.
        "monctl-app.socket" | "monctl-app.service" => &[Application, ApplicationMetrics, Traffic],
        _ => &[],
    }
}

/// Whether the application's metrics show that the unit is stopped.
fn is_of_application(unit: &str) -> bool {
    broken(unit).contains(&ApplicationMetrics)
}

/// What users need to know; none if nothing is caused.
pub fn safety(kind: &DrillKind) -> Option<Safety> {
    let (danger, guard, undo) = match kind {
        DrillKind::Cpu => (
            "the application responds more slowly",
            "stress-ng runs at niceness 19, so that everything else has priority, as `nobody`, with 256 MB at most",
            "stress-ng ends",
        ),
        DrillKind::Memory => (
            "other processes have less memory",
            "at most 3% more than the threshold and never more than 97% in use; what others need is released twice \
             a second; where memory gets short all the same, the kernel ends the drill first",
            "stress-ng ends",
        ),
        DrillKind::Disk => (
            "none for the host's own disks",
            "a file system of 16 MB in memory, mounted over an empty directory such as /mnt; no user can write to it",
            "it is unmounted",
        ),
        DrillKind::Inodes => (
            "none for the host's own disks",
            "a file system of 1000 inodes in memory, mounted over an empty directory such as /mnt",
            "it is unmounted",
        ),
        DrillKind::Stop { units, .. } => (
            danger_of_stop(units),
            "only running units that start at boot are stopped",
            "systemd starts it again",
        ),
        DrillKind::FailingUnit => ("none", "the unit does nothing but fail", "the failed unit is reset"),
        DrillKind::Requests { .. } => (
            "none for users; the application's metrics include the drill's requests",
            "signed requests from the host itself, handled before the application; 50 per second at most",
            "the key is removed, which ends the requests",
        ),
        DrillKind::SlowRequests => (
            "one in four threads of the application is blocked",
            "signed requests from the host itself, handled before the application; refused if users make so \
             much that more would be needed",
            "the key is removed, which ends the requests",
        ),
        DrillKind::ReplacedWorkers => (
            "with a single worker, requests wait until the next one has loaded the application",
            "workers are stopped gracefully, one at a time: the next one only once all are running again",
            "not needed: Gunicorn replaces the worker",
        ),
        DrillKind::Run { danger, .. } => (
            danger.as_str(),
            "a command of your own, in a unit that ends with the drill",
            "another command of your own, however the drill ends",
        ),
        DrillKind::None { .. } => return None,
    };
    let is_felt_without = |unit: &String| broken(unit).is_empty() || broken(unit).contains(&Application);
    let is_felt = matches!(kind, DrillKind::Stop { units, .. } if units.iter().any(is_felt_without));
    Some(Safety { danger: danger.to_owned(), guard, undo, is_felt })
}

/// What could go wrong while these units are stopped: the worst of them.
fn danger_of_stop(units: &[String]) -> &'static str {
    let stops = |is_meant: fn(&[HostResource]) -> bool| units.iter().any(|unit| is_meant(broken(unit)));
    if stops(|missing| missing.contains(&Application)) {
        "the application is down during the drill"
    } else if stops(|missing| missing.contains(&NodeExporter)) {
        "its metrics have a gap, and while its alert fires, it inhibits all others of the host, real ones too"
    } else if stops(<[_]>::is_empty) {
        "what it serves is unavailable during the drill"
    } else {
        "its metrics have a gap"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footprint(kind: &DrillKind) -> Footprint {
        Footprint::of(kind).unwrap()
    }

    #[test]
    fn drills_run_at_the_same_time_if_they_do_not_disturb_each_other() {
        let stop = |unit: &str| DrillKind::Stop { units: vec![unit.into()], job: None };
        let (exporter, app) = (stop("monctl-node-exporter.service"), stop("monctl-app.service"));
        let other = stop("redis-server.service");
        let bad = DrillKind::Requests { status: 503 };
        for (one, other, agree) in [
            (&DrillKind::Cpu, &DrillKind::Memory, false),
            (&DrillKind::Cpu, &DrillKind::ReplacedWorkers, false),
            (&DrillKind::Memory, &DrillKind::Disk, true),
            (&DrillKind::Disk, &DrillKind::Inodes, true),
            (&DrillKind::Cpu, &exporter, false),
            (&DrillKind::FailingUnit, &exporter, false),
            (&app, &exporter, false),
            (&app, &bad, false),
            (&bad, &DrillKind::SlowRequests, false),
            (&bad, &exporter, false),
            (&bad, &DrillKind::Cpu, true),
            (&DrillKind::SlowRequests, &DrillKind::Cpu, false),
            (&DrillKind::Cpu, &DrillKind::Cpu, false),
            (&app, &app, false),
            (&DrillKind::ReplacedWorkers, &bad, false),
            (&DrillKind::ReplacedWorkers, &app, false),
            (&DrillKind::ReplacedWorkers, &DrillKind::Disk, true),
            (&other, &DrillKind::Disk, false),
        ] {
            assert_eq!(footprint(one).agrees_with(&footprint(other)), agree, "{one:?} {other:?}");
            assert_eq!(footprint(other).agrees_with(&footprint(one)), agree, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_drill_without_a_fault_has_neither_risk_nor_footprint() {
        let none = DrillKind::None { because: "it cannot".into() };
        assert!(Footprint::of(&none).is_none() && safety(&none).is_none());
    }
}
