//! Authentication at the project's Grafana, once per command: five wrong passwords within five minutes lock the
//! administrator's account, so a refused login is not repeated in the same run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::change::GrafanaChange;
use super::client::GrafanaClient;
use super::local_secrets::KeptSecret;
use super::object_change::Ask;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::secret::Secret;
use crate::spec::{Loaded, SecretName, Secrets};

/// The administrator's name.
const USER: &str = "admin";

/// Access to the project's Grafana for the duration of a command.
#[derive(Debug)]
pub struct GrafanaAccess {
    whose: Whose,
    /// The error of a login that was refused.
    refused: OnceLock<String>,
}

#[derive(Debug)]
enum Whose {
    /// monctl's own Grafana.
    Ours {
        /// The project's folder, where passwords and tokens are kept.
        folder: PathBuf,
        /// The password that another computer generated, read from the monitoring host.
        learned: OnceLock<Secret>,
    },
    /// An existing Grafana, with the user's token.
    Theirs(GrafanaClient),
}

impl GrafanaAccess {
    /// Access with the secrets that are kept in `folder`, the project's on this computer. Resolves the token of an
    /// existing Grafana; sends no request yet.
    ///
    /// # Errors
    /// When the token's reference cannot be resolved.
    pub fn of(loaded: &Loaded, folder: PathBuf) -> Result<Self> {
        Self::new(loaded, folder, || Secrets::resolve_one(loaded, &SecretName::GrafanaToken))
    }

    /// The same, with secrets of the spec that are already resolved.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn with(loaded: &Loaded, folder: PathBuf, secrets: &Secrets) -> Result<Self> {
        // Loading the spec has checked that there is a token if one is needed.
        let token = || Ok(secrets.get(&SecretName::GrafanaToken).cloned().unwrap_or_else(|| Secret::new("")));
        Self::new(loaded, folder, token)
    }

    fn new(loaded: &Loaded, folder: PathBuf, token: impl FnOnce() -> Result<Secret>) -> Result<Self> {
        let whose = match loaded.spec.grafana.existing() {
            None => Whose::Ours { folder, learned: OnceLock::new() },
            Some(existing) => Whose::Theirs(GrafanaClient::existing(existing.url, token()?)?),
        };
        Ok(Self { whose, refused: OnceLock::new() })
    }

    /// Whether the spec names an existing Grafana.
    pub const fn is_external(&self) -> bool {
        matches!(self.whose, Whose::Theirs(_))
    }

    /// The client of an existing Grafana, once it accepted the token; `None` if Grafana is monctl's own.
    ///
    /// # Errors
    /// When it is not ready within `limit`, or refuses the token.
    pub async fn external(&self, limit: Duration) -> Result<Option<GrafanaClient>> {
        self.may_try()?;
        let Whose::Theirs(client) = &self.whose else { return Ok(None) };
        client.wait_ready(limit).await?;
        match client.check().await? {
            None => Ok(Some(client.clone())),
            Some(refusal) => Err(self.refuse(refusal)),
        }
    }

    /// A client for daily work. For monctl's own Grafana, connected through `socket`: with the token if there is a
    /// valid one, else as the administrator.
    ///
    /// # Errors
    /// When Grafana is not ready within `limit`, or refuses every login.
    pub async fn client(
        &self,
        socket: impl Future<Output = Result<PathBuf>>,
        limit: Duration,
    ) -> Result<GrafanaClient> {
        if let Some(guest) = self.external(limit).await? {
            return Ok(guest);
        }
        let socket = socket.await?;
        GrafanaClient::stranger(socket.clone())?.wait_ready(limit).await?;
        match self.with_kept_token(&socket).await? {
            Some(client) => Ok(client),
            None => self.administrator(&socket).await,
        }
    }

    /// The clients for changes. Creates a token if there is no valid one; if Grafana creates none, the administrator
    /// makes all changes.
    ///
    /// # Errors
    /// As [`GrafanaAccess::client`].
    pub async fn writers(
        &self,
        socket: impl Future<Output = Result<PathBuf>>,
        limit: Duration,
        events: &Events,
    ) -> Result<Writers<'_>> {
        if let Some(daily) = self.external(limit).await? {
            return Ok(Writers { daily, access: self, socket: None });
        }
        let socket = socket.await?;
        GrafanaClient::stranger(socket.clone())?.wait_ready(limit).await?;
        let daily = match self.with_kept_token(&socket).await? {
            Some(daily) => daily,
            None => self.with_new_token(&socket, events).await?,
        };
        Ok(Writers { daily, access: self, socket: Some(socket) })
    }

    async fn with_kept_token(&self, socket: &Path) -> Result<Option<GrafanaClient>> {
        let Some(token) = KeptSecret::Token.read(self.folder()?)? else { return Ok(None) };
        let client = GrafanaClient::with_token(socket.to_owned(), token)?;
        Ok(client.is_accepted().await?.then_some(client))
    }

    async fn with_new_token(&self, socket: &Path, events: &Events) -> Result<GrafanaClient> {
        let admin = self.administrator(socket).await?;
        match admin.make_token().await {
            Ok(token) => {
                KeptSecret::Token.write(self.folder()?, &token)?;
                GrafanaClient::with_token(socket.to_owned(), token)
            }
            Err(error) => {
                events.warn(format!(
                    "Grafana created no token, so monctl acts as the administrator: {}",
                    error.in_one_line()
                ));
                Ok(admin)
            }
        }
    }

    /// A client for the administrator, with the kept password, or with the next one if a rotation was interrupted: only
    /// then are there two attempts.
    ///
    /// # Errors
    /// When no password is kept here, or Grafana refuses it, now or earlier in this run.
    pub async fn administrator(&self, socket: &Path) -> Result<GrafanaClient> {
        self.may_try()?;
        let folder = self.folder()?;
        let password = self.known_password()?;
        let admin = GrafanaClient::new(socket.to_owned(), USER, password)?;
        let Some(refusal) = admin.check().await? else { return Ok(admin) };
        if let Some(next) = KeptSecret::NextPassword.read(folder)? {
            let admin = GrafanaClient::new(socket.to_owned(), USER, next)?;
            if admin.is_accepted().await? {
                KeptSecret::NextPassword.replace(KeptSecret::Password, folder)?;
                return Ok(admin);
            }
        }
        Err(self.refuse(refusal))
    }

    /// The cookies of a session of the administrator, for a browser.
    ///
    /// # Errors
    /// As [`GrafanaAccess::administrator`].
    pub async fn log_in(&self, socket: PathBuf) -> Result<Vec<Secret>> {
        self.may_try()?;
        let password = self.known_password()?;
        GrafanaClient::new(socket, USER, password.clone())?.session(&password).await
    }

    /// Rotates the administrator's password. It is kept before Grafana receives it, so that an interrupted run does not
    /// lose it.
    ///
    /// # Errors
    /// When Grafana refuses the password that is kept, or the new one does not work afterwards.
    pub async fn rotate_password(&self, socket: PathBuf) -> Result<()> {
        let admin = self.administrator(&socket).await?;
        let folder = self.folder()?;
        let (old, new) = (self.known_password()?, Secret::random()?);
        KeptSecret::NextPassword.write(folder, &new)?;
        let changed = admin.change_password(&old, &new).await;
        // A lost answer proves nothing; a login with the new password does.
        if !GrafanaClient::new(socket, USER, new)?.is_accepted().await? {
            changed?;
            return Err(Error::failed(
                "Grafana reported success for the new password, but does not accept it",
            ));
        }
        KeptSecret::NextPassword.replace(KeptSecret::Password, folder)
    }

    /// The administrator's password, if known: kept on this computer, or read from the monitoring host.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub fn password(&self) -> Result<Option<Secret>> {
        let Whose::Ours { folder, learned } = &self.whose else { return Ok(None) };
        Ok(KeptSecret::Password.read(folder)?.or_else(|| learned.get().cloned()))
    }

    /// Stores the password that the monitoring host's Grafana was started with.
    pub fn learn(&self, password: Secret) {
        if let Whose::Ours { learned, .. } = &self.whose {
            // Stored once: it does not change while monctl runs.
            drop(learned.set(password));
        }
    }

    /// Keeps a copy of the password on this computer: the one from the monitoring host, else this new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, new: Option<&Secret>) -> Result<()> {
        let Whose::Ours { folder, learned } = &self.whose else { return Ok(()) };
        match learned.get().or(new) {
            Some(password) if KeptSecret::Password.read(folder)?.is_none() => {
                KeptSecret::Password.write(folder, password)
            }
            _ => Ok(()),
        }
    }

    fn known_password(&self) -> Result<Secret> {
        self.password()?.ok_or_else(|| {
            Error::failed("the password of Grafana's administrator is not kept on this computer")
                .remedy("`monctl up` reads it from the monitoring host and keeps it")
        })
    }

    fn folder(&self) -> Result<&Path> {
        match &self.whose {
            Whose::Ours { folder, .. } => Ok(folder),
            Whose::Theirs(_) => Err(Error::could_not_run(
                "the Grafana at `grafana.url` is not monctl's: its password is not kept",
            )),
        }
    }

    fn may_try(&self) -> Result<()> {
        match self.refused.get() {
            None => Ok(()),
            Some(refusal) => Err(Error::failed(format!("{refusal}; monctl does not try again"))),
        }
    }

    fn refuse(&self, refusal: Error) -> Error {
        // The first refusal is the one to report.
        drop(self.refused.set(refusal.message().to_owned()));
        refusal
    }
}

/// The clients for changes: the token's account, and the administrator of monctl's own Grafana for the rest.
#[derive(Debug)]
pub struct Writers<'a> {
    /// The client for daily work.
    pub daily: GrafanaClient,
    access: &'a GrafanaAccess,
    /// The socket of monctl's own Grafana.
    socket: Option<PathBuf>,
}

impl Writers<'_> {
    /// Makes the changes; those of data sources in monctl's own Grafana as the administrator, who alone is allowed to.
    /// Calls `ask` before a person's work is undone.
    ///
    /// # Errors
    /// One for each change that could not be made.
    pub async fn apply(&self, changes: Vec<GrafanaChange>, ask: Ask<'_>) -> Result<(), Vec<Error>> {
        let Some(socket) = &self.socket else { return self.daily.apply(changes, ask).await };
        let (sources, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change, GrafanaChange::DataSource(_)));
        if !sources.is_empty() {
            let admin = self.access.administrator(socket).await.map_err(|error| vec![error])?;
            admin.apply(sources, ask).await?;
        }
        self.daily.apply(others, ask).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{HeaderMap, Method, StatusCode, Uri};
    use base64::Engine as _;
    use serde_json::json;
    use tokio::net::UnixListener;

    use super::*;
    use crate::grafana::{Annotation, Occasion};

    /// A Grafana with one password and no token, which records the passwords that it receives.
    #[derive(Clone)]
    struct Stub {
        password: &'static str,
        received: Arc<Mutex<Vec<String>>>,
    }

    impl Stub {
        fn at(socket: &Path, password: &'static str) -> Self {
            let stub = Self { password, received: Arc::default() };
            let app = Router::new().fallback(answer).with_state(stub.clone());
            let listener = UnixListener::bind(socket).unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await });
            stub
        }

        /// The passwords that it refused.
        fn wrong(&self) -> Vec<String> {
            let received = self.received.lock().unwrap();
            received.iter().filter(|password| *password != self.password).cloned().collect()
        }
    }

    async fn answer(
        State(stub): State<Stub>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
    ) -> (StatusCode, String) {
        if uri.path() == "/api/health" {
            return (StatusCode::OK, json!({"database": "ok"}).to_string());
        }
        let login = headers["authorization"].to_str().unwrap();
        let Some(basic) = login.strip_prefix("Basic ") else {
            return (StatusCode::UNAUTHORIZED, json!({"message": "invalid API key"}).to_string());
        };
        let decoded = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
        let password = String::from_utf8(decoded).unwrap().split_once(':').unwrap().1.to_owned();
        stub.received.lock().unwrap().push(password.clone());
        if password != stub.password {
            return (
                StatusCode::UNAUTHORIZED,
                json!({"message": "invalid username or password"}).to_string(),
            );
        }
        // No service accounts here: the administrator does everything.
        let status = if method == Method::GET { StatusCode::OK } else { StatusCode::FORBIDDEN };
        (status, "{}".to_owned())
    }

    /// A folder with a stub behind its socket, and access to it.
    fn access(password: &'static str) -> (tempfile::TempDir, Stub, GrafanaAccess) {
        let folder = tempfile::tempdir().unwrap();
        let stub = Stub::at(&folder.path().join("socket"), password);
        let whose = Whose::Ours { folder: folder.path().to_owned(), learned: OnceLock::new() };
        (folder, stub, GrafanaAccess { whose, refused: OnceLock::new() })
    }

    #[tokio::test]
    async fn a_refused_password_is_sent_once_in_a_whole_run() {
        let (folder, stub, access) = access("right");
        KeptSecret::Password.write(folder.path(), &Secret::new("wrong")).unwrap();
        KeptSecret::Token.write(folder.path(), &Secret::new("ended")).unwrap();
        let socket = || ready(Ok(folder.path().join("socket")));
        // As `up` does: a look, the import, the annotations; then other commands.
        let first = access.client(socket(), Duration::ZERO).await.unwrap_err();
        assert!(first.hint().unwrap().contains("five wrong passwords"), "{first:?}");
        access.writers(socket(), Duration::ZERO, &Events::channel().0).await.unwrap_err();
        let again = access.client(socket(), Duration::ZERO).await.unwrap_err();
        assert!(again.message().ends_with("monctl does not try again"), "{again:?}");
        access.log_in(folder.path().join("socket")).await.unwrap_err();
        access.rotate_password(folder.path().join("socket")).await.unwrap_err();
        assert_eq!(stub.wrong(), ["wrong"]);
    }

    #[tokio::test]
    async fn no_password_is_sent_if_none_is_kept() {
        let (folder, stub, access) = access("right");
        let socket = || ready(Ok(folder.path().join("socket")));
        let error = access.client(socket(), Duration::ZERO).await.unwrap_err();
        assert!(error.message().contains("is not kept on this computer"), "{error:?}");
        access.log_in(folder.path().join("socket")).await.unwrap_err();
        access.writers(socket(), Duration::ZERO, &Events::channel().0).await.unwrap_err();
        assert!(stub.received.lock().unwrap().is_empty());

        // The monitoring host knows it.
        access.learn(Secret::new("right"));
        access.client(socket(), Duration::ZERO).await.unwrap();
        access.keep(Some(&Secret::new("new"))).unwrap();
        assert_eq!(KeptSecret::Password.read(folder.path()).unwrap(), Some(Secret::new("right")));
        assert!(stub.wrong().is_empty());
    }

    #[tokio::test]
    async fn the_next_password_is_tried_only_after_an_interrupted_rotation() {
        let (folder, stub, access) = access("next");
        KeptSecret::Password.write(folder.path(), &Secret::new("old")).unwrap();
        KeptSecret::NextPassword.write(folder.path(), &Secret::new("next")).unwrap();
        access.administrator(&folder.path().join("socket")).await.unwrap();
        assert_eq!(KeptSecret::Password.read(folder.path()).unwrap(), Some(Secret::new("next")));
        assert_eq!(stub.wrong(), ["old"]);
    }

    #[tokio::test]
    async fn annotations_stop_at_the_first_refusal() {
        let (folder, stub, _) = access("right");
        let client = GrafanaClient::new(folder.path().join("socket"), USER, Secret::new("wrong")).unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let one = |occasion| Annotation { occasion, text: "x".into(), begin: at, end: at };
        let both = [one(Occasion::Deployment), one(Occasion::Configuration)];
        client.annotate_all(&both, &Events::channel().0).await;
        assert_eq!(stub.wrong().len(), 1);
    }
}
