//! Compares the model with the reference in `reference_model`: equal to the millisecond without delays, and inside the
//! predicted windows with the delays of real processes.

use std::time::Duration;

use crate::promql::{Comparison, Signal, Threshold};
use crate::timing::fault_model::{Effect, Ending, Fault, Traffic};
use crate::timing::pipeline::{Phase, PipelineInput, Walk};
use crate::timing::predict;
use crate::timing::predict::Prediction;
use crate::timing::settings::{Refusals, TimingSettings};
use crate::timing::stage::Stage;
use crate::timing::stress_command::StressCommand;
use crate::timing::tests::reference_model::{STEP, play, play_late};
use crate::timing::time::{Ms, ms};

/// A small generator, so that the cases are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, from: i64, to: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + i64::try_from((self.0 >> 33) % u64::try_from(to - from + 1).unwrap()).unwrap()
    }

    fn time(&mut self, from: i64, to: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.roll(from, to) * STEP).unwrap())
    }

    #[expect(clippy::cast_precision_loss)]
    fn share(&mut self, from: i64, to: i64) -> f64 {
        self.roll(from * 10, to * 10) as f64 / 10.0
    }

    /// A signal with a threshold and a fault that it can see.
    fn signal(&mut self, scrape: Duration) -> (Signal, Threshold, Effect) {
        let range = scrape * 2 + self.time(0, 400);
        let rise = if self.roll(0, 1) == 0 { Duration::ZERO } else { self.time(1, 300) };
        let above = |value| Threshold { comparison: Comparison::More, value, unit: "" };
        let (normal, drop) = (3.0, self.share(70, 100));
        let level = Effect::Level { normal, faulty: drop, rise };
        let step = Effect::Level { normal, faulty: drop, rise: Duration::ZERO };
        let traffic = Effect::Requests {
            users: Traffic { per_second: self.share(0, 3), bad: 0.02 },
            drill: Traffic { per_second: 5.0, bad: drop / 100.0 },
        };
        let silence = Effect::Silence { noticed_after: if rise.is_zero() { rise } else { scrape / 2 } };
        let equal = |value| Threshold { comparison: Comparison::Equal, value, unit: "" };
        // Never a whole number of steps, so that no event falls exactly on the end of the fault.
        let events = self.share(40, 90) + 0.037;
        let often = Effect::Level { normal: 0.0, faulty: events / 10.0, rise: Duration::ZERO };
        match self.roll(0, 10) {
            0 => (Signal::Latest, above(80.0), level),
            1 => (Signal::Rate { range }, above(80.0), level),
            2 => (Signal::Rate { range }, above(60.0), traffic),
            3 => (Signal::Quantile { range, quantile: 0.75 }, above(60.0), step),
            4 => (Signal::Quantile { range, quantile: 0.75 }, above(60.0), traffic),
            5 => (Signal::Mean { range }, above(75.0), level),
            6 => (Signal::Highest { range }, above(80.0), level),
            7 => (Signal::Lowest { range }, above(75.0), level),
            8 => (Signal::Latest, equal(0.0), silence),
            9 => (Signal::Count { range: 4 * range }, above(1.0), often),
            _ => {
                let range = if self.roll(0, 1) == 0 { Duration::ZERO } else { range };
                (Signal::Missing { range }, equal(1.0), silence)
            }
        }
    }

    fn case(&mut self) -> (TimingSettings, Fault, Phase) {
        // Half a scrape is a whole number of steps.
        let scrape_interval = self.time(5, 75) * 2;
        let evaluation_interval = self.time(10, 150);
        let (signal, threshold, effect) = self.signal(scrape_interval);
        let settings = TimingSettings {
            scrape_interval,
            evaluation_interval,
            signal,
            threshold,
            hold: self.time(0, 600),
            keep_firing: if self.roll(0, 2) == 0 { self.time(10, 600) } else { Duration::ZERO },
            group_wait: self.time(0, 300),
            group_interval: self.time(10, 600),
            joins: self.roll(0, 3) == 0,
            send_resolved: self.roll(0, 1) == 1,
            refusals: match self.roll(0, 3) {
                0 => Refusals::Refused(1),
                1 => Refusals::Failed(1),
                _ => Refusals::None,
            },
        };
        let ending = match self.roll(0, 2) {
            0 => Ending::WhenDelivered,
            _ => Ending::After(self.time(10, 2000)),
        };
        let phase = self.phase(&settings, STEP);
        (settings, Fault { effect, ending }, phase)
    }

    fn phase(&mut self, settings: &TimingSettings, step: Ms) -> Phase {
        let mut of = |interval| self.roll(0, ms(interval) / step - 1) * step;
        Phase {
            scrape: of(settings.scrape_interval),
            evaluation: of(settings.evaluation_interval),
            group: of(settings.group_interval),
        }
    }
}

#[test]
fn a_walk_agrees_with_the_pipeline_played_step_by_step() {
    let mut dice = Dice(20_261_124);
    let mut reached = [0; 3];
    for _ in 0..1_500 {
        let (settings, fault, phase) = dice.case();
        let walked = PipelineInput::new(&settings, &fault).walk(phase);
        // A scrape at the exact moment at which delivery ends the fault may or may not see the end.
        let scraped_at = |off: Ms| (off - phase.scrape) % ms(settings.scrape_interval) == 0;
        if fault.ending == Ending::WhenDelivered && walked.off.is_some_and(scraped_at) {
            continue;
        }
        let mut played = play(&settings, &fault, phase);
        // The step-by-step play sees a scrape leave the range up to a step later than it does, and
        // does not look at what the expression does once it has returned.
        for (mine, theirs) in [(walked.above, &mut played.above), (walked.below, &mut played.below)] {
            if let (Some(mine), Some(theirs)) = (mine, theirs)
                && (0..=STEP).contains(&(*theirs - mine))
            {
                *theirs = mine;
            }
        }
        assert_eq!(walked, played, "{settings:#?} {fault:?} {phase:?}");
        for (count, stage) in
            reached.iter_mut().zip([walked.firing, walked.delivered, walked.resolved_delivered])
        {
            *count += usize::from(stage.is_some());
        }
    }
    assert!(reached.iter().all(|&count| (150..1_350).contains(&count)), "too uniform: {reached:?}");
}

#[test]
fn an_alert_that_resolves_as_its_notification_leaves_sends_the_resolved_one_a_tick_later() {
    let settings = TimingSettings { send_resolved: true, ..TimingSettings::classic() };
    let case = PipelineInput::new(&settings, &Fault::of_command(&StressCommand::CLASSIC, 4, 0.0));
    let phases = (0..150).map(|phase| Phase { scrape: phase * 100 + 50, evaluation: 7_000, group: 0 });
    let ties: Vec<Walk> = phases.map(|phase| case.walk(phase)).filter(|walk| walk.tie).collect();
    assert!(!ties.is_empty());
    for tie in ties {
        assert_eq!(tie.resolved_delivered, tie.flush.map(|flush| flush + ms(settings.group_interval)));
    }
}

/// How often each case is played.
const PLAYS: u32 = 10_000;

/// A pipeline of short intervals, in which the delays of real processes weigh most.
fn quick(signal: Signal, threshold: Threshold) -> TimingSettings {
    TimingSettings {
        scrape_interval: Duration::from_secs(2),
        evaluation_interval: Duration::from_secs(2),
        signal,
        threshold,
        hold: Duration::from_secs(6),
        group_wait: Duration::from_secs(1),
        group_interval: Duration::from_secs(5),
        send_resolved: true,
        ..TimingSettings::classic()
    }
}

const fn threshold(comparison: Comparison, value: f64) -> Threshold {
    Threshold { comparison, value, unit: "" }
}

fn time_of(stage: Stage, walk: &Walk) -> Option<Ms> {
    match stage {
        Stage::LoadOn | Stage::LoadOff => None,
        Stage::Above => walk.above,
        Stage::Pending => walk.pending,
        Stage::Firing | Stage::InAlertmanager => walk.firing,
        Stage::Sent => walk.flush,
        Stage::Delivered => walk.delivered,
        Stage::Below => walk.below,
        Stage::Resolved => walk.resolved,
        Stage::ResolvedDelivered => walk.resolved_delivered,
    }
}

/// Plays a case and checks each stage against its window, and the share of deliveries against the predicted chance.
fn assert_inside(settings: &TimingSettings, fault: &Fault) {
    let prediction = predict(settings, fault);
    let mut dice = Dice(20_261_125);
    let mut delays = Dice(7);
    let mut delivered = 0;
    let mut inside: Vec<(Stage, u32, u32)> = vec![];
    for _ in 0..PLAYS {
        let phase = dice.phase(settings, STEP);
        let walk = play_late(settings, fault, phase, &mut |below| delays.roll(0, below - 1));
        delivered += u32::from(walk.delivered.is_some());
        for stage in Stage::ALL {
            let Some(time) = time_of(stage, &walk) else { continue };
            if !inside.iter().any(|(other, ..)| *other == stage) {
                inside.push((stage, 0, 0));
            }
            let (_, reached, within) = inside.iter_mut().find(|(other, ..)| *other == stage).unwrap();
            *reached += 1;
            *within +=
                u32::from(is_within(&prediction, stage, time) && is_after_end(&prediction, stage, &walk));
        }
    }
    assert!(delivered == 0 || inside.len() >= 6, "{inside:?}");
    for (stage, reached, within) in inside.iter().filter(|(_, reached, _)| *reached > PLAYS / 100) {
        assert!(within * 100 >= reached * 95, "{stage}: {within} of {reached} inside; {prediction:#?}");
    }
    let share = f64::from(delivered) / f64::from(PLAYS);
    assert!((share - prediction.chance).abs() < 0.1, "{share} delivered, predicted {}", prediction.chance);
}

fn is_within(prediction: &Prediction, stage: Stage, time: Ms) -> bool {
    prediction
        .window(stage)
        .is_some_and(|window| (ms(window.earliest.0)..=ms(window.latest.0)).contains(&time.max(0)))
}

/// Whether a stage that follows the fault's end lies inside its window counted from there.
fn is_after_end(prediction: &Prediction, stage: Stage, walk: &Walk) -> bool {
    let window = prediction.after_end.iter().find(|window| window.stage == stage);
    let (Some(window), Some(off), Some(time)) = (window, walk.off, time_of(stage, walk)) else { return true };
    (ms(window.earliest.0)..=ms(window.latest.0)).contains(&(time - off).max(0))
}

/// One test for each case, so that they run in parallel.
macro_rules! inside {
    ($($name:ident: $settings:expr, $fault:expr;)*) => {
        $(#[test] fn $name() { assert_inside(&$settings, &$fault); })*
    };
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn rising(normal: f64, faulty: f64, rise: u64) -> Fault {
    Fault { effect: Effect::Level { normal, faulty, rise: seconds(rise) }, ending: Ending::WhenDelivered }
}

const fn requests(users: f64, drill: f64, bad: f64) -> Fault {
    let users = Traffic { per_second: users, bad: 0.0 };
    Fault {
        effect: Effect::Requests { users, drill: Traffic { per_second: drill, bad } },
        ending: Ending::WhenDelivered,
    }
}

const RATE: Signal = Signal::Rate { range: seconds(8) };
const MORE_THAN_80: Threshold = threshold(Comparison::More, 80.0);

inside! {
    the_classic_settings_with_a_full_load: TimingSettings::classic(), Fault::load(4, 100.0, 2.0);
    a_rate_that_climbs_into_its_range: quick(RATE, MORE_THAN_80), Fault::load(4, 100.0, 2.0);
    a_load_that_ends_too_soon_in_half_of_the_cases:
        quick(RATE, MORE_THAN_80), Fault::load(4, 100.0, 2.0).lasting(seconds(14));
    a_gauge: quick(Signal::Latest, threshold(Comparison::More, 90.0)), Fault::level(40.0, 97.0);
    a_gauge_that_rises_slowly: quick(Signal::Latest, threshold(Comparison::Less, 10.0)), rising(60.0, 5.0, 20);
    a_share_of_failed_requests: quick(RATE, threshold(Comparison::More, 5.0)), requests(10.0, 5.0, 1.0);
    a_share_without_users: quick(RATE, threshold(Comparison::More, 5.0)), requests(0.0, 5.0, 0.5);
    an_event_that_repeats:
        quick(Signal::Rate { range: seconds(20) }, threshold(Comparison::More, 3.0)),
        Fault { effect: Effect::Repeated { normal: 0.0, faulty: 8.0, every: Duration::from_millis(2_500) },
            ..Fault::silence() };
    a_quantile: quick(Signal::Quantile { range: seconds(8), quantile: 0.95 }, threshold(Comparison::More, 1.0)),
        Fault::level(0.05, 3.0);
    a_target_that_refuses: quick(Signal::Latest, threshold(Comparison::Equal, 0.0)), Fault::silence();
    a_target_that_does_not_answer: quick(Signal::Latest, threshold(Comparison::Equal, 0.0)),
        Fault { effect: Effect::Silence { noticed_after: seconds(2) }, ..Fault::silence() };
    an_absent_series: quick(Signal::Missing { range: Duration::ZERO }, threshold(Comparison::Equal, 1.0)),
        Fault::silence();
    a_series_absent_for_a_while: quick(Signal::Missing { range: seconds(8) }, threshold(Comparison::Equal, 1.0)),
        Fault::silence();
    a_mean: quick(Signal::Mean { range: seconds(10) }, MORE_THAN_80), Fault::level(0.0, 100.0);
    a_trend: quick(Signal::Trend { range: seconds(20), ahead: seconds(120) }, threshold(Comparison::Less, 0.0)),
        rising(50.0, 10.0, 60);
    a_count_of_rare_events: quick(Signal::Count { range: seconds(20) }, threshold(Comparison::More, 1.0)),
        Fault::level(0.0, 9.0);
    no_hold: TimingSettings { hold: Duration::ZERO, ..quick(RATE, MORE_THAN_80) }, Fault::load(4, 100.0, 2.0);
    a_group_that_has_already_sent_others: TimingSettings { joins: true, ..quick(RATE, MORE_THAN_80) },
        Fault::load(4, 100.0, 2.0);
    requests_that_fail_eight_times: TimingSettings {
        refusals: Refusals::Failed(8), group_interval: seconds(60), ..quick(RATE, MORE_THAN_80)
    }, Fault::load(4, 100.0, 2.0);
    a_request_that_is_refused_once:
        TimingSettings { refusals: Refusals::Refused(1), ..quick(RATE, MORE_THAN_80) }, Fault::load(4, 100.0, 2.0);
}
