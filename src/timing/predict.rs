//! When each stage of a drill is expected, whether its alert can be delivered, and what would make it certain.
//!
//! Pure: walks the pipeline for a grid of phases of scraper and evaluator, because their real phases are arbitrary.
//! Called by `drill` and by `explain`.

use std::time::Duration;

use serde::Serialize;

use super::fault_model::{CpuLoad, Effect, Ending, Fault};
use super::pipeline::{Phase, PipelineInput, Refused, Walk};
use super::settings::TimingSettings;
use super::stage::Stage;
use super::time::Ms;
use crate::duration::Millis;
use crate::promql::Signal;

/// Phases of the scraper, and of the evaluator, that are walked: 48 × 48 paths.
const GRID: Ms = 48;
/// If the group has already sent alerts, its clock is independent of the other two; this spreads its phases evenly.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// The longest time beyond its intervals in which a real pipeline starts stress-ng, scrapes, evaluates and sends.
pub const LATE: Duration = Duration::from_millis(2_500);
/// The load counts from the moment at which `systemd-run` returned; stress-ng may run a moment earlier.
pub const EARLY: Duration = Duration::from_secs(1);
/// The share of races in which the notification is sent, if it is due at the moment at which the alert resolves. One of
/// 40 tries with the classic command and settings was delivered, and a third of all phases lead to such a race.
pub const TIE_WON: f64 = 0.05;
/// How far stress-ng may miss the requested load, in percent.
const INEXACT: f64 = 3.0;
/// The share of phases in which an alert has to be delivered to count as certain.
const CERTAIN: f64 = 0.999;

/// The time of one stage since the load went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The stage.
    pub stage: Stage,
    /// In the best phase.
    pub earliest: Millis,
    /// In the mean of all phases that reach the stage.
    pub expected: Millis,
    /// In the worst phase, with an allowance for processes and requests.
    pub latest: Millis,
}

/// What keeps an alert from being delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The fault never brings the expression beyond the threshold, however long it lasts.
    TooSmall,
    /// The fault ends before the expression shows it.
    EndsBeforeAbove,
    /// The fault ends before `for` has passed.
    EndsBeforeFiring,
    /// The alert resolves before Alertmanager sends anything.
    ResolvedBeforeFlush,
}

/// The smallest change of each parameter that alone makes sure that the alert is delivered in every phase; `None` if no
/// value of it does, or if none is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Remedies {
    /// The same fault for this long.
    pub duration: Option<Millis>,
    /// Load each CPU by this many percent.
    pub load: Option<u8>,
    /// Load this many CPUs.
    pub workers: Option<u16>,
    /// Let Alertmanager wait no longer than this.
    pub group_wait: Option<Millis>,
    /// For this long with every CPU fully loaded.
    pub full: Option<Millis>,
}

/// The prediction for a drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The stages that can be reached, in order.
    pub stages: Vec<Window>,
    /// The share of tries that reach the receiver, from 0 to 1.
    pub chance: f64,
    /// The share of tries in which the first notification is due exactly when the alert resolves. Milliseconds decide
    /// which comes first; `chance` includes the races that are won.
    pub race: f64,
    /// The most frequent reason why the other tries do not reach it.
    pub obstacle: Option<Obstacle>,
    /// Changes that make delivery certain.
    pub remedies: Remedies,
    /// The stages after the end of the load, counted from there. The resolved notification is not among them, because
    /// it goes out at Alertmanager's own ticks.
    pub after_end: Vec<Window>,
}

impl Prediction {
    /// Whether the alert is delivered in every phase.
    pub fn is_certain(&self) -> bool {
        is_certain(self.chance)
    }

    /// The window of a stage.
    pub fn window(&self, stage: Stage) -> Option<&Window> {
        self.stages.iter().find(|window| window.stage == stage)
    }

    /// The longest time that the drill's load may need: until the alert is delivered in the worst phase.
    pub fn longest(&self) -> Duration {
        self.stages
            .iter()
            .filter(|window| window.stage <= Stage::Delivered)
            .map(|window| window.latest.0)
            .max()
            .unwrap_or_default()
    }
}

/// Predicts a drill.
pub fn predict(settings: &TimingSettings, fault: &Fault) -> Prediction {
    let walks = walks(settings, fault);
    let from_begin = |stage| window(stage, &walks, Slack::of(stage, settings, fault), |_| Some(0));
    let from_end = |stage| window(stage, &walks, Slack::of_fault(fault), |walk: &Walk| walk.off);
    let stages = Stage::ALL.into_iter().filter_map(from_begin).collect();
    let after_end = [Stage::Below, Stage::Resolved].into_iter().filter_map(from_end).collect();
    let chance = chance(&walks);
    let certain = is_certain(chance);
    Prediction {
        stages,
        after_end,
        chance,
        race: share(&walks, |walk| walk.delivered.is_some() && walk.tie),
        obstacle: if certain { None } else { Some(obstacle(settings, fault, &walks)) },
        remedies: if certain { Remedies::default() } else { remedies(settings, fault) },
    }
}

/// The share of tries of a fault that reach the receiver, from 0 to 1.
pub fn chance_of(settings: &TimingSettings, fault: &Fault) -> f64 {
    let case = PipelineInput::new(settings, fault);
    chance(&phases(&case).map(|phase| case.fate(phase)).collect::<Vec<_>>())
}

/// Whether a chance counts as certain.
pub fn is_certain(chance: f64) -> bool {
    chance >= CERTAIN
}

fn walks(settings: &TimingSettings, fault: &Fault) -> Vec<Walk> {
    let case = PipelineInput::new(settings, fault);
    phases(&case).map(|phase| case.walk(phase)).collect()
}

/// The phases that are walked.
fn phases(case: &PipelineInput) -> impl Iterator<Item = Phase> {
    let PipelineInput { scrape: scrape_interval, evaluation: evaluation_interval, group_interval, .. } =
        *case;
    // The two grids are shifted against each other: a scrape at the exact moment of an evaluation adds one scrape to
    // the range, which is rare in practice but would be frequent on equal grids.
    let third = move |n: Ms, thirds: Ms, interval: Ms| (3 * n + thirds) * interval / (3 * GRID);
    (0..GRID).flat_map(|scrape| (0..GRID).map(move |evaluation| (scrape, evaluation))).map(
        move |(scrape, evaluation)| Phase {
            scrape: third(scrape, 1, scrape_interval),
            evaluation: third(evaluation, 2, evaluation_interval),
            group: spread(scrape * GRID + evaluation, group_interval),
        },
    )
}

/// Evenly spread phases, in an order that is independent of the grid.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a few thousand phases")]
fn spread(number: Ms, interval: Ms) -> Ms {
    ((number as f64 * GOLDEN).fract() * interval as f64) as Ms
}

fn time_of(stage: Stage, walk: &Walk) -> Option<Ms> {
    match stage {
        Stage::LoadOn => Some(0),
        Stage::Above => walk.above,
        Stage::Pending => walk.pending,
        Stage::Firing | Stage::InAlertmanager => walk.firing,
        Stage::Sent => walk.flush,
        Stage::Delivered => walk.delivered,
        Stage::LoadOff => walk.off,
        Stage::Below => walk.below,
        Stage::Resolved => walk.resolved,
        Stage::ResolvedDelivered => walk.resolved_delivered,
    }
}

/// How much earlier and later a stage may be than in the walks.
#[derive(Debug, Clone, Copy)]
struct Slack {
    early: Duration,
    late: Duration,
}

impl Slack {
    /// The allowance for processes and requests, plus the steps in which the fault is seen.
    fn of_fault(fault: &Fault) -> Self {
        let grain = fault.effect.grain();
        Self { early: EARLY + grain, late: LATE + grain }
    }

    fn of(stage: Stage, settings: &TimingSettings, fault: &Fault) -> Self {
        // The fault is the clock's zero.
        if stage == Stage::LoadOn {
            return Self { early: Duration::ZERO, late: Duration::ZERO };
        }
        let slack = Self::of_fault(fault);
        let case = PipelineInput::new(settings, fault);
        let pauses = |factor| {
            let Refused { ticks, pause } = case.refused(factor);
            millis(ticks * case.group_interval + pause).0
        };
        let open = fault.ending == Ending::WhenDelivered;
        if stage == Stage::Delivered || (open && stage > Stage::Delivered) {
            let middle = pauses(1.0);
            let (short, long) = (pauses(0.5), pauses(1.5));
            return Self {
                early: slack.early + middle.saturating_sub(short),
                late: slack.late + long.saturating_sub(middle),
            };
        }
        slack
    }
}

/// When a stage is reached, counted from a moment of each walk.
fn window(stage: Stage, walks: &[Walk], slack: Slack, from: impl Fn(&Walk) -> Option<Ms>) -> Option<Window> {
    let times: Vec<Ms> = walks.iter().filter_map(|walk| Some(time_of(stage, walk)? - from(walk)?)).collect();
    let (earliest, latest) = (times.iter().min()?, times.iter().max()?);
    let mean = times.iter().sum::<Ms>() / Ms::try_from(times.len()).unwrap_or(1);
    Some(Window {
        stage,
        earliest: Millis(millis(*earliest).0.saturating_sub(slack.early)),
        expected: millis(mean),
        latest: Millis(millis(*latest).0 + slack.late),
    })
}

fn millis(time: Ms) -> Millis {
    Millis(Duration::from_millis(u64::try_from(time).unwrap_or(0)))
}

fn chance(walks: &[Walk]) -> f64 {
    let delivered = |tie: bool| share(walks, |walk| walk.delivered.is_some() && walk.tie == tie);
    delivered(false) + TIE_WON * delivered(true)
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand walks are exact in a float")]
fn share(walks: &[Walk], which: impl Fn(&Walk) -> bool) -> f64 {
    walks.iter().filter(|walk| which(walk)).count() as f64 / walks.len().max(1) as f64
}

/// The stage at which most of the undelivered tries end.
fn obstacle(settings: &TimingSettings, fault: &Fault, walks: &[Walk]) -> Obstacle {
    if !reaches(settings, fault) {
        return Obstacle::TooSmall;
    }
    let ended = |walk: &Walk| match walk {
        Walk { pending: None, .. } => Obstacle::EndsBeforeAbove,
        Walk { firing: None, .. } => Obstacle::EndsBeforeFiring,
        _ => Obstacle::ResolvedBeforeFlush,
    };
    let lost = || walks.iter().filter(|walk| walk.delivered.is_none() || walk.tie).map(ended);
    [Obstacle::EndsBeforeAbove, Obstacle::EndsBeforeFiring, Obstacle::ResolvedBeforeFlush]
        .into_iter()
        .max_by_key(|&obstacle| lost().filter(|&other| other == obstacle).count())
        .unwrap_or(Obstacle::ResolvedBeforeFlush)
}

/// Whether the fault would be beyond the threshold if it lasted.
fn reaches(settings: &TimingSettings, fault: &Fault) -> bool {
    match settings.signal {
        Signal::Quantile { quantile, .. } => fault.effect.broken(1.0, &settings.threshold) > 1.0 - quantile,
        Signal::Missing { .. } | Signal::Trend { .. } => true,
        _ => settings.threshold.holds(fault.peak()),
    }
}

fn remedies(settings: &TimingSettings, fault: &Fault) -> Remedies {
    let remedies = Remedies {
        duration: shortest(settings, fault),
        group_wait: largest_wait(settings, fault),
        ..Remedies::default()
    };
    match fault.effect {
        Effect::Load(load) => with_load(remedies, settings, fault, load),
        _ => remedies,
    }
}

fn with_load(remedies: Remedies, settings: &TimingSettings, fault: &Fault, load: CpuLoad) -> Remedies {
    let arrives = |settings: &TimingSettings, load: CpuLoad| {
        is_certain(chance_of(settings, &Fault { effect: Effect::Load(load), ..*fault }))
    };
    // stress-ng keeps a load only within a few percent.
    let mut exact = *settings;
    exact.threshold.value += INEXACT.min((100.0 - settings.threshold.value) / 2.0);
    let full = CpuLoad { workers: load.host_cpus, load: 100.0, ..load };
    let percent = smallest(1, 100, |percent| arrives(&exact, CpuLoad { load: percent.into(), ..load }));
    let workers = smallest(1, load.host_cpus.into(), |workers| {
        let workers = u16::try_from(workers).unwrap_or(load.host_cpus);
        arrives(settings, CpuLoad { workers, ..load })
    });
    Remedies {
        // Both were searched within the limits of their types.
        load: percent.and_then(|percent| u8::try_from(percent).ok()),
        workers: workers.and_then(|workers| u16::try_from(workers).ok()),
        full: shortest(settings, &Fault { effect: Effect::Load(full), ..*fault }),
        ..remedies
    }
}

/// The shortest duration with which the alert is always delivered, in whole seconds; above half a minute rounded up to
/// five seconds.
fn shortest(settings: &TimingSettings, fault: &Fault) -> Option<Millis> {
    let lasting = |seconds: u32| fault.lasting(Duration::from_secs(seconds.into()));
    let enough = settings.hold
        + if settings.joins { settings.group_interval } else { settings.group_wait }
        + fault.effect.rise()
        + 2 * (settings.range() + settings.scrape_interval + settings.evaluation_interval);
    let enough = u32::try_from(enough.as_secs() + 1).ok()?;
    let seconds = smallest(1, enough, |seconds| is_certain(chance_of(settings, &lasting(seconds))))?;
    let rounded = if seconds > 30 { seconds.next_multiple_of(5) } else { seconds };
    Some(Millis(Duration::from_secs(rounded.into())))
}

/// The longest `group_wait` below the present one with which the alert is always delivered, in whole seconds.
fn largest_wait(settings: &TimingSettings, fault: &Fault) -> Option<Millis> {
    let present = u32::try_from(settings.group_wait.as_secs()).ok()?;
    let waiting =
        |seconds: u32| TimingSettings { group_wait: Duration::from_secs(seconds.into()), ..*settings };
    let cut = smallest(1, present, |cut| is_certain(chance_of(&waiting(present - cut), fault)))?;
    Some(Millis(waiting(present - cut).group_wait))
}

/// The smallest number in the range for which the condition holds. Assumes that it holds for all larger ones.
fn smallest(from: u32, to: u32, holds: impl Fn(u32) -> bool) -> Option<u32> {
    if from > to || !holds(to) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::StressCommand;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lasting(load: f64, time: u64) -> Fault {
        Fault::load(4, load, 0.0).lasting(seconds(time))
    }

    #[test]
    fn the_reference_test_reaches_slack_in_about_one_of_fifty_tries() {
        let prediction =
            predict(&TimingSettings::classic(), &Fault::of_command(&StressCommand::CLASSIC, 4, 0.0));
        let tries = 1.0 / prediction.chance;
        assert!((40.0..=80.0).contains(&tries), "1 of {tries}");
        assert_eq!(prediction.obstacle, Some(Obstacle::ResolvedBeforeFlush));
    }

    #[test]
    fn four_workers_on_eight_cpus_never_fire() {
        let prediction =
            predict(&TimingSettings::classic(), &Fault::of_command(&StressCommand::CLASSIC, 8, 0.0));
        assert!(prediction.chance < f64::EPSILON);
        assert_eq!(prediction.obstacle, Some(Obstacle::TooSmall));
        assert_eq!(prediction.window(Stage::Above), None);
        assert_eq!(prediction.remedies.duration, None);
    }

    #[test]
    fn the_remedies_work_and_a_bit_less_does_not() {
        let settings = TimingSettings::classic();
        let fault = Fault::of_command(&StressCommand::CLASSIC, 4, 0.0);
        let remedies = predict(&settings, &fault).remedies;
        let Millis(duration) = remedies.duration.unwrap();
        let with = |time: Duration| predict(&settings, &fault.lasting(time));
        assert!(with(duration).is_certain());
        assert!(!with(duration.checked_sub(seconds(6)).unwrap()).is_certain());
        assert!(remedies.load.is_none(), "no load is enough within 120 s: {remedies:?}");
        let Millis(wait) = remedies.group_wait.unwrap();
        let waiting = |group_wait| predict(&TimingSettings { group_wait, ..settings }, &fault);
        assert!(waiting(wait).is_certain());
        assert!(!waiting(wait + seconds(1)).is_certain());
    }

    #[test]
    fn more_workers_are_named_if_too_few_are_the_obstacle() {
        let load = CpuLoad { workers: 4, host_cpus: 8, load: 100.0, baseline: 0.0 };
        let fault = Fault { effect: Effect::Load(load), ..lasting(100.0, 600) };
        let remedies = predict(&TimingSettings::classic(), &fault).remedies;
        assert_eq!((remedies.workers, remedies.load, remedies.duration), (Some(7), None, None));
    }

    #[test]
    fn a_full_load_until_delivery_is_always_delivered_and_the_stages_are_in_order() {
        let settings = TimingSettings { send_resolved: true, ..TimingSettings::classic() };
        let prediction = predict(&settings, &Fault::load(4, 100.0, 2.0));
        assert!(prediction.is_certain());
        let stages: Vec<Stage> = prediction.stages.iter().map(|window| window.stage).collect();
        assert_eq!(stages, Stage::ALL);
        for pair in prediction.stages.windows(2) {
            assert!(pair[0].expected <= pair[1].expected, "{pair:?}");
        }
        // 36 s until 80% of 45 s are loaded, up to 15 s until a scrape, up to 15 s until an evaluation,
        // 60 s of `for`, 30 s of `group_wait`.
        let delivered = prediction.window(Stage::Delivered).unwrap();
        assert!(delivered.earliest.0 >= seconds(124) && delivered.latest.0 <= seconds(159), "{delivered:?}");
    }

    #[test]
    fn each_way_in_which_a_fault_fails_has_its_own_obstacle() {
        let settings = TimingSettings::classic();
        for (fault, obstacle) in [
            (lasting(70.0, 900), Obstacle::TooSmall),
            (lasting(100.0, 20), Obstacle::EndsBeforeAbove),
            (lasting(100.0, 60), Obstacle::EndsBeforeFiring),
            (lasting(100.0, 110), Obstacle::ResolvedBeforeFlush),
        ] {
            assert_eq!(predict(&settings, &fault).obstacle, Some(obstacle), "{fault:?}");
        }
    }

    #[test]
    fn a_rate_over_one_minute_at_15_seconds_sees_45() {
        assert_eq!(TimingSettings::classic().seen_by_rate(), seconds(45));
        let settings =
            TimingSettings { signal: Signal::Rate { range: seconds(50) }, ..TimingSettings::classic() };
        assert_eq!(settings.seen_by_rate(), seconds(45));
    }

    #[test]
    fn a_long_hold_costs_no_time_to_predict() {
        let settings = TimingSettings {
            hold: seconds(24 * 3600),
            evaluation_interval: seconds(1),
            ..TimingSettings::classic()
        };
        assert!(predict(&settings, &Fault::load(2, 100.0, 0.0)).is_certain());
    }
}
