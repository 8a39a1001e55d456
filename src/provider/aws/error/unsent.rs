//! Calls that were never answered: without credentials or a region, or without a way to the endpoint.
//!
//! The SDK says which only in words, somewhere in the chain of causes: what is looked for there is data.

use std::error::Error as StdError;
use std::iter::successors;

use super::{SdkError, only_reads, service};
use crate::error::{Error, Exit};

/// How a region is set.
pub(super) const REGION_REMEDY: &str = "write `region:` below `provider.aws`, set `AWS_REGION`, or give the profile one (`aws configure set region …`)";

/// One thing that keeps a call from being sent or answered.
struct Obstacle {
    /// Any of these in the chain of causes, in lower case, says that it is this.
    says: &'static [&'static str],
    means: &'static str,
    remedy: &'static str,
}

/// The first that fits counts.
const OBSTACLES: &[Obstacle] = &[
    Obstacle {
        says: &["missing region", "missing signing region", "region must be set"],
        means: "no region is set",
        remedy: REGION_REMEDY,
    },
    Obstacle {
        says: &[
            "sso token has expired",
            "cached sso token",
            "session token not found or invalid",
            "sso session",
        ],
        means: "the SSO session is over",
        remedy: "run `aws sso login` (with `--profile` where you use one), then run the same again",
    },
    Obstacle {
        says: &["was not properly configured", "profile file provider could not be built", "invalid profile"],
        means: "the profile is not usable",
        remedy: "see what the cause names in `~/.aws/config` and `~/.aws/credentials`",
    },
    Obstacle {
        says: &[
            "credential provider was not enabled",
            "no credentials found",
            "identity resolver",
            "did not contain credential",
        ],
        means: "no credentials for AWS were found",
        remedy: "run `aws configure` or `aws sso login`, or set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and \
                 `AWS_SECRET_ACCESS_KEY`; docs/aws.md says more",
    },
    Obstacle {
        says: &["loading credentials", "credentials provider timed out", "credentials error"],
        means: "the credentials cannot be loaded",
        remedy: "see what the cause names; `aws sts get-caller-identity` tries the same",
    },
    Obstacle {
        says: &["dns error", "failed to lookup address", "name or service not known"],
        means: "{service} cannot be reached: its name is not known",
        remedy: "see whether the region and `provider.aws.endpoint` are written rightly, and whether this computer has a \
                 way to the internet",
    },
    Obstacle {
        says: &["certificate", "tls handshake", "handshake", "unknownissuer", "corrupt message"],
        means: "{service} cannot be reached: the TLS connection is not trusted",
        remedy: "where a proxy opens TLS, name its certificate in `AWS_CA_BUNDLE` or add it to the system's; else see \
                 whether `provider.aws.endpoint` is right",
    },
    Obstacle {
        says: &["connection refused"],
        means: "{service} cannot be reached: the connection is refused",
        remedy: "see whether `provider.aws.endpoint` is right and a proxy or firewall is in between",
    },
    Obstacle {
        says: &["timed out", "timeout", "deadline has elapsed"],
        means: "{service} cannot be reached: `{action}` was not answered in time",
        remedy: "see whether a firewall or proxy is in between, then run the same again: it goes on from here",
    },
];

const OTHERWISE: Obstacle = Obstacle {
    says: &[],
    means: "{service} cannot be reached: `{action}` was not answered",
    remedy: "see whether this computer has a way to the internet, then run the same again: it goes on from here",
};

/// What kept a call from being answered.
pub(super) fn explain<E: StdError + 'static>(action: &str, error: &SdkError<E>) -> Error {
    let outermost: &(dyn StdError + 'static) = error;
    let chain: Vec<String> =
        successors(Some(outermost), |error| (*error).source()).map(ToString::to_string).collect();
    words(action, &chain)
}

/// The same from what the chain of causes says, outermost first.
pub(super) fn words(action: &str, chain: &[String]) -> Error {
    let exit = if only_reads(action) { Exit::CouldNotRun } else { Exit::Failed };
    let said = chain.join("\n").to_lowercase();
    let root = chain.last().cloned().unwrap_or_default();
    if let Some(profile) = unknown_profile(chain) {
        return Error::new(exit, format!("there is no profile `{profile}`"))
            .remedy("see `aws configure list-profiles`, and set `AWS_PROFILE` to one of them");
    }
    let fits = |obstacle: &&Obstacle| obstacle.says.iter().any(|words| said.contains(words));
    let obstacle = OBSTACLES.iter().find(fits).unwrap_or(&OTHERWISE);
    let means = obstacle.means.replace("{service}", &service(action)).replace("{action}", action);
    Error::new(exit, means).remedy(obstacle.remedy).because(root)
}

/// The profile that was asked for and is nowhere written. `default` is what is taken where none was asked for.
fn unknown_profile(chain: &[String]) -> Option<&str> {
    let before = chain.iter().find_map(|text| text.split_once("` was not defined"))?.0;
    let name = before.rsplit_once("profile `")?.1;
    (name != "default").then_some(name)
}
