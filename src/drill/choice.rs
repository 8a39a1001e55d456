//! Chooses the fault of a drill: from the alert's kind of drill, the user's options, the settings and the host's
//! measurements to numbers for the prediction and for the host. Pure.

use std::time::Duration;

use super::host_command::{HostFault, Order, unit_name};
use crate::error::{Error, Result};
use crate::promql::{Comparison, Threshold};
use crate::spec::DrillKind;
use crate::timing::{Effect, Fault, Prediction, StressCommand, TimingSettings, Traffic, phrases, predict};

/// Margin of the fault's time limit beyond the latest prediction.
const MARGIN: Duration = Duration::from_secs(30);
/// Maximum duration of a fault, whatever the settings need.
const MOST: Duration = Duration::from_mins(30);
/// Everything else on the host has priority.
const POLITE: u8 = 19;
/// How far beyond the threshold memory is used, and the maximum of a drill, in percent.
const MEMORY: (f64, f64) = (3.0, 97.0);
/// Maximum fill level of a drill's file system, in percent.
const FULL: f64 = 99.0;
/// Requests per second: the minimum, so that a share shows soon and a traffic floor is passed, and the maximum.
const RATE: (f64, f64) = (5.0, 50.0);
/// Time in which the last four percent of memory are allocated.
const TAKING: Duration = Duration::from_secs(2);
/// How far below the maximum memory is filled before the fault counts as begun, in percent.
const BEFORE: f64 = 4.0;
/// Maximum delay of a response, in seconds; the instrumentation refuses more than 10.
const DELAY: f64 = 9.0;
/// The time from one replaced worker to the next, in seconds: a worker has to load the application meanwhile, and
/// the drill of a long range should not take longer than that range needs.
const REPLACING: (f64, f64) = (1.0, 20.0);

/// The user's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep the fault for its full time.
    pub keep: bool,
    /// Exactly the load of this command.
    pub stress_ng: Option<StressCommand>,
    /// The load on each CPU, in percent.
    pub cpu_load: Option<u8>,
    /// How long the fault lasts at most.
    pub duration: Option<Duration>,
}

/// What was measured before the drill.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// Number of CPUs that node exporter reports on the host; zero if the drill does not need it.
    pub cpus: u16,
    /// The left side of the rule's comparison now.
    pub value: f64,
    /// Requests per second that users make of the host's application.
    pub requests: f64,
}

/// The application's settings that drills need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Application {
    /// Its port.
    pub port: u16,
    /// The port of its metrics.
    pub metrics_port: u16,
    /// Its workers, each with four threads.
    pub workers: u16,
}

/// What is to be drilled.
#[derive(Debug, Clone, Copy)]
pub struct DrillPlan<'a> {
    /// The alert.
    pub alert: &'a str,
    /// The kind of its drill.
    pub kind: &'a DrillKind,
    /// The settings that decide the times.
    pub settings: &'a TimingSettings,
    /// The user's options.
    pub options: Options,
    /// The application.
    pub application: Application,
    /// The requests per second below which the alert does not fire.
    pub floor: f64,
}

/// A chosen drill.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// The fault as numbers of the prediction.
    pub fault: Fault,
    /// The prediction.
    pub prediction: Prediction,
    /// The fault as numbers for the host.
    pub order: Order,
    /// Whether the fault goes on to its end after the alert was delivered.
    pub keep: bool,
}

impl DrillPlan<'_> {
    /// Chooses a drill. `extra` is how much later than predicted the alert may be delivered.
    ///
    /// # Errors
    /// If no safe fault makes the alert fire.
    pub fn choose(&self, measured: &Measured, extra: Duration) -> Result<Drill> {
        let (settings, options) = (self.settings, self.options);
        if let Some(command) = &options.stress_ng {
            return self.of_command(command, measured);
        }
        let (until_delivered, cause) = self.fault(measured)?;
        let open = predict(settings, &until_delivered);
        let limit = options.duration.unwrap_or_else(|| open.longest() + extra + MARGIN);
        if limit > MOST {
            return Err(too_long(
                limit,
                "shorten the alert's `for` or `window`; it is then delivered sooner, too",
            ));
        }
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        let limited = until_delivered.lasting(Duration::from_secs(seconds));
        let closed = predict(settings, &limited);
        // If the time is long enough, the drill ends at delivery.
        let (fault, prediction) =
            if options.keep || !closed.is_certain() { (limited, closed) } else { (until_delivered, open) };
        Ok(Drill { fault, prediction, order: self.order(seconds, cause), keep: options.keep })
    }

    /// The drill that runs exactly this command, whether or not its alert can be delivered.
    fn of_command(&self, command: &StressCommand, measured: &Measured) -> Result<Drill> {
        if *self.kind != DrillKind::Cpu {
            return Err(Error::could_not_run(format!(
                "`--stress-ng` loads CPUs, and `{}` is about something else",
                self.alert
            ))
            .remedy("run its own drill, without `--stress-ng`"));
        }
        let StressCommand { workers, load_percent: percent, timeout } = *command;
        if timeout > MOST {
            return Err(too_long(timeout, "shorten the command's `--timeout`"));
        }
        let fault = Fault::of_command(command, measured.cpus, measured.value.clamp(0.0, 100.0));
        let order = self.order(timeout.as_secs(), HostFault::Cpu { workers, percent, nice: 0 });
        Ok(Drill { fault, prediction: predict(self.settings, &fault), order, keep: true })
    }

    fn order(&self, seconds: u64, cause: HostFault) -> Order {
        Order { name: unit_name(self.alert), seconds, cause }
    }

    /// The fault, until the alert was delivered, and what causes it.
    fn fault(&self, measured: &Measured) -> Result<(Fault, HostFault)> {
        let threshold = &self.settings.threshold;
        let value = measured.value;
        // Around a restart `rate` is unreliable.
        let busy = value.clamp(0.0, 100.0);
        Ok(match self.kind {
            DrillKind::Cpu => {
                let percent = self.options.cpu_load.unwrap_or(100);
                let cause = HostFault::Cpu { workers: measured.cpus, percent, nice: POLITE };
                (Fault::load(measured.cpus, percent.into(), busy), cause)
            }
            DrillKind::Memory => {
                let share = Share::of(threshold);
                let percent = whole((share.used + MEMORY.0).min(MEMORY.1));
                if f64::from(percent) < share.used + 1.0 {
                    return Err(no_room(threshold, "memory"));
                }
                let faulty = share.value(percent.into());
                let normal = share.value(f64::from(percent) - BEFORE);
                let effect = Effect::Level { normal, faulty, rise: TAKING };
                (Fault { effect, ..Fault::silence() }, HostFault::Memory { percent })
            }
            DrillKind::Disk => {
                let percent = filling(threshold, "a file system")?;
                (Fault::level(value, Share::of(threshold).value(percent.into())), HostFault::Disk { percent })
            }
            DrillKind::Inodes => {
                let percent = filling(threshold, "a file system")?;
                (
                    Fault::level(value, Share::of(threshold).value(percent.into())),
                    HostFault::Inodes { percent },
                )
            }
            DrillKind::Stop { units, .. } => (gone(threshold), HostFault::Stop { units: units.clone() }),
            DrillKind::FailingUnit => (gone(threshold), HostFault::FailingUnit),
            DrillKind::Requests { status } => self.bad_requests(*status, measured)?,
            DrillKind::SlowRequests => self.slow_requests(measured)?,
            DrillKind::ReplacedWorkers => self.replaced_workers(measured)?,
            DrillKind::Run { run, undo, undone, reaches, .. } => {
                let [run, undo, undone] = [run, undo, undone].map(Vec::clone);
                (Fault::level(value, *reaches), HostFault::Run { run, undo, undone })
            }
            DrillKind::None { because } => {
                return Err(Error::could_not_run(format!(
                    "there is no drill for `{}`: {because}",
                    self.alert
                ))
                .remedy("its rule tests cover it instead: `monctl verify-alert --list`"));
            }
        })
    }

    fn bad_requests(&self, status: u16, measured: &Measured) -> Result<(Fault, HostFault)> {
        let above = Share::of(&self.settings.threshold).used / 100.0;
        // Half-way between the threshold and everything, but no more than three times the threshold.
        let share = (3.0 * above).min(f64::midpoint(above, 1.0));
        let wanted = (measured.requests * share / (1.0 - share)).max(RATE.0).max(self.beyond_floor());
        if wanted > RATE.1 {
            return Err(too_much_traffic(measured.requests.max(self.floor)));
        }
        let rate = whole(wanted.ceil());
        let Application { port, .. } = self.application;
        let cause = HostFault::Requests { port, status, delay: 0, rate: rate.into(), together: 1 };
        Ok((among(measured, rate.into()), cause))
    }

    /// Enough requests per second to pass the alert's traffic floor.
    fn beyond_floor(&self) -> f64 {
        1.2 * self.floor
    }

    fn slow_requests(&self, measured: &Measured) -> Result<(Fault, HostFault)> {
        let Application { port, workers, .. } = self.application;
        let seconds = self.settings.threshold.value * 1.5 + 0.2;
        if seconds > DELAY {
            return Err(no_room(&self.settings.threshold, "an answer"));
        }
        // One thread in four: a worker has four.
        let together = workers.max(1);
        let rate = f64::from(together) / seconds;
        // A 95th percentile needs one slow request in twenty; twice that is safe.
        if rate < 0.1 * measured.requests {
            return Err(too_much_traffic(measured.requests));
        }
        if rate + measured.requests < self.beyond_floor() {
            return Err(too_little_traffic(self.floor));
        }
        let delay = u32::from(whole(seconds * 10.0)) * 100;
        let per_second = whole(rate.ceil().max(1.0)).into();
        let cause = HostFault::Requests { port, status: 200, delay, rate: per_second, together };
        Ok((among(measured, rate), cause))
    }

    fn replaced_workers(&self, measured: &Measured) -> Result<(Fault, HostFault)> {
        let Application { metrics_port: port, workers, .. } = self.application;
        let threshold = &self.settings.threshold;
        let range = self.settings.range().as_secs_f64();
        // So that half of the range holds one more than the threshold.
        let seconds = (range / (2.0 * (threshold.value + 1.0))).clamp(REPLACING.0, REPLACING.1);
        let faulty = range / seconds;
        if faulty < threshold.value + 2.0 {
            return Err(no_room(threshold, "replaced workers"));
        }
        let tenths = whole(seconds * 10.0);
        let every = Duration::from_millis(u64::from(tenths) * 100);
        let effect = Effect::Repeated { normal: measured.value, faulty: range / every.as_secs_f64(), every };
        let cause = HostFault::ReplacedWorkers { port, workers, every: u32::from(tenths) * 100 };
        Ok((Fault { effect, ..Fault::silence() }, cause))
    }
}

impl Drill {
    /// Warning to show before the fault begins; none if the alert is always delivered.
    pub fn warning(&self, settings: &TimingSettings) -> Option<String> {
        Some(format!(
            "the alert {}: {}; {}",
            phrases::likelihood(self.prediction.chance),
            phrases::reason(settings, &self.fault, self.prediction.obstacle?),
            phrases::remedies(&self.prediction.remedies),
        ))
    }

    /// Refuses a drill that cannot succeed, unless the user requested exactly this one.
    ///
    /// # Errors
    /// If the alert is never delivered, whatever the timing.
    pub fn check(&self, settings: &TimingSettings, options: Options) -> Result<()> {
        match self.prediction.obstacle {
            Some(obstacle) if self.prediction.chance <= 0.0 && options.stress_ng.is_none() => {
                Err(Error::could_not_run(format!(
                    "with this fault the alert cannot be delivered: {}",
                    phrases::reason(settings, &self.fault, obstacle)
                ))
                .remedy(phrases::remedies(&self.prediction.remedies)))
            }
            _ => Ok(()),
        }
    }
}

/// A threshold on a share, whichever way round the rule puts it: in use or free, in percent or as a fraction.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// In use at the threshold, in percent.
    used: f64,
    is_free: bool,
    scale: f64,
}

impl Share {
    fn of(threshold: &Threshold) -> Self {
        let is_free = matches!(threshold.comparison, Comparison::Less | Comparison::AtMost);
        let scale = if threshold.unit != "%" && threshold.value <= 1.0 { 100.0 } else { 1.0 };
        let percent = threshold.value * scale;
        Self { used: if is_free { 100.0 - percent } else { percent }, is_free, scale }
    }

    /// Value of the expression at this usage in percent.
    fn value(self, used: f64) -> f64 {
        (if self.is_free { 100.0 - used } else { used }) / self.scale
    }
}

/// Fill level of a small file system: half-way between the threshold and full.
fn filling(threshold: &Threshold, what: &str) -> Result<u8> {
    let used = Share::of(threshold).used;
    let percent = whole(f64::midpoint(used, 100.0).min(FULL));
    if f64::from(percent) > used { Ok(percent) } else { Err(no_room(threshold, what)) }
}

/// A value that jumps from where the rule is false to where it is true.
fn gone(threshold: &Threshold) -> Fault {
    if threshold.holds(0.0) && !threshold.holds(1.0) {
        return Fault::silence();
    }
    let normal = if threshold.holds(0.0) { threshold.value - 1.0 } else { 0.0 };
    let faulty = [threshold.value, threshold.value + 1.0, threshold.value - 1.0]
        .into_iter()
        .find(|&value| threshold.holds(value))
        .unwrap_or(threshold.value);
    Fault::level(normal, faulty)
}

/// A drill's requests, all of them bad, among good ones of users.
fn among(measured: &Measured, rate: f64) -> Fault {
    let users = Traffic { per_second: measured.requests, bad: 0.0 };
    let drill = Traffic { per_second: rate, bad: 1.0 };
    Fault { effect: Effect::Requests { users, drill }, ..Fault::silence() }
}

/// A small number that is not negative.
fn whole(value: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the type's range"
    )]
    let whole = value.clamp(0.0, f64::from(u8::MAX)) as u8;
    whole
}

fn no_room(threshold: &Threshold, what: &str) -> Error {
    Error::could_not_run(format!("{threshold} leaves no room for a safe drill with {what}"))
        .remedy("choose a threshold that is reached earlier: `above` in the spec")
}

fn too_much_traffic(requests: f64) -> Error {
    Error::could_not_run(format!(
        "users make {requests:.0} requests per second: a drill large enough to trigger the alert would disturb them"
    ))
    .remedy("run it at a quieter time of day")
}

fn too_little_traffic(floor: f64) -> Error {
    Error::could_not_run(format!(
        "the alert does not fire below {floor} requests per second, and so many slow requests at once would make the \
         application unavailable to its users"
    ))
    .remedy("run it while users make more requests, or lower the alert's `traffic` in the spec")
}

fn too_long(limit: Duration, remedy: &str) -> Error {
    Error::could_not_run(format!(
        "the fault would have to last up to {}, and no drill lasts longer than {}",
        phrases::seconds(limit),
        phrases::seconds(MOST)
    ))
    .remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Signal;

    const APPLICATION: Application = Application { port: 8000, metrics_port: 9101, workers: 2 };

    fn choose(kind: &DrillKind, settings: &TimingSettings, measured: Measured) -> Result<Drill> {
        let plan = DrillPlan {
            alert: "A",
            kind,
            settings,
            options: Options::default(),
            application: APPLICATION,
            floor: 0.1,
        };
        plan.choose(&measured, Duration::ZERO)
    }

    fn above(value: f64) -> TimingSettings {
        TimingSettings { threshold: Threshold::above(value), ..TimingSettings::classic() }
    }

    fn cause(kind: &DrillKind, settings: &TimingSettings, measured: Measured) -> HostFault {
        choose(kind, settings, measured).unwrap().order.cause
    }

    #[test]
    fn each_fault_is_only_as_large_as_its_threshold_needs() {
        let none = Measured::default();
        assert_eq!(cause(&DrillKind::Memory, &above(90.0), none), HostFault::Memory { percent: 93 });
        assert_eq!(cause(&DrillKind::Disk, &above(85.0), none), HostFault::Disk { percent: 92 });
        let free = Threshold { comparison: Comparison::Less, value: 0.1, unit: "" };
        let settings = TimingSettings { threshold: free, ..TimingSettings::classic() };
        assert_eq!(cause(&DrillKind::Inodes, &settings, none), HostFault::Inodes { percent: 95 });
        let requests = |requests| Measured { requests, ..none };
        let rate = |measured| match cause(&DrillKind::Requests { status: 503 }, &above(5.0), measured) {
            HostFault::Requests { rate, together: 1, delay: 0, status: 503, .. } => rate,
            other => panic!("{other:?}"),
        };
        assert_eq!((rate(requests(0.0)), rate(requests(100.0))), (5, 18));
        let slow = cause(&DrillKind::SlowRequests, &above(1.0), requests(3.0));
        assert_eq!(slow, HostFault::Requests { port: 8000, status: 200, delay: 1_700, rate: 2, together: 2 });
    }

    #[test]
    fn a_stress_ng_command_is_run_as_it_is_and_only_for_cpu_usage() {
        let stress = |kind, command| {
            let settings = above(80.0);
            let options = Options { stress_ng: Some(command), ..Options::default() };
            let (alert, application) = ("A", APPLICATION);
            let plan =
                DrillPlan { alert, kind: &kind, settings: &settings, options, application, floor: 0.1 };
            let drill = plan.choose(&Measured { cpus: 8, ..Measured::default() }, Duration::ZERO)?;
            drill.check(&settings, options).map(|()| drill)
        };
        let drill = stress(DrillKind::Cpu, StressCommand::CLASSIC).unwrap();
        assert_eq!(drill.order.cause, HostFault::Cpu { workers: 4, percent: 85, nice: 0 });
        assert_eq!((drill.order.seconds, drill.keep), (120, true));
        assert!(
            drill.prediction.chance <= 0.0,
            "half of eight CPUs: it cannot be delivered, and runs all the same"
        );
        let error = stress(DrillKind::Memory, StressCommand::CLASSIC).unwrap_err().to_string();
        assert!(error.contains("`--stress-ng` loads CPUs"), "{error}");
        let long = StressCommand { timeout: MOST + Duration::from_secs(1), ..StressCommand::CLASSIC };
        let error = stress(DrillKind::Cpu, long).unwrap_err();
        assert!(error.message().contains("no drill lasts longer"), "{error}");
        assert!(error.hint().unwrap().contains("`--timeout`"), "{error}");
    }

    #[test]
    fn requests_exceed_the_traffic_floor_of_the_alert() {
        let choose = |kind, floor| {
            let settings = above(5.0);
            let options = Options::default();
            let plan = DrillPlan {
                alert: "A",
                kind: &kind,
                settings: &settings,
                options,
                application: APPLICATION,
                floor,
            };
            plan.choose(&Measured::default(), Duration::ZERO)
        };
        let bad = DrillKind::Requests { status: 503 };
        match choose(bad.clone(), 20.0).unwrap().order.cause {
            HostFault::Requests { rate: 24, .. } => {}
            other => panic!("{other:?}"),
        }
        assert!(choose(bad, 50.0).unwrap_err().message().contains("50 requests per second"));
        let error = choose(DrillKind::SlowRequests, 20.0).unwrap_err();
        assert!(error.message().contains("does not fire below 20 requests"), "{error}");
    }

    #[test]
    fn workers_are_replaced_only_as_often_as_the_range_needs() {
        let every = |range| {
            let signal = Signal::Rate { range: Duration::from_secs(range) };
            let settings = TimingSettings { signal, ..above(3.0) };
            match cause(&DrillKind::ReplacedWorkers, &settings, Measured::default()) {
                HostFault::ReplacedWorkers { port: 9101, workers: 2, every } => every,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([15 * 60, 60, 20, 8].map(every), [20_000, 7_500, 2_500, 1_000]);
    }

    #[test]
    fn a_drill_that_would_do_harm_or_prove_nothing_is_refused() {
        let none = Measured::default();
        let short = TimingSettings { signal: Signal::Rate { range: Duration::from_secs(4) }, ..above(3.0) };
        let busy = Measured { requests: 1_000.0, ..none };
        for (kind, settings, measured, expected) in [
            (DrillKind::Memory, above(97.0), none, "leaves no room"),
            (DrillKind::Disk, above(99.0), none, "leaves no room"),
            (DrillKind::Requests { status: 503 }, above(5.0), busy, "1000 requests per second"),
            (DrillKind::SlowRequests, above(1.0), busy, "1000 requests per second"),
            (DrillKind::SlowRequests, above(30.0), none, "leaves no room"),
            (DrillKind::ReplacedWorkers, short, none, "leaves no room"),
            (
                DrillKind::None { because: "it cannot".into() },
                above(5.0),
                none,
                "no drill for `A`: it cannot",
            ),
        ] {
            let error = choose(&kind, &settings, measured).unwrap_err();
            assert!(error.message().contains(expected), "{kind:?}: {error}");
            assert!(error.hint().is_some());
        }
        let slow = TimingSettings { hold: Duration::from_hours(1), ..above(85.0) };
        assert!(
            choose(&DrillKind::Disk, &slow, none).unwrap_err().message().contains("no drill lasts longer")
        );
    }

    #[test]
    fn an_impossible_figure_does_not_make_a_busy_host_idle() {
        let measured = Measured { cpus: 2, value: -3_000.0, requests: 0.0 };
        assert!((choose(&DrillKind::Cpu, &above(80.0), measured).unwrap().fault.peak() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_target_that_is_down_or_a_unit_that_fails_makes_the_rule_true() {
        let rules = [
            (Comparison::Equal, 0.0),
            (Comparison::More, 0.0),
            (Comparison::Equal, 1.0),
            (Comparison::Less, 1.0),
        ];
        for (comparison, value) in rules {
            let threshold = Threshold { comparison, value, unit: "" };
            let fault = gone(&threshold);
            assert!(threshold.holds(fault.peak()), "{threshold:?} {fault:?}");
            assert!(!fault.effect.value(0.0).is_some_and(|normal| threshold.holds(normal)), "{threshold:?}");
        }
    }
}
