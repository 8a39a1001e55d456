//! Secret references by name, and their values once resolved. Values are never written.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::app::{EnvValue, fits_environment};
use super::load::Loaded;
use super::model::Spec;
use super::names::{BaseUrl, EnvName};
use super::problem::Problem;
use super::secret_ref::{SecretName, SecretRef};
use crate::bounded::read_text;
use crate::error::{Error, Result};
use crate::secret::Secret;

impl Spec {
    /// The spec's secret references by name.
    pub fn secret_refs(&self) -> impl Iterator<Item = (SecretName, &SecretRef)> {
        let slack = self.notify.slack.iter().flat_map(|slack| {
            let token = slack.bot_token.iter().map(|token| (SecretName::SlackBotToken, token));
            slack.webhook_url.iter().map(|url| (SecretName::SlackWebhookUrl, url)).chain(token)
        });
        let severities = self.notify.severities.iter().filter_map(|(name, severity)| {
            Some((SecretName::SeverityWebhookUrl(name.clone()), severity.webhook_url.as_ref()?))
        });
        let heartbeat = self.notify.heartbeat_url.iter().map(|url| (SecretName::HeartbeatUrl, url));
        let grafana = self.grafana.token.iter().map(|token| (SecretName::GrafanaToken, token));
        let variables = self.app.env.iter().filter_map(|(name, value)| match value {
            EnvValue::Secret(reference) => Some((SecretName::Env(name.clone()), reference)),
            EnvValue::Plain(_) => None,
        });
        let targets = self
            .monitoring
            .targets
            .iter()
            .filter_map(|(name, target)| Some((SecretName::of_target(name, target)?, target.secret()?)));
        slack.chain(severities).chain(heartbeat).chain(grafana).chain(variables).chain(targets)
    }
}

/// Resolved secrets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<SecretName, Secret>);

impl Secrets {
    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }

    /// The secret of this name.
    pub fn get(&self, name: &SecretName) -> Option<&Secret> {
        self.0.get(name)
    }
}

impl FromIterator<(SecretName, Secret)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (SecretName, Secret)>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl Secrets {
    /// Resolves one secret that the spec refers to.
    ///
    /// # Errors
    /// Where its reference is missing or cannot be resolved. The message shows no value.
    pub fn resolve_one(loaded: &Loaded, wanted: &SecretName) -> Result<Secret> {
        let reference =
            loaded.spec.secret_refs().find(|(name, _)| name == wanted).map(|(_, reference)| reference);
        let secret = reference.ok_or_else(|| "the spec has no such reference".to_owned());
        secret.and_then(|reference| look_up(loaded, wanted, reference)).map_err(|message| {
            Error::invalid(format!("`{wanted}`: {message}"))
                .remedy("correct its reference; nothing was changed")
        })
    }

    /// Resolves every secret that the spec refers to. Only commands that change hosts call it.
    ///
    /// # Errors
    /// One error with all references that cannot be resolved, each with line and column. It shows no values.
    pub fn resolve(loaded: &Loaded) -> Result<Self> {
        let mut problems = Vec::new();
        let mut secrets = BTreeMap::new();
        for (name, reference) in loaded.spec.secret_refs() {
            match look_up(loaded, &name, reference) {
                Ok(secret) => drop(secrets.insert(name, secret)),
                Err(message) => {
                    let place = loaded.origin.root.locate(name.to_string().split('.'));
                    problems.push(Problem::new(place, format!("`{name}`: {message}")));
                }
            }
        }
        if problems.is_empty() {
            return Ok(Self(secrets));
        }
        Err(loaded
            .origin
            .source
            .error("looking up the secrets of the spec", problems)
            .remedy("correct these references; nothing was changed"))
    }
}

/// The value of a secret, or why there is none that fits its purpose.
fn look_up(loaded: &Loaded, name: &SecretName, reference: &SecretRef) -> Result<Secret, String> {
    let text = match (reference, name) {
        // Loading has read and checked it; an empty value is one.
        (SecretRef::EnvFile, SecretName::Env(variable)) => {
            let value = loaded.file_variables.get(variable).cloned();
            return value.ok_or_else(|| "`app.env_file` does not set it".to_owned());
        }
        (SecretRef::EnvFile, _) => return Err("only variables are in `app.env_file`".to_owned()),
        (SecretRef::Env(variable), _) => of_environment(variable)?,
        (SecretRef::File(path), _) => {
            let path = loaded.base_dir().join(path);
            read_text(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?
        }
        (SecretRef::Command(words), _) => command(words, loaded.base_dir())?,
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    fit(name, Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

fn of_environment(variable: &EnvName) -> Result<String, String> {
    env::var(variable.as_str()).map_err(|error| match error {
        env::VarError::NotPresent => format!("the environment variable `{variable}` is not set"),
        env::VarError::NotUnicode(_) => format!("the environment variable `{variable}` is not UTF-8"),
    })
}

/// What a command prints. Its standard error may contain secrets and is dropped.
fn command(words: &[String], base: &Path) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("the command is empty")?;
    let output = Command::new(program)
        .args(arguments)
        .current_dir(base)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run the command `{program}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("the command `{program}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("the command `{program}` printed text that is not UTF-8"))
}

/// Checks that the value fits its purpose.
fn fit(name: &SecretName, secret: Secret) -> Result<Secret, String> {
    let text = secret.expose();
    let problem = match name {
        _ if text.is_empty() => "the value is empty",
        SecretName::SlackWebhookUrl | SecretName::SeverityWebhookUrl(_) | SecretName::HeartbeatUrl
            if !is_url(text) =>
        {
            "the value is not a URL that begins with `https://` (`http://` only to 127.0.0.1, [::1] or localhost)"
        }
        SecretName::SlackBotToken if !is_token(text) => "the value is not a token such as `xoxb-…`",
        SecretName::TargetToken(_) if !is_token(text) => {
            "the value is not a token: it has spaces, quotation marks or control characters"
        }
        SecretName::TargetPassword(_) if text.contains(char::is_control) => {
            "the value contains control characters"
        }
        SecretName::GrafanaToken if !is_token(text) => "the value is not a token such as `glsa_…`",
        SecretName::Env(_) if !fits_environment(text) => {
            "the value contains control characters, which are not allowed in environment variables"
        }
        _ => return Ok(secret),
    };
    Err(problem.to_owned())
}

/// Whether the text is valid in an HTTP header.
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
}

/// Whether requests are never sent unencrypted over a network: `https`, or loopback with `http`.
fn is_url(text: &str) -> bool {
    let is_written = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
    match text.strip_prefix("https://") {
        Some(rest) => is_written(rest),
        None => text.parse::<BaseUrl>().is_ok_and(|url| url.is_loopback()),
    }
}
