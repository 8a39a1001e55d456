//! The geometry of the report's two pictures: the timeline of an alert's stages, and the curve of its expression. All
//! numbers are in the pictures' own units; the page scales them.

use serde::Serialize;

use super::{StageSeen, seconds};

/// The width of both pictures, and of the names at the left of the timeline.
const WIDTH: f64 = 760.0;
const NAMES: f64 = 190.0;
/// Width of the curve's axis on the left, and the margin on the right of both.
const AXIS: f64 = 56.0;
const RIGHT: f64 = 20.0;
/// The height of a stage's line, and of the axis below.
const LINE: f64 = 26.0;
const BELOW: f64 = 30.0;
/// The height of the curve.
const HEIGHT: f64 = 190.0;
const TOP: f64 = 12.0;

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tick {
    pub at: f64,
    pub text: String,
}

/// The timeline of an alert: a line for each stage with its predicted and its measured time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Timeline {
    pub width: f64,
    pub height: f64,
    pub lines: Vec<Line>,
    pub ticks: Vec<Tick>,
    /// Where the axis is.
    pub bottom: f64,
    /// The span of the fault: from, to.
    pub fault: Option<(f64, f64)>,
}

/// One stage's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub name: String,
    /// The middle of the line.
    pub y: f64,
    /// The predicted range: where it begins, and how wide it is.
    pub predicted: Option<(f64, f64)>,
    pub seen: Option<f64>,
    /// The measured time, as text beside its mark.
    pub text: String,
    /// Position of the text: its end if `before` is set, else its beginning.
    pub text_at: f64,
    pub before: bool,
}

impl Timeline {
    /// None if no stage has a time.
    pub fn of(stages: &[StageSeen], fault_ended: Option<f64>) -> Option<Self> {
        let times = stages.iter().flat_map(|stage| {
            stage.seen.into_iter().chain(stage.predicted.into_iter().flat_map(|(from, to)| [from, to]))
        });
        let longest = times.fold(0.0, f64::max);
        if longest <= 0.0 {
            return None;
        }
        let (end, step) = axis(longest);
        let x = |time: f64| round(NAMES + time / end * (WIDTH - NAMES - RIGHT));
        let lines = stages.iter().enumerate().map(|(index, stage)| {
            let seen = stage.seen.map(x);
            let before = seen.is_some_and(|seen| seen > WIDTH - 90.0);
            Line {
                name: stage.name.clone(),
                y: round(LINE * (as_f64(index) + 0.5) + 4.0),
                predicted: stage.predicted.map(|(from, to)| (x(from), round((x(to) - x(from)).max(2.0)))),
                seen,
                text: stage.seen.map(seconds).unwrap_or_default(),
                text_at: seen.map_or(0.0, |seen| if before { seen - 9.0 } else { seen + 9.0 }),
                before,
            }
        });
        let bottom = round(LINE * as_f64(stages.len()) + 8.0);
        Some(Self {
            width: WIDTH,
            height: bottom + BELOW,
            lines: lines.collect(),
            ticks: ticks(end, step).map(|time| Tick { at: x(time), text: mark(time) }).collect(),
            bottom,
            fault: fault_ended.map(|ended| (x(0.0), round(x(ended) - x(0.0)))),
        })
    }
}

/// The value of an expression over time, with its threshold and the span of the fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Curve {
    pub width: f64,
    pub height: f64,
    /// The points of the line: `x,y x,y …`.
    pub points: String,
    pub threshold: Option<Tick>,
    pub fault: Option<(f64, f64)>,
    pub times: Vec<Tick>,
    pub values: Vec<Tick>,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Curve {
    /// None if there are fewer than two points.
    pub fn of(
        curve: &[(f64, f64)],
        threshold: Option<f64>,
        fault_ended: Option<f64>,
        unit: &str,
    ) -> Option<Self> {
        let points: Vec<(f64, f64)> =
            curve.iter().copied().filter(|(time, value)| time.is_finite() && value.is_finite()).collect();
        let ([first, .., last], true) = (points.as_slice(), points.len() > 1) else { return None };
        let (begin, end) = (first.0.min(0.0), last.0.max(fault_ended.unwrap_or(0.0)));
        let highest = points.iter().map(|point| point.1).chain(threshold).fold(0.0, f64::max);
        let lowest = points.iter().map(|point| point.1).chain(threshold).fold(0.0, f64::min);
        let (top_value, step) = axis((highest - lowest).max(f64::MIN_POSITIVE));
        let (bottom, right) = (TOP + HEIGHT, WIDTH - RIGHT);
        let x =
            |time: f64| round(AXIS + (time - begin) / (end - begin).max(f64::MIN_POSITIVE) * (right - AXIS));
        let y = |value: f64| round(bottom - (value - lowest) / top_value * HEIGHT);
        let written: Vec<String> =
            points.iter().map(|(time, value)| format!("{},{}", x(*time), y(*value))).collect();
        let (time_end, time_step) = axis(end);
        let tick = |value: f64| Tick { at: y(value), text: format!("{}{unit}", short(value)) };
        Some(Self {
            width: WIDTH,
            height: bottom + BELOW,
            points: written.join(" "),
            threshold: threshold.map(tick),
            fault: fault_ended.map(|ended| (x(0.0), round(x(ended) - x(0.0)))),
            times: ticks(time_end, time_step)
                .filter(|time| *time <= end)
                .map(|time| Tick { at: x(time), text: mark(time) })
                .collect(),
            values: ticks(top_value, step).map(|value| tick(value + lowest)).collect(),
            left: AXIS,
            right,
            top: TOP,
            bottom,
        })
    }
}

/// The end of an axis that covers `longest`, and the distance of its marks: four to eight of them, 1, 2 or 5 times a
/// power of ten apart.
pub(super) fn axis(longest: f64) -> (f64, f64) {
    let rough = longest / 5.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(power * 10.0);
    ((longest / step).ceil() * step, step)
}

pub(super) fn ticks(end: f64, step: f64) -> impl Iterator<Item = f64> {
    // At most eight, so that the count is small and the sum exact enough.
    (0..=20_u8).map(move |index| f64::from(index) * step).take_while(move |at| *at <= end + step / 1_000.0)
}

/// Formats a time on an axis; whole seconds without decimals.
fn mark(time: f64) -> String {
    if time < 60.0 && time.fract() == 0.0 { format!("{time} s") } else { seconds(time) }
}

/// Formats a number without insignificant digits.
fn short(value: f64) -> String {
    let text = if value.abs() < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-" { "0".into() } else { text.into() }
}

/// Rounds to a tenth of a unit.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "a handful of stages")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
