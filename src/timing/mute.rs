//! Whether the mute times of an alert's severity hold back its notifications at a given time. Pure. `preflight` checks
//! this before a fault is caused in vain.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _, ZonedDateTime, civil};

use crate::error::{Error, Result};
use crate::spec::{AlertRoute, Mute, Weekday};

/// Mute times repeat weekly, so one without an end within this many days never ends.
const DAYS_AHEAD: i64 = 8;

/// The mute times of an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mutes {
    severity: String,
    times: Vec<Mute>,
}

/// A period without notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Quiet {
    from: ZonedDateTime,
    until: ZonedDateTime,
}

impl Mutes {
    /// The mute times of a route.
    pub fn of(route: AlertRoute<'_>) -> Self {
        let severity = route.severity().map(ToString::to_string).unwrap_or_default();
        Self { severity, times: route.mute().to_vec() }
    }

    /// Checks that an alert is not muted now nor within the time `needed` to deliver it.
    ///
    /// # Errors
    /// The alert is muted within that time; the error names the period.
    pub fn allow(&self, alert: &str, now: Timestamp, needed: Duration) -> Result<()> {
        let Some(Quiet { from, until }) = self.next(now) else { return Ok(()) };
        let needed = SignedDuration::try_from(needed).unwrap_or(SignedDuration::MAX);
        let begins_in = from.timestamp().duration_since(now);
        if begins_in > needed {
            return Ok(());
        }
        let time = |moment: &ZonedDateTime| moment.strftime("%F %H:%M %Z").to_string();
        let until_when = if until.timestamp().duration_since(now).as_hours() > (DAYS_AHEAD - 1) * 24 {
            "all the time".to_owned()
        } else {
            format!("until {}", time(&until))
        };
        let when = if begins_in > SignedDuration::ZERO {
            format!("from {} on ({until_when}), before this run could end", time(&from))
        } else {
            until_when
        };
        let severity = &self.severity;
        Err(Error::could_not_run(format!(
            "`{alert}` would not be delivered: alerts of severity `{severity}` are muted {when}"
        ))
        .remedy(format!("run it at another time, or change `notify.severities.{severity}.mute`")))
    }

    /// The current or next period without notifications. Adjacent periods are merged.
    fn next(&self, now: Timestamp) -> Option<Quiet> {
        let mut times: Vec<Quiet> = self.times.iter().flat_map(|mute| around(mute, now)).collect();
        times.sort_by(|one, other| one.from.cmp(&other.from));
        let mut rest = times.into_iter().filter(|quiet| quiet.until.timestamp() > now);
        let mut first = rest.next()?;
        for quiet in rest {
            if quiet.from > first.until {
                break;
            }
            first.until = first.until.max(quiet.until);
        }
        Some(first)
    }
}

/// The periods of one mute time from yesterday until a week from now. Empty if this computer does not know the time
/// zone: then only Alertmanager can report that it muted the alert.
fn around(mute: &Mute, now: Timestamp) -> Vec<Quiet> {
    let zone = mute.time_zone.as_deref().map_or(Ok(TimeZone::UTC), TimeZone::get);
    let Ok(zone) = zone else { return Vec::new() };
    let today = now.to_zoned_datetime(zone.clone()).date();
    // Dates end in the year 9999.
    let days = (-1..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    let begins = |day: &Date| mute.days.is_empty() || mute.days.contains(&weekday(day.weekday()));
    days.filter(begins).filter_map(|day| quiet(mute, day, &zone)).collect()
}

/// The period that begins on a day. A period past midnight ends on the next day.
fn quiet(mute: &Mute, day: Date, zone: &TimeZone) -> Option<Quiet> {
    let last = if mute.from < mute.to { day } else { day.tomorrow().ok()? };
    let at = |day: Date, time: crate::spec::TimeOfDay| {
        let moment = day.at(0, 0, 0, 0).checked_add(i64::from(time.minutes()).minutes()).ok()?;
        // As above.
        moment.to_zoned_datetime(zone.clone()).ok()
    };
    Some(Quiet { from: at(day, mute.from)?, until: at(last, mute.to)? })
}

const fn weekday(day: civil::Weekday) -> Weekday {
    match day {
        civil::Weekday::Monday => Weekday::Monday,
        civil::Weekday::Tuesday => Weekday::Tuesday,
        civil::Weekday::Wednesday => Weekday::Wednesday,
        civil::Weekday::Thursday => Weekday::Thursday,
        civil::Weekday::Friday => Weekday::Friday,
        civil::Weekday::Saturday => Weekday::Saturday,
        civil::Weekday::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: Duration = Duration::from_mins(5);

    fn mutes(times: &str) -> Mutes {
        Mutes { severity: "warning".into(), times: serde_saphyr::from_str(times).unwrap() }
    }

    /// The period that the error names at a given time; `None` if the alert can be delivered.
    fn refusal(times: &str, now: &str) -> Option<String> {
        let refused = mutes(times).allow("DiskSpaceLow", now.parse().unwrap(), MINUTES).err()?;
        let message = refused.message().to_owned();
        Some(message.split("are muted ").nth(1).unwrap().to_owned())
    }

    #[test]
    fn a_muted_alert_is_refused_with_the_time_at_which_the_mute_ends() {
        let night = "[{from: '22:00', to: '07:00', time_zone: Europe/Berlin}]";
        // 25 November 2026 is a Wednesday; Berlin is an hour ahead of UTC.
        for (now, expected) in [
            ("2026-11-25T20:50:00Z", None),
            (
                "2026-11-25T20:56:00Z",
                Some("from 2026-11-25 22:00 CET on (until 2026-11-26 07:00 CET), before this run could end"),
            ),
            ("2026-11-25T21:00:00Z", Some("until 2026-11-26 07:00 CET")),
            ("2026-11-26T05:59:59Z", Some("until 2026-11-26 07:00 CET")),
            ("2026-11-26T06:00:00Z", None),
        ] {
            assert_eq!(refusal(night, now).as_deref(), expected, "{now}");
        }
        let error = mutes(night).allow("DiskSpaceLow", "2026-11-25T23:00:00Z".parse().unwrap(), MINUTES);
        let error = error.unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::CouldNotRun);
        assert!(error.hint().unwrap().contains("notify.severities.warning.mute"), "{error}");
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let weekend = "[{from: '20:00', to: '06:00', days: [friday]}]";
        for (now, is_muted) in [
            ("2026-11-27T19:00:00Z", false),
            ("2026-11-27T21:00:00Z", true),
            ("2026-11-28T05:00:00Z", true),
            ("2026-11-28T21:00:00Z", false),
            ("2026-11-27T05:00:00Z", false),
        ] {
            assert_eq!(refusal(weekend, now).is_some(), is_muted, "{now}");
        }
    }

    #[test]
    fn adjacent_times_are_merged_and_a_mute_without_end_is_named() {
        let two = "[{from: '08:00', to: '12:00'}, {from: '12:00', to: '14:30'}]";
        assert_eq!(refusal(two, "2026-11-25T09:00:00Z").unwrap(), "until 2026-11-25 14:30 UTC");
        let always = "[{from: '00:00', to: '24:00'}]";
        assert_eq!(refusal(always, "2026-11-25T09:00:00Z").unwrap(), "all the time");
        assert_eq!(refusal("[]", "2026-11-25T09:00:00Z"), None);
    }
}
