//! Talks to one Grafana with one login.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::apis::Apis;
use crate::error::{Error, Result};
use crate::http::auth_proxy::AuthProxy;
use crate::http::{Answer, Client, Endpoint};
use crate::retry::Patience;
use crate::secret::Secret;

/// The tag of everything that monctl writes.
pub(super) const TAG: &str = "monctl";
/// Maximum number of concurrent requests. Up to eight never failed on a real Grafana, four give most of the gain, and
/// with sixteen or more it loses writes to its own database locks.
pub(super) const AT_ONCE: usize = 4;
/// How long a read is retried, which is safe: a restarting Grafana is back within this time.
const READING: Duration = Duration::from_secs(5);
/// A 401 that takes longer than this is suspicious: a Grafana with a locked database answered a correct password with
/// 401 after 40 s. The check of a wrong password takes far less.
const SUSPICIOUSLY_LONG: Duration = Duration::from_secs(5);

/// A client of one Grafana with one login.
#[derive(Debug, Clone)]
pub struct GrafanaClient {
    pub(super) http: Client,
    who: Who,
    /// Discovered at the first use and shared by all clones.
    pub(super) apis: Arc<OnceCell<Apis>>,
}

/// The identity under which monctl uses a Grafana.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    /// No login.
    Anonymous,
    /// The user of this name, with a password.
    User(String),
    /// The service account that monctl created, with its token.
    Account,
    /// The owner of the user's token for an existing Grafana.
    ExternalInstance,
}

impl GrafanaClient {
    /// A client that logs in with each request.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn new(endpoint: impl Into<Endpoint>, user: &str, password: Secret) -> Result<Self> {
        let http = Client::new("grafana", &endpoint.into())?.with_login(user, password);
        Ok(Self::with(http, Who::User(user.to_owned())))
    }

    /// A client without a login, for [`GrafanaClient::wait_ready`].
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn stranger(endpoint: impl Into<Endpoint>) -> Result<Self> {
        Ok(Self::with(Client::new("grafana", &endpoint.into())?, Who::Anonymous))
    }

    /// A client that sends the token of monctl's service account with each request.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn with_token(endpoint: impl Into<Endpoint>, token: Secret) -> Result<Self> {
        let http = Client::new("grafana", &endpoint.into())?.with_token(token);
        Ok(Self::with(http, Who::Account))
    }

    /// A client of an existing Grafana, at `https://…` without a trailing slash, or at `http://` if it runs on this
    /// computer. It sends the user's token with each request.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn existing(url: &str, token: Secret) -> Result<Self> {
        let http = Client::new("grafana", &Endpoint::Url(url.to_owned()))?.with_token(token);
        Ok(Self::with(http, Who::ExternalInstance))
    }

    fn with(http: Client, who: Who) -> Self {
        Self { http, who, apis: Arc::default() }
    }

    /// The first number of its version; `None` if it hides the version.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn release(&self) -> Result<Option<u64>> {
        let answer = self.http.get("/api/health").await?;
        if !answer.is_success() {
            return Err(answer.refusal("report its version"));
        }
        let health: Value = answer.json()?;
        let version = health["version"].as_str().unwrap_or_default();
        // A version in another form is unknown, as is one that is not reported.
        Ok(version.split('.').next().and_then(|first| first.parse().ok()))
    }

    /// Waits until Grafana reports that it is healthy. A first start took 18 s on a slow disk: allow a minute or more.
    ///
    /// The health check needs no login, so it does not verify the password or the token.
    ///
    /// # Errors
    /// When it is not healthy within `limit`; the cause is its last answer.
    pub async fn wait_ready(&self, limit: Duration) -> Result<()> {
        let pauses = (Duration::from_millis(20), Duration::from_millis(250));
        let mut patience = Patience::new(limit).pausing(pauses.0, pauses.1);
        loop {
            let not_ready = match self.http.get("/api/health").await {
                Ok(answer)
                    if answer.is_success() && self.who == Who::ExternalInstance && !is_health(&answer) =>
                {
                    Error::failed("the server at this address is not a Grafana")
                }
                Ok(answer) if answer.is_success() => return Ok(()),
                Ok(answer) => answer.refusal("report that it is healthy"),
                Err(error) => error,
            };
            if let Err(last) = patience.again(not_ready).await {
                let text = format!("grafana was not ready within {} s", limit.as_secs());
                return Err(Error::failed(text).because(last).remedy(match self.who {
                    Who::ExternalInstance => {
                        "check that `grafana.url` is its address, including the path, and that this computer can \
                         reach it"
                    }
                    _ => "see `monctl ssh monitoring -- journalctl -u monctl-grafana -n 50`",
                }));
            }
        }
    }

    /// Opens a relay through which a browser uses this Grafana with the client's token.
    ///
    /// # Errors
    /// When no loopback port is available.
    pub async fn relay(&self) -> Result<AuthProxy> {
        AuthProxy::open(self.http.clone()).await
    }

    /// Logs in as a browser does and returns the cookies of the new session.
    ///
    /// # Errors
    /// When Grafana refuses the login (never tried twice) or does not answer.
    pub async fn session(&self, password: &Secret) -> Result<Vec<Secret>> {
        let Who::User(user) = &self.who else {
            return Err(Error::failed("a session needs a user and a password, not a token"));
        };
        let login = json!({ "user": user, "password": password.expose() });
        let answer = self.http.post("/login", &login).await?;
        if answer.is_success() { Ok(answer.cookies) } else { Err(answer.refusal("log in")) }
    }

    /// Sends a GET; `None` if the object does not exist.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Answer>> {
        let answer = self.look(path).await?;
        match answer.status {
            200..300 => Ok(Some(answer)),
            404 => Ok(None),
            _ => Err(self.refusal(&answer, &format!("show `{path}`"))),
        }
    }

    /// The list in an answer, or the error that came instead.
    pub(super) fn listed<T: DeserializeOwned>(&self, answer: Result<Answer>, doing: &str) -> Result<Vec<T>> {
        let answer = answer?;
        if answer.is_success() { answer.json() } else { Err(self.refusal(&answer, doing)) }
    }

    /// Sends a GET and returns any answer, except a rejected login and server errors that outlast the retries.
    pub(super) async fn look(&self, path: &str) -> Result<Answer> {
        let doing = format!("show `{path}`");
        let mut patience = Patience::new(READING);
        loop {
            match self.http.get(path).await {
                Ok(answer) if answer.status == 401 || is_bad_token(&answer) => {
                    return Err(self.refusal(&answer, &doing));
                }
                Ok(answer) if answer.status < 500 => return Ok(answer),
                Ok(answer) => patience.again(answer.refusal(&doing)).await?,
                Err(error) => patience.again(error).await?,
            }
        }
    }

    /// The error for a password that Grafana rejects.
    pub fn wrong_password(user: &str) -> Error {
        refused_password(user, Duration::ZERO)
    }

    /// The error for a refusal that is final.
    pub(super) fn refusal(&self, answer: &Answer, doing: &str) -> Error {
        match &self.who {
            Who::User(user) if answer.status == 401 => refused_password(user, answer.took),
            who if answer.status == 401 || is_bad_token(answer) => Error::failed(format!(
                "grafana refuses the token: {} ({})",
                answer.message(),
                answer.status
            ))
            .remedy(match who {
                Who::ExternalInstance => {
                    "it may have expired or been deleted: create a new token for its service account and store \
                             it where `grafana.token` points"
                }
                _ => "it may have been deleted: `monctl up` creates a new one",
            }),
            _ if answer.status == 403 => answer
                .refusal(doing)
                .remedy("the account lacks that permission; docs/grafana.md lists what monctl needs and why"),
            _ => answer.refusal(doing),
        }
    }
}

/// The error for an answer in a format that no known release uses.
pub(super) fn unreadable(cause: serde_json::Error) -> Error {
    Error::failed("cannot parse grafana's answer").because(cause)
}

/// Whether the answer is Grafana's own. Another server may answer any request with success.
fn is_health(answer: &Answer) -> bool {
    answer.json::<Value>().is_ok_and(|health| health["database"].is_string())
}

/// Whether the token was rejected. Grafana 9 answers a deleted token with a server error, later releases with 401.
pub(super) fn is_bad_token(answer: &Answer) -> bool {
    answer.status == 500 && answer.message() == "invalid API key"
}

fn refused_password(user: &str, took: Duration) -> Error {
    let error = Error::failed(format!("grafana refuses the password of `{user}`"));
    if took > SUSPICIOUSLY_LONG {
        return error.remedy(format!(
            "its answer took {} s, which points to a locked database rather than to the password: \
             stop any other process that uses `/var/lib/monctl/grafana/grafana.db`, then try again",
            took.as_secs()
        ));
    }
    error.remedy(
        "five wrong passwords lock the account for five minutes, so monctl does not retry. If somebody mistyped it, \
         wait; if it was changed, reset it as described in docs/grafana.md under \"The password and the token\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_401_points_to_the_database() {
        let client =
            GrafanaClient::new(std::path::PathBuf::from("/socket"), "admin", Secret::new("x")).unwrap();
        let hint = |seconds| {
            let answer = Answer {
                service: "grafana",
                status: 401,
                cookies: vec![],
                body: b"{}".to_vec(),
                took: Duration::from_secs(seconds),
            };
            client.refusal(&answer, "show").hint().unwrap_or_default().to_owned()
        };
        assert!(hint(40).contains("locked database"), "{}", hint(40));
        assert!(hint(1).contains("five wrong passwords"), "{}", hint(1));
    }
}
