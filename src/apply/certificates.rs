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
const ISSUED_WITHIN: Duration = Duration::from_secs(60);
/// Prints the state of each domain's certificate.
const SCRIPT: &str = include_str!("certificates.sh");
/// Number of characters of an error that are shown.
const ERROR_CHARS: usize = 600;

/// The domains of this host without a valid certificate, once there was time to get one.
pub(super) async fn missing(remote: &Remote, spec: &Spec, events: &Events) -> Vec<Error> {
    if remote.host().role() != Role::APP || spec.app.domains().is_empty() {
        return vec![];
    }
    let mut patience = Patience::new(ISSUED_WITHIN);
    let mut is_waiting = false;
    loop {
        let missing = match look(remote, spec.app.domains()).await {
            Ok(missing) if missing.is_empty() => return vec![],
            Ok(missing) => missing,
            Err(error) => vec![error],
        };
        if !std::mem::replace(&mut is_waiting, true) {
            let limit = patience.limit().as_secs();
            events.note(format!("waiting up to {limit} s for the certificate of the domain"));
        }
        // The look is retried; the error given here is not used.
        if patience.again(Error::failed("not yet")).await.is_err() {
            return missing;
        }
    }
}

async fn look(remote: &Remote, domains: &[DomainName]) -> Result<Vec<Error>> {
    let words = ["bash", "-c", SCRIPT, "bash"].into_iter().chain(domains.iter().map(DomainName::as_str));
    let output = remote.run(&words.collect::<Vec<_>>(), b"").await?;
    let states: Vec<_> = output.stdout.lines().filter_map(State::parse).collect();
    if !output.status.success() || states.len() != domains.len() {
        return Err(Error::failed("cannot read the certificates of the domains")
            .at(remote.host().to_string())
            .because(output.stderr.trim().to_owned()));
    }
    let missing = states.into_iter().filter(|state| !state.is_valid);
    Ok(missing.map(|state| state.error().at(remote.host().to_string())).collect())
}

/// The state of a domain's certificate.
#[derive(Debug, PartialEq, Eq)]
struct State {
    domain: String,
    is_valid: bool,
    /// The last error about it in the web server's log, without what surrounds it there.
    cause: Option<String>,
}

impl State {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (domain, valid, logged) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { domain: domain.to_owned(), is_valid: valid == "yes", cause: cause(logged) })
    }

    fn error(&self) -> Error {
        let error = Error::failed(format!("`{}` has no certificate, so that browsers refuse it", self.domain));
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
    let error = json.as_ref().ok().and_then(|json| json.get("error")?.as_str());
    let text: String = error.unwrap_or(logged).chars().filter(|c| !c.is_control()).take(ERROR_CHARS).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_without_a_certificate_is_explained_by_the_log() {
        let logged = r#"{"level":"error","msg":"could not get certificate from issuer","identifier":"shop.example","error":"HTTP 400 urn:ietf:params:acme:error:dns - no such host"}"#;
        let state = State::parse(&format!("shop.example\tno\t{logged}")).unwrap();
        let text = state.error().in_one_line();
        assert!(text.contains("`shop.example` has no certificate") && text.contains(": HTTP 400 urn"), "{text}");
        assert!(!text.contains("level"), "{text}");
        assert_eq!(State::parse("shop.example\tno\t").unwrap().cause, None);
        assert_eq!(State::parse("shop.example\tno\tkilled").unwrap().cause.as_deref(), Some("killed"));
        assert!(State::parse("shop.example\tyes\t").unwrap().is_valid);
        assert_eq!(State::parse("shop.example"), None);
    }
}
