//! Screenshots by a real Chromium: of pages on loopback (a dashboard, the login, an empty page), and of the stand-in
//! for Grafana, which has sessions and the same page for all users.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;
use crate::grafana::GrafanaClient;

/// The stand-in for Grafana, until the test ends.
struct StandIn(Child);

impl StandIn {
    fn start(folder: &Path, password: &str) -> (Self, SocketAddr) {
        let (ini, data) = (folder.join("grafana.ini"), folder.join("data"));
        let settings = format!(
            "[server]\nhttp_addr = 127.0.0.1\nhttp_port = 0\n[paths]\ndata = {}\n\
             [security]\nadmin_user = admin\nadmin_password = {password}\n",
            data.display()
        );
        std::fs::write(&ini, settings).unwrap();
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/grafana");
        let mut command = Command::new(home.join("bin/grafana"));
        command.args(["server", "--homepath"]).arg(&home).arg("--config").arg(ini).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit('=').next().and_then(|address| address.parse().ok());
        (Self(process), address.unwrap_or_else(|| panic!("the stand-in printed {line:?}")))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Serves pages on loopback until the test ends; the cookie and the path select the page.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut request = [0; 8_192];
                let count = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..count]).into_owned();
                drop(stream.write_all(answer(&request).as_bytes()));
            });
        }
    });
    base
}

fn answer(request: &str) -> String {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let logged_in = request.contains("session=good");
    let late = "<div id=a></div><script>setTimeout(() => fetch('/late').then(() => { a.textContent = 'drawn' }), 300)</script>";
    let busy = "<div id=a></div><div id=b aria-label='Panel loading bar'></div>\
                <script>setTimeout(() => { b.remove(); a.textContent = 'drawn' }, 1500)</script>";
    let (status, more, body) = match path {
        _ if path.starts_with("/d/") && !logged_in => ("302 Found", "Location: /login\r\n", ""),
        "/login" => ("200 OK", "", "<input name=user><input type=password>"),
        _ if path.starts_with("/d/panels") => ("200 OK", "", late),
        _ if path.starts_with("/d/busy") => ("200 OK", "", busy),
        _ if path.starts_with("/d/gone") => ("302 Found", "Location: /\r\n", ""),
        _ if path.starts_with("/d/") => ("200 OK", "", ""),
        _ => ("200 OK", "", "home"),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{more}Content-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Whether Chromium is installed; without it the test fails with `CI=true`.
fn is_installed() -> bool {
    let found = find().is_ok();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "no Chromium");
    found
}

async fn picture(uid: &str, cookie: &str) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let dashboard = json!({"uid": uid, "title": "Board"});
    let files = take(&find()?, folder.path(), &[dashboard], &serve(), vec![Secret::new(cookie)]).await?;
    Ok(std::fs::read(&files[0]).unwrap())
}

#[tokio::test]
async fn a_dashboard_is_photographed_once_it_is_drawn() {
    if !is_installed() {
        return;
    }
    // The pages are blank before a late request was answered, and before a panel is drawn that needs no request.
    for uid in ["panels", "busy"] {
        let taken = picture(uid, "session=good; Path=/").await.unwrap();
        assert_eq!(picture::is_of_one_colour(&taken), Ok(false), "{uid}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_the_dashboard_is_refused() {
    if !is_installed() {
        return;
    }
    for (uid, cookie, why) in [
        ("panels", "session=bad; Path=/", "Grafana requires a login"),
        ("gone", "session=good; Path=/", "Grafana redirected the browser to `/`"),
        ("blank", "session=good; Path=/", "the page is empty"),
    ] {
        let error = picture(uid, cookie).await.unwrap_err();
        assert_eq!(error.message(), format!("cannot take a screenshot of dashboard `Board`: {why}"));
    }
}

#[tokio::test]
async fn a_dashboard_is_photographed_only_after_a_login() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let password = Secret::new("correct horse battery");
    let (_grafana, address) = StandIn::start(folder.path(), password.expose());
    let client = GrafanaClient::new(address, "admin", password.clone()).unwrap();
    let session = client.session(&password).await.unwrap();
    let (base, pictures) = (format!("http://{address}/"), folder.path().join("pictures"));
    let dashboards = [json!({"uid": "one", "title": "One"}), json!({"uid": "two", "title": "Two"})];
    let browser = find().unwrap();
    let files = take(&browser, &pictures, &dashboards, &base, session).await.unwrap();
    assert_eq!(files, ["one.png", "two.png"].map(|name| pictures.join(name)));
    assert!(files.iter().all(|file| file.is_file()));
    let refused = take(&browser, &pictures, &dashboards, &base, vec![]).await.unwrap_err();
    assert_eq!(refused.message(), "cannot take a screenshot of dashboard `One`: Grafana requires a login");
}

#[test]
fn a_picture_is_as_high_as_its_dashboard() {
    let panel = |y: u64, h: u64| json!({"gridPos": {"x": 0, "y": y, "w": 12, "h": h}});
    assert_eq!(height(&json!({"panels": [panel(0, 4), panel(4, 8), panel(4, 6)]})), 12 * ROW + AROUND);
    assert_eq!(height(&json!({})), AROUND);
    let old = json!({"rows": [{"height": 300, "panels": []}, {"height": "250px"}, {}]});
    assert_eq!(height(&old), 300 + 250 + OLD_ROW + 3 * ROW + AROUND);
}
