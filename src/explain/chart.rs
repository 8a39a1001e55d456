//! A timeline drawn in text: a row for each stage, from its earliest to its latest time. Readable without
//! colour, as wide as the screen.

use std::time::Duration;

use crate::timing::Window;

/// Width of the column with the names of stages.
const NAMES: usize = 27;
/// The narrowest and the widest chart that can be read at a glance.
const NARROWEST: usize = 20;
const WIDEST: usize = 100;
/// The steps between labels of the axis, in seconds.
const STEPS: [u64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400];
/// The longest label, `120 min`, and the space that keeps it apart from the next.
const LABEL: usize = 8;

/// Draws windows in rows, below an axis.
pub(super) fn chart(windows: &[&Window], width: usize) -> String {
    let room = width.saturating_sub(NAMES + 3).clamp(NARROWEST, WIDEST);
    let end = windows.iter().map(|window| window.latest.0).max().unwrap_or_default();
    let scale = Scale { end: end.max(Duration::from_secs(1)), columns: room - 1 };
    let mut text = axis(&scale);
    for window in windows {
        text.push_str(&format!("\n  {:<NAMES$} {}", window.stage.name(), bar(window, &scale)));
    }
    text
}

/// Maps times to columns.
struct Scale {
    end: Duration,
    columns: usize,
}

impl Scale {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns of a screen"
    )]
    fn column(&self, time: Duration) -> usize {
        let share = time.as_secs_f64() / self.end.as_secs_f64();
        ((share * self.columns as f64).round() as usize).min(self.columns)
    }
}

fn axis(scale: &Scale) -> String {
    let fits = |step: &&u64| {
        let labels = scale.end.as_secs() / **step + 1;
        usize::try_from(labels).is_ok_and(|labels| labels * LABEL <= scale.columns + LABEL)
    };
    let step = STEPS.iter().find(fits).copied().unwrap_or(86_400);
    let mut line = String::new();
    let mut at = 0;
    while at <= scale.end.as_secs() {
        let column = scale.column(Duration::from_secs(at));
        let label = label(at, step);
        let is_apart = line.is_empty() || column > line.len();
        if is_apart && column + label.len() <= scale.columns + 1 {
            line = format!("{line:<column$}{label}");
        }
        at += step;
    }
    format!("  {:<NAMES$} {line}", "")
}

/// Times in the unit of the step between them.
fn label(seconds: u64, step: u64) -> String {
    match seconds {
        0 => "0".into(),
        _ if step.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ if step.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// `.....[==|==]`, in ASCII only.
fn bar(window: &Window, scale: &Scale) -> String {
    let [earliest, expected, latest] =
        [window.earliest, window.expected, window.latest].map(|time| scale.column(time.0));
    (0..=latest)
        .map(|column| match column {
            _ if column == expected => '|',
            _ if column == earliest => '[',
            _ if column == latest => ']',
            _ if column > earliest => '=',
            _ => '.',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Millis;
    use crate::timing::Stage;

    fn window(stage: Stage, times: [u64; 3]) -> Window {
        let [earliest, expected, latest] = times.map(|time| Millis(Duration::from_secs(time)));
        Window { stage, earliest, expected, latest }
    }

    #[test]
    fn a_chart_is_as_wide_as_the_screen_and_needs_no_colour() {
        let windows = [
            window(Stage::LoadOn, [0, 0, 0]),
            window(Stage::Above, [30, 36, 45]),
            window(Stage::Delivered, [120, 140, 150]),
        ];
        let windows: Vec<&Window> = windows.iter().collect();
        assert_eq!(
            chart(&windows, 80),
            "                              0         30 s      60 s     90 s      120 s\n  \
             load on                     |\n  \
             expression above threshold  ..........[=|==]\n  \
             delivered                   .......................................[======|==]"
        );
        for width in 20..200 {
            let chart = chart(&windows, width);
            let widest = chart.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.max(60), "{width}: {widest}\n{chart}");
        }
    }

    #[test]
    fn labels_do_not_run_into_each_other() {
        let form = regex::Regex::new("^0( +[0-9]+ (s|min|h))+$").unwrap();
        for end in [3, 20, 59, 61, 300, 4_000, 40_000, 400_000] {
            let window = window(Stage::Delivered, [0, end / 2, end]);
            for width in [20, 60, 80, 160] {
                let chart = chart(&[&window], width);
                let axis = chart.lines().next().unwrap().trim();
                assert!(form.is_match(axis), "{end} s on {width}: {axis}");
            }
        }
    }
}
