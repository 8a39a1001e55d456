//! The relay through which a browser uses an existing Grafana: a loopback port that forwards requests with the token,
//! which a browser cannot send by itself. Only a browser with the relay's own cookie gets through.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Client;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The cookie's name.
const COOKIE: &str = "monctl_relay";

/// A port that forwards requests. It is closed when dropped.
#[derive(Debug)]
pub struct AuthProxy {
    url: String,
    key: Secret,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Ends {
    client: Client,
    /// `scheme://host` of the service: requests keep their whole path.
    origin: String,
    /// The cookie that lets a browser through.
    cookie: Secret,
}

impl AuthProxy {
    /// Opens it for the service of a client, which adds its credentials.
    pub(crate) async fn open(client: Client) -> Result<Self> {
        let cannot =
            |cause: std::io::Error| Error::could_not_run("cannot listen on a loopback port").because(cause);
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(cannot)?;
        let url = format!("http://{}", listener.local_addr().map_err(cannot)?);
        let key = Secret::random()?;
        let cookie = Secret::new(format!("{COOKIE}={}", key.expose()));
        let origin = client.origin();
        let ends = Arc::new(Ends { client, origin, cookie });
        let app = axum::Router::new().fallback(pass).with_state(ends);
        let server = tokio::spawn(async move {
            // It ends with its task.
            drop(axum::serve(listener, app).await);
        });
        Ok(Self { url, key, server })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The cookie that lets a browser through, with its attributes.
    pub fn cookie(&self) -> Secret {
        Secret::new(format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", self.key.expose()))
    }
}

impl Drop for AuthProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(
    State(ends): State<Arc<Ends>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A cookie that is not text is not ours, and refused.
    let cookies = headers.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    if !cookies.split("; ").any(|cookie| cookie == ends.cookie.expose()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // Neither cookies nor the page's origin are forwarded.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    match ends.client.pass(method.as_str(), &format!("{}{path}", ends.origin), kind, body).await {
        Ok((status, kind, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, [(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::any;

    use super::*;
    use crate::http::Endpoint;

    #[tokio::test]
    async fn only_a_browser_with_the_cookie_gets_through_with_the_token() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = any(async |uri: Uri, headers: HeaderMap, body: String| {
            let seen = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
            format!("{uri} {:?} {:?} {body}", seen("authorization"), seen("cookie"))
        });
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(echo)).await });
        let service = Client::new("grafana", &Endpoint::Url(format!("http://{address}/grafana"))).unwrap();
        let relay = AuthProxy::open(service.with_token(Secret::new("t0ken"))).await.unwrap();

        let browser = crate::http::builder().no_proxy().build().unwrap();
        let url = format!("{}/grafana/api/x?a=b", relay.url());
        assert_eq!(browser.post(&url).body("q").send().await.unwrap().status(), 403);
        let cookie = relay.cookie().expose().split(';').next().unwrap().to_owned();
        let answer = browser.post(&url).header("cookie", cookie).body("q").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), r#"/grafana/api/x?a=b Some("Bearer t0ken") None q"#);
        assert!(!format!("{relay:?}").contains(relay.key.expose()));
    }
}
