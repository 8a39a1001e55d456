//! Whether `app.domain` and `app.acme` fit each other and the hosts.

use std::collections::BTreeSet;

use super::super::domain::Domains;
use super::super::finding::SpecFinding;
use super::super::model::Spec;

pub(super) fn check(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let app = &spec.app;
    let Some(domain) = &app.domain else {
        if app.acme.is_some() {
            findings.push(SpecFinding::new(
                "app.acme",
                "this is for `app.domain` only; leave it out, or add that",
            ));
        }
        return;
    };
    if let Domains::Several(domains) = domain {
        let unique: BTreeSet<_> = domains.iter().collect();
        if domains.is_empty() {
            findings
                .push(SpecFinding::new("app.domain", "the list is empty; write a domain or leave it out"));
        } else if unique.len() < domains.len() {
            findings.push(SpecFinding::new("app.domain", "a domain is listed twice; leave one out"));
        }
    }
    if app.count > 1 {
        let message = "with several application hosts, each of them would need the certificate, and its authority asks only \
                       one of them; leave `domain` out and use a load balancer, or use one application host";
        findings.push(SpecFinding::new("app.domain", message).about("app.count").about("provider.hosts.app"));
    }
}
