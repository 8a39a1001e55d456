//! Whether the web server of a domain has a valid certificate, which it gets by itself once it runs. What it lacks is
//! explained by the last error in its log.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::Role;
use crate::remote::Remote;
use crate::retry::Patience;
use crate::spec::{DomainName, Spec};

/// How long a first certificate may take.
const ISSUED_WITHIN: Duration = Duration::from_mins(1);
/// Prints the state of each domain's certificate.
const SCRIPT: &str = include_str!("certificates.sh");
/// The web server's unit.
const UNIT: &str = "monctl-caddy.service";
/// Number of characters of an error that are shown.
const ERROR_CHARS: usize = 600;

/// The domains of this host without a valid certificate, once there was time to get one.
pub(super) async fn missing(remote: &Remote, spec: &Spec, events: &Events) -> Vec<Error> {
    if remote.host().role() != Role::APP || spec.app.domains().is_empty() {
        return vec![];
    }
    awaited(remote, spec.app.domains(), events).await.unwrap_or_else(|error| vec![error])
}

/// After failures the web server waits for up to hours, so that it is asked to try again. Gives up if that fails, too.
async fn awaited(remote: &Remote, domains: &[DomainName], events: &Events) -> Result<Vec<Error>> {
    let mut patience = Patience::new(ISSUED_WITHIN);
    let mut is_waiting = false;
    let mut before_retry: Option<Vec<CertificateState>> = None;
    loop {
        let missing = look(remote, domains).await?;
        if missing.is_empty() {
            return Ok(vec![]);
        }
        if !std::mem::replace(&mut is_waiting, true) {
            let limit = patience.limit().as_secs();
            events.note(format!("waiting up to {limit} s for the certificate of the domain"));
        }
        let is_final = match &before_retry {
            Some(before) => missing.iter().all(|state| state.has_failed_since(before)),
            None => false,
        };
        if before_retry.is_none() && missing.iter().any(|state| state.failures > 0) {
            // Its failure is a unit's trouble.
            remote.run(&["systemctl", "reload", UNIT], b"").await?;
            before_retry = Some(missing.clone());
        }
        // The look is retried; the error given here is not used.
        if is_final || patience.again(Error::failed("not yet")).await.is_err() {
            return Ok(missing.iter().map(|state| state.error().at(remote.host().to_string())).collect());
        }
    }
}

/// The domains without a valid certificate.
async fn look(remote: &Remote, domains: &[DomainName]) -> Result<Vec<CertificateState>> {
    let words = ["bash", "-c", SCRIPT, "bash"].into_iter().chain(domains.iter().map(DomainName::as_str));
    let output = remote.run(&words.collect::<Vec<_>>(), b"").await?;
    let mut states: Vec<_> = output.stdout.lines().filter_map(CertificateState::parse).collect();
    if !output.status.success() || states.len() != domains.len() {
        return Err(Error::failed("cannot read the certificates of the domains")
            .at(remote.host().to_string())
            .because(output.stderr.trim().to_owned()));
    }
    states.retain(|state| !state.is_valid);
    Ok(states)
}

/// The state of a domain's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CertificateState {
    domain: String,
    is_valid: bool,
    /// How often the web server has failed to get one.
    failures: u32,
    /// The last error about it in the web server's log, without what surrounds it there.
    cause: Option<String>,
}

impl CertificateState {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, '\t');
        let (domain, valid) = (fields.next()?.to_owned(), fields.next()? == "yes");
        let (failures, logged) = (fields.next()?.parse().ok()?, fields.next()?);
        Some(Self { domain, is_valid: valid, failures, cause: cause(logged) })
    }

    fn has_failed_since(&self, before: &[Self]) -> bool {
        let then = before.iter().find(|state| state.domain == self.domain).map_or(0, |state| state.failures);
        self.failures > then
    }

    fn error(&self) -> Error {
        let error =
            Error::failed(format!("`{}` has no certificate, so that browsers refuse it", self.domain));
        let error = match &self.cause {
            Some(cause) => error.because(cause.clone()),
            None => error,
        };
        error.remedy(
            "point the domain's DNS records to this host, and let ports 80 and 443 be reached from everywhere; Caddy tries \
             again by itself, and `monctl logs caddy` shows it",
        )
    }
}

/// The error of a line of the log, which is JSON, or the line itself.
fn cause(logged: &str) -> Option<String> {
    let json = serde_json::from_str::<serde_json::Value>(logged);
    // Not every line of the log is JSON.
    let error = json.as_ref().ok().and_then(|json| json.get("error")?.as_str());
    let text: String =
        error.unwrap_or(logged).chars().filter(|c| !c.is_control()).take(ERROR_CHARS).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_without_a_certificate_is_explained_by_the_log() {
        let logged = r#"{"level":"error","msg":"could not get certificate from issuer","identifier":"shop.example","error":"HTTP 400 urn:ietf:params:acme:error:dns - no such host"}"#;
        let state = CertificateState::parse(&format!("shop.example\tno\t2\t{logged}")).unwrap();
        let text = state.error().in_one_line();
        assert!(
            text.contains("`shop.example` has no certificate") && text.contains(": HTTP 400 urn"),
            "{text}"
        );
        assert!(!text.contains("level"), "{text}");
        let first = CertificateState::parse("shop.example\tno\t1\tkilled").unwrap();
        assert_eq!(first.cause.as_deref(), Some("killed"));
        assert!(state.has_failed_since(&[first]) && !state.has_failed_since(std::slice::from_ref(&state)));
        assert_eq!(CertificateState::parse("shop.example\tno\t0\t").unwrap().cause, None);
        assert!(CertificateState::parse("shop.example\tyes\t0\t").unwrap().is_valid);
        assert_eq!(CertificateState::parse("shop.example"), None);
    }
}
