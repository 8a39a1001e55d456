//! What `render` says of a test that everybody copies.

use super::fault_model::{Fault, REFERENCE_COMMAND};
use super::phrases;
use super::predict::{chance_of, predict};
use super::settings::TimingSettings;
use crate::spec::Spec;

/// What `render` says about the reference's own test of `HighCPUUsage`; nothing where that test works.
pub fn warnings_for(spec: &Spec) -> Vec<String> {
    crate::render::rules(spec)
        .iter()
        .filter(|rule| rule.name == "HighCPUUsage")
        .filter_map(|rule| reference_warning(&TimingSettings::of_rule(spec, rule)?))
        .collect()
}

fn reference_warning(settings: &TimingSettings) -> Option<String> {
    let fault = Fault::of_reference(4, 0.0);
    let prediction = predict(settings, &fault);
    let verdict = if prediction.chance < 0.5 { "will most likely not reach" } else { "may not reach" };
    Some(format!(
        "HighCPUUsage {verdict} its receiver when it is tested by `{REFERENCE_COMMAND}`: on 4 CPUs it \
         {fate}; on fewer it {fewer}, on more it never fires; {reason}; {remedies}",
        fate = phrases::fate(prediction.chance, prediction.race),
        fewer = phrases::likelihood(chance_of(settings, &Fault::of_reference(2, 0.0))),
        reason = phrases::reason(settings, &fault, prediction.obstacle?),
        remedies = phrases::remedies(&prediction.remedies),
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_warning_says_how_likely_why_and_what_works() {
        assert_eq!(
            reference_warning(&TimingSettings::of_reference()).unwrap(),
            "HighCPUUsage will most likely not reach its receiver when it is tested by `stress-ng --cpu 4 \
             --cpu-load 85 --timeout 120s`: on 4 CPUs it never arrives without luck; in 35 of 100 tries the message is \
             due at the very moment at which the alert ends, and where 1 such race of milliseconds in 20 is won, it \
             arrives in about 1 of 56 tries; on fewer it arrives in about 1 of 4 tries, on more it never fires; \
             after 120 s of 85% the alert is resolved before Alertmanager's `group_wait` of 30 s has passed; \
             what works: the same for 145 s, or `group_wait: 14s`"
        );
        let quick = TimingSettings { group_wait: Duration::from_secs(5), ..TimingSettings::of_reference() };
        assert_eq!(reference_warning(&quick), None);
    }
}
