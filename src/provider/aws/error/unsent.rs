//! Calls without an answer: without credentials or a region, or without a network path to the endpoint.
//!
//! The SDK describes the cause only in text, somewhere in the chain of causes; the phrases to look for are data.

use std::error::Error as StdError;

use super::super::environment::variable;
use super::{SdkError, causes, only_reads, service};
use crate::error::{Error, Exit, Result};

/// How a region is set.
pub(super) const REGION_REMEDY: &str = "set `provider.aws.region` in the spec, or `AWS_REGION`, or the profile's \
                                        region (`aws configure set region …`)";

/// The variables that name a proxy, in the order in which they are shown.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// One possible reason why a call is not sent or not answered.
struct Obstacle {
    /// Phrases in lower case; any of them in the chain of causes identifies this reason.
    phrases: &'static [&'static str],
    means: &'static str,
    remedy: &'static str,
}

/// Problems with the credentials or the region. The first match applies.
const IDENTITY: &[Obstacle] = &[
    Obstacle {
        phrases: &["missing region", "missing signing region", "region must be set"],
        means: "no region is set",
        remedy: REGION_REMEDY,
    },
    Obstacle {
        phrases: &["sso token has expired", "in cached sso token file", "session token not found or invalid"],
        means: "the SSO session has expired, or was never started",
        remedy: "run `aws sso login` (with `--profile` if you use one), then run the command again",
    },
    Obstacle {
        phrases: &["cached login token is expired", "please reauthenticate", "in cached login token file"],
        means: "the session of `aws login` has expired, or was never started",
        remedy: "run `aws login` (with `--profile` if you use one), then run the command again",
    },
    Obstacle {
        phrases: &[
            "was not properly configured",
            "profile file provider could not be built",
            "invalid profile",
        ],
        means: "the profile cannot be used",
        remedy: "correct what the cause names in `~/.aws/config` or `~/.aws/credentials`",
    },
    Obstacle {
        phrases: &[
            "credential provider was not enabled",
            "no credentials found",
            "identity resolver",
            "did not contain credential",
        ],
        means: "no credentials for AWS were found",
        remedy: "run `aws configure` or `aws sso login`, or set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and \
                 `AWS_SECRET_ACCESS_KEY`; see docs/aws.md",
    },
];

/// Loading new credentials for the call failed; the reason may be the network path to their service.
const CREDENTIALS: Obstacle = Obstacle {
    phrases: &[
        "loading credentials",
        "credentials provider timed out",
        "credentials error",
        "loading an access token",
        "access token provider timed out",
    ],
    means: "the credentials cannot be loaded",
    remedy: "correct what the cause names; test with `aws sts get-caller-identity`",
};

/// Problems on the network path. The first match applies.
const NO_WAY: &[Obstacle] = &[
    Obstacle {
        phrases: &["dns error", "failed to lookup address", "name or service not known"],
        means: "{service} cannot be reached: its name cannot be resolved",
        remedy: "check the spelling of the region and `provider.aws.endpoint`, and whether this computer reaches the \
                 internet",
    },
    Obstacle {
        phrases: &["certificate", "tls handshake", "handshake", "unknownissuer", "corrupt message"],
        means: "{service} cannot be reached: the TLS connection is not trusted",
        remedy: "if a proxy intercepts TLS, name its certificate in `AWS_CA_BUNDLE` or add it to the system's; else \
                 check `provider.aws.endpoint`",
    },
    Obstacle {
        phrases: &["connection refused"],
        means: "{service} cannot be reached: the connection is refused",
        remedy: "check `provider.aws.endpoint`, and whether a proxy or firewall is in between",
    },
    Obstacle {
        phrases: &["unsuccessful tunnel", "tunnel error", "proxy authorization required"],
        means: "{service} cannot be reached: the proxy does not connect to it",
        remedy: "check whether the proxy accepts this computer, and whether `NO_PROXY` should name the endpoint",
    },
    Obstacle {
        phrases: &["timed out", "timeout", "deadline has elapsed"],
        means: "{service} cannot be reached: `{action}` was not answered in time",
        remedy: "check whether a firewall or proxy is in between, then run the command again: it continues from here",
    },
];

const OTHERWISE: Obstacle = Obstacle {
    phrases: &[],
    means: "{service} cannot be reached: `{action}` was not answered",
    remedy: "check whether this computer reaches the internet, then run the command again: it continues from here",
};

/// The error for a call without an answer.
pub(super) fn explain<E: StdError + 'static>(action: &str, error: &SdkError<E>) -> Error {
    words(action, &causes(error), proxy().as_deref())
}

/// The same from the chain of causes, outermost first, and the proxy that is set.
pub(super) fn words(action: &str, chain: &[String], proxy: Option<&str>) -> Error {
    let exit = if only_reads(action) { Exit::CouldNotRun } else { Exit::Failed };
    let text = joined(chain);
    let (means, remedy) = if let Some(identity) = find(IDENTITY, &text) {
        (identity.means.to_owned(), identity.remedy)
    } else if CREDENTIALS.fits(&text) {
        find(NO_WAY, &text).map_or((CREDENTIALS.means.to_owned(), CREDENTIALS.remedy), |obstacle| {
            (obstacle.on_the_way_to("the service that provides the credentials"), obstacle.remedy)
        })
    } else {
        let obstacle = find(NO_WAY, &text).unwrap_or(&OTHERWISE);
        (obstacle.means.replace("{service}", &service(action)).replace("{action}", action), obstacle.remedy)
    };
    Error::new(exit, means).remedy(remedy).because(root(chain, proxy))
}

/// The error for credentials that could not be loaded from another service, if the network path is the reason.
pub(in super::super) fn no_way(source: &str, chain: &[String]) -> Option<Error> {
    let obstacle = find(NO_WAY, &joined(chain))?;
    let means = obstacle.on_the_way_to(&format!("the service that provides the credentials of {source}"));
    Some(Error::could_not_run(means).remedy(obstacle.remedy).because(root(chain, proxy().as_deref())))
}

impl Obstacle {
    /// Whether the text of a chain of causes has one of the phrases.
    fn fits(&self, text: &str) -> bool {
        self.phrases.iter().any(|phrase| text.contains(phrase))
    }

    /// The message for a request for credentials, which has no action.
    fn on_the_way_to(&self, service: &str) -> String {
        self.means.replace("{service}", service).replace("`{action}` was not answered", "it did not answer")
    }
}

/// The chain of causes as one text in lower case.
fn joined(chain: &[String]) -> String {
    chain.join("\n").to_lowercase()
}

fn find(obstacles: &'static [Obstacle], text: &str) -> Option<&'static Obstacle> {
    obstacles.iter().find(|obstacle| obstacle.fits(text))
}

/// The innermost cause, and the proxy, which may be the reason.
fn root(chain: &[String], proxy: Option<&str>) -> String {
    let root = chain.last().map_or("the cause is not known", String::as_str);
    proxy.map_or_else(|| root.to_owned(), |proxy| format!("{root} ({proxy} is set)"))
}

/// The variable that sets a proxy, and its value without a password.
fn proxy() -> Option<String> {
    let set = PROXIES.iter().find_map(|name| Some((name, variable(name)?)));
    set.map(|(name, value)| format!("`{name}={}`", value.rsplit_once('@').map_or(&*value, |(_, host)| host)))
}

/// Rejects invalid proxy addresses: the SDK would ignore the proxy, and fail at a firewall.
///
/// # Errors
/// A variable is not a valid proxy address.
pub(in super::super) fn check_proxies() -> Result<()> {
    let wrong = PROXIES.iter().find(|name| variable(name).is_some_and(|value| !is_proxy(&value)));
    match wrong {
        None => Ok(()),
        Some(name) => Err(Error::could_not_run(format!("`{name}` is not a valid proxy address"))
            .remedy(format!("write it as `http://HOST:PORT`, or unset it: `unset {name}`"))),
    }
}

/// Whether a text is a proxy address: `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`.
fn is_proxy(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.trim_end_matches('/');
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_[]:%".contains(c);
    !name.is_empty() && name.chars().all(fits) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_proxy_addresses_are_recognized() {
        let fine = [
            "http://proxy:3128",
            "proxy.example.org:8080",
            "http://me:pw@10.0.0.1:3128/",
            "https://[fd00::1]:8080",
        ];
        assert!(fine.iter().all(|text| is_proxy(text)));
        let wrong = ["http://", "http://proxy:port", "http:// proxy", "yes please", "http://proxy:99999"];
        assert!(!wrong.iter().any(|text| is_proxy(text)));
    }
}
