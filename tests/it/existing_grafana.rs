//! An existing Grafana: what monctl creates there, which permissions it needs, and that it touches nothing else.

use std::fs;
use std::time::Duration;

use crate::support::binary::{Monctl, Project, SPEC};
use crate::support::test_grafana::{PASSWORD, TestGrafana};
use monctl::error::Error;
use monctl::grafana::{
    DATA_SOURCE_UID, Dashboard, DataSource, Desired, FOLDER_UID, GrafanaChange, GrafanaClient, diff,
};
use monctl::http::{Client, Endpoint};
use monctl::render;
use monctl::secret::Secret;
use monctl::spec::{OnDrift, load};
use serde_json::{Value, json};

/// The spec's setting for an existing data source.
const THEIRS: &str = "data_source: theirs";
/// The spec's setting for a data source that monctl creates.
const OURS: &str = "prometheus_url: 'http://prometheus.example.org:9090'";

/// A Grafana in which others have a default data source, folders and dashboards, two of them with monctl's titles.
async fn grafana() -> TestGrafana {
    furnished(TestGrafana::start()).await
}

async fn furnished(grafana: TestGrafana) -> TestGrafana {
    let source = json!({
        "uid": "theirs", "name": "Prometheus", "type": "prometheus", "access": "proxy", "url": "http://x",
        "isDefault": true,
    });
    grafana.post("/api/datasources", source).await;
    let loki = json!({"uid": "loki", "name": "Loki", "type": "loki", "access": "proxy", "url": "http://y"});
    grafana.post("/api/datasources", loki).await;
    grafana.post("/api/folders", json!({"uid": "team", "title": "Team"})).await;
    for (uid, title, folder) in [("a", "Hosts", "team"), ("b", "Overview", ""), ("c", "Sales", "team")] {
        let dashboard = json!({"uid": uid, "title": title, "panels": []});
        grafana.post("/api/dashboards/db", json!({"dashboard": dashboard, "folderUid": folder})).await;
    }
    grafana
}

/// The whole content of a Grafana, with the history of each dashboard.
async fn everything(grafana: &TestGrafana) -> Value {
    let get = async |path: String| -> Value { grafana.get(&path).await.json().unwrap() };
    let hits = get("/api/search?limit=5000".into()).await;
    let mut all = json!({
        "data sources": get("/api/datasources".into()).await,
        "folders": get("/api/folders".into()).await,
        "library": get("/api/library-elements".into()).await,
        "annotations": get("/api/annotations".into()).await,
    });
    for hit in hits.as_array().unwrap() {
        let uid = hit["uid"].as_str().unwrap();
        let path = if hit["type"] == "dash-db" { "dashboards/uid" } else { "folders" };
        all[uid] = get(format!("/api/{path}/{uid}")).await;
        if hit["type"] == "dash-db" {
            all[format!("{uid}, history")] = get(format!("/api/dashboards/uid/{uid}/versions")).await;
        }
    }
    all
}

/// The token of a new service account of this role.
async fn token(grafana: &TestGrafana, role: &str) -> String {
    let admin = Client::new("grafana", &Endpoint::Tcp(grafana.address)).unwrap();
    let admin = admin.with_login("admin", Secret::new(PASSWORD));
    let body = json!({"name": format!("guest, {role}"), "role": role});
    let account: Value = admin.post("/api/serviceaccounts", &body).await.unwrap().json().unwrap();
    let path = format!("/api/serviceaccounts/{}/tokens", account["id"]);
    let made: Value = admin.post(&path, &json!({"name": role})).await.unwrap().json().unwrap();
    made["key"].as_str().unwrap().to_owned()
}

fn client(grafana: &TestGrafana, token: &str) -> GrafanaClient {
    GrafanaClient::existing(&format!("http://{}", grafana.address), Secret::new(token)).unwrap()
}

/// A project with an existing Grafana.
fn project(url: &str, data: &str) -> Project {
    project_with(url, data, "")
}

fn project_with(url: &str, data: &str, more: &str) -> Project {
    let name = format!("guest-{}", std::process::id());
    let spec = SPEC.replace("project: notes", &format!("project: {name}"));
    Project::with_spec(&format!(
        "{spec}grafana:\n  url: '{url}'\n  token: {{env: GRAFANA_TOKEN}}\n  {data}\n{more}"
    ))
}

fn at(grafana: &TestGrafana) -> String {
    format!("http://{}", grafana.address)
}

fn monctl(project: &Project, token: &str) -> Monctl {
    // An unreachable proxy: requests to this computer must not use one.
    project.monctl().env("GRAFANA_TOKEN", token).env("HTTP_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "")
}

/// The desired state of a project's Grafana.
fn desired(project: &Project) -> Desired {
    let spec = load(&project.path("monctl.yaml")).unwrap().spec;
    let dashboards = render::dashboards(&spec).unwrap().into_iter();
    let dashboards = dashboards.map(|(name, one)| Dashboard::new(&name, one, FOLDER_UID).unwrap()).collect();
    let url = spec.grafana.prometheus_url.as_ref();
    let source = url.map(|url| DataSource::beside_others(DATA_SOURCE_UID, url.as_str(), "15s"));
    Desired { complete: false, ..Desired::new(source, dashboards) }
}

async fn import(client: &GrafanaClient, desired: &Desired) -> Result<(), Vec<Error>> {
    let state = client.observe(desired).await.map_err(|error| vec![error])?;
    client.apply(diff(desired, &state), &|_| Ok(OnDrift::Restore)).await
}

/// The parts of `all` that existed before.
fn parts_of(all: &Value, before: &Value) -> Value {
    let mut parts = all.clone();
    parts.as_object_mut().unwrap().retain(|key, _| before.get(key).is_some());
    for list in ["data sources", "folders"] {
        let known = before[list].as_array().unwrap();
        let is_known = |one: &Value| known.iter().any(|other| other["uid"] == one["uid"]);
        parts[list].as_array_mut().unwrap().retain(is_known);
    }
    parts
}

#[tokio::test]
async fn monctl_creates_its_own_objects_touches_nothing_else_and_removes_exactly_those() {
    for (data, role) in [(THEIRS, "Editor"), (OURS, "Admin")] {
        let grafana = grafana().await;
        let token = token(&grafana, role).await;
        let before = everything(&grafana).await;
        let (project, client) = (project(&at(&grafana), data), client(&grafana, &token));
        let desired = desired(&project);

        let planned = monctl(&project, &token).arg("plan").run().code(3);
        planned
            .stdout_contains("  + dashboard `Overview`: does not exist")
            .stdout_contains("  + folder `monctl`: does not exist")
            .stdout_lacks(&token)
            .stderr_lacks(&token);
        assert_eq!(everything(&grafana).await, before, "a plan changed something");

        import(&client, &desired).await.unwrap();
        let with_ours = everything(&grafana).await;
        assert_eq!(parts_of(&with_ours, &before), before);
        let ours: Vec<&String> =
            with_ours.as_object().unwrap().keys().filter(|key| before.get(key).is_none()).collect();
        assert!(ours.len() > 4 && ours.iter().all(|key| key.starts_with("monctl")), "{ours:?}");
        let wanted = if data == THEIRS { "theirs" } else { DATA_SOURCE_UID };
        let document = &with_ours["monctl_hosts"]["dashboard"].to_string();
        assert!(document.contains(&format!("\"uid\":\"{wanted}\"")), "it queries another data source");

        grafana.forget_requests();
        import(&client, &desired).await.unwrap();
        monctl(&project, &token).arg("plan").run().stdout_lacks("dashboard `").stdout_lacks("data source `");
        let requests = grafana.requests();
        assert!(requests.iter().all(|request| request.starts_with("GET ")), "{requests:?}");

        let down = monctl(&project, &token).args(["down", "--yes"]).run().success();
        down.stdout_contains("removed dashboard `Overview` from Grafana")
            .stdout_contains("removed folder `monctl` from Grafana")
            .stdout_lacks(&token)
            .stderr_lacks(&token);
        assert_eq!(everything(&grafana).await, before);
        monctl(&project, &token).args(["down", "--yes"]).run().success().stdout_lacks("from Grafana");
    }
}

#[tokio::test]
async fn a_viewer_gets_the_missing_permission_named_and_writes_nothing() {
    let grafana = grafana().await;
    let token = token(&grafana, "Viewer").await;
    let before = everything(&grafana).await;
    let client = client(&grafana, &token);
    let errors = import(&client, &desired(&project(&at(&grafana), THEIRS))).await.unwrap_err();
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(error.message().contains("Permissions needed: folders:create"), "{error:?}");
    assert!(error.hint().unwrap().contains("docs/grafana.md"), "{error:?}");
    assert!(!format!("{client:?} {errors:?}").contains(&token));
    assert_eq!(everything(&grafana).await, before);
}

#[tokio::test]
async fn an_editor_may_not_create_a_data_source_and_gets_the_alternative_named() {
    let grafana = grafana().await;
    let client = client(&grafana, &token(&grafana, "Editor").await);
    let errors = import(&client, &desired(&project(&at(&grafana), OURS))).await.unwrap_err();
    assert!(errors[0].message().contains("Permissions needed: datasources:create"), "{errors:?}");
    assert!(errors[0].hint().unwrap().contains("`grafana.data_source`"), "{errors:?}");
    import(&client, &desired(&project(&at(&grafana), THEIRS))).await.unwrap();
}

#[tokio::test]
async fn a_data_source_beside_others_has_its_own_name_and_stays_the_default_if_somebody_made_it_so() {
    let grafana = grafana().await;
    let client = client(&grafana, &token(&grafana, "Admin").await);
    let mut desired = desired(&project(&at(&grafana), OURS));
    import(&client, &desired).await.unwrap();
    let ours = "/api/datasources/uid/monctl_prometheus";
    let mut source: Value = grafana.get(ours).await.json().unwrap();
    assert_eq!((&source["name"], &source["isDefault"]), (&json!("monctl Prometheus"), &json!(false)));

    source["isDefault"] = true.into();
    let admin = Client::new("grafana", &Endpoint::Tcp(grafana.address)).unwrap();
    let admin = admin.with_login("admin", Secret::new(PASSWORD));
    assert!(admin.put(ours, &source).await.unwrap().is_success());
    assert_eq!(diff(&desired, &client.observe(&desired).await.unwrap()), []);
    desired.data_source.as_mut().unwrap().interval = "5s".into();
    import(&client, &desired).await.unwrap();
    let source: Value = grafana.get(ours).await.json().unwrap();
    assert_eq!((&source["jsonData"]["timeInterval"], &source["isDefault"]), (&json!("5s"), &json!(true)));
}

#[tokio::test]
async fn a_foreign_data_source_with_monctls_uid_is_neither_written_nor_removed() {
    let grafana = grafana().await;
    let theirs = json!({
        "uid": DATA_SOURCE_UID, "name": "Mine", "type": "prometheus", "access": "proxy", "url": "http://z",
    });
    grafana.post("/api/datasources", theirs).await;
    let client = client(&grafana, &token(&grafana, "Admin").await);
    let desired = desired(&project(&at(&grafana), OURS));
    let before = everything(&grafana).await;
    let errors = import(&client, &desired).await.unwrap_err();
    assert!(errors[0].message().contains("is called `Mine` and does not belong to monctl"), "{errors:?}");
    let residue = client.residue(&desired).await.unwrap();
    assert_eq!(residue.lines(), ["folder `monctl`"]);
    let (_, errors) = client.take_back(&desired, &residue).await;
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(everything(&grafana).await, before);
}

#[tokio::test]
async fn a_missing_data_source_is_reported_with_the_available_ones() {
    let grafana = grafana().await;
    let token = token(&grafana, "Editor").await;
    let plan = |uid: &str| {
        let project = project(&at(&grafana), &format!("data_source: {uid}"));
        monctl(&project, &token).arg("plan").run()
    };
    plan("none").stdout_contains("! not checked: this Grafana has no data source with the uid `none`");
    plan("loki").stdout_contains("the data source with the uid `loki` is of type `loki`, not a Prometheus");
    let guest = client(&grafana, &token);
    let error = guest.check_data_source("none").await.unwrap_err();
    assert_eq!(error.hint(), Some("available: `theirs` (Prometheus)"));
}

#[tokio::test]
async fn a_foreign_dashboard_is_not_mistaken_for_a_moved_one() {
    let grafana = grafana().await;
    let token = token(&grafana, "Editor").await;
    let own = "  dashboards: [own.json]\n";
    let project = project_with(&at(&grafana), THEIRS, own)
        .file("own.json", r#"{"uid": "c", "title": "Mine", "panels": [], "schemaVersion": 38}"#);
    monctl(&project, &token)
        .arg("plan")
        .run()
        .stdout_contains("the dashboard with the uid `c` in folder `Team` is not monctl's");

    // One of monctl's that somebody moved is moved back.
    let client = client(&grafana, &token);
    let desired = desired(&project);
    import(&client, &desired).await.unwrap();
    let mut moved = grafana.get("/api/dashboards/uid/monctl_hosts").await.json::<Value>().unwrap();
    moved["dashboard"]["title"] = "Our hosts".into();
    let body = json!({"dashboard": moved["dashboard"], "folderUid": "team"});
    grafana.post("/api/dashboards/db", body).await;
    let plain = self::project(&at(&grafana), THEIRS);
    monctl(&plain, &token)
        .arg("plan")
        .run()
        .code(3)
        .stdout_contains("dashboard `Hosts`: is in folder `Team`, changed in Grafana by `admin`");
}

#[tokio::test]
async fn the_dashboards_of_another_project_in_the_same_folder_are_kept() {
    let grafana = grafana().await;
    let token = token(&grafana, "Editor").await;
    let (project, client) = (project(&at(&grafana), THEIRS), client(&grafana, &token));
    let mut of_both = desired(&project);
    let theirs = json!({"uid": "of_another_project", "title": "Theirs", "panels": []});
    of_both.dashboards.push(Dashboard::new("theirs.json", theirs, FOLDER_UID).unwrap());
    import(&client, &of_both).await.unwrap();
    monctl(&project, &token).arg("plan").run().stdout_lacks("dashboard `").stdout_lacks("! not checked");
    // With a complete list of desired dashboards, it would be removed.
    let complete = Desired { complete: true, ..desired(&project) };
    let changes = diff(&complete, &client.observe(&complete).await.unwrap());
    assert_eq!(changes.iter().map(GrafanaChange::subject).collect::<Vec<_>>(), ["dashboard `Theirs`"]);
}

#[tokio::test]
async fn other_peoples_objects_in_the_folder_are_kept_together_with_it() {
    let grafana = grafana().await;
    let token = token(&grafana, "Editor").await;
    let (project, client) = (project(&at(&grafana), THEIRS), client(&grafana, &token));
    import(&client, &desired(&project)).await.unwrap();
    let mine = json!({"uid": "mine", "title": "Mine", "panels": []});
    grafana.post("/api/dashboards/db", json!({"dashboard": mine, "folderUid": "monctl"})).await;
    let panel = json!({
        "uid": "panel", "name": "Shared", "kind": 1, "model": {"type": "text"}, "folderUid": "monctl",
    });
    grafana.post("/api/library-elements", panel).await;
    let mut edited = grafana.get("/api/dashboards/uid/monctl_hosts").await.json::<Value>().unwrap();
    edited["dashboard"]["refresh"] = "1m".into();
    grafana
        .post("/api/dashboards/db", json!({"dashboard": edited["dashboard"], "folderUid": "monctl"}))
        .await;
    let before: Value = grafana.get("/api/dashboards/uid/mine").await.json().unwrap();

    monctl(&project, &token)
        .args(["down", "--yes"])
        .run()
        .success()
        .stdout_contains("removed dashboard `Hosts` from Grafana")
        .stdout_contains(
            "kept folder `monctl`: it holds dashboard `Mine`, library panel `Shared`, which monctl did",
        );
    assert_eq!(grafana.get("/api/dashboards/uid/mine").await.json::<Value>().unwrap(), before);
    assert_eq!(grafana.get("/api/dashboards/uid/monctl_hosts").await.status, 404);
    let copies: Vec<_> = fs::read_dir(project.path("grafana-drift")).unwrap().map(Result::unwrap).collect();
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert!(copy.file_name().to_str().unwrap().starts_with("monctl_hosts-v2-"), "{copy:?}");
    let copy = fs::read_to_string(copy.path()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&copy).unwrap()["refresh"], "1m");
}

#[tokio::test]
async fn an_invalid_token_costs_one_request_and_is_not_shown() {
    let grafana = grafana().await;
    let project = project(&at(&grafana), THEIRS);
    for command in ["plan", "down"] {
        grafana.forget_requests();
        let mut words = vec![command];
        words.extend((command == "down").then_some("--yes"));
        let ran = monctl(&project, "glsa_never_was_one").args(words).run();
        let output = format!("{}{}", ran.stdout, ran.stderr);
        assert!(output.contains("grafana refuses the token: ") && output.contains(" (401)"), "{ran}");
        assert!(!output.contains("glsa_never_was_one"), "{ran}");
        let requests = grafana.requests();
        let refused = requests.iter().filter(|request| request.ends_with(" 401")).count();
        assert_eq!(refused, 1, "{requests:?}");
    }
}

#[tokio::test]
async fn a_grafana_below_a_path_is_used_at_that_path() {
    let grafana = TestGrafana::below("/team/grafana");
    let admin = Client::new("grafana", &Endpoint::Url(format!("{}/team/grafana", at(&grafana)))).unwrap();
    let admin = admin.with_login("admin", Secret::new(PASSWORD));
    let account: Value = admin
        .post("/api/serviceaccounts", &json!({"name": "x", "role": "Admin"}))
        .await
        .unwrap()
        .json()
        .unwrap();
    let path = format!("/api/serviceaccounts/{}/tokens", account["id"]);
    let made: Value = admin.post(&path, &json!({"name": "x"})).await.unwrap().json().unwrap();
    let token = made["key"].as_str().unwrap();

    let there = project(&format!("{}/team/grafana/", at(&grafana)), OURS);
    monctl(&there, token)
        .arg("plan")
        .run()
        .code(3)
        .stdout_contains("data source `monctl Prometheus`: does not exist");
    // Its API answers without the path, too, and not below another one.
    let ready = async |url: &str| {
        let client = GrafanaClient::existing(url, Secret::new(token)).unwrap();
        client.wait_ready(Duration::ZERO).await
    };
    ready(&at(&grafana)).await.unwrap();
    let error = ready(&format!("{}/elsewhere", at(&grafana))).await.unwrap_err();
    assert!(error.hint().unwrap().contains("including the path"), "{error:?}");
}

#[test]
fn an_existing_grafana_opens_at_its_own_url_and_its_password_is_not_rotated() {
    let project = project("https://grafana.example.org/team/", THEIRS);
    monctl(&project, "t")
        .args(["open", "--print"])
        .run()
        .success()
        .stdout_contains("https://grafana.example.org/team/d/monctl_overview\n");
    monctl(&project, "t")
        .args(["rotate", "grafana-password"])
        .run()
        .code(5)
        .stderr_contains("the Grafana at `grafana.url` is not monctl's");
}

#[test]
fn no_grafana_files_are_rendered_for_an_existing_one() {
    let files = |project: &Project| {
        let ran = project.monctl().args(["render", "--dry-run", "--output", "json"]).run().success();
        ran.json()["files"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let is_ours = |name: &&String| name.contains("grafana.ini") || name.contains("monctl-grafana.service");
    assert_eq!(files(&Project::new()).iter().filter(is_ours).count(), 2);
    assert_eq!(files(&project("https://g", THEIRS)).iter().filter(is_ours).count(), 0);
}

#[test]
fn every_mistake_is_reported_with_its_place_and_without_secrets() {
    for (grafana, place, message) in [
        ("{url: 'https://g', data_source: p}", "11:1", "an existing Grafana needs a `token`"),
        ("{url: 'https://g', token: {env: T}}", "11:1", "name the data of that Grafana"),
        ("{url: 'http://g', token: {env: T}, data_source: p}", "11:16", "would be sent unencrypted"),
        (
            "{url: 'https://u:p@g', token: {env: T}, data_source: p}",
            "11:16",
            "contains no user name or password",
        ),
        ("{url: 'https://g', token: glsa_s3cret, data_source: p}", "11:36", "expected a mapping with `env`"),
        ("{url: 'https://g', token: {env: T}, data_source: a b}", "11:59", "a uid has letters, digits"),
        ("{token: {env: T}}", "11:1", "`token` is for an existing Grafana: add its `url`"),
        ("{data_source: p}", "11:1", "`data_source` is for an existing Grafana"),
        (
            "{url: 'https://g', token: {env: T}, data_source: p, prometheus_url: 'http://p'}",
            "11:78",
            "`data_source` and `prometheus_url` exclude each other",
        ),
    ] {
        Project::with_spec(&format!("{SPEC}grafana: {grafana}\n"))
            .monctl()
            .args(["render", "--dry-run"])
            .run()
            .code(2)
            .stderr_contains("has a problem")
            .stderr_contains(&format!(":{place}: "))
            .stderr_contains(message)
            .stderr_lacks("s3cret");
    }
    let pinned = "monitoring: {install: {release: {versions: {grafana: '13.2.3'}}}}\n";
    project_with("https://g", THEIRS, pinned)
        .monctl()
        .args(["render", "--dry-run"])
        .run()
        .code(2)
        .stderr_contains("monctl installs no Grafana, since `grafana.url` names an existing one");
}
