//! The user's own dashboards in `render`: they are read, adapted and checked before anything else happens.

use std::fs;
use std::net::Ipv4Addr;

use crate::support::binary::{Project, Ran, SPEC};
use crate::support::release_mirror::ReleaseMirror;
use monctl::digest::Sha256;
use serde_json::{Value, json};

const SHARED: &str = include_str!("../fixtures/dashboards/shared.json");
const FLEET: &str = include_str!("../fixtures/dashboards/fleet.json");
const REQUESTS: &str = include_str!("../fixtures/dashboards/requests.json");
const PLAIN: &str = include_str!("../fixtures/dashboards/plain.json");

/// A project with a section `grafana`, and the dashboards `shared.json` and `plain.json` beside its spec.
fn project(grafana: &str) -> Project {
    let spec = format!("{SPEC}grafana: {grafana}\n");
    Project::with_spec(&spec).file("shared.json", SHARED).file("plain.json", PLAIN)
}

fn render(project: &Project) -> Ran {
    let cache = project.path("cache");
    project.monctl().env("XDG_CACHE_HOME", cache).args(["--output", "json", "render", "--dry-run"]).run()
}

/// A dashboard as it would be imported.
fn rendered(project: &Project, uid: &str) -> Value {
    let document = render(project).success().json();
    let text = document["files"][&format!("grafana/dashboards/{uid}.json")].as_str().unwrap().to_owned();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn monctls_own_dashboards_are_rendered_with_the_rest() {
    let dashboard = rendered(&Project::new(), "monctl_hosts");
    assert_eq!(dashboard["title"], "Hosts");
}

#[test]
fn a_file_is_imported_beside_monctls_own() {
    let project = project("{dashboards: [shared.json, plain.json]}");
    let shared = rendered(&project, "shared-nodes");
    assert_eq!(shared["panels"][1]["targets"][0]["datasource"]["uid"], "monctl_prometheus");
    assert_eq!(rendered(&project, "own_plain")["title"], "Targets", "a file without a uid gets one");
}

#[test]
fn the_placeholders_of_an_export_for_sharing_are_all_filled_in() {
    let project = project("{dashboards: [fleet.json, requests.json]}");
    let project = project.file("fleet.json", FLEET).file("requests.json", REQUESTS);
    for uid in ["fleet-in-full", "requests-in-full"] {
        let dashboard = rendered(&project, uid);
        let text = dashboard.to_string();
        for gone in ["__inputs", "__elements", "__requires", "${DS_", "${VAR_", "libraryPanel", "iteration"] {
            assert!(!text.contains(gone), "{uid}: {gone} is left");
        }
        assert_eq!((dashboard.get("id"), dashboard.get("version")), (None, None));
        let own = "\"uid\":\"monctl_prometheus\"";
        assert!(text.contains(own) && !text.contains("PBFA97CFB590B2093"), "{uid}: {text}");
    }
    assert_eq!(rendered(&project, "fleet-in-full")["templating"]["list"][0]["query"], "node-exporter");
}

#[test]
fn a_resource_is_imported_in_its_own_schema_and_a_classic_one_without_its_wrapping() {
    let classic = json!({"apiVersion": "dashboard.grafana.app/v1", "kind": "Dashboard",
        "metadata": {"name": "wrapped"}, "spec": {"title": "Wrapped", "panels": []}});
    let new = include_str!("../fixtures/dashboards/v2.json");
    let project = project("{dashboards: [new.json, classic.json]}");
    let project = project.file("new.json", new).file("classic.json", classic.to_string());
    let resource = rendered(&project, "new-schema");
    assert_eq!(resource["apiVersion"], "dashboard.grafana.app/v2beta1");
    assert_eq!(resource["spec"]["title"], "In the new schema");
    assert_eq!(rendered(&project, "wrapped"), json!({"uid": "wrapped", "title": "Wrapped", "panels": []}));
}

#[test]
fn inputs_are_set_beside_the_path() {
    let loki = SHARED.replace("\"pluginId\": \"prometheus\"", "\"pluginId\": \"loki\"");
    let bare = project("{dashboards: [other.json]}").file("other.json", &loki);
    render(&bare)
        .code(2)
        .stderr_contains("the input `DS_MAIN` needs a data source of type `loki`")
        .stderr_contains("other.json:3:5")
        .stderr_contains("inputs: {NAME: VALUE}");
    let with_inputs =
        project("{dashboards: [{path: other.json, inputs: {DS_MAIN: logs}}]}").file("other.json", &loki);
    assert_eq!(rendered(&with_inputs, "shared-nodes")["panels"][3]["panels"][0]["datasource"], "logs");
}

#[test]
fn a_broken_file_is_rejected_with_its_place_and_nothing_is_written() {
    let project = project("{dashboards: [broken.json]}").file("broken.json", "{\n  \"panels\": [\n}");
    let before = project.files();
    project
        .monctl()
        .args(["render", "--out", "out"])
        .run()
        .code(2)
        .stderr_contains("error: not valid JSON: expected value\n  at ./broken.json:3:1\n");
    assert_eq!(project.files(), before);
}

#[test]
fn two_dashboards_with_the_same_uid_or_title_in_a_folder_are_both_named() {
    let with = |uid: &str, title: &str| {
        let text = json!({"uid": uid, "title": title, "panels": []}).to_string();
        render(&project("{dashboards: [other.json]}").file("other.json", text))
    };
    with("monctl_hosts", "Mine")
        .code(2)
        .stderr_contains("monctl's own `hosts` and")
        .stderr_contains("the same uid, `monctl_hosts`");
    // Any title is allowed, since monctl's own dashboards are in their own folder.
    with("mine", "HOSTS").success();
    let two = ["one", "two"].map(|uid| json!({"uid": uid, "title": "Django", "panels": []}).to_string());
    let project = project("{dashboards: [one.json, two.json]}").file("one.json", &two[0]);
    render(&project.file("two.json", &two[1]))
        .code(2)
        .stderr_contains("the same title in a folder, `django`");
    let apart = "{dashboards: [one.json, {path: two.json, folder: Team}, {path: two.json, uid: three, title: Third}]}";
    let project = self::project(apart).file("one.json", &two[0]).file("two.json", &two[1]);
    assert_eq!(rendered(&project, "three")["title"], "Third");
}

#[test]
fn a_mistake_in_the_section_is_reported_with_its_place() {
    let mistake = |grafana: &str, place: &str, message: &str| {
        render(&project(grafana)).code(2).stderr_contains(&format!("{place}: {message}"));
    };
    let line = SPEC.lines().count() + 1;
    let at = |column: usize| format!("monctl.yaml:{line}:{column}");
    mistake(
        "{dashboards: [{path: plain.json, folder: General}]}",
        &at(51),
        "Grafana reserves the title `General`",
    );
    mistake("{dashboards: [none.json]}", &at(24), "there is no file `");
    mistake("{dashboards: [{id: 1860}]}", &at(24), "a dashboard needs a `path`, or an `id`");
    mistake(
        "{dashboards: [{id: 1, revision: 1, sha256: abc}]}",
        &at(53),
        "`abc` is not valid: a SHA-256 digest",
    );
}

/// A folder that is served like grafana.com: the same text for every number.
fn published(text: &str) -> ReleaseMirror {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("download"), text).unwrap();
    ReleaseMirror::of(folder, Ipv4Addr::LOCALHOST.into())
}

fn pinned(base: &str, text: &str) -> String {
    let sha256 = Sha256::of(text);
    format!("{{mirror: \"{base}\", dashboards: [{{id: 1860, revision: 37, sha256: {sha256}}}]}}")
}

#[test]
fn a_published_dashboard_is_fetched_once_and_kept() {
    let mirror = published(SHARED);
    let project = project(&pinned(&mirror.base, SHARED));
    let fetched = rendered(&project, "shared-nodes");
    drop(mirror);
    assert_eq!(rendered(&project, "shared-nodes"), fetched, "from the cache");
    let kept = project.path("cache/monctl/dashboards").join(format!("{}.json", Sha256::of(SHARED)));
    fs::write(kept, "{}").unwrap();
    render(&project).success().stderr_contains("cannot fetch");
}

#[test]
fn a_published_dashboard_that_is_not_the_pinned_one_is_rejected() {
    let mirror = published(PLAIN);
    render(&project(&pinned(&mirror.base, SHARED)))
        .code(2)
        .stderr_contains("the dashboard 1860 of grafana.com, revision 37 does not match the pinned sha256")
        .stderr_contains(&Sha256::of(PLAIN).to_string());
}

#[test]
fn an_unavailable_dashboard_is_reported_and_the_rest_is_rendered() {
    let project = project(&pinned("http://127.0.0.1:1", SHARED));
    let ran = render(&project)
        .success()
        .stderr_contains("cannot download the dashboard 1860 of grafana.com, revision 37");
    assert!(ran.json()["files"]["grafana/dashboards/monctl_hosts.json"].is_string());
}
