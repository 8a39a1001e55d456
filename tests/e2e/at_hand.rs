//! Tests of `logs` and `open`: the journals of all hosts as one stream, and the web interfaces in a browser.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::site::{APP, MONITORING, Site, eventually};
use crate::support::binary::Monctl;

/// A call that runs until it is terminated, with its standard output line by line.
pub struct Live {
    child: Child,
    lines: Receiver<String>,
}

/// Timeout for a line, on a busy computer too.
const LINE_WITHIN: Duration = Duration::from_mins(3);

impl Live {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // It ends with the output, or with the test that reads it.
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    #[track_caller]
    pub fn line(&mut self) -> String {
        self.lines.recv_timeout(LINE_WITHIN).unwrap_or_else(|error| panic!("no line: {error}"))
    }

    /// Ends it as Ctrl-C does, which is a success. Returns the remaining output.
    #[track_caller]
    pub fn interrupt(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        let rest: String = self.lines.iter().map(|line| line + "\n").collect();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn journals_are_one_stream_in_the_order_of_time(site: &Site) {
    let ran = site.monctl("--output json logs --since 1h").success();
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| lines.iter().map(|line| line["line"][key].as_str().unwrap()).collect::<Vec<_>>();
    // As points in time: a fraction of a second has as many digits as it needs.
    let times: Vec<jiff::Timestamp> = of("at").iter().map(|at| at.parse().unwrap()).collect();
    assert!(times.is_sorted(), "{ran}");
    for (key, values) in [("host", ["app", "monitoring"]), ("service", ["app", "prometheus"])] {
        for value in values {
            assert!(of(key).contains(&value), "nothing of {value} in {ran}");
        }
    }
    let app = site.monctl("logs app --since 1h").success();
    assert!(app.stdout.lines().count() > 3, "{app}");
    app.stdout_contains(" app        app           ").stdout_lacks(" monitoring ");
    site.monctl("logs redis").code(2).stderr_contains("`alertmanager`");

    // Long enough for a slow connection; the expected line comes after the request.
    let mut live = Live::start(site.call("--output json logs --since 5m -f").command());
    for host in [APP, MONITORING] {
        let unit = if host == APP { "monctl-app-metrics" } else { "monctl-alertmanager" };
        let requested = jiff::Timestamp::now();
        site.on(host, &format!("systemctl restart {unit}"));
        let is_new = |line: &Value| {
            line["host"] == *host.to_string()
                && line["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap() > requested
        };
        while !is_new(&serde_json::from_str::<Value>(&live.line()).unwrap()["line"]) {}
    }
    live.interrupt();
}

/// The HTTP status of a path of the forwarded service.
fn status(url: &str, path: &str) -> String {
    let url = format!("{}{path}", url.trim_end_matches('/'));
    let curl = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", &url];
    let output = Command::new("curl").args(curl).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

pub fn a_web_interface_is_reached_until_ctrl_c_and_survives_a_lost_connection(site: &Site) {
    for (service, path) in [("prometheus", "/-/ready"), ("alertmanager", "/-/ready")] {
        let mut live = Live::start(site.call(&format!("open {service} --print")).command());
        let url = live.line();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        assert_eq!(status(&url, path), "200");
        site.cut_connections();
        eventually("it is reached again", || status(&url, path) == "200");
        live.interrupt();
        assert_eq!(status(&url, path), "000", "the port is still open");
    }
}

/// Like a browser with the address: it is logged in once, and stays logged in by its cookie.
pub fn grafana_logs_a_browser_in_without_typing(open: Monctl) {
    let folder = tempfile::tempdir().unwrap();
    let browser = folder.path().join("browser");
    let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\" && page=${1#file://} && cp \"$page\" page && \
                  stat -c %a \"$page\" >mode && echo \"$@\" >called.new && mv called.new called\n";
    fs::write(&browser, script).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut live = Live::start(open.env("BROWSER", &browser).command());
    let url = live.line();
    // Other users of this computer see only the path of a file that they cannot read.
    eventually("the browser is called", || folder.path().join("called").exists());
    let seen = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let key = url.rsplit_once('/').unwrap().1;
    assert!(key.len() > 20 && !seen("called").contains(key), "{url}: {}", seen("called"));
    assert!(seen("called").starts_with("file:///") && seen("mode") == "600\n", "{}", seen("called"));
    assert!(seen("page").contains(&format!("url={url}\"")), "{}", seen("page"));
    let jar = folder.path().join("cookies");
    let jar = jar.to_str().unwrap();
    let visit = |url: &str| {
        let curl = ["-sL", "-o", "/dev/null", "-w", "%{http_code} %{url_effective}", "--noproxy", "*"];
        let output = Command::new("curl").args(curl).args(["-b", jar, "-c", jar, url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let landed = visit(&url);
    let (status, page) = landed.split_once(' ').unwrap();
    assert_eq!(status, "200", "{landed}");
    assert!(!page.contains("/login") && page != url, "{landed}");
    assert!(visit(&format!("{page}api/user")).starts_with("200 "), "the cookie does not work");
    assert_eq!(self::status(&url, ""), "410", "the address opens twice");
    let without = format!("{page}api/user");
    assert_eq!(self::status(&without, ""), "401", "every user of this computer is logged in");
    live.interrupt();
}
