//! The import into Grafana, against a stand-in that answers as recorded from a real one, or against a real one.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::grafana_release::{Release, run_again_with_a_release};
use crate::support::relay::Fault;
use crate::support::test_grafana::{PASSWORD, TestGrafana};
use monctl::error::Error;
use monctl::grafana::{
    Annotation, Ask, Dashboard, DataSource, Desired, Drift, FOLDER_UID, GrafanaChange, GrafanaClient,
    GrafanaState, Occasion, diff,
};
use monctl::http::{Client, Endpoint};
use monctl::render;
use monctl::secret::Secret;
use monctl::spec::{OnDrift, load};
use serde_json::{Value, json};

const HOSTS: &str = "/api/dashboards/uid/monctl_hosts";
const DEADLINE: Duration = Duration::from_mins(1);

fn desired() -> Desired {
    let spec =
        load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/classic/monctl.yaml"))).unwrap().spec;
    let data_source = DataSource::prometheus(spec.grafana.data_source(), "http://127.0.0.1:9090", "15s");
    let dashboards = render::dashboards(&spec).unwrap().into_iter();
    let dashboards = dashboards.map(|(name, one)| Dashboard::new(&name, one, FOLDER_UID).unwrap());
    Desired::new(data_source, dashboards.collect())
}

/// The decision in tests that expect a person's edit to be undone.
const RESTORE: Ask<'_> = &|_| Ok(OnDrift::Restore);

/// Reads, compares, applies.
async fn import(client: &GrafanaClient, desired: &Desired) -> Result<(), Vec<Error>> {
    let state = client.observe(desired).await.map_err(|error| vec![error])?;
    client.apply(diff(desired, &state), RESTORE).await
}

/// What a plan would print now.
async fn planned(client: &GrafanaClient, desired: &Desired) -> Vec<String> {
    let state = client.observe(desired).await.unwrap();
    diff(desired, &state).iter().map(ToString::to_string).collect()
}

/// The one error of an import, with its remedy.
async fn refused(client: &GrafanaClient, desired: &Desired) -> (String, String) {
    let errors = import(client, desired).await.unwrap_err();
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    (error.message().to_owned(), error.hint().unwrap_or_default().to_owned())
}

async fn stored(grafana: &TestGrafana, path: &str) -> Value {
    let answer = grafana.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.message());
    answer.json().unwrap()
}

async fn version(grafana: &TestGrafana) -> Value {
    stored(grafana, HOSTS).await["dashboard"]["version"].clone()
}

#[tokio::test]
async fn a_named_release_replaces_the_stand_in() {
    let Some(release) = Release::named() else {
        return run_again_with_a_release("grafana::a_named_release_replaces_the_stand_in");
    };
    let grafana = TestGrafana::start();
    assert_eq!(stored(&grafana, "/api/health").await["version"], release.version());
}

#[tokio::test]
async fn cookies_log_a_browser_in_and_a_wrong_password_costs_one_try() {
    let grafana = TestGrafana::start();
    let cookies = grafana.client().session(&Secret::new(PASSWORD)).await.unwrap();
    let cookie = cookies[0].expose().split(';').next().unwrap().to_owned();
    let page = async |cookie: &str| {
        let url = format!("http://{}/dashboards", grafana.address);
        let request = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        request.build().unwrap().get(url).header("cookie", cookie).send().await.unwrap().status().as_u16()
    };
    assert_eq!((page(&cookie).await, page("grafana_session=guess").await), (200, 302));
    let error = grafana.client().session(&Secret::new("wrong")).await.unwrap_err();
    assert_eq!(error.message(), "grafana refused to log in: Invalid username or password (401)");
    let tries = grafana.requests().into_iter().filter(|line| line.starts_with("POST /login"));
    assert_eq!(tries.collect::<Vec<_>>(), ["POST /login 200", "POST /login 401"]);
}

#[tokio::test]
async fn everything_is_imported_and_a_second_time_nothing_is_written() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    client.wait_ready(DEADLINE).await.unwrap();
    assert_eq!(
        planned(&client, &desired).await,
        [
            "+ data source `Prometheus`: does not exist",
            "+ folder `monctl`: does not exist",
            "+ dashboard `Django`: does not exist",
            "+ dashboard `Hosts`: does not exist",
            "+ dashboard `Monitoring`: does not exist",
            "+ dashboard `Overview`: does not exist",
        ]
    );
    import(&client, &desired).await.unwrap();
    assert_eq!(stored(&grafana, HOSTS).await["meta"]["folderUid"], "monctl");
    grafana.forget_requests();

    assert_eq!(planned(&client, &desired).await, [""; 0]);
    import(&client, &desired).await.unwrap();
    let requests = grafana.requests();
    assert_eq!(
        requests.len(),
        14,
        "twice a data source, a folder, four dashboards and a search: {requests:?}"
    );
    assert!(requests.iter().all(|request| request.starts_with("GET ")), "{requests:?}");
}

#[tokio::test]
async fn the_client_waits_for_a_grafana_that_starts() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let client = GrafanaClient::new(address, "admin", Secret::new(PASSWORD)).unwrap();
    let error = client.wait_ready(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.message(), "grafana was not ready within 0 s");
    assert!(error.hint().unwrap().contains("journalctl -u monctl-grafana"));

    let starting = tokio::task::spawn_blocking(move || TestGrafana::start_at(port));
    client.wait_ready(DEADLINE).await.unwrap();
    drop(starting.await.unwrap());
}

#[tokio::test]
async fn a_wrong_password_costs_one_try() {
    let grafana = TestGrafana::start();
    let client = grafana.client_with("hunter2");
    let error = client.observe(&desired()).await.unwrap_err();
    assert_eq!(error.message(), "grafana refuses the password of `admin`");
    assert!(error.hint().unwrap().contains("five wrong passwords"), "{error:?}");
    assert_eq!(grafana.requests(), ["GET /api/datasources/uid/monctl_prometheus 401"]);
    assert_eq!(grafana.most_at_once(), 1, "concurrent requests cost one try each");
    assert!(!format!("{client:?} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_write_refused_with_401_is_not_retried() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let folder = diff(&desired, &GrafanaState::default()).remove(1);
    let refusal = Fault::Answer(401, json!({"message": "invalid username or password"}));
    grafana.fault("POST", "/api/folders", 9, refusal);
    client.apply(vec![folder], RESTORE).await.unwrap_err();
    assert_eq!(grafana.requests(), ["POST /api/folders 401"]);
}

#[tokio::test]
async fn a_hand_edited_dashboard_is_named_with_the_place_and_restored() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    let mut edited = stored(&grafana, HOSTS).await["dashboard"].clone();
    edited["panels"][4]["title"] = "Mine".into();
    grafana.post("/api/dashboards/db", json!({"dashboard": edited, "folderUid": "monctl"})).await;

    assert_eq!(
        planned(&client, &desired).await,
        ["~ dashboard `Hosts`: differs in `panels[4].title`, changed in Grafana by `admin`"]
    );
    import(&client, &desired).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
    let history = stored(&grafana, &format!("{HOSTS}/versions")).await;
    // Later releases wrap the list.
    let versions = history.as_array().or_else(|| history["versions"].as_array()).unwrap();
    assert_eq!(versions.len(), 3, "the edit stays in the history");
    assert!(versions[0]["message"].as_str().unwrap().starts_with("monctl "));
}

/// People's edits of dashboards, with their versions.
async fn drift(client: &GrafanaClient, desired: &Desired) -> Vec<Drift> {
    let state = client.observe(desired).await.unwrap();
    diff(desired, &state).iter().filter_map(GrafanaChange::drift).collect()
}

#[tokio::test]
async fn a_persons_edit_is_distinguished_from_what_another_monctl_wrote() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let mut older = desired.clone();
    older.dashboards[1] = {
        let mut document = desired.dashboards[1].document().clone();
        document["refresh"] = "10s".into();
        Dashboard::new("hosts", document, FOLDER_UID).unwrap()
    };
    import(&client, &older).await.unwrap();
    assert_eq!(planned(&client, &desired).await, ["~ dashboard `Hosts`: differs in `refresh`"]);
    assert_eq!(drift(&client, &desired).await, []);

    let mut edited = stored(&grafana, HOSTS).await["dashboard"].clone();
    edited["title"] = "Mine".into();
    grafana.post("/api/dashboards/db", json!({"dashboard": edited, "folderUid": "monctl"})).await;
    let [changed] = drift(&client, &desired).await.try_into().unwrap();
    assert_eq!((changed.uid.as_str(), changed.version), ("monctl_hosts", 2));
    assert_eq!((&changed.document["title"], &changed.document["refresh"]), (&json!("Mine"), &json!("10s")));
}

#[tokio::test]
async fn a_reverted_edit_needs_no_change() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    let same = stored(&grafana, HOSTS).await["dashboard"].clone();
    grafana.post("/api/dashboards/db", json!({"dashboard": same, "folderUid": "monctl"})).await;
    assert_eq!(planned(&client, &desired).await, [""; 0]);
}

#[tokio::test]
async fn a_grafana_that_reformats_dashboards_is_not_written_to_twice() {
    for (index, grafana) in TestGrafana::of_each_release().enumerate() {
        let (client, desired) = (grafana.client(), desired());
        import(&client, &desired).await.unwrap();
        assert_eq!(planned(&client, &desired).await, [""; 0], "release {index}");
        // It also detects an edit there.
        let mut edited = stored(&grafana, HOSTS).await["dashboard"].clone();
        edited["refresh"] = "1m".into();
        grafana.post("/api/dashboards/db", json!({"dashboard": edited, "folderUid": "monctl"})).await;
        assert_eq!(drift(&client, &desired).await.len(), 1, "release {index}");
        import(&client, &desired).await.unwrap();
        assert_eq!(planned(&client, &desired).await, [""; 0], "release {index}");
    }
}

#[tokio::test]
async fn without_a_readable_history_a_person_is_assumed() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let mut older = desired.clone();
    let mut document = desired.dashboards[1].document().clone();
    document["refresh"] = "10s".into();
    older.dashboards[1] = Dashboard::new("hosts", document, FOLDER_UID).unwrap();
    import(&client, &older).await.unwrap();
    assert_eq!(drift(&client, &desired).await, []);
    // A release serves the history by one or both of two interfaces.
    let gone = Fault::Answer(404, json!({"message": "Not found"}));
    grafana.fault("GET", &format!("{HOSTS}/versions"), 1, gone.clone());
    grafana.fault("GET", "/apis/dashboard.grafana.app", 1, gone);
    assert_eq!(drift(&client, &desired).await.len(), 1);
}

#[tokio::test]
async fn a_message_that_imitates_monctls_still_counts_as_a_persons() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    let mut edited = stored(&grafana, HOSTS).await["dashboard"].clone();
    edited["refresh"] = "1m".into();
    let like_ours = json!({"dashboard": edited, "folderUid": "monctl", "message": "monctl 0.0.1, as before"});
    grafana.post("/api/dashboards/db", like_ours).await;
    assert_eq!(drift(&client, &desired).await.len(), 1);
}

#[tokio::test]
async fn a_moved_dashboard_is_moved_back_to_its_folder() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    let moved = stored(&grafana, HOSTS).await["dashboard"].clone();
    grafana.post("/api/dashboards/db", json!({"dashboard": moved})).await;

    assert_eq!(
        planned(&client, &desired).await,
        ["~ dashboard `Hosts`: is in folder `General`, changed in Grafana by `admin`"]
    );
    import(&client, &desired).await.unwrap();
    assert_eq!(stored(&grafana, HOSTS).await["meta"]["folderUid"], "monctl");
}

#[tokio::test]
async fn a_write_between_plan_and_apply_is_detected() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let before = client.observe(&desired).await.unwrap();
    // Another run of monctl applies everything meanwhile: nothing is left to do, and nothing is written twice.
    import(&client, &desired).await.unwrap();
    client.apply(diff(&desired, &before), RESTORE).await.unwrap();
    assert_eq!(version(&grafana).await, 1);
    assert_eq!(planned(&client, &desired).await, [""; 0]);

    let mut edited = stored(&grafana, HOSTS).await["dashboard"].clone();
    edited["refresh"] = "1m".into();
    grafana.post("/api/dashboards/db", json!({"dashboard": edited, "folderUid": "monctl"})).await;
    let stale = diff(&desired, &client.observe(&desired).await.unwrap());
    edited["version"] = 2.into();
    edited["refresh"] = "2m".into();
    grafana.post("/api/dashboards/db", json!({"dashboard": edited, "folderUid": "monctl"})).await;
    grafana.forget_requests();
    // The callback receives the edit that the plan showed, and the one made since.
    let edits = Mutex::new(vec![]);
    let ask = |drift: &Drift| {
        edits.lock().unwrap().push(drift.document["refresh"].clone());
        Ok(OnDrift::Restore)
    };
    client.apply(stale, &ask).await.unwrap();
    assert_eq!(edits.into_inner().unwrap(), ["1m", "2m"]);
    let requests = grafana.requests();
    let expected = [
        "POST /api/dashboards/db 412".to_owned(),
        format!("GET {HOSTS} 200"),
        format!("GET {HOSTS}/versions?limit=1 200"),
        "POST /api/dashboards/db 200".into(),
        // Checks whether somebody else wrote at the same time.
        format!("GET {HOSTS} 200"),
    ];
    assert_eq!(requests, expected);
    assert_eq!(planned(&client, &desired).await, [""; 0]);
}

#[tokio::test]
async fn objects_created_meanwhile_with_monctls_uids_are_updated() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let empty = client.observe(&desired).await.unwrap();
    let other = json!({"uid": "monctl_prometheus", "name": "P", "type": "prometheus", "access": "proxy", "url": "http://x"});
    grafana.post("/api/datasources", other).await;
    grafana.post("/api/folders", json!({"uid": "monctl", "title": "Theirs"})).await;
    client.apply(diff(&desired, &empty), RESTORE).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
}

#[tokio::test]
async fn a_dashboard_written_to_another_uid_is_an_error() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let written = Fault::Answer(200, json!({"status": "success", "uid": "theirs"}));
    // For all four, since the order of writes is not defined.
    grafana.fault("POST", "/api/dashboards/db", 4, written);
    let errors = import(&client, &desired).await.unwrap_err();
    let messages: Vec<&str> = errors.iter().map(Error::message).collect();
    assert!(
        messages.contains(&"grafana wrote dashboard `Hosts` over the dashboard with the uid `theirs`"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn another_dashboard_of_the_same_title_is_untouched_and_named_if_titles_must_be_unique() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    grafana.post("/api/folders", json!({"uid": "monctl", "title": "monctl"})).await;
    let theirs = json!({"uid": "theirs", "title": "HOSTS", "panels": []});
    grafana.post("/api/dashboards/db", json!({"dashboard": theirs, "folderUid": "monctl"})).await;

    if TestGrafana::release() < 12 {
        let (message, remedy) = refused(&client, &desired).await;
        assert_eq!(
            message,
            "another dashboard in this folder has the title of dashboard `Hosts` (`HOSTS`, uid `theirs`)"
        );
        assert!(remedy.contains("rename or move the other one"), "{remedy}");
    } else {
        import(&client, &desired).await.unwrap();
    }
    let kept = stored(&grafana, "/api/dashboards/uid/theirs").await;
    assert_eq!((&kept["dashboard"]["version"], &kept["dashboard"]["title"]), (&json!(1), &json!("HOSTS")));
    // monctl's other dashboards are imported nevertheless.
    assert_eq!(grafana.get("/api/dashboards/uid/monctl_django").await.status, 200);
}

#[tokio::test]
async fn a_provisioned_dashboard_is_not_written() {
    let desired = desired();
    let mut theirs = desired.dashboards[1].document().clone();
    theirs["refresh"] = "1m".into();
    let grafana = TestGrafana::with_a_dashboard_of_a_file("a.json", &theirs).await;

    let (message, _) = refused(&grafana.client(), &desired).await;
    assert_eq!(message, "dashboard `Hosts` belongs to the provisioning file `a.json` of this Grafana");
    let requests = grafana.requests();
    let written: Vec<&String> =
        requests.iter().filter(|it| it.contains("/api/dashboards/") && !it.starts_with("GET ")).collect();
    assert_eq!(written.len(), 3, "the others: {requests:?}");
    assert_eq!(stored(&grafana, HOSTS).await["dashboard"]["refresh"], "1m");
}

#[tokio::test]
async fn a_lost_reply_is_followed_by_a_read_and_no_second_write() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    for path in ["/api/datasources", "/api/folders", "/api/dashboards/db"] {
        grafana.fault("POST", path, 1, Fault::Lose);
    }
    import(&client, &desired).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
    let requests = grafana.requests();
    let written = requests.iter().filter(|request| request.starts_with("POST ")).count();
    assert_eq!(written, 6, "one write each: {requests:?}");
}

#[tokio::test]
async fn a_server_error_is_followed_by_a_read_and_a_second_write() {
    for fault in [Fault::Drop, Fault::Answer(500, json!({"message": "Failed to save"}))] {
        let grafana = TestGrafana::start();
        let (client, desired) = (grafana.client(), desired());
        for path in ["/api/datasources", "/api/folders", "/api/dashboards/db"] {
            grafana.fault("POST", path, 1, fault.clone());
        }
        grafana.fault("GET", "/api/dashboards", 1, fault);
        import(&client, &desired).await.unwrap();
        assert_eq!(planned(&client, &desired).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_data_source_that_differs_is_written_whole() {
    let grafana = TestGrafana::start();
    let (client, mut desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    let data_source = desired.data_source.as_mut().unwrap();
    data_source.url = "http://127.0.0.1:9999".into();
    data_source.interval = "5s".into();
    assert_eq!(
        planned(&client, &desired).await,
        ["~ data source `Prometheus`: differs in `url`, `jsonData.timeInterval`"]
    );
    import(&client, &desired).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
    let found = stored(&grafana, "/api/datasources/uid/monctl_prometheus").await;
    assert_eq!((&found["isDefault"], &found["jsonData"]["httpMethod"]), (&json!(true), &json!("POST")));
}

#[tokio::test]
async fn a_name_that_is_taken_ends_the_import_and_its_owner_is_untouched() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    let theirs = json!({"uid": "theirs", "name": "Prometheus", "type": "prometheus", "access": "proxy", "url": "http://x"});
    grafana.post("/api/datasources", theirs).await;
    let (message, _) = refused(&client, &desired).await;
    assert_eq!(message, "another data source of this Grafana is called `Prometheus`");
    assert_eq!(stored(&grafana, "/api/datasources/uid/theirs").await["url"], "http://x");

    let grafana = TestGrafana::start();
    grafana.post("/api/folders", json!({"uid": "theirs", "title": "Monctl"})).await;
    if TestGrafana::release() < 12 {
        let (message, _) = refused(&grafana.client(), &desired).await;
        assert_eq!(message, "another folder or dashboard of this Grafana is called `monctl`");
    } else {
        import(&grafana.client(), &desired).await.unwrap();
    }
    assert_eq!(stored(&grafana, "/api/folders/theirs").await["title"], "Monctl");
}

#[tokio::test]
async fn a_renamed_folder_gets_its_title_back() {
    let grafana = TestGrafana::start();
    let (client, mut desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    desired.folders[0].title = "Monitoring".into();
    assert_eq!(planned(&client, &desired).await, ["~ folder `Monitoring`: is called `monctl`"]);
    import(&client, &desired).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
}

#[tokio::test]
async fn at_most_four_requests_are_concurrent() {
    let grafana = TestGrafana::start();
    let (client, mut desired) = (grafana.client(), desired());
    desired.dashboards = (0..20)
        .map(|number| {
            let text = format!(r#"{{"uid": "d{number}", "title": "Number {number}"}}"#);
            Dashboard::parse("d.json", &text, "monctl").unwrap()
        })
        .collect();
    let delay = Fault::Delay(Duration::from_millis(30));
    // Each waits long enough for all concurrent requests to arrive.
    grafana.fault("GET", "/api/", 1000, delay.clone());
    grafana.fault("POST", "/api/", 1000, delay);
    let state = client.observe(&desired).await.unwrap();
    assert_eq!(grafana.most_at_once(), 4);
    grafana.forget_requests();
    client.apply(diff(&desired, &state), RESTORE).await.unwrap();
    assert_eq!(grafana.most_at_once(), 4);
}

#[tokio::test]
async fn an_import_works_through_a_forwarded_unix_socket() {
    let grafana = TestGrafana::start();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("grafana.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let address = grafana.address;
    let relay = tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(address).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let client = GrafanaClient::new(socket, "admin", Secret::new(PASSWORD)).unwrap();
    let desired = desired();
    import(&client, &desired).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
    relay.abort();
}

#[test]
fn the_stand_in_answers_as_recorded() {
    let begin = Instant::now();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/grafana");
    // In a file: a server that a failed test leaves behind would hold a pipe open.
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let mut tests = Command::new("python3");
    tests
        .args(["-B", "-m", "unittest"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(stderr.reopen().unwrap());
    let status = tests.status().unwrap();
    let stderr = fs::read_to_string(stderr.path()).unwrap();
    assert!(status.success(), "after {:?}:\n{stderr}", begin.elapsed());
}

#[tokio::test]
async fn annotations_are_found_by_their_tags_and_written_once() {
    let grafana = TestGrafana::start();
    let at = |second| jiff::Timestamp::from_second(second).unwrap();
    let text = "HighCPUUsage on app: proven".to_owned();
    let drill = Annotation { occasion: Occasion::Drill, text, begin: at(100), end: at(160) };
    grafana.client().annotate(&drill).await.unwrap();
    let shown = async |tags: &str| stored(&grafana, &format!("/api/annotations?{tags}")).await;
    let found = shown("tags=monctl&tags=drill").await;
    let seen = &found[0];
    assert_eq!((&seen["time"], &seen["timeEnd"]), (&json!(100_000), &json!(160_000)));
    assert_eq!(seen["text"], "HighCPUUsage on app: proven");
    assert_eq!(shown("tags=monctl&tags=deployment").await, json!([]));

    grafana.fault("POST", "/api/annotations", 1, Fault::Lose);
    grafana.client().annotate(&drill).await.unwrap_err();
    assert_eq!(shown("tags=monctl").await.as_array().unwrap().len(), 2, "it was not drawn a third time");
}

#[tokio::test]
async fn the_editor_token_suffices_for_daily_work() {
    let grafana = TestGrafana::start();
    let (admin, desired) = (grafana.client(), desired());
    let token = admin.make_token().await.unwrap();
    let daily = GrafanaClient::with_token(grafana.address, token.clone()).unwrap();
    assert!(daily.is_accepted().await.unwrap());
    let accounts = stored(&grafana, "/api/serviceaccounts/search?query=monctl").await;
    assert_eq!(accounts["serviceAccounts"][0]["role"], "Editor");

    // Only the data source needs the administrator.
    let all = diff(&desired, &daily.observe(&desired).await.unwrap());
    let (sources, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|change| matches!(change, GrafanaChange::DataSource(_)));
    let refused = daily.apply(sources.clone(), RESTORE).await.unwrap_err();
    assert!(refused[0].message().contains("datasources:create"), "{refused:?}");
    assert!(refused[0].hint().unwrap().contains("docs/grafana.md"), "{refused:?}");
    admin.apply(sources, RESTORE).await.unwrap();
    daily.apply(others, RESTORE).await.unwrap();
    assert_eq!(planned(&daily, &desired).await, [""; 0]);
    let now = jiff::Timestamp::now();
    let text = "A drill".to_owned();
    daily.annotate(&Annotation { occasion: Occasion::Drill, text, begin: now, end: now }).await.unwrap();
    assert!(!format!("{daily:?} {refused:?}").contains(token.expose()));
}

/// A client with the token of monctl's service account, after the administrator created the data source.
async fn daily(grafana: &TestGrafana, desired: &Desired) -> GrafanaClient {
    let admin = grafana.client();
    let token = admin.make_token().await.unwrap();
    let only_source = Desired { folders: vec![], dashboards: vec![], complete: false, ..desired.clone() };
    import(&admin, &only_source).await.unwrap();
    GrafanaClient::with_token(grafana.address, token).unwrap()
}

#[tokio::test]
async fn the_editor_token_imports_everything_at_the_first_try_in_every_release() {
    for (release, grafana) in TestGrafana::of_each_release().enumerate() {
        let desired = desired();
        let client = daily(&grafana, &desired).await;
        import(&client, &desired).await.unwrap_or_else(|errors| panic!("release {release}: {errors:?}"));
        assert_eq!(planned(&client, &desired).await, [""; 0], "release {release}");
        assert_eq!(stored(&grafana, HOSTS).await["meta"]["folderUid"], "monctl", "release {release}");
    }
}

#[tokio::test]
async fn what_the_editor_token_wrote_does_not_count_as_a_persons_edit() {
    for (release, grafana) in TestGrafana::of_each_release().enumerate() {
        let mut desired = desired();
        let client = daily(&grafana, &desired).await;
        import(&client, &desired).await.unwrap();
        // A changed spec is applied without asking, so `on_drift: keep` does not hold it back.
        let mut document = desired.dashboards[1].document().clone();
        document["refresh"] = "10s".into();
        desired.dashboards[1] = Dashboard::new("hosts", document, FOLDER_UID).unwrap();
        let hosts = "~ dashboard `Hosts`: differs in `refresh`";
        assert_eq!(planned(&client, &desired).await, [hosts], "release {release}");
        assert_eq!(drift(&client, &desired).await, [], "release {release}");
        // A dashboard that is no longer in the spec is removed, as is everything in the end, and no copy is kept.
        desired.dashboards.remove(0);
        let planned = planned(&client, &desired).await;
        assert_eq!(planned, [hosts, "- dashboard `Django`: is no longer in the spec"], "release {release}");
        import(&client, &desired).await.unwrap();
        assert_eq!(grafana.get("/api/dashboards/uid/monctl_django").await.status, 404, "release {release}");
        let residue = client.residue(&desired).await.unwrap();
        assert_eq!(residue.drifts().count(), 0, "release {release}");
        assert_eq!(residue.lines().len(), 5, "release {release}: {:?}", residue.lines());
    }
}

#[tokio::test]
async fn a_write_that_is_lost_is_repeated() {
    let grafana = TestGrafana::start();
    let (client, desired) = (grafana.client(), desired());
    import(&client, &desired).await.unwrap();
    let mut edited = stored(&grafana, HOSTS).await["dashboard"].clone();
    edited["refresh"] = "1m".into();
    grafana.post("/api/dashboards/db", json!({"dashboard": edited, "folderUid": "monctl"})).await;
    // Somebody's simultaneous write replaced monctl's, which Grafana had answered with success.
    let lost = Fault::Answer(200, json!({"status": "success", "uid": "monctl_hosts", "version": 3}));
    grafana.fault("POST", "/api/dashboards/db", 1, lost);
    import(&client, &desired).await.unwrap();
    assert_eq!(planned(&client, &desired).await, [""; 0]);
}

#[tokio::test]
async fn a_folder_that_the_account_may_not_use_is_named_with_a_remedy() {
    for (release, grafana) in TestGrafana::of_each_release().enumerate() {
        let desired = desired();
        let client = daily(&grafana, &desired).await;
        grafana.post("/api/folders", json!({"uid": "monctl", "title": "monctl"})).await;
        // As a Grafana leaves it that is killed while it creates one.
        grafana.post("/api/folders/monctl/permissions", json!({"items": []})).await;
        let errors = import(&client, &desired).await.unwrap_err();
        let (message, remedy) = (errors[0].message(), errors[0].hint().unwrap());
        let text = "folder `monctl` (uid `monctl`) exists, but the account may not use it";
        assert_eq!(message, text, "release {release}: {errors:?}");
        assert!(remedy.contains("an administrator") && remedy.contains("Manage permissions"), "{remedy}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_detected_despite_anonymous_access() {
    // Later releases take a request with wrong credentials for a guest's.
    for (release, status) in [(9, 401), (12, 200)] {
        let grafana = TestGrafana::open_to_guests(release);
        grafana.client().wait_ready(DEADLINE).await.unwrap();
        let wrong = Client::new("grafana", &Endpoint::Tcp(grafana.address)).unwrap();
        let wrong = wrong.with_token(Secret::new("glsa_never_was_one"));
        assert_eq!(wrong.get("/api/org").await.unwrap().status, status, "release {release}");
        let wrong = GrafanaClient::with_token(grafana.address, Secret::new("glsa_never_was_one")).unwrap();
        assert!(!wrong.is_accepted().await.unwrap(), "release {release}");
        let token = grafana.client().make_token().await.unwrap();
        let right = GrafanaClient::with_token(grafana.address, token).unwrap();
        assert!(right.is_accepted().await.unwrap(), "release {release}");
    }
}

#[tokio::test]
async fn there_is_one_token_at_a_time_and_its_account_has_minimal_permissions() {
    let grafana = TestGrafana::start();
    let admin = grafana.client();
    grafana.post("/api/serviceaccounts", json!({"name": "monctl", "role": "Admin"})).await;
    let accounts = stored(&grafana, "/api/serviceaccounts/search?query=monctl").await;
    let tokens = format!("/api/serviceaccounts/{}/tokens", accounts["serviceAccounts"][0]["id"]);
    grafana.post(&tokens, json!({"name": "a person's"})).await;

    let first = admin.make_token().await.unwrap();
    let second = admin.make_token().await.unwrap();
    assert_ne!(first, second);
    let accepted =
        async |token| GrafanaClient::with_token(grafana.address, token).unwrap().is_accepted().await;
    assert!(!accepted(first).await.unwrap());
    assert!(accepted(second).await.unwrap());
    assert_eq!(stored(&grafana, &tokens).await.as_array().unwrap().len(), 2, "a person's token is kept");
    let accounts = stored(&grafana, "/api/serviceaccounts/search?query=monctl").await;
    assert_eq!(accounts["serviceAccounts"][0]["role"], "Editor");
}

#[tokio::test]
async fn a_deleted_token_is_reported_after_one_request() {
    let grafana = TestGrafana::start();
    let admin = grafana.client();
    let deleted = admin.make_token().await.unwrap();
    admin.make_token().await.unwrap();
    for token in [deleted, Secret::new("glsa_never_was_one")] {
        let client = GrafanaClient::with_token(grafana.address, token).unwrap();
        grafana.forget_requests();
        let error = client.observe(&desired()).await.unwrap_err();
        assert!(error.message().starts_with("grafana refuses the token: "), "{error:?}");
        assert_eq!(grafana.requests().len(), 1, "it was retried");
    }
}

#[tokio::test]
async fn the_old_password_is_needed_to_change_it() {
    let grafana = TestGrafana::start();
    let (old, new) = (Secret::new(PASSWORD), Secret::new("another horse"));
    let wrong = grafana.client().change_password(&Secret::new("no"), &new).await.unwrap_err();
    assert!(!format!("{wrong:?}").contains("another horse"));
    grafana.client().change_password(&old, &new).await.unwrap();
    assert!(!grafana.client().is_accepted().await.unwrap());
    assert!(grafana.client_with("another horse").is_accepted().await.unwrap());
}
