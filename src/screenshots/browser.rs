//! A headless Chromium, controlled through its `DevTools` protocol: messages of JSON, each ended by a zero byte, over
//! its file descriptors 3 and 4. It shares nothing with the user's own browser.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Error, Result};

/// Maps its standard input and output to the descriptors 3 and 4, and redirects its other output to `/dev/null`.
const LAUNCH: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// Time limit of an answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time limit for loading and drawing a page.
const LOADING: Duration = Duration::from_secs(30);
/// A page is drawn once it has sent no request for this long and shows no sign of loading.
const QUIET: Duration = Duration::from_secs(1);
/// The script that reads the state of a page. Grafana shows the logo until its own script runs, and marks a panel while
/// it waits for data or draws: as recorded of 12.4, and in 9.4 by a class. A slow computer sends no request meanwhile.
const LOOK: &str = "({path: location.pathname, password: document.querySelector('input[type=password]') !== null, \
                    complete: document.readyState === 'complete' && document.querySelector(\
                    '.preloader, [aria-label=\"Panel loading bar\"], .panel-loading') === null})";

/// A running browser; it is killed when dropped.
pub(super) struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The beginning of a message whose end has not arrived yet.
    partial: Vec<u8>,
    /// The number of the last call.
    calls: u64,
    /// The page's session; `None` until there is one.
    session: Option<String>,
    /// The page's pending requests.
    pending: HashSet<String>,
    _profile: TempDir,
}

/// State of a page once it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DrawnPage {
    /// The path of its address, after redirects.
    pub path: String,
    pub asks_for_password: bool,
}

impl Browser {
    /// Starts it with an empty page.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(program: &Path) -> Result<Self> {
        let cannot = || Error::failed(format!("cannot start `{}`", program.display()));
        let profile = tempfile::tempdir().map_err(|error| cannot().because(error))?;
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH]).arg(program).arg("--remote-debugging-pipe");
        command.args([
            "--headless",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-sync",
        ]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-quic"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        if rustix::process::geteuid().is_root() {
            // Its sandbox does not work for root.
            command.arg("--no-sandbox");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| cannot().because(error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(cannot());
        };
        let mut browser = Self {
            child,
            input,
            output: BufReader::new(output),
            partial: Vec::new(),
            calls: 0,
            session: None,
            pending: HashSet::new(),
            _profile: profile,
        };
        browser.attach().await.map_err(|error| cannot().because(error))?;
        Ok(browser)
    }

    async fn attach(&mut self) -> Result<()> {
        let made = self.call("Target.createTarget", json!({"url": "about:blank"})).await?;
        let target = json!({"targetId": made["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", target).await?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        self.call("Page.enable", json!({})).await?;
        self.call("Network.enable", json!({})).await?;
        Ok(())
    }

    /// Opens an address in a window of this size, and waits until the page is drawn.
    ///
    /// # Errors
    /// When the address or the browser does not answer.
    pub async fn open(&mut self, url: &str, (width, height): (u64, u64)) -> Result<DrawnPage> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size).await?;
        self.pending.clear();
        let navigated = self.call("Page.navigate", json!({ "url": url })).await?;
        if let Some(why) = navigated["errorText"].as_str() {
            return Err(Error::failed("the browser cannot open Grafana's page").because(why.to_owned()));
        }
        let until = Instant::now() + LOADING;
        loop {
            let is_quiet = self.is_quiet(until).await?;
            let seen = self.evaluate(LOOK).await?;
            if Instant::now() >= until || is_quiet && seen["complete"] == true {
                let path = seen["path"].as_str().unwrap_or_default().to_owned();
                return Ok(DrawnPage { path, asks_for_password: seen["password"] == true });
            }
        }
    }

    /// Waits until the page has sent no request for a while; `false` if it still does at the deadline.
    async fn is_quiet(&mut self, until: Instant) -> Result<bool> {
        let mut since = Instant::now();
        loop {
            let next = if self.pending.is_empty() { since + QUIET } else { until };
            let Ok(message) = timeout_at(next.min(until), self.read()).await else {
                return Ok(self.pending.is_empty() && Instant::now() < until);
            };
            self.note(&message?);
            since = Instant::now();
        }
    }

    /// The picture of what is on the page, as PNG.
    ///
    /// # Errors
    /// When the browser returns none.
    pub async fn picture(&mut self) -> Result<Vec<u8>> {
        let taken = self.call("Page.captureScreenshot", json!({"format": "png"})).await?;
        let picture =
            taken["data"].as_str().ok_or_else(|| Error::failed("the browser returned no picture"))?;
        BASE64
            .decode(picture)
            .map_err(|error| Error::failed("the browser's picture cannot be read").because(error))
    }

    /// Ends the browser. If it does not exit, it is killed when dropped.
    pub async fn close(mut self) {
        drop(self.call("Browser.close", json!({})).await);
        drop(timeout(PATIENCE, self.child.wait()).await);
    }

    async fn evaluate(&mut self, script: &str) -> Result<Value> {
        let parameters = json!({"expression": script, "returnByValue": true});
        Ok(self.call("Runtime.evaluate", parameters).await?["result"]["value"].take())
    }

    /// Calls a method of the page, or of the browser if there is no page yet.
    async fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let silent =
            |why: String| Error::failed("the browser does not answer").because(format!("{method}: {why}"));
        let sent = [message.to_string().as_bytes(), b"\0"].concat();
        self.input.write_all(&sent).await.map_err(|error| silent(error.to_string()))?;
        let answered = timeout(PATIENCE, self.answer(id)).await;
        let mut answer = answered.map_err(|_| silent(format!("not within {} s", PATIENCE.as_secs())))??;
        match answer["error"]["message"].as_str() {
            Some(why) => Err(silent(why.to_owned())),
            None => Ok(answer["result"].take()),
        }
    }

    /// The answer to a call; processes the events before it.
    async fn answer(&mut self, call: u64) -> Result<Value> {
        loop {
            let message = self.read().await?;
            if message["id"] == call {
                return Ok(message);
            }
            self.note(&message);
        }
    }

    /// The next message. Cancel-safe: a partial message is kept.
    async fn read(&mut self) -> Result<Value> {
        let gone = || Error::failed("the browser has ended");
        let count =
            self.output.read_until(0, &mut self.partial).await.map_err(|error| gone().because(error))?;
        if count == 0 {
            return Err(gone());
        }
        let message = std::mem::take(&mut self.partial);
        let text = message.strip_suffix(b"\0").unwrap_or(&message);
        serde_json::from_slice(text)
            .map_err(|error| Error::failed("the browser's message cannot be parsed").because(error))
    }

    /// Tracks the page's requests.
    fn note(&mut self, message: &Value) {
        let Some(request) = message["params"]["requestId"].as_str() else { return };
        match message["method"].as_str() {
            Some("Network.requestWillBeSent") => drop(self.pending.insert(request.to_owned())),
            Some("Network.loadingFinished" | "Network.loadingFailed") => drop(self.pending.remove(request)),
            _ => {}
        }
    }
}
