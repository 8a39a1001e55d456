//! The warning of `render` about the reference's test command, which is often copied.

use super::fault_model::{Fault, REFERENCE_COMMAND};
use super::phrases;
use super::predict::{chance_of, predict};
use super::settings::TimingSettings;
use crate::spec::Spec;

/// The warnings of `render` about the reference's own test of `HighCPUUsage`; empty if that test works.
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
        "HighCPUUsage {verdict} its receiver when tested with `{REFERENCE_COMMAND}`: on 4 CPUs it \
         {fate}; on 2 CPUs it {fewer}, on more than 4 it never fires; {reason}; {remedies}",
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
    fn the_warning_names_the_odds_the_reason_and_the_remedy() {
        assert_eq!(
            reference_warning(&TimingSettings::of_reference()).unwrap(),
            "HighCPUUsage will most likely not reach its receiver when tested with `stress-ng --cpu 4 --cpu-load 85 \
             --timeout 120s`: on 4 CPUs it is delivered in about 1 of 56 tries; in 35 of 100 tries the notification is \
             due exactly when the alert resolves, and 1 of 20 of these is assumed to be sent; without them it is never \
             delivered; on 2 CPUs it is delivered in about 1 of 4 tries, on more than 4 it never fires; after 120 s of \
             85% the alert resolves before Alertmanager's `group_wait` of 30 s has passed; what works: the same fault \
             for 145 s, or `group_wait: 14s`"
        );
        let quick = TimingSettings { group_wait: Duration::from_secs(5), ..TimingSettings::of_reference() };
        assert_eq!(reference_warning(&quick), None);
    }
}
