//! Grafana on a real machine: it is installed from a mirror, may be missing for a while, has its own password, shows
//! the data of real hosts, and a person's edits are detected.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use monctl::event::Events;
use monctl::host::{HostName, Machine};
use monctl::http::{Client, Endpoint};
use monctl::remote::Remote;
use monctl::secret::Secret;
use serde_json::{Value, json};

use crate::at_hand::{self, Live};
use crate::programs::gateway;
use crate::support::binary::{Project, Ran};
use crate::support::grafana_release::Release;
use crate::support::release_mirror::{ReleaseMirror, named_programs};
use crate::support::test_grafana::{PASSWORD, TestGrafana};
use crate::test_project::{TestProject, runtime};
use crate::turns;

const APP: HostName = HostName::app(1);
const MONITORING: HostName = HostName::MONITORING;
const DEADLINE: Duration = Duration::from_mins(1);
const FLEET: &str = include_str!("../fixtures/dashboards/fleet.json");
const REQUESTS: &str = include_str!("../fixtures/dashboards/requests.json");

/// A spec for the example application with Grafana from a mirror.
fn spec(project: &TestProject, catalogue: &Path, required: bool) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let source = if named_programs().is_some() { "release" } else { "distribution" };
    format!(
        "
version: 1
project: {}
provider: local
app: {{path: {}, wsgi: notes.wsgi, workers: 2, env: {{SECRET_KEY: for-tests}}}}
monitoring:
  scrape_interval: 2s
  evaluation_interval: 5s
  install: {{{source}: {{catalogue: {}}}}}
alerts:
  HighCPUUsage: {{above: 80, for: 1m}}
notify: {{capture: {{}}}}
grafana: {{required: {required}, dashboards: [fleet.json, requests.json]}}
",
        project.name,
        examples.join("notes").display(),
        catalogue.display(),
    )
}

fn up(folder: &Project) -> Ran {
    let _turn = turns::busy();
    folder.monctl().args(["up", "--yes"]).run()
}

/// A client of the same Grafana as an operator's, through a forward.
async fn operator(machine: &Machine, password: &str) -> (Remote, Client) {
    let remote = Remote::connect(machine, DEADLINE, &Events::channel().0).await.unwrap();
    let socket = remote.forward(3000).await.unwrap();
    let client = Client::new("grafana", &Endpoint::Unix(socket)).unwrap();
    (remote, client.with_login("admin", Secret::new(password)))
}

async fn dashboard(grafana: &Client, uid: &str) -> Value {
    grafana.get(&format!("/api/dashboards/uid/{uid}")).await.unwrap().json().unwrap()
}

/// Whether a panel's query returns data when sent as by a browser.
async fn has_data(grafana: &Client, target: &Value) -> bool {
    let mut query = target.clone();
    query["expr"] = target["expr"].as_str().unwrap().replace("$host", ".+").into();
    query["intervalMs"] = 1000.into();
    let body = json!({"queries": [query], "from": "now-1m", "to": "now"});
    let answer: Value = grafana.post("/api/ds/query", &body).await.unwrap().json().unwrap();
    let results = answer["results"].as_object().cloned().unwrap_or_default();
    let has_values = |frame: &Value| frame["data"]["values"][1].as_array().is_some_and(|it| !it.is_empty());
    results.values().any(|one| one["frames"].as_array().is_some_and(|frames| frames.iter().any(has_values)))
}

/// Checks all dashboards, including other people's, after a little traffic.
fn every_panel_but_a_misspelt_one_shows_something(folder: &Project) {
    let verify = |more: &[&str]| folder.monctl().arg("verify-dashboards").args(more).run();
    verify(&[])
        .code(4)
        .stdout_contains("empty  Misspelt (A)")
        .stdout_contains("\n1 of ")
        .stdout_contains("no metric `node_cpu_second_total`; did you mean `node_cpu_seconds_total`?");
    let pictures = folder.path("pictures");
    let report = verify(&["--no-traffic", "--screenshots", pictures.to_str().unwrap(), "--output", "json"]);
    let report = report.code(4).json();
    assert_eq!(report["pictures"].as_array().unwrap().len(), 7);
    let variables = report["variables"].as_array().unwrap();
    assert!(variables.iter().all(|one| one["shown"] != "empty" && one["shown"] != "error"), "{variables:#?}");
    let png = fs::read(pictures.join("monctl_hosts.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"), "{} bytes", png.len());
    for dashboard in ["Fleet, in full", "Requests, in full"] {
        let of_it = |one: &&Value| one["dashboard"] == dashboard;
        let queries = report["queries"].as_array().unwrap().iter().filter(of_it).count();
        assert!(queries >= 15, "only {queries} of {dashboard}: {report:#}");
    }
}

/// A second run changes nothing; a manual edit is named, copied, and undone.
async fn an_edit_is_named_copied_and_undone(folder: &Project, mut hosts: Value, grafana: &Client) {
    folder.monctl().arg("plan").run().code(0);
    hosts["refresh"] = "1m".into();
    let body = json!({"dashboard": hosts, "folderUid": "monctl"});
    assert!(grafana.post("/api/dashboards/db", &body).await.unwrap().is_success());
    folder
        .monctl()
        .arg("plan")
        .run()
        .code(3)
        .stdout_contains("dashboard `Hosts`: differs in `refresh`, changed in Grafana by `admin`")
        .stdout_contains("`grafana-drift/monctl_hosts-v2-");
    up(folder).success();
    assert_eq!(dashboard(grafana, "monctl_hosts").await["dashboard"]["refresh"], "30s");
    let mut copies = fs::read_dir(folder.path("grafana-drift")).unwrap();
    let kept = fs::read_to_string(copies.next().unwrap().unwrap().path()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap()["refresh"], "1m");
    assert!(copies.next().is_none(), "one edit, one copy");
    folder.monctl().arg("plan").run().code(0);
}

/// With `on_drift: keep`, `plan` shows a person's edit, and `up` keeps it and imports the rest, until the spec changes.
async fn with_keep_an_edit_stays(folder: Project, spec: &str, grafana: &Client) -> Project {
    let keeping = spec.replace("grafana: {", "grafana: {on_drift: keep, ");
    let folder = folder.file("monctl.yaml", keeping);
    let mut edited = dashboard(grafana, "monctl_hosts").await["dashboard"].clone();
    edited["refresh"] = "2m".into();
    let body = json!({"dashboard": edited, "folderUid": "monctl"});
    assert!(grafana.post("/api/dashboards/db", &body).await.unwrap().is_success());
    assert!(grafana.delete("/api/dashboards/uid/monctl_overview").await.unwrap().is_success());

    let left = "= dashboard `Hosts`: differs in `refresh`, changed in Grafana by `admin`; left as it is";
    let missing = "dashboard `Overview`: does not exist";
    folder.monctl().arg("plan").run().code(3).stdout_contains(left).stdout_contains(missing);
    up(&folder).success();
    assert_eq!(dashboard(grafana, "monctl_hosts").await["dashboard"]["refresh"], "2m");
    assert_eq!(dashboard(grafana, "monctl_overview").await["dashboard"]["title"], "Overview");
    folder.monctl().arg("plan").run().code(0).stdout_contains(left).stdout_lacks(missing);

    let folder = folder.file("monctl.yaml", spec);
    up(&folder).success();
    assert_eq!(dashboard(grafana, "monctl_hosts").await["dashboard"]["refresh"], "30s");
    folder.monctl().arg("plan").run().code(0);
    folder
}

#[test]
fn grafana_can_be_installed_later_and_shows_the_hosts_with_its_own_password() {
    let Some(project) = TestProject::new() else { return };
    runtime().block_on(async {
        project.provider.create_network().await.unwrap();
        let (app, monitoring) =
            tokio::join!(project.provider.create_machine(APP), project.provider.create_machine(MONITORING));
        let (_, monitoring) = (app.unwrap(), monitoring.unwrap());
        let gateway = gateway(&project);

        // The mirror lacks it: everything else is installed, and the summary names what is missing.
        let mirror = ReleaseMirror::with_grafana(gateway);
        let catalogue = fs::read(mirror.catalogue()).unwrap();
        mirror.withdraw("grafana");
        let folder = Project::with_spec(&spec(&project, Path::new("catalogue.json"), false));
        let folder = folder.file("catalogue.json", catalogue);
        // Dashboards as people publish them are imported too, and each of their panels shows data in the end.
        let folder = folder.file("fleet.json", FLEET).file("requests.json", REQUESTS);
        up(&folder).success().stdout_contains("Grafana is unavailable");
        project.output(MONITORING, "systemctl is-active monctl-prometheus monctl-alertmanager");

        let mirror = ReleaseMirror::with_grafana(gateway);
        let folder = folder.file("monctl.yaml", spec(&project, &mirror.catalogue(), true));
        let ran = up(&folder).success();

        if let Some(release) = Release::named() {
            assert_eq!(project.output(MONITORING, "cat /opt/monctl/grafana/VERSION"), release.version());
        }

        // The password is generated by monctl, readable only by its owners, never the default, and never shown.
        let copy = project.folder().join("grafana-password");
        let password = fs::read_to_string(&copy).unwrap();
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
        ran.stdout_lacks(&password).stderr_lacks(&password);
        let file = "/etc/monctl/grafana/admin-password";
        assert_eq!(project.output(MONITORING, &format!("stat -Lc '%a %U' {file}")), "600 monctl-grafana");
        let seen = "(journalctl --no-pager; ps -eo args; cat /proc/[0-9]*/environ) | grep -acF -f";
        let count = project.output(MONITORING, &format!("{seen} {file} || true"));
        assert_eq!(count, "0", "the password was seen outside its file");
        let default = "curl -s -o /dev/null -w '%{http_code}' -u admin:admin http://127.0.0.1:3000/api/org";
        assert_eq!(project.output(MONITORING, default), "401");

        let (remote, grafana) = operator(&monitoring, &password).await;
        let hosts = dashboard(&grafana, "monctl_hosts").await["dashboard"].clone();
        for panel in hosts["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let deadline = Instant::now() + DEADLINE;
                while !has_data(&grafana, target).await {
                    assert!(Instant::now() < deadline, "no data: {}: {}", panel["title"], target["expr"]);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }

        // The overview is Grafana's home page.
        let home: Value = grafana.get("/api/dashboards/home").await.unwrap().json().unwrap();
        assert_eq!(home["redirectUri"], "/d/monctl_overview");

        an_edit_is_named_copied_and_undone(&folder, hosts, &grafana).await;
        let folder =
            with_keep_an_edit_stays(folder, &spec(&project, &mirror.catalogue(), true), &grafana).await;

        // Changes are annotated in the dashboards, and daily work needs no password.
        let annotated = grafana.get("/api/annotations?tags=monctl&tags=configuration").await.unwrap();
        assert!(annotated.json::<Vec<Value>>().unwrap().iter().any(|one| one["text"] != ""));
        let token = project.folder().join("grafana-token");
        assert_eq!(fs::metadata(&token).unwrap().mode() & 0o777, 0o600);

        // The new password is valid everywhere, and the old one no longer works.
        let ran = folder.monctl().args(["rotate", "grafana-password"]).run().success();
        let rotated = fs::read_to_string(&copy).unwrap();
        assert_ne!(rotated, password);
        ran.stdout_lacks(&rotated).stderr_lacks(&rotated);
        assert_eq!(project.output(MONITORING, &format!("cat {file}")), rotated);
        let (_remote, operator_now) = operator(&monitoring, &rotated).await;
        assert_eq!(operator_now.get("/api/org").await.unwrap().status, 200);
        assert_eq!(grafana.get("/api/org").await.unwrap().status, 401);
        folder.monctl().arg("plan").run().code(0);

        // Interrupted after Grafana had accepted the next password: later commands find it.
        fs::rename(&copy, project.folder().join("grafana-password-next")).unwrap();
        fs::write(&copy, "the one before").unwrap();
        fs::remove_file(&token).unwrap();
        up(&folder).success();
        assert_eq!(fs::read_to_string(&copy).unwrap(), rotated);
        drop(remote);
        let broken = json!({"dashboard": {"uid": "theirs", "title": "Theirs", "panels": [{
            "title": "Misspelt", "type": "timeseries", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
            "targets": [{"refId": "A", "expr": "sum(rate(node_cpu_second_total[1m]))"}],
        }]}, "folderUid": "monctl"});
        let (remote, grafana) = operator(&monitoring, &rotated).await;
        assert!(grafana.post("/api/dashboards/db", &broken).await.unwrap().is_success());
        every_panel_but_a_misspelt_one_shows_something(&folder);
        drop(remote);
        at_hand::grafana_logs_a_browser_in_without_typing(folder.monctl().arg("open"));
        a_wrong_password_is_shown_once_by_each_command(&project, &folder, &rotated);
        another_computer_learns_the_password(&project, &folder, &rotated);
        an_existing_grafana_replaces_monctls_own(&project, &folder, &mirror.catalogue()).await;
    });
}

/// Failed logins that Grafana counts for the administrator: five lock the account.
fn wrong_tries(project: &TestProject) -> u32 {
    let count = "import sqlite3; print(sqlite3.connect('/var/lib/monctl/grafana/grafana.db').execute('SELECT COUNT(*) FROM login_attempt').fetchone()[0])";
    project.output(MONITORING, &format!("python3 -c \"{count}\"")).parse().unwrap()
}

/// Resets the count, as if five minutes had passed.
fn forget_tries(project: &TestProject) {
    let forget = "import sqlite3; db = sqlite3.connect('/var/lib/monctl/grafana/grafana.db'); db.execute('DELETE FROM login_attempt'); db.commit()";
    project.output(MONITORING, &format!("python3 -c \"{forget}\""));
}

/// Somebody changed the password in the browser, and the token was deleted.
fn a_wrong_password_is_shown_once_by_each_command(project: &TestProject, folder: &Project, right: &str) {
    let copy = project.folder().join("grafana-password");
    let token = project.folder().join("grafana-token");
    let good = fs::read(&token).unwrap();
    fs::remove_file(&token).unwrap();
    fs::write(&copy, "not the one").unwrap();
    // Gives `up` something to do and to annotate.
    project.output(MONITORING, "systemctl stop monctl-alertmanager");
    for words in [&["up", "--yes"][..], &["plan"], &["status"], &["verify-dashboards"]] {
        forget_tries(project);
        let _turn = turns::of(words.iter().copied());
        let ran = folder.monctl().args(words).run();
        let output = format!("{}{}", ran.stdout, ran.stderr);
        assert!(output.contains("grafana refuses the password of `admin`"), "{ran}");
        assert_eq!(wrong_tries(project), 1, "{ran}");
    }
    forget_tries(project);
    fs::write(&copy, right).unwrap();
    fs::write(&token, good).unwrap();
    project.output(MONITORING, "systemctl is-active monctl-alertmanager");
    folder.monctl().arg("plan").run().code(3);
    up(folder).success();
}

/// The project is used from another computer that has no Grafana credentials.
fn another_computer_learns_the_password(project: &TestProject, folder: &Project, password: &str) {
    let copy = project.folder().join("grafana-password");
    fs::remove_file(&copy).unwrap();
    fs::remove_file(project.folder().join("grafana-token")).unwrap();
    folder.monctl().arg("plan").run().code(0).stdout_lacks(password).stderr_lacks(password);
    assert!(!copy.exists(), "a plan writes nothing");
    up(folder).success().stdout_contains("no change").stdout_lacks(password).stderr_lacks(password);
    assert_eq!(fs::read_to_string(&copy).unwrap(), password);
    assert_eq!(wrong_tries(project), 0);
}

/// The user has their own Grafana on this computer, which reaches Prometheus through an open forward.
async fn an_existing_grafana_replaces_monctls_own(project: &TestProject, folder: &Project, catalogue: &Path) {
    let mut forward = Live::start(folder.monctl().args(["open", "prometheus", "--print"]).command());
    let prometheus = forward.line();
    let theirs = TestGrafana::start();
    let admin = Client::new("grafana", &Endpoint::Tcp(theirs.address)).unwrap();
    let admin = admin.with_login("admin", Secret::new(PASSWORD));
    let account = json!({"name": "guest", "role": "Admin"});
    let account: Value = admin.post("/api/serviceaccounts", &account).await.unwrap().json().unwrap();
    let tokens = format!("/api/serviceaccounts/{}/tokens", account["id"]);
    let made: Value = admin.post(&tokens, &json!({"name": "guest"})).await.unwrap().json().unwrap();
    let token = made["key"].as_str().unwrap();
    theirs.post("/api/folders", json!({"uid": "team", "title": "Team"})).await;

    let grafana = format!(
        "grafana: {{url: 'http://{}', token: {{env: GRAFANA_TOKEN}}, prometheus_url: '{}', dashboards",
        theirs.address,
        prometheus.trim_end_matches('/'),
    );
    let text = spec(project, catalogue, true).replace("grafana: {required: true, dashboards", &grafana);
    fs::write(folder.path("monctl.yaml"), text).unwrap();
    let monctl = |words: &[&str]| {
        let _turn = turns::of(words.iter().copied());
        let ran = folder.monctl().env("GRAFANA_TOKEN", token).args(words).run();
        ran.stdout_lacks(token).stderr_lacks(token)
    };
    monctl(&["plan"])
        .code(3)
        .stdout_contains("unit monctl-grafana.service: no longer needed")
        .stdout_contains("data source `monctl Prometheus`: does not exist");
    monctl(&["up", "--yes"]).success();
    let gone = "systemctl is-active monctl-grafana || ls /etc/systemd/system/monctl-grafana.service /etc/monctl/grafana/grafana.ini 2>&1 | grep -c 'No such'";
    assert_eq!(project.output(MONITORING, gone), "inactive\n2");
    monctl(&["plan"]).code(0);
    monctl(&["up", "--yes"]).success().stdout_contains("no change");
    monctl(&["status"]).success().stdout_contains("dashboards: as monctl imported them");
    let annotated: Value = admin.get("/api/annotations?tags=monctl").await.unwrap().json().unwrap();
    assert_eq!(annotated.as_array().unwrap().len(), 1, "{annotated}");

    let pictures = folder.path("theirs");
    let ran = monctl(&["verify-dashboards", "--screenshots", pictures.to_str().unwrap(), "--output", "json"]);
    let ran = ran.success();
    assert_eq!(ran.json()["pictures"].as_array().unwrap().len(), 6);
    forward.interrupt();

    let down = monctl(&["down", "--yes"]).success();
    down.stdout_contains("removed folder `monctl` from Grafana")
        .stdout_contains("removed data source `monctl Prometheus` from Grafana")
        .stdout_contains("nothing is left of the project");
    let hits: Value = admin.get("/api/search").await.unwrap().json().unwrap();
    assert_eq!(hits.as_array().unwrap().len(), 1, "{hits}");
}
