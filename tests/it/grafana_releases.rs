//! The promises of an import for each release of Grafana that is known to differ, against the stand-in or a given real
//! one: conflicts, the folder, people who edit at the same time, dashboards removed from the spec, schema v2, and a
//! release without `/api`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::grafana_release::Release;
use crate::support::relay::Fault;
use crate::support::test_grafana::{PASSWORD, TestGrafana};
use monctl::error::Error;
use monctl::grafana::{
    Dashboard, DataSource, Desired, Drift, FOLDER_UID, GrafanaChange, GrafanaClient, diff,
};
use monctl::http::{Client, Endpoint};
use monctl::project::Exported;
use monctl::secret::Secret;
use monctl::spec::OnDrift;
use serde_json::{Value, json};

/// The stand-in answers as recorded for 9 and 12. The others are invented: 11 and 13 follow the documentation, and 14
/// serves dashboards and folders only by `/apis`.
const RELEASES: [u8; 5] = [9, 11, 12, 13, INVENTED_WITHOUT_API];
const WITH_APIS: [u8; 3] = [12, 13, INVENTED_WITHOUT_API];
const INVENTED_WITHOUT_API: u8 = 14;
const FOLDERS: &str = "/apis/folder.grafana.app/v1beta1/namespaces/default/folders";
const V2: &str = include_str!("../fixtures/dashboards/v2.json");

fn classic(title: &str) -> Dashboard {
    let uid = title.to_lowercase();
    let panel = json!({"id": 1, "title": "Up", "targets": [{"refId": "A", "expr": "up"}]});
    let document = json!({"uid": uid, "title": title, "refresh": "30s", "panels": [panel]});
    Dashboard::new("test", document, FOLDER_UID).unwrap()
}

/// The fixture in schema v2, as a spec names it.
fn new_schema() -> Dashboard {
    let (name, text, uid) = ("v2.json".to_owned(), V2.to_owned(), "v2".to_owned());
    let document = Exported { name, text, uid, given_uid: None, title: None, inputs: BTreeMap::new() }
        .adopt("monctl_prometheus")
        .unwrap();
    Dashboard::new("v2.json", document, FOLDER_UID).unwrap()
}

fn desired(dashboards: impl Into<Vec<Dashboard>>) -> Desired {
    let data_source = DataSource::prometheus("monctl_prometheus", "http://127.0.0.1:9090", "15s");
    Desired::new(data_source, dashboards.into())
}

/// The path below `/apis` of a dashboard's collection, in its API version.
fn collection_of(dashboard: &Dashboard) -> String {
    let api = dashboard.document()["apiVersion"].as_str();
    let version = api.and_then(|api| api.rsplit('/').next()).unwrap_or("v1beta1");
    format!("/apis/dashboard.grafana.app/{version}/namespaces/default/dashboards")
}

/// Those of some releases that are tested: the given real one, or all by the stand-in.
fn tested(releases: impl IntoIterator<Item = u8>) -> impl Iterator<Item = u8> {
    releases.into_iter().filter(|release| Release::named().is_none() || TestGrafana::release() == *release)
}

/// A Grafana of a release, with monctl's client and a person's client.
struct Place {
    release: u8,
    grafana: TestGrafana,
    client: GrafanaClient,
    person: Client,
}

impl Place {
    fn of_release(release: u8) -> Self {
        let grafana = TestGrafana::of_release(release);
        let person = Client::new("grafana", &Endpoint::Tcp(grafana.address)).unwrap();
        let person = person.with_login("admin", Secret::new(PASSWORD));
        Self { release, client: grafana.client(), grafana, person }
    }

    /// The current differences.
    async fn changes(&self, desired: &Desired) -> Vec<GrafanaChange> {
        diff(desired, &self.client.observe(desired).await.unwrap())
    }

    /// What a plan would print now.
    async fn planned(&self, desired: &Desired) -> Vec<String> {
        self.changes(desired).await.iter().map(ToString::to_string).collect()
    }

    /// Applies changes; returns the edits for which a decision was requested.
    async fn make(&self, changes: Vec<GrafanaChange>, answer: OnDrift) -> Result<Vec<Drift>, Vec<Error>> {
        let drifts = Mutex::new(vec![]);
        let ask = |drift: &Drift| {
            drifts.lock().unwrap().push(drift.clone());
            Ok(answer)
        };
        self.client.apply(changes, &ask).await?;
        Ok(drifts.into_inner().unwrap())
    }

    /// Imports; fails if a person's edit is found.
    async fn import(&self, desired: &Desired) {
        let drifts = self.make(self.changes(desired).await, OnDrift::Restore).await.unwrap();
        assert_eq!(drifts, [], "release {}", self.release);
        assert_eq!(self.planned(desired).await, [""; 0], "release {}", self.release);
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.person.get(path).await.unwrap();
        assert!(answer.is_success(), "{path}: {}", answer.message());
        answer.json().unwrap()
    }

    /// The stored dashboard and its folder.
    async fn stored(&self, dashboard: &Dashboard) -> (Value, String) {
        let path = format!("{}/{}", collection_of(dashboard), dashboard.uid);
        if self.release < 12 {
            let shown = self.get(&format!("/api/dashboards/uid/{}", dashboard.uid)).await;
            return (
                shown["dashboard"].clone(),
                shown["meta"]["folderUid"].as_str().unwrap_or_default().to_owned(),
            );
        }
        let shown = self.get(&path).await;
        let folder = &shown["metadata"]["annotations"]["grafana.app/folder"];
        (shown["spec"].clone(), folder.as_str().unwrap_or_default().to_owned())
    }

    /// A person creates or edits a dashboard in monctl's folder.
    async fn draw(&self, dashboard: &Dashboard, change: impl FnOnce(&mut Value)) {
        let answer = if self.release < 12 {
            let mut document = dashboard.document().clone();
            change(&mut document);
            let body = json!({"dashboard": document, "folderUid": FOLDER_UID, "overwrite": true});
            self.person.post("/api/dashboards/db", &body).await.unwrap()
        } else {
            let document = dashboard.document();
            let mut spec = document.get("spec").unwrap_or(document).clone();
            change(&mut spec);
            let metadata = json!({"name": dashboard.uid, "annotations": {"grafana.app/folder": FOLDER_UID}});
            let body = json!({"kind": "Dashboard", "metadata": metadata, "spec": spec});
            let path = format!("{}/{}", collection_of(dashboard), dashboard.uid);
            self.person.put(&path, &body).await.unwrap()
        };
        assert!(answer.is_success(), "release {}: {}", self.release, answer.message());
    }
}

/// Whether a request changes something.
fn writes(request: &str) -> bool {
    !request.starts_with("GET ")
}

#[tokio::test]
async fn everything_is_imported_and_a_second_time_nothing_is_written() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        let mut dashboards = vec![classic("One"), classic("Two")];
        if WITH_APIS.contains(&release) {
            dashboards.push(new_schema());
        }
        let desired = desired(dashboards);
        place.import(&desired).await;
        place.grafana.forget_requests();
        place.import(&desired).await;
        let requests = place.grafana.requests();
        assert!(!requests.iter().any(|request| writes(request)), "release {release}: {requests:?}");
        for dashboard in &desired.dashboards {
            assert_eq!(place.stored(dashboard).await.1, FOLDER_UID, "release {release}");
        }
    }
}

#[tokio::test]
async fn a_persons_edit_is_named_confirmed_and_undone() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        let mut dashboards = vec![classic("One")];
        if WITH_APIS.contains(&release) {
            dashboards.push(new_schema());
        }
        let desired = desired(dashboards);
        place.import(&desired).await;
        for dashboard in &desired.dashboards {
            place.draw(dashboard, |spec| spec["title"] = "Mine".into()).await;
        }
        let changes = place.changes(&desired).await;
        for change in &changes {
            let reason = change.reason();
            assert!(
                reason.starts_with("differs in ") && reason.contains("`title`"),
                "release {release}: {change}"
            );
            assert!(reason.contains("changed in Grafana by `"), "release {release}: {change}");
        }
        assert_eq!(changes.len(), desired.dashboards.len(), "release {release}");
        let mut drifts = place.make(changes, OnDrift::Restore).await.unwrap();
        drifts.sort_by(|one, other| other.uid.cmp(&one.uid));
        let kept: Vec<_> = drifts.iter().map(|drift| (&*drift.uid, &*drift.title, drift.version)).collect();
        let expected = [("one", "Mine", 2), ("new-schema", "Mine", 2)];
        assert_eq!(kept, expected[..desired.dashboards.len()], "release {release}");
        for (drift, dashboard) in drifts.into_iter().zip(&desired.dashboards) {
            // The copy is a file that a spec may name.
            let again = Dashboard::new("copy", drift.document, FOLDER_UID).unwrap();
            assert_eq!((again.uid, again.title.as_str()), (dashboard.uid.clone(), "Mine"));
            assert_eq!(place.stored(dashboard).await.0["title"], *dashboard.title, "release {release}");
        }
        assert_eq!(place.planned(&desired).await, [""; 0], "release {release}");
    }
}

#[tokio::test]
async fn an_edit_after_the_plan_needs_a_decision_and_can_be_kept() {
    for release in tested(RELEASES) {
        for answer in [OnDrift::Restore, OnDrift::Keep] {
            let place = Place::of_release(release);
            let dashboard = if release == 14 { new_schema() } else { classic("One") };
            let wanted = desired([dashboard.clone()]);
            let mut older = wanted.clone();
            older.dashboards = vec![{
                let mut document = dashboard.document().clone();
                let spec = if release == 14 { &mut document["spec"] } else { &mut document };
                spec["description"] = "as it was".into();
                Dashboard::new("older", document, FOLDER_UID).unwrap()
            }];
            place.import(&older).await;
            // Planned over monctl's own text, which needs no decision.
            let changes = place.changes(&wanted).await;
            assert_eq!(changes.iter().filter_map(GrafanaChange::drift).count(), 0, "release {release}");
            place.draw(&dashboard, |spec| spec["title"] = "Mine".into()).await;
            let drifts = place.make(changes, answer).await.unwrap();
            let titles: Vec<&str> = drifts.iter().map(|drift| drift.title.as_str()).collect();
            assert_eq!(titles, ["Mine"], "release {release}");
            let title = if answer == OnDrift::Keep { "Mine" } else { dashboard.title.as_str() };
            assert_eq!(place.stored(&dashboard).await.0["title"], title, "release {release}, {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_dashboard_created_first_with_monctls_uid_needs_a_decision() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        place.import(&desired([])).await;
        let wanted = desired([classic("One")]);
        let changes = place.changes(&wanted).await;
        place.draw(&classic("One"), |spec| spec["title"] = "Mine".into()).await;
        let drifts = place.make(changes, OnDrift::Restore).await.unwrap();
        assert_eq!(drifts.len(), 1, "release {release}");
        assert_eq!(place.planned(&wanted).await, [""; 0], "release {release}");
    }
}

#[tokio::test]
async fn a_dashboard_with_the_same_title_is_never_changed() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        place.import(&desired([])).await;
        let theirs =
            Dashboard::new("t", json!({"uid": "t", "title": "ONE", "panels": []}), FOLDER_UID).unwrap();
        place.draw(&theirs, |_| {}).await;
        let changes = place.changes(&desired([classic("One")])).await;
        let made = place.make(changes, OnDrift::Restore).await;
        if release < 12 {
            let errors = made.unwrap_err();
            assert!(errors[0].message().contains("(`ONE`, uid `t`)"), "release {release}: {errors:?}");
        } else {
            made.unwrap();
        }
        assert_eq!(place.stored(&theirs).await.0["title"], "ONE", "release {release}");
    }
}

#[tokio::test]
async fn the_folder_gets_its_name_back_and_is_not_created_twice() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        let desired = desired([]);
        let empty = place.changes(&desired).await;
        place.import(&desired).await;
        // Planned before it existed.
        place.make(empty, OnDrift::Restore).await.unwrap();
        let renamed = if release < 14 {
            let body = json!({"title": "Mine", "overwrite": true});
            place.person.put("/api/folders/monctl", &body).await.unwrap()
        } else {
            let body = json!({"kind": "Folder", "metadata": {"name": "monctl"}, "spec": {"title": "Mine"}});
            place.person.put(&format!("{FOLDERS}/monctl"), &body).await.unwrap()
        };
        assert!(renamed.is_success(), "{}", renamed.message());
        assert_eq!(
            place.planned(&desired).await,
            ["~ folder `monctl`: is called `Mine`"],
            "release {release}"
        );
        place.import(&desired).await;
    }
}

#[tokio::test]
async fn a_taken_folder_title_ends_the_import_without_retries_if_titles_are_unique() {
    for release in tested([9, 11, INVENTED_WITHOUT_API]) {
        let place = Place::of_release(release);
        let body = json!({"kind": "Folder", "uid": "theirs", "title": "Monctl",
            "metadata": {"name": "theirs"}, "spec": {"title": "Monctl"}});
        let path = if release < 14 { "/api/folders" } else { FOLDERS };
        assert!(place.person.post(path, &body).await.unwrap().is_success());
        place.grafana.forget_requests();
        let changes = place.changes(&desired([])).await;
        let errors = place.make(changes, OnDrift::Restore).await.unwrap_err();
        let text = "another folder or dashboard of this Grafana is called `monctl`";
        assert_eq!(errors[0].message(), text, "release {release}");
        let requests = place.grafana.requests();
        let tries = requests.iter().filter(|request| request.contains("folder") && writes(request)).count();
        assert_eq!(tries, if release < 14 { 1 } else { 2 }, "release {release}: {requests:?}");
    }
}

#[tokio::test]
async fn a_dashboard_removed_from_the_spec_is_deleted_and_a_persons_own_is_kept() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        let mut gone = vec![classic("Gone"), classic("Changed")];
        if WITH_APIS.contains(&release) {
            gone.push(new_schema());
        }
        let stays = classic("Stays");
        place.import(&desired([std::slice::from_ref(&stays), &gone].concat())).await;
        let theirs = classic("Theirs");
        place.draw(&theirs, |_| {}).await;
        place.draw(&gone[1], |spec| spec["title"] = "Mine".into()).await;

        let wanted = desired([stays.clone()]);
        // If some dashboards are not available now, none is removed.
        assert_eq!(place.planned(&Desired { complete: false, ..wanted.clone() }).await, [""; 0]);
        let mut planned = place.planned(&wanted).await;
        planned.sort();
        assert_eq!(planned[0], "- dashboard `Gone`: is no longer in the spec", "release {release}");
        assert!(
            planned
                .iter()
                .any(|line| line.starts_with("- dashboard `Mine`: is no longer in the spec, changed"))
        );
        assert_eq!(planned.len(), gone.len(), "release {release}: {planned:?}");

        place.make(place.changes(&wanted).await, OnDrift::Keep).await.unwrap();
        assert_eq!(place.stored(&gone[1]).await.0["title"], "Mine", "release {release}");
        let drifts = place.make(place.changes(&wanted).await, OnDrift::Restore).await.unwrap();
        assert_eq!(drifts.iter().map(|drift| drift.uid.as_str()).collect::<Vec<_>>(), ["changed"]);
        assert_eq!(place.planned(&wanted).await, [""; 0], "release {release}");
        assert_eq!(place.stored(&theirs).await.0["title"], "Theirs", "release {release}");
        assert_eq!(place.stored(&stays).await.0["title"], "Stays", "release {release}");
    }
}

#[tokio::test]
async fn an_edit_of_a_dashboard_to_be_removed_needs_a_decision() {
    for release in tested(RELEASES) {
        let place = Place::of_release(release);
        place.import(&desired([classic("One")])).await;
        let changes = place.changes(&desired([])).await;
        assert_eq!(changes.iter().filter_map(GrafanaChange::drift).count(), 0);
        place.draw(&classic("One"), |spec| spec["title"] = "Mine".into()).await;
        let drifts = place.make(changes, OnDrift::Keep).await.unwrap();
        assert_eq!(drifts.len(), 1, "release {release}");
        assert_eq!(place.stored(&classic("One")).await.0["title"], "Mine", "release {release}");
    }
}

#[tokio::test]
async fn schema_v2_is_rejected_before_any_write_if_grafana_does_not_support_it() {
    for release in tested([9, 11]) {
        let place = Place::of_release(release);
        let error = place.client.observe(&desired([classic("One"), new_schema()])).await.unwrap_err();
        let text = "this Grafana does not serve `dashboard.grafana.app/v2beta1`, the API version of dashboard `In the new schema`";
        assert_eq!(error.message(), text);
        assert!(error.hint().unwrap().contains("needs Grafana 12 or later"), "{error:?}");
        let requests = place.grafana.requests();
        assert!(!requests.iter().any(|request| writes(request)), "{requests:?}");
    }
}

#[tokio::test]
async fn schema_v2_is_stored_unchanged_with_monctls_data_source() {
    for release in tested(WITH_APIS) {
        let place = Place::of_release(release);
        place.import(&desired([new_schema()])).await;
        let (spec, _) = place.stored(&new_schema()).await;
        let query = "/elements/panel-1/spec/data/spec/queries/0/spec/query/datasource/name";
        assert_eq!(spec.pointer(query).unwrap(), "monctl_prometheus", "release {release}");
        // A client of the classic schema gets it converted.
        let classic = place.client.stored("new-schema").await.unwrap();
        assert_eq!(classic["panels"][0]["targets"][0]["expr"], "up", "release {release}");
    }
}

#[tokio::test]
async fn an_edit_saved_in_schema_v2_is_copied_in_it_and_undone() {
    for release in tested([13]) {
        let place = Place::of_release(release);
        let desired = desired([classic("One")]);
        place.import(&desired).await;
        let metadata = json!({"name": "one", "annotations": {"grafana.app/folder": FOLDER_UID}});
        let spec = json!({"title": "One", "elements": {"panel-1": {"kind": "Panel", "spec": {}}}, "layout": {"kind": "GridLayout"}});
        let body = json!({"kind": "Dashboard", "metadata": metadata, "spec": spec});
        let path = "/apis/dashboard.grafana.app/v2beta1/namespaces/default/dashboards/one";
        assert!(place.person.put(path, &body).await.unwrap().is_success());
        let changes = place.changes(&desired).await;
        assert!(changes[0].reason().starts_with("is stored in the other schema, changed in Grafana by `"));
        let drifts = place.make(changes, OnDrift::Restore).await.unwrap();
        assert_eq!(drifts[0].document["spec"]["elements"], spec["elements"], "release {release}");
        assert_eq!(place.planned(&desired).await, [""; 0], "release {release}");
        assert_eq!(place.get("/api/dashboards/uid/one").await["dashboard"]["refresh"], "30s");
    }
}

#[tokio::test]
async fn an_edit_by_apis_that_keeps_monctls_message_still_counts_as_a_persons() {
    for release in tested([12, 13]) {
        let place = Place::of_release(release);
        let token = place.client.make_token().await.unwrap();
        let wanted = desired([classic("One")]);
        let only_source = Desired { folders: vec![], dashboards: vec![], ..wanted.clone() };
        place.make(place.changes(&only_source).await, OnDrift::Restore).await.unwrap();
        let daily = GrafanaClient::with_token(place.grafana.address, token).unwrap();
        let place = Place { client: daily, ..place };
        place.import(&wanted).await;
        let path = "/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/one";
        let mut whole = place.get(path).await;
        let message = whole["metadata"]["annotations"]["grafana.app/message"].as_str().unwrap();
        assert!(message.starts_with("monctl "), "release {release}: {message}");
        whole["spec"]["title"] = "Mine".into();
        assert!(place.person.put(path, &whole).await.unwrap().is_success());
        let [change] = place.changes(&wanted).await.try_into().unwrap();
        assert!(change.reason().ends_with("changed in Grafana by `admin`"), "release {release}: {change}");
        let drifts = place.make(vec![change], OnDrift::Restore).await.unwrap();
        assert_eq!(drifts.len(), 1, "release {release}");
        assert_eq!(place.planned(&wanted).await, [""; 0], "release {release}");
        // A copy of the resource is the person's own dashboard.
        let mut copy = place.get(path).await;
        copy["metadata"] = json!({"name": "copy", "annotations": copy["metadata"]["annotations"]});
        let all = path.trim_end_matches("/one");
        assert!(place.person.post(all, &copy).await.unwrap().is_success());
        assert_eq!(place.planned(&wanted).await, [""; 0], "release {release}");
    }
}

#[tokio::test]
async fn an_edit_saved_without_version_or_message_counts_as_a_persons() {
    let place = Place::of_release(12);
    let wanted = desired([classic("One")]);
    place.import(&wanted).await;
    // As recorded from the page of 12.4. `/api` then returns its own schema with defaults filled in.
    place.draw(&classic("One"), |spec| spec["timezone"] = "browser".into()).await;
    let [change] = place.changes(&wanted).await.try_into().unwrap();
    assert!(change.reason().ends_with("changed in Grafana by `admin`"), "{change}");
    assert_eq!(place.make(vec![change], OnDrift::Restore).await.unwrap().len(), 1);
    assert_eq!(place.planned(&wanted).await, [""; 0]);
}

#[tokio::test]
async fn monctl_waits_for_permissions_on_a_folder_that_was_just_created() {
    for release in [9, 12] {
        let grafana = TestGrafana::stand_in_with(release, &["--permission-seconds=2"]);
        let token = grafana.client().make_token().await.unwrap();
        let client = GrafanaClient::with_token(grafana.address, token.clone()).unwrap();
        let editor = Client::new("grafana", &Endpoint::Tcp(grafana.address)).unwrap().with_token(token);
        let wanted = Desired { data_source: None, ..desired([classic("One")]) };
        let state = client.observe(&wanted).await.unwrap();
        // From now on, Grafana caches the account's permissions for a while.
        assert_eq!(editor.get("/api/folders/monctl").await.unwrap().status, 403, "release {release}");
        grafana.post("/api/folders", json!({"uid": "monctl", "title": "monctl"})).await;
        client.apply(diff(&wanted, &state), &|_| Ok(OnDrift::Restore)).await.unwrap();
        let state = client.observe(&wanted).await.unwrap();
        assert_eq!(diff(&wanted, &state), [], "release {release}");
    }
}

#[tokio::test]
async fn an_invalid_dashboard_is_refused_once_with_grafanas_message() {
    let place = Place::of_release(13);
    let resource = json!({"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {"name": "a"},
        "spec": {"title": "A", "elements": {}, "layout": {}}});
    let desired = desired([Dashboard::new("a.json", resource, FOLDER_UID).unwrap()]);
    let errors = place.make(place.changes(&desired).await, OnDrift::Restore).await.unwrap_err();
    assert!(errors[0].message().contains("is invalid: spec.elements"), "{errors:?}");
    let requests = place.grafana.requests();
    let refused: Vec<_> = requests.iter().filter(|request| request.ends_with(" 422")).collect();
    assert_eq!(refused.len(), 1, "{requests:?}");
}

#[tokio::test]
async fn the_editor_token_can_write_resources() {
    for release in tested(WITH_APIS) {
        let place = Place::of_release(release);
        let desired = desired([classic("One"), new_schema()]);
        let token = place.client.make_token().await.unwrap();
        let daily = GrafanaClient::with_token(place.grafana.address, token).unwrap();
        let (sources, others): (Vec<_>, Vec<_>) = place
            .changes(&desired)
            .await
            .into_iter()
            .partition(|change| matches!(change, GrafanaChange::DataSource(_)));
        place.make(sources, OnDrift::Restore).await.unwrap();
        daily.apply(others, &|_| Ok(OnDrift::Restore)).await.unwrap();
        assert_eq!(place.planned(&desired).await, [""; 0], "release {release}");
    }
}

#[tokio::test]
async fn a_lost_reply_is_followed_by_a_read_and_no_second_write() {
    let place = Place::of_release(14);
    for path in ["/apis/folder", "/apis/dashboard"] {
        place.grafana.fault("POST", path, 1, Fault::Lose);
    }
    place.import(&desired([classic("One")])).await;
    let requests = place.grafana.requests();
    let written = requests.iter().filter(|request| request.starts_with("POST /apis/")).count();
    assert_eq!(written, 2, "one write each: {requests:?}");
}
