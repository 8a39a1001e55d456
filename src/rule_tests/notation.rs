//! Samples in promtool's notation, in which constant runs are one word: `1000+15x8`, `1x8`, `_x8`, `stale`.

/// The sample of a series at a scrape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TestSample {
    Value(f64),
    /// The series has just disappeared.
    Stale,
    /// The series does not exist.
    Nothing,
}

/// Tolerated distance of rounded values from a straight line, relative to its values.
const ROUNDING: f64 = 1e-12;

/// All samples as one line.
pub(super) fn notation(samples: &[TestSample]) -> String {
    let mut line = String::new();
    let mut rest = samples;
    while let Some(first) = rest.first() {
        if !line.is_empty() {
            line.push(' ');
        }
        let length = match first {
            TestSample::Stale => {
                line.push_str("stale");
                1
            }
            TestSample::Nothing => {
                let length = rest.iter().take_while(|sample| **sample == TestSample::Nothing).count();
                line.push_str(&format!("_x{length}"));
                length
            }
            TestSample::Value(value) => straight(*value, rest, &mut line),
        };
        rest = &rest[length..];
    }
    line
}

/// Writes the longest straight line that begins here; returns its length.
fn straight(first: f64, samples: &[TestSample], line: &mut String) -> usize {
    let value = |index: usize| match samples.get(index) {
        Some(TestSample::Value(value)) => Some(*value),
        _ => None,
    };
    let Some(step) = value(1).map(|second| second - first) else {
        line.push_str(&format!("{first}"));
        return 1;
    };
    let mut length = 1_u32;
    while let Some(next) = value(length as usize) {
        let expected = f64::from(length).mul_add(step, first);
        if (next - expected).abs() > ROUNDING * next.abs().max(expected.abs()) {
            break;
        }
        length += 1;
    }
    let steps = length - 1;
    line.push_str(&match step {
        0.0 => format!("{first}x{steps}"),
        step if step < 0.0 => format!("{first}{step}x{steps}"),
        step => format!("{first}+{step}x{steps}"),
    });
    length as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[f64]) -> Vec<TestSample> {
        values.iter().copied().map(TestSample::Value).collect()
    }

    #[test]
    fn constant_runs_are_one_word() {
        for (samples, expected) in [
            (values(&[1.0, 1.0, 1.0]), "1x2"),
            (values(&[1.0, 3.0, 5.0]), "1+2x2"),
            (values(&[5.0, 3.5, 2.0]), "5-1.5x2"),
            (values(&[-1.0, -2.0]), "-1-1x1"),
            (values(&[7.0]), "7"),
            (values(&[1.0, 2.0, 3.0, 3.0, 3.0]), "1+1x2 3x1"),
            (values(&[0.1, 0.2, 0.1 + 0.2]), "0.1+0.1x2"),
        ] {
            assert_eq!(notation(&samples), expected);
        }
        let mut samples = values(&[1.0, 1.0]);
        samples.extend([TestSample::Stale, TestSample::Nothing, TestSample::Nothing]);
        samples.extend(values(&[4.0]));
        assert_eq!(notation(&samples), "1x1 stale _x2 4");
        assert_eq!(notation(&[]), "");
    }
}
