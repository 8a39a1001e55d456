//! What each kind of drill means for a host: its danger, its guard, its undo, and what it uses and breaks
//! meanwhile, which decides which drills may run at the same time. Pure; docs/drills.md says the same.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::spec::DrillKind;

/// Something of a host that a drill needs in order, or for itself.
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
    /// What systemd says of its units.
    Units,
    /// The traffic of the application: shares and quantiles of two drills would mix.
    Traffic,
}

use HostResource::{
    Application, ApplicationMetrics, Cpu, Inodes, Memory, NodeExporter, Space, Traffic, Units,
};

/// What people have to know of a kind of drill before it is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Safety {
    /// What could go wrong.
    pub danger: String,
    /// What keeps it from going wrong, besides the limits that all drills have.
    pub guard: &'static str,
    /// What makes the host what it was.
    pub undo: &'static str,
    /// Whether users of the application notice it.
    pub is_felt: bool,
}

/// What a drill needs to be in order, and what it takes away meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    uses: BTreeSet<HostResource>,
    breaks: BTreeSet<HostResource>,
    /// Whether it runs alone: its alert says that the host is down and inhibits all others of the host, or what it disturbs
    /// is not known here.
    is_alone: bool,
}

impl Footprint {
    /// The footprint of a kind; none where nothing is caused.
    pub fn of(kind: &DrillKind) -> Option<Self> {
        let (uses, breaks): (&[HostResource], &[HostResource]) = match kind {
            DrillKind::Cpu => (&[NodeExporter], &[Cpu]),
            // What takes memory keeps a CPU busy, and so does what loads an application.
            DrillKind::Memory => (&[NodeExporter], &[Memory, Cpu]),
            DrillKind::Disk => (&[NodeExporter], &[Space]),
            DrillKind::Inodes => (&[NodeExporter], &[Inodes]),
            DrillKind::FailingUnit => (&[NodeExporter], &[Units]),
            DrillKind::Stop { units } => return Some(Self::of_stopped(units)),
            DrillKind::Requests { .. } => (&[Application, ApplicationMetrics], &[Traffic]),
            // On a host whose CPUs are busy all answers may be late.
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
        Self { uses: BTreeSet::new(), is_alone: breaks.contains(&NodeExporter), breaks }
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

/// The job whose target has to answer for the drill to be seen.
pub fn watched_job(kind: &DrillKind) -> &str {
    let of_application = match kind {
        DrillKind::Run { job, .. } => return job,
        DrillKind::Requests { .. } | DrillKind::SlowRequests | DrillKind::ReplacedWorkers => true,
        DrillKind::Stop { units } => !units.iter().all(|unit| broken(unit) == [NodeExporter]),
        _ => false,
    };
    if of_application { "django-instance" } else { "node-exporter" }
}

/// What is gone while a unit is stopped.
fn broken(unit: &str) -> &'static [HostResource] {
    match unit {
        "monctl-node-exporter.service" => &[NodeExporter],
        "monctl-app-metrics.service" => &[ApplicationMetrics],
        // Its restart makes all counters begin anew.
        _ => &[Application, ApplicationMetrics, Traffic],
    }
}

/// What people have to know; none where nothing is caused.
pub fn safety(kind: &DrillKind) -> Option<Safety> {
    let (danger, guard, undo) = match kind {
        DrillKind::Cpu => (
            "the application answers later",
            "stress-ng runs at niceness 19, so that everything else goes first, as nobody and with 256 MB at most",
            "stress-ng ends",
        ),
        DrillKind::Memory => (
            "other processes find less memory",
            "at most 3% more than the threshold and never more than 97% in use; what others need is given back twice \
             a second; where memory gets short all the same, the kernel ends the drill first",
            "stress-ng ends",
        ),
        DrillKind::Disk => (
            "none for the host's own disks",
            "a file system of 16 MB in memory, mounted over an empty directory such as /mnt; nobody can write to it",
            "it is unmounted",
        ),
        DrillKind::Inodes => (
            "none for the host's own disks",
            "a file system of 1000 inodes in memory, mounted over an empty directory such as /mnt",
            "it is unmounted",
        ),
        DrillKind::Stop { units } if units.iter().any(|unit| broken(unit).contains(&Application)) => (
            "the application does not answer while the drill lasts",
            "only what runs and starts at boot is stopped",
            "systemd starts it again",
        ),
        DrillKind::Stop { units } if units.iter().any(|unit| broken(unit).contains(&NodeExporter)) => (
            "its figures have a gap, and while its alert fires no other alert of the host is told, a real one neither",
            "only what runs and starts at boot is stopped",
            "systemd starts it again",
        ),
        DrillKind::Stop { .. } => (
            "its figures have a gap",
            "only what runs and starts at boot is stopped",
            "systemd starts it again",
        ),
        DrillKind::FailingUnit => ("none", "the unit does nothing but fail", "systemd forgets the unit"),
        DrillKind::Requests { .. } => (
            "none for users; the application's figures hold the drill's requests",
            "signed requests from the host itself, answered before the application; 50 per second at most",
            "the key is removed, and with it the requests end",
        ),
        DrillKind::SlowRequests => (
            "one thread in four of the application waits",
            "signed requests from the host itself, answered before the application; refused where users ask for so \
             much that more would be needed",
            "the key is removed, and with it the requests end",
        ),
        DrillKind::ReplacedWorkers => (
            "with a single worker, requests wait until the next one has loaded the application",
            "a worker is asked to end, answers what it has begun first, and is the only one at a time: the next is \
             asked once all are there again",
            "none is needed: Gunicorn replaces what has ended",
        ),
        DrillKind::Run { danger, .. } => (
            danger.as_str(),
            "a command of the integration, in a unit that ends with the drill",
            "the integration's own command, however the drill ends",
        ),
        DrillKind::None { .. } => return None,
    };
    let is_felt = matches!(kind, DrillKind::Stop { units } if units.iter().any(|unit| broken(unit).contains(&Application)));
    Some(Safety { danger: danger.to_owned(), guard, undo, is_felt })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footprint(kind: &DrillKind) -> Footprint {
        Footprint::of(kind).unwrap()
    }

    #[test]
    fn a_drill_runs_beside_those_that_it_does_not_disturb() {
        let stop = |unit: &str| DrillKind::Stop { units: vec![unit.into()] };
        let (exporter, app) = (stop("monctl-node-exporter.service"), stop("monctl-app.service"));
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
        ] {
            assert_eq!(footprint(one).agrees_with(&footprint(other)), agree, "{one:?} {other:?}");
            assert_eq!(footprint(other).agrees_with(&footprint(one)), agree, "{other:?} {one:?}");
        }
    }

    #[test]
    fn what_is_not_caused_has_neither_danger_nor_footprint() {
        let none = DrillKind::None { because: "it cannot".into() };
        assert!(Footprint::of(&none).is_none() && safety(&none).is_none());
    }
}
