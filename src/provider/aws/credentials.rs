//! Sources of credentials, and the reasons why there are none. Where AWS' own tools fail, the SDK continues with the
//! next source, and reports little about the cause: this module checks the same sources first.

use std::env;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::profile::ProfileSet;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};

use super::environment::variable;
use super::error::{causes, unsent};
use crate::error::{Error, Result};

/// Timeout for credentials: the programs that provide them call other services.
const LOADED_WITHIN: Duration = Duration::from_secs(30);
/// Credentials that expire sooner than this are renewed.
const STILL_GOOD: Duration = Duration::from_mins(5);
/// Maximum length of a chain of profiles that refer to each other.
const DEEPEST: usize = 8;

/// Kind of a source of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// IAM Identity Center.
    Sso,
    /// A session of `aws login`.
    Login,
    /// A program (`credential_process`).
    Process,
    /// A token file, for a role.
    WebIdentity,
    /// Access keys, or a source that the SDK finds by itself.
    Other,
}

/// The source of credentials, as far as it is known before they are loaded.
#[derive(Debug, Clone)]
pub(super) struct CredentialSource {
    /// The profile, if one is used.
    profile: Option<String>,
    kind: Kind,
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "profile `{profile}`"),
            None => f.write_str("the environment"),
        }
    }
}

/// Reads the environment and the files of profiles.
///
/// # Errors
/// The selected profile does not exist or needs an MFA code; a named file does not exist.
pub(super) async fn source() -> Result<CredentialSource> {
    let chosen = variable("AWS_PROFILE");
    let profiles = profiles().await?;
    if let Some(chosen) = chosen.as_ref().filter(|name| profiles.get_profile(name).is_none()) {
        return Err(no_such_profile(chosen, &profiles));
    }
    // The SDK uses these first, whichever profile is selected.
    if variable("AWS_ACCESS_KEY_ID").is_some() {
        return Ok(CredentialSource { profile: None, kind: Kind::Other });
    }
    let name = chosen.unwrap_or_else(|| "default".to_owned());
    if profiles.get_profile(&name).is_some() {
        let kind = kind(&name, &profiles)?;
        return Ok(CredentialSource { profile: Some(name), kind });
    }
    match variable("AWS_WEB_IDENTITY_TOKEN_FILE") {
        Some(file) => {
            check_token_file(&file, "`AWS_WEB_IDENTITY_TOKEN_FILE`")?;
            Ok(CredentialSource { profile: None, kind: Kind::WebIdentity })
        }
        None => Ok(CredentialSource { profile: None, kind: Kind::Other }),
    }
}

#[expect(
    clippy::default_trait_access,
    reason = "the type's name in the SDK is deprecated, and its crate is not ours"
)]
async fn profiles() -> Result<ProfileSet> {
    let (fs, env) = (Fs::real(), Env::real());
    aws_config::profile::load(&fs, &env, &Default::default(), None).await.map_err(|failed| {
        Error::could_not_run("the files of AWS profiles cannot be read")
            .because(causes(&failed).join(": "))
            .remedy("correct `~/.aws/config` or `~/.aws/credentials` at the place that the cause names")
    })
}

fn no_such_profile(name: &str, profiles: &ProfileSet) -> Error {
    let known: Vec<String> = profiles.profiles().map(|it| format!("`{it}`")).collect();
    let known =
        if known.is_empty() { "there are none".into() } else { format!("there are {}", known.join(", ")) };
    Error::could_not_run(format!("there is no profile `{name}` in `~/.aws/config` or `~/.aws/credentials`"))
        .at("AWS_PROFILE")
        .remedy(format!("set `AWS_PROFILE` to one that exists ({known}), or unset it"))
}

/// Kind of a profile's source of credentials; follows the profiles that it refers to.
fn kind(first: &str, profiles: &ProfileSet) -> Result<Kind> {
    let mut name = first.to_owned();
    for _ in 0..DEEPEST {
        let Some(profile) = profiles.get_profile(&name) else {
            return Err(Error::could_not_run(format!(
                "profile `{first}` refers to the profile `{name}`, which does not exist"
            ))
            .remedy("correct `source_profile` in `~/.aws/config`"));
        };
        let has = |key: &str| profile.get(key).is_some();
        if has("mfa_serial") && has("role_arn") {
            return Err(needs_a_code(first));
        }
        if let Some(file) = profile.get("web_identity_token_file") {
            check_token_file(file, &format!("`web_identity_token_file` of profile `{name}`"))?;
            return Ok(Kind::WebIdentity);
        }
        if let Some(start_url) = profile.get("sso_start_url").filter(|_| !has("sso_session")) {
            check_session(first, start_url)?;
            return Ok(Kind::Sso);
        }
        match profile.get("source_profile").filter(|_| has("role_arn")) {
            Some(next) if next != name => next.clone_into(&mut name),
            _ if has("sso_session") => return Ok(Kind::Sso),
            _ if has("login_session") => return Ok(Kind::Login),
            _ if has("credential_process") => return Ok(Kind::Process),
            _ => return Ok(Kind::Other),
        }
    }
    Err(Error::could_not_run(format!("the profiles that `{first}` refers to form a cycle"))
        .remedy("correct `source_profile` in `~/.aws/config`"))
}

fn needs_a_code(profile: &str) -> Error {
    Error::could_not_run(format!(
        "profile `{profile}` assumes its role with an MFA code (`mfa_serial`), which monctl does not prompt for"
    ))
    .remedy(format!(
        "let the AWS CLI prompt for it, then run the command again: \
         `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`"
    ))
}

/// Checks a session of the older kind, without `sso_session`: the SDK sends its token without checking its expiry.
fn check_session(profile: &str, start_url: &str) -> Result<()> {
    let expired =
        || sso_session_has_expired(&format!("profile `{profile}`"), &format!(" --profile {profile}"));
    let cache = env::home_dir().map(|home| home.join(".aws/sso/cache")).ok_or_else(expired)?;
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => expired(),
        _ => Error::could_not_run(format!("cannot read the folder of SSO sessions, `{}`", cache.display()))
            .because(error)
            .remedy("give yourself access to that folder"),
    };
    for file in std::fs::read_dir(&cache).map_err(unreadable)? {
        if holds_session(&file.map_err(unreadable)?.path(), start_url) {
            return Ok(());
        }
    }
    Err(expired())
}

/// Whether a file has a valid token for this start URL. The folder has other files, too.
fn holds_session(path: &Path, start_url: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(path) else { return false };
    let Ok(token) = serde_json::from_str::<serde_json::Value>(&text) else { return false };
    // Older tools write the zone as a word.
    let ends = token["expiresAt"].as_str().map(|ends| ends.replace("UTC", "Z"));
    let ends = ends.and_then(|ends| ends.parse::<jiff::Timestamp>().ok());
    token["startUrl"] == start_url && ends.is_some_and(|ends| ends > jiff::Timestamp::now())
}

/// `option` names the profile on the command line; it is empty if none is used.
fn sso_session_has_expired(source: &str, option: &str) -> Error {
    Error::could_not_run(format!("the SSO session has expired, or was never started ({source})"))
        .remedy(format!("run `aws sso login{option}`, then run the command again"))
}

fn check_token_file(path: &str, by: &str) -> Result<()> {
    match std::fs::metadata(Path::new(path)) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(Error::could_not_run(format!("{by} names `{path}`, which is not a file"))),
        Err(error) => {
            Err(Error::could_not_run(format!("{by} names `{path}`, which cannot be read")).because(error))
        }
    }
    .map_err(|error| {
        error.remedy("name the file to which the platform (Kubernetes, CI) writes the token, or unset it")
    })
}

/// Loads credentials now, so that an error names the real cause, and passes them on.
///
/// # Errors
/// There are no credentials, or they cannot be loaded.
pub(super) async fn load(config: &SdkConfig, source: &CredentialSource) -> Result<SharedCredentialsProvider> {
    let Some(then) = config.credentials_provider() else { return Err(none()) };
    let loaded = tokio::time::timeout(LOADED_WITHIN, then.provide_credentials()).await;
    let first = match loaded {
        Ok(loaded) => loaded.map_err(|failed| explain(source, &failed))?,
        Err(_) => return Err(too_slow(source)),
    };
    Ok(SharedCredentialsProvider::new(Loaded(Arc::new((first, then)))))
}

/// Credentials that are already loaded, and the provider of the next ones.
#[derive(Debug, Clone)]
struct Loaded(Arc<(Credentials, SharedCredentialsProvider)>);

impl ProvideCredentials for Loaded {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let (first, then) = &*self.0;
        if first.expiry().is_none_or(|expiry| expiry > SystemTime::now() + STILL_GOOD) {
            return future::ProvideCredentials::ready(Ok(first.clone()));
        }
        then.provide_credentials()
    }
}

fn too_slow(source: &CredentialSource) -> Error {
    let seconds = LOADED_WITHIN.as_secs();
    if source.kind == Kind::Process {
        return Error::could_not_run(format!(
            "`credential_process` of {source} did not end within {seconds} s"
        ))
        .remedy("run that command by hand: it may wait for input or a login, which must be completed first");
    }
    Error::could_not_run(format!("loading the credentials of {source} timed out after {seconds} s"))
        .remedy("test with `aws sts get-caller-identity`; check whether a proxy is in between")
}

fn none() -> Error {
    Error::could_not_run("no credentials for AWS were found").remedy(
        "run `aws configure` or `aws sso login`, or set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and \
         `AWS_SECRET_ACCESS_KEY`; see docs/aws.md",
    )
}

fn explain(source: &CredentialSource, failed: &CredentialsError) -> Error {
    let chain = causes(failed);
    let profile = source.profile.as_deref().map_or_else(String::new, |name| format!(" --profile {name}"));
    let root = chain.last().cloned().unwrap_or_else(|| failed.to_string());
    // Without a network path the session may still be valid: the network is the cause then.
    if let Some(error) = unsent::no_way(&source.to_string(), &chain) {
        return error;
    }
    match (&source.kind, failed) {
        (Kind::Sso, _) => sso_session_has_expired(&source.to_string(), &profile).because(root),
        (Kind::Login, _) => Error::could_not_run(format!(
            "the session of `aws login` has expired, or was never started ({source})"
        ))
        .because(root)
        .remedy(format!("run `aws login{profile}`, then run the command again")),
        (Kind::Process, _) => {
            Error::could_not_run(format!("`credential_process` of {source} returned no credentials"))
                .because(root)
                .remedy("run that command by hand; it must print the JSON that AWS documents")
        }
        (Kind::WebIdentity, _) => Error::could_not_run(format!("the token of {source} was not accepted"))
            .because(root)
            .remedy("check whether the role trusts the token's issuer, and whether the token is still valid"),
        (Kind::Other, CredentialsError::CredentialsNotLoaded(_)) => none().because(root),
        (Kind::Other, _) => Error::could_not_run(format!("the credentials of {source} cannot be loaded"))
            .because(root)
            .remedy("correct what the cause names; test with `aws sts get-caller-identity`"),
    }
}
