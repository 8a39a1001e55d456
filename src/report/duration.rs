//! The one way in which durations are written for people.

use std::time::Duration;

/// Formats a duration: `230 ms`, `4.2 s`, `1 min 05 s`, `2 h 03 min`.
pub fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    // Rounded before the unit is chosen, so that 59.96 s is not `60.0 s`.
    let tenths = (millis + 50) / 100;
    let seconds = (millis + 500) / 1_000;
    let minutes = (seconds + 30) / 60;
    match () {
        () if millis < 1_000 => format!("{millis} ms"),
        () if tenths < 600 => format!("{}.{} s", tenths / 10, tenths % 10),
        () if seconds < 3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        () => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_fits() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (4_249, "4.2 s"),
            (59_949, "59.9 s"),
            (59_950, "1 min 00 s"),
            (65_400, "1 min 05 s"),
            (3_599_499, "59 min 59 s"),
            (3_599_500, "1 h 00 min"),
            (7_380_000, "2 h 03 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text, "{millis}");
        }
    }
}
