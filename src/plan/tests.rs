//! Tests of plans, and of the references between playbooks and templates.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::digest::Sha256;
use crate::host::Role;
use crate::integrations::{Flag, Integration};
use crate::playbook::{ChangeKind, Detail, Failed, File, LibraryCall, Release, StepId, UnitFact};
use crate::render::{Addresses, Bundle};
use crate::spec::{AppService, load};

const PLAYBOOKS: [&str; 3] = [
    include_str!("../../playbooks/app.yaml"),
    include_str!("../../playbooks/monitoring.yaml"),
    include_str!("../../playbooks/watched.yaml"),
];

fn change(step: &str, kind: ChangeKind, details: Vec<Detail>) -> (Step, StepChange) {
    let commands = vec![LibraryCall::new(["a_command_that_is_not_shown"])];
    let change = StepChange { step: StepId(step.into()), kind, details, commands, payloads: [].into() };
    (serde_saphyr::from_str(&format!("{{id: {step}, user: {{name: x}}}}")).unwrap(), change)
}

/// A plan with everything that a plan can contain.
fn everything() -> Plan {
    let long = (0..30).map(|line| format!("+line {line}")).collect::<Vec<_>>().join("\n");
    let diff = |text: &str| Detail { diff: Some(text.into()), ..Detail::new("/etc/x", "content differs") };
    let app = HostPlan {
        changes: vec![
            change("python", ChangeKind::Create, vec![Detail::new("package python3", "not installed")]),
            change(
                "app",
                ChangeKind::Change,
                vec![
                    Detail::new("/a", "absent"),
                    Detail::new("/b", "absent"),
                    Detail::new("/c", "absent"),
                    Detail::new("/d", "mode is 666, must be 644"),
                    diff("-old\n+\u{1b}[31mred\u{7}\ttab\n"),
                    diff(&long),
                    Detail::new("unit a.service", "restart"),
                ],
            ),
        ],
        ..HostPlan::default()
    };
    let missing = vec!["grafana 13 is not available: no route".into()];
    let monitoring = HostPlan { missing, ..HostPlan::default() };
    Plan {
        place: vec![],
        infra: vec![
            InfraAction::CreateNetwork,
            InfraAction::CreateMachine(HostName::app(2)),
            InfraAction::StartMachine(HostName::MONITORING),
            InfraAction::RemoveMachine(HostName::app(3)),
        ],
        hosts: [(HostName::app(1), app), (HostName::MONITORING, monitoring)].into(),
        grafana: vec![GrafanaAction {
            sign: '~',
            what: "dashboard System".into(),
            why: "panels differ".into(),
        }],
        kept: vec![GrafanaAction {
            sign: '=',
            what: "dashboard Django".into(),
            why: "a person moved it".into(),
        }],
    }
}

#[test]
fn a_plan_as_people_read_it() {
    insta::assert_snapshot!(everything().to_string());
}

#[test]
fn a_plan_as_programs_read_it() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&everything()).unwrap());
}

#[test]
fn a_missing_release_is_not_a_change() {
    let hosts = everything().hosts.split_off(&HostName::MONITORING);
    let plan = Plan { hosts, ..Plan::default() };
    assert!(plan.is_empty());
    assert_eq!(
        plan.to_string(),
        "nothing to do: everything matches the spec\nmissing: grafana 13 is not available: no route\n"
    );
}

/// The playbook of a role with the integrations of the program.
fn playbook(role: Role) -> Playbook {
    Playbook::of(role, &BTreeSet::new(), Integration::builtin()).unwrap()
}

const SECRET: &str = "hunter2";

/// The inputs of a role for the reference spec.
fn inputs(role: Role, flags: &[Flag]) -> Inputs {
    let mut spec =
        load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/classic/monctl.yaml"))).unwrap().spec;
    spec.app.services = vec![AppService::Postgresql, AppService::Redis];
    let bundle = Bundle::render(&spec, &Addresses::default()).unwrap();
    let mut files: BTreeMap<String, File> = bundle
        .of_role(role)
        .map(|(name, content)| {
            let file = if content.is_secret() {
                File::secret(*b"hunter2")
            } else {
                File::public(content.masked().as_bytes())
            };
            (name, file)
        })
        .collect();
    files.insert("grafana/admin-password".into(), File::secret(*b"hunter2"));
    let release = |name: &str| {
        let found = (format!("https://x.test/{name}.tar.gz"), Sha256::of(name));
        (
            name.to_owned(),
            Release { version: "1.0".into(), by_machine: [("x86_64".to_owned(), found)].into() },
        )
    };
    Inputs {
        flags: flags.iter().copied().collect(),
        files,
        releases: ["prometheus", "alertmanager", "node_exporter", "grafana"].map(release).into(),
        optional: ["grafana".to_owned()].into(),
        ..Inputs::default()
    }
}

#[test]
fn an_unavailable_release_skips_only_its_lane() {
    let inputs = inputs(Role::MONITORING, &[Flag::Distribution, Flag::Grafana]);
    let monitoring = playbook(Role::MONITORING);
    let ids = |facts: &Facts| {
        let plan = HostPlan::new(&monitoring, &inputs, facts);
        (plan.changes.into_iter().map(|(step, _)| step.id.0).collect::<Vec<_>>(), plan.missing)
    };
    let (all, missing) = ids(&Facts::default());
    assert!(missing.is_empty() && all.iter().any(|step| step == "grafana"), "{all:?} {missing:?}");

    let (url, source) = inputs.releases["grafana"].by_machine["x86_64"].clone();
    let failed = Failed { source, url, why: "no route".into() };
    let facts = Facts { failed: [("/opt/monctl/grafana".to_owned(), failed)].into(), ..Facts::default() };
    let (without, missing) = ids(&facts);
    assert_eq!(missing, ["grafana 1.0 is not available: no route"]);
    assert_eq!(without, all.into_iter().filter(|step| !step.starts_with("grafana")).collect::<Vec<_>>());
}

#[test]
fn with_an_existing_grafana_none_is_installed_and_monctls_earlier_one_is_stopped() {
    let mut inputs = inputs(Role::MONITORING, &[Flag::Release]);
    inputs.files.retain(|name, _| !name.contains("grafana"));
    let monitoring = playbook(Role::MONITORING);
    let steps = |facts: &Facts| {
        let changes = HostPlan::new(&monitoring, &inputs, facts).changes;
        changes.into_iter().filter(|(step, _)| step.id.0.starts_with("grafana")).collect::<Vec<_>>()
    };
    assert!(steps(&Facts::default()).is_empty(), "{:?}", steps(&Facts::default()));

    let unit = UnitFact { load: "loaded".into(), active: "active".into(), ..UnitFact::default() };
    let facts = Facts { units: [("monctl-grafana.service".to_owned(), unit)].into(), ..Facts::default() };
    let [(step, change)] = &steps(&facts)[..] else { panic!("{:?}", steps(&facts)) };
    assert_eq!((step.id.0.as_str(), change.kind), ("grafana", ChangeKind::Change));
    let details: Vec<_> = change.details.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
    assert_eq!(details, ["unit monctl-grafana.service: no longer needed"]);
}

#[test]
fn no_plan_shows_a_secret() {
    for role in [Role::APP, Role::MONITORING] {
        let plan = HostPlan::new(
            &playbook(role),
            &inputs(role, &[Flag::Release, Flag::Exporter, Flag::Grafana]),
            &Facts::default(),
        );
        let plan = Plan { hosts: [(HostName::MONITORING, plan)].into(), ..Plan::default() };
        let seen = format!("{plan}{}{plan:?}", serde_json::to_string(&plan).unwrap());
        assert!(!seen.contains(SECRET) && seen.contains("absent"), "{seen}");
    }
}

/// The services of both playbooks as they are written.
fn services() -> Vec<Value> {
    let playbooks = PLAYBOOKS.map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let steps = playbooks.iter().flat_map(|playbook| playbook["steps"].as_array().unwrap());
    steps.filter_map(|step| step.get("service").cloned()).collect()
}

fn list<'a>(service: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    service.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[test]
fn playbooks_name_only_files_of_the_bundle_and_each_unit_has_its_file() {
    let mut files = inputs(Role::APP, &[]).files;
    // Present only if a severity has its own webhook, and the spec has rule files and targets of its own.
    files.insert("alertmanager/webhooks/critical".into(), File::secret(*b"hunter2"));
    files.insert("rules/shop.yml".into(), File::public(*b"groups: []"));
    files.insert("targets/shop.password".into(), File::secret(*b"hunter2"));
    for service in services() {
        for from in list(&service, "files").map(|file| file["from"].as_str().unwrap()) {
            let there = if from.ends_with('/') {
                files.keys().any(|name| name.starts_with(from))
            } else {
                files.contains_key(from)
            };
            assert!(there, "`{from}` is not in the bundle");
        }
        for unit in list(&service, "units").map(|unit| unit["name"].as_str().unwrap()) {
            assert!(files.contains_key(&format!("systemd/{unit}")), "`{unit}` has no file");
        }
    }
}

#[test]
fn units_use_only_parts_of_their_set() {
    for service in services() {
        let files = list(&service, "files").map(|file| file["name"].as_str().unwrap());
        let after = list(&service, "after").map(|step| step.as_str().unwrap());
        let parts: Vec<&str> = files.chain(after).chain(["tree", "venv"]).collect();
        for unit in list(&service, "units") {
            for part in list(unit, "uses").chain(list(unit, "reload")).map(|part| part.as_str().unwrap()) {
                assert!(parts.contains(&part), "{}: `{part}`", unit["name"]);
            }
        }
    }
}

#[test]
fn files_with_secrets_are_readable_only_by_their_owner() {
    let secret = ["environment/app", "alertmanager/slack-webhook-url", "grafana/admin-password"];
    let files =
        services().into_iter().flat_map(|service| list(&service, "files").cloned().collect::<Vec<_>>());
    let mut found = 0;
    for file in files.filter(|file| secret.contains(&file["from"].as_str().unwrap())) {
        assert_eq!(file["mode"], "0600", "{file}");
        found += 1;
    }
    assert_eq!(found, secret.len());
    for (name, file) in inputs(Role::APP, &[]).files {
        assert!(!file.is_secret() || secret.contains(&name.as_str()), "`{name}` contains a secret");
    }
}

#[test]
fn only_missing_objects_are_planned() {
    // A host that has everything but a user needs only that user.
    let inputs = inputs(Role::APP, &[Flag::Distribution]);
    let app = playbook(Role::APP);
    let users = ["monctl-node-exporter", "monctl-app", "monctl-build"].map(str::to_owned);
    let ids = |facts: &Facts| {
        let changes = HostPlan::new(&app, &inputs, facts).changes;
        changes.into_iter().map(|(step, _)| step.id.0).collect::<Vec<_>>()
    };
    let all = ids(&Facts::default());
    let less = ids(&Facts { users: users.into(), ..Facts::default() });
    assert_eq!(less, all.into_iter().filter(|step| !step.ends_with("-user")).collect::<Vec<_>>());
}
