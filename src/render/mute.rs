//! Mute times in Alertmanager's form: a time that crosses midnight becomes two.

use serde::Serialize;

use crate::spec::{Mute, TimeOfDay, Weekday};

/// A time of some days, as in Alertmanager's `time_intervals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Interval {
    pub from: TimeOfDay,
    pub to: TimeOfDay,
    /// Every day if empty.
    pub days: Vec<Weekday>,
    pub time_zone: Option<String>,
}

/// A night ends on the day after the one on which it began.
pub(super) fn intervals(mute: &Mute) -> Vec<Interval> {
    let part = |from, to, days: Vec<Weekday>| Interval { from, to, days, time_zone: mute.time_zone.clone() };
    if mute.from < mute.to {
        return vec![part(mute.from, mute.to, mute.days.clone())];
    }
    let evening = part(mute.from, TimeOfDay::END, mute.days.clone());
    let morning = part(TimeOfDay::MIDNIGHT, mute.to, mute.days.iter().map(|day| day.next()).collect());
    // Alertmanager refuses a time without length.
    [evening, morning].into_iter().filter(|part| part.from != part.to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(from: &str, to: &str, days: &[Weekday]) -> Vec<String> {
        let mute = Mute {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            days: days.to_vec(),
            time_zone: None,
        };
        intervals(&mute).iter().map(|it| format!("{}-{} {:?}", it.from, it.to, it.days)).collect()
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        use Weekday::{Friday, Saturday, Sunday};
        assert_eq!(shown("09:00", "17:30", &[Friday]), ["09:00-17:30 [Friday]"]);
        assert_eq!(
            shown("22:00", "06:00", &[Friday, Saturday]),
            ["22:00-24:00 [Friday, Saturday]", "00:00-06:00 [Saturday, Sunday]"]
        );
        assert_eq!(shown("22:00", "06:00", &[]), ["22:00-24:00 []", "00:00-06:00 []"]);
        assert_eq!(shown("22:00", "00:00", &[Sunday]), ["22:00-24:00 [Sunday]"]);
        assert_eq!(shown("00:00", "24:00", &[]), ["00:00-24:00 []"]);
        assert_eq!(shown("24:00", "06:00", &[Sunday]), ["00:00-06:00 [Monday]"]);
    }
}
