//! The yardstick of `walk`'s tests: the same pipeline, played step by step with counters, samples
//! and timers, as a reader of Prometheus' and Alertmanager's documentation would write it down.
//! Shares no code with `walk`.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "milliseconds of a test")]

use super::walk::{Ms, Phase, Walk};
use super::{Ending, Fault, Settings};

/// One step; all times of a played case are multiples of it.
pub const STEP: Ms = 100;

struct Sample {
    at: Ms,
    idle_seconds: f64,
}

/// `rate(idle[range])` by Prometheus' rule of extrapolation, then `100 - 100 * rate`.
fn query(samples: &[Sample], now: Ms, range: Ms) -> Option<f64> {
    let seen: Vec<&Sample> = samples.iter().filter(|s| s.at >= now - range && s.at <= now).collect();
    let (first, last) = (seen.first()?, seen.last()?);
    if seen.len() < 2 {
        return None;
    }
    let spanned = (last.at - first.at) as f64;
    let mean_gap = spanned / (seen.len() - 1) as f64;
    let reach = |gap: f64| if gap < mean_gap * 1.1 { gap } else { mean_gap / 2.0 };
    let covered = spanned + reach((first.at - (now - range)) as f64) + reach((now - last.at) as f64);
    let increase = (last.idle_seconds - first.idle_seconds) * covered / spanned;
    Some(100.0 - 100.0 * increase / (range as f64 / 1000.0))
}

/// Plays the case from long before the load until long after it.
pub fn play(settings: &Settings, fault: &Fault, phase: Phase) -> Walk {
    let ms = |duration: std::time::Duration| duration.as_millis() as Ms;
    let (scrape, evaluation) = (ms(settings.scrape_interval), ms(settings.evaluation_interval));
    let range = ms(settings.range);
    let mut off = match fault.ending {
        Ending::After(time) => Some(ms(time)),
        Ending::WhenDelivered => None,
    };
    let mut walk = Walk { off, ..Walk::default() };
    let mut samples: Vec<Sample> = Vec::new();
    let mut idle = 1.0e6;
    let mut active_at = None;
    let mut is_firing = false;
    let mut in_alertmanager = None;
    let mut next_flush: Option<Ms> = None;
    let mut was_told = false;

    let before = -(range + 3 * scrape);
    let mut now = before;
    while now < 1_000_000 {
        // The CPU of the step that ends now.
        let loaded = now > 0 && off.is_none_or(|off| now <= off);
        let busy = if loaded { fault.utilisation() } else { fault.baseline };
        idle += STEP as f64 / 1000.0 * (1.0 - busy / 100.0);
        if (now - phase.scrape).rem_euclid(scrape) == 0 {
            samples.retain(|sample| sample.at >= now - range - scrape);
            samples.push(Sample { at: now, idle_seconds: idle });
        }
        let value = query(&samples, now, range);
        let is_above = value.is_some_and(|value| value > settings.above + 1e-6);
        if now >= 0 && is_above && walk.above.is_none() {
            walk.above = Some(now);
        }
        if walk.above.is_some() && off.is_some_and(|off| now >= off) && !is_above && walk.below.is_none() {
            walk.below = Some(now);
        }
        if now >= 0 && (now - phase.evaluation).rem_euclid(evaluation) == 0 {
            if is_above {
                let since = *active_at.get_or_insert(now);
                walk.pending.get_or_insert(now);
                if now - since >= ms(settings.hold) && !is_firing {
                    is_firing = true;
                    walk.firing.get_or_insert(now);
                    in_alertmanager = Some(now);
                    next_flush = Some(now + ms(settings.group_wait));
                }
            } else {
                active_at = None;
                if is_firing && walk.resolved.is_none() {
                    walk.resolved = Some(now);
                    walk.tie = next_flush == Some(now) && walk.flush.is_none();
                }
            }
        }
        if in_alertmanager.is_some() && next_flush == Some(now) {
            next_flush = Some(now + ms(settings.group_interval));
            if walk.flush.is_none() {
                if walk.resolved.is_some_and(|resolved| resolved < now) {
                    return walk;
                }
                walk.flush = Some(now);
                if off.is_none() {
                    off = Some(now);
                    walk.off = off;
                }
            } else if walk.resolved.is_some() && settings.send_resolved && !was_told {
                was_told = true;
                walk.told = Some(now);
            }
        }
        now += STEP;
    }
    walk
}
