//! The clients of the services that monctl sets up. This is the only place that builds HTTP clients, and the only
//! module that uses reqwest.
//!
//! The project's own services are reached through a forward over ssh, which ends in a unix socket on this side; tests
//! use TCP. A Grafana that exists and grafana.com have URLs.

pub mod active_silence;
pub mod alertmanager;
pub mod auth_proxy;
pub mod download;
pub mod login_page;
pub mod prometheus;
pub mod public_ip;
pub mod slack;
pub mod trust;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::{ClientBuilder, Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// Timeout for a service under load: a locked Grafana responded after 40 s.
const TIMEOUT: Duration = Duration::from_secs(45);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of a response; a larger one is a bug or an attack.
const LARGEST_ANSWER_BYTES: usize = 32 << 20;
/// How much of an unstructured body is shown, in bytes.
const SHOWN: usize = 200;

/// Where a service listens, seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The unix socket of a forward.
    Unix(PathBuf),
    /// An address.
    Tcp(SocketAddr),
    /// The base of a service elsewhere: `https://…`, without a slash at its end. A proxy of the environment is used.
    Url(String),
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// What all clients have in common. TLS is ring's, which is chosen here because another crate may bring a second one.
fn builder() -> ClientBuilder {
    // An earlier call has installed the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
    builder.redirect(reqwest::redirect::Policy::none())
}

/// A client of one service. Connections are kept and shared by its clones.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    service: &'static str,
    base: String,
    /// What to do if it does not answer.
    remedy: Option<&'static str>,
    login: Login,
}

/// The credentials of each request.
#[derive(Debug, Clone)]
enum Login {
    Nothing,
    Password(String, Secret),
    Token(Secret),
}

impl Client {
    /// A client of `service`, its name in errors.
    ///
    /// # Errors
    /// When the system's resolver or TLS cannot be set up.
    pub fn new(service: &'static str, endpoint: &Endpoint) -> Result<Self> {
        // A proxy of the environment must never see the traffic of a forward, which has no TLS either.
        let near = || builder().no_proxy().tls_certs_only([]);
        let (builder, base) = match endpoint {
            Endpoint::Unix(path) => (near().unix_socket(path.as_path()), "http://localhost".into()),
            Endpoint::Tcp(address) => (near(), format!("http://{address}")),
            // No proxy for this computer itself either.
            Endpoint::Url(base) if base.starts_with("http://") => (near(), base.clone()),
            Endpoint::Url(base) => (builder(), base.clone()),
        };
        let http =
            builder.build().map_err(|cause| Error::failed("cannot set up an HTTP client").because(cause))?;
        let is_of_a_host = matches!(endpoint, Endpoint::Unix(_));
        let remedy = is_of_a_host.then_some("`monctl status` shows whether it runs; `monctl up` starts it");
        Ok(Self { http, service, base, remedy, login: Login::Nothing })
    }

    /// Sends a user and a password with each request.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: Secret) -> Self {
        self.login = Login::Password(user.to_owned(), password);
        self
    }

    /// Sends a token with each request.
    #[must_use]
    pub fn with_token(mut self, token: Secret) -> Self {
        self.login = Login::Token(token);
        self
    }

    /// PATCH of a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// GET of a path, which begins with a slash and may contain a query that needs no quoting.
    ///
    /// # Errors
    /// When there is no response: whether the request took effect is unknown then.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// GET of a path with query parameters, which are quoted here.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_with(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// PUT of a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// DELETE of a path.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// `scheme://host` of the service.
    fn origin(&self) -> String {
        let after_scheme = self.base.find("://").map_or(0, |at| at + 3);
        let end = self.base[after_scheme..].find('/').map_or(self.base.len(), |at| after_scheme + at);
        self.base[..end].to_owned()
    }

    /// Forwards a request of another client: returns status, type and body of the response.
    async fn pass(
        &self,
        method: &str,
        url: &str,
        kind: Option<&str>,
        body: axum::body::Bytes,
    ) -> Result<(u16, String, axum::body::Bytes)> {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        let request = self.with_own_login(self.http.request(method, url)).body(body);
        let request = kind.iter().fold(request, |request, kind| request.header("content-type", *kind));
        let response = request.send().await.map_err(|cause| self.silent(cause))?;
        // A type that is not text is ignored.
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("application/octet-stream").to_owned();
        Ok((response.status().as_u16(), kind, response.bytes().await.map_err(|cause| self.silent(cause))?))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.with_own_login(self.http.request(method, format!("{}{path}", self.base)))
    }

    fn with_own_login(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            Login::Password(user, password) => request.basic_auth(user, Some(password.expose())),
            Login::Token(token) => request.bearer_auth(token.expose()),
            Login::Nothing => request,
        }
    }

    fn silent(&self, cause: reqwest::Error) -> Error {
        // The address is the local end of a forward and means nothing to users.
        let error = Error::failed(format!("{} did not answer", self.service)).because(cause.without_url());
        match self.remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let begin = Instant::now();
        let mut response = request.send().await.map_err(|cause| self.silent(cause))?;
        let status = response.status().as_u16();
        let cookies = response.headers().get_all("set-cookie").iter();
        // A cookie that is not text cannot be sent back.
        let cookies = cookies.filter_map(|it| it.to_str().ok().map(Secret::new)).collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|cause| self.silent(cause))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER_BYTES {
                let text =
                    format!("the response of {} exceeds {} MiB", self.service, LARGEST_ANSWER_BYTES >> 20);
                return Err(Error::failed(text));
            }
        }
        Ok(Answer { service: self.service, status, cookies, body, took: begin.elapsed() })
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The service that answered, for errors.
    pub service: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// The cookies that it sets, with their attributes.
    pub cookies: Vec<Secret>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// From the request to the end of the body.
    pub took: Duration,
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If it is not JSON, or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            Error::failed(format!("the response of {} cannot be parsed", self.service)).because(cause)
        })
    }

    /// The `message` or `error` of the body, else its beginning.
    pub fn message(&self) -> String {
        // A body that is not JSON is shown as it is.
        let object: Option<Value> = serde_json::from_slice(&self.body).ok();
        let word = |key| object.as_ref()?.get(key)?.as_str().map(str::to_owned);
        word("message").or_else(|| word("error")).unwrap_or_else(|| {
            let text = String::from_utf8_lossy(&self.body);
            let end = text.floor_char_boundary(SHOWN.min(text.len()));
            text[..end].trim().to_owned()
        })
    }

    /// An error with the status and the service's message.
    pub fn refusal(&self, doing: &str) -> Error {
        let text = format!("{} refused to {doing}: {} ({})", self.service, self.message(), self.status);
        Error::failed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { service: "grafana", status: 400, cookies: vec![], body, took: Duration::ZERO }
    }

    #[test]
    fn a_refusal_includes_the_message_of_the_service() {
        assert_eq!(answer(r#"{"message": "bad request data"}"#).message(), "bad request data");
        assert_eq!(answer(r#"{"status": "error", "error": "parse error"}"#).message(), "parse error");
        assert_eq!(answer("404 page not found\n").message(), "404 page not found");
        assert_eq!(answer(&"ü".repeat(300)).message().len(), SHOWN);
        let refusal = answer(r#"{"message": "no"}"#).refusal("save dashboard `Hosts`");
        assert_eq!(refusal.message(), "grafana refused to save dashboard `Hosts`: no (400)");
    }

    #[tokio::test]
    async fn an_endless_response_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // A response must not come before its request.
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.unwrap();
            let mut end = Ok(());
            let head = &b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..];
            let block = vec![b'x'; 1 << 20];
            for piece in std::iter::once(head).chain(std::iter::repeat(&block[..])) {
                end = tokio::io::AsyncWriteExt::write_all(&mut stream, piece).await;
                if end.is_err() {
                    break;
                }
            }
            end
        });
        let error = Client::new("grafana", &Endpoint::Tcp(address)).unwrap().get("/").await.unwrap_err();
        assert_eq!(error.message(), "the response of grafana exceeds 32 MiB");
        assert!(server.await.unwrap().is_err(), "the client still reads");
    }

    #[tokio::test]
    async fn an_unreachable_service_is_named_without_its_socket() {
        let gone = Endpoint::Unix("/nonexistent/socket".into());
        let error = Client::new("grafana", &gone).unwrap().get("/api/health").await.unwrap_err();
        assert_eq!(error.message(), "grafana did not answer");
        assert!(!error.causes().is_empty());
        assert!(error.hint().is_some_and(|hint| hint.starts_with("`monctl status` shows")));
    }
}
