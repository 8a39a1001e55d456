//! Logs a browser in without typing: a page on loopback, which can be opened once, sets a session's cookies and
//! redirects the browser. Cookies belong to a host and not to a port, so that those of this page reach the service
//! behind another port of the same address. The path of the page is random, so that no one else finds it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// A page that logs one browser in. It is closed when dropped.
#[derive(Debug)]
pub struct LoginPage {
    url: String,
    server: JoinHandle<()>,
}

/// The page's response, until it was requested.
#[derive(Clone)]
struct Pass {
    path: Arc<str>,
    target: HeaderValue,
    cookies: Arc<Mutex<Option<Vec<Secret>>>>,
}

impl LoginPage {
    /// Opens the page. `key` is a secret path; `target` is where the browser is redirected.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn open(key: &Secret, cookies: Vec<Secret>, target: &str) -> Result<Self> {
        let cannot =
            |cause: std::io::Error| Error::could_not_run("cannot listen on a loopback port").because(cause);
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let path = format!("/{}", key.expose());
        let target = HeaderValue::from_str(target)
            .map_err(|cause| Error::failed("the address is not a valid header").because(cause))?;
        let pass = Pass { path: path.as_str().into(), target, cookies: Arc::new(Mutex::new(Some(cookies))) };
        let app = axum::Router::new().fallback(enter).with_state(pass);
        let server = tokio::spawn(async move {
            // It ends with its task.
            drop(axum::serve(listener, app).await);
        });
        Ok(Self { url: format!("http://{address}{path}"), server })
    }

    /// The page's address. It is a secret until it was opened.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for LoginPage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn enter(State(pass): State<Pass>, uri: Uri) -> Response {
    if uri.path() != &*pass.path {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(cookies) = pass.cookies.lock().await.take() else {
        return (StatusCode::GONE, "this address opens once; run `monctl open` again\n").into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, pass.target);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for cookie in cookies {
        // A service's cookies are always valid headers.
        if let Ok(value) = HeaderValue::from_str(cookie.expose()) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_path_works_once_and_only_if_it_is_known() {
        let cookies = vec![Secret::new("grafana_session=s3cret; Path=/; HttpOnly")];
        let door = LoginPage::open(&Secret::new("k3y"), cookies, "http://127.0.0.1:4000/").await.unwrap();
        let client = crate::http::builder().no_proxy().build().unwrap();
        let get = async |url: &str| client.get(url).send().await.unwrap();

        assert_eq!(get(&door.url().replace("k3y", "guess")).await.status(), 404);
        let first = get(door.url()).await;
        assert_eq!(first.status(), 303);
        assert_eq!(first.headers()["location"], "http://127.0.0.1:4000/");
        assert_eq!(first.headers()["set-cookie"], "grafana_session=s3cret; Path=/; HttpOnly");
        let second = get(door.url()).await;
        assert_eq!(second.status(), 410);
        assert!(second.headers().get("set-cookie").is_none());
    }
}
