//! How many of the spec's alerting rules are proven, from the stored proofs. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::proof::KeptProofs;
use crate::duration::PromDuration;
use crate::spec::Spec;

/// The alert whose threshold is the wanted age of proofs.
const ALERT_UNPROVEN: &str = "AlertUnproven";

/// The share of alerting rules that a fault has proven: those of the catalogue, of the spec and of rule files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Number of alerting rules.
    pub rules: usize,
    /// Number of rules whose last drill proved them, not longer ago than the wanted age.
    pub proven: usize,
    /// The alerts of the others.
    pub not_proven: Vec<String>,
    /// The wanted age in seconds: `above` of `AlertUnproven`.
    pub wanted_age_seconds: u64,
}

impl Coverage {
    /// The coverage of a spec's rules at a time.
    pub fn of(spec: &Spec, kept: &KeptProofs, now: Timestamp) -> Self {
        let wanted_age = wanted_age(spec);
        let is_recent =
            |at: Timestamp| now.duration_since(at) <= SignedDuration::from_secs(seconds(wanted_age));
        let is_proven = |alert: &str| {
            kept.proofs.iter().any(|proof| proof.alert == alert && proof.proven && is_recent(proof.at))
        };
        let mut coverage =
            Self { rules: 0, proven: 0, not_proven: vec![], wanted_age_seconds: wanted_age.as_secs() };
        for (name, alert) in &spec.alerts {
            // A proof is about a name: of several rules, it is unknown which one was proven.
            let proven = alert.others.is_empty() && is_proven(name.as_str());
            for _ in alert.each() {
                coverage.rules += 1;
                if proven {
                    coverage.proven += 1;
                } else {
                    coverage.not_proven.push(name.to_string());
                }
            }
        }
        coverage
    }

    /// Whether at least this share of the rules is proven.
    pub fn reaches(&self, percent: u8) -> bool {
        self.proven * 100 >= self.rules * usize::from(percent)
    }

    /// The coverage as a sentence without its full stop.
    pub fn text(&self) -> String {
        format!(
            "of {} alerting rules (catalogue, own, rule files), {} are proven by a fault within {}, {} are not proven",
            self.rules,
            self.proven,
            PromDuration::seconds(self.wanted_age_seconds),
            self.not_proven.len()
        )
    }
}

/// The age of proofs above which `AlertUnproven` fires; its default, if the spec does not use it.
fn wanted_age(spec: &Spec) -> Duration {
    let is_it = |name: &str| spec.catalogue.name(name) == Some(ALERT_UNPROVEN);
    let of_spec = spec.alerts.iter().filter(|(name, alert)| is_it(name.as_str()) && alert.expr.is_none());
    let chosen = of_spec.filter_map(|(_, alert)| alert.above).min_by(f64::total_cmp);
    let usual = || spec.catalogue.alert(ALERT_UNPROVEN).and_then(|entry| entry.above);
    // A test ensures that the catalogue has a default. Without one, nothing counts as proven.
    chosen.or_else(usual).and_then(|age| Duration::try_from_secs_f64(age).ok()).unwrap_or(Duration::ZERO)
}

/// Whole seconds, which exceed no age of a proof.
fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Alert;
    use crate::verify::LastProof;

    fn proof(alert: &str, proven: bool, at: &str) -> LastProof {
        LastProof {
            alert: alert.into(),
            proven,
            at: at.parse().unwrap(),
            last_proven: Some("2026-11-30T00:00:00Z".parse().unwrap()),
            host: "app".into(),
            delivered_after: None,
            stopped_at: None,
        }
    }

    #[test]
    fn a_rule_is_covered_by_a_recent_proof_of_its_name_alone() {
        let mut spec: Spec = serde_json::from_value(serde_json::json!({
            "version": 1, "project": "web", "provider": "local",
            "app": {"path": ".", "wsgi": "web.wsgi"}, "notify": {"capture": {}},
        }))
        .unwrap();
        let own = |expr: &str| Alert { expr: Some(expr.to_owned()), ..Alert::default() };
        let several = Alert { others: vec![own("a > 5")], ..own("a > 1") };
        spec.alerts = [
            ("HighCPUUsage", Alert::default()),
            ("HostDown", Alert::default()),
            ("Own", own("a > 1")),
            ("Fails", own("a > 1")),
            ("Several", several),
        ]
        .map(|(name, alert)| (name.parse().unwrap(), alert))
        .into();
        let recent = "2026-11-23T12:00:00Z";
        let proofs = vec![
            proof("HighCPUUsage", true, recent),
            proof("HostDown", true, "2026-11-22T23:00:00Z"),
            proof("Own", true, recent),
            proof("Fails", false, recent),
            proof("Several", true, recent),
            proof("OfNoRule", true, recent),
        ];
        let kept = KeptProofs { proofs, unreadable: vec![] };
        let at = |spec: &Spec| Coverage::of(spec, &kept, "2026-12-01T00:00:00Z".parse().unwrap());
        let coverage = at(&spec);
        assert_eq!((coverage.rules, coverage.proven), (6, 2));
        assert_eq!(coverage.not_proven, ["Fails", "HostDown", "Several", "Several"]);
        assert!(coverage.reaches(33) && !coverage.reaches(34), "{coverage:?}");
        assert_eq!(coverage.wanted_age_seconds, 691_200);
        assert!(
            coverage.text().contains("of 6 alerting rules") && coverage.text().contains("4 are not proven")
        );

        let hour = Alert { above: Some(3600.0), ..Alert::default() };
        spec.alerts.insert("AlertUnproven".parse().unwrap(), hour);
        assert_eq!((at(&spec).proven, at(&spec).rules), (0, 7));
    }
}
