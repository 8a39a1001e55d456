//! A service in every state of a host: the change, its reasons and its commands.

use super::super::tests::step;
use super::super::{FileFact, Playbook, Release, Requirements, Step, StepKind, Tree, UnitFact};
use super::*;
use crate::host::{HostName, Role};
use crate::integrations::Flag;
use crate::spec::ProcessHosts;

/// Two units that share a set, one with a socket, with everything that a set can contain.
const YAML: &str = r#"
id: web
service:
  directory: /etc/monctl/web
  releases: [tool]
  after: [tool-release]
  files:
    - {name: main.conf, from: web/main.conf}
    - {name: lib/, from: web/lib/}
    - {name: token, from: web/token, owner: web, group: web, mode: "0600"}
  tree: {parent: /srv/web, owner: web, data: /var/lib/web}
  venv: {link: /opt/web, parent: /opt/venvs}
  check: [[tool, --check, main.conf]]
  activate: [[prepare]]
  units:
    - {name: web.socket, uses: []}
    - {name: web.service, reload: [main.conf], ready: "http://127.0.0.1:1/", reloaded: last_reload}
    - {name: side.service, uses: [lib/, tool-release], when: exporter}
    - {name: rules.service, uses: [], reload: [], effect: [print, rules]}
  with_app_processes: true
  verify: [[look]]
"#;

const UNITS: [&str; 5] =
    ["web.socket", "web.service", "side.service", "rules.service", "monctl-app-worker.service"];

fn process(command: &str) -> Process {
    Process::Bare(command.parse().unwrap())
}

struct Fixture {
    step: Step,
    inputs: Inputs,
    /// A host on which nothing differs.
    facts: Facts,
}

impl Fixture {
    fn new() -> Self {
        let processes = [("worker".parse().unwrap(), process("celery -A web worker"))].into();
        let mut step = step(YAML);
        let StepKind::Service(service) = &mut step.kind else { panic!("the fixture is a service") };
        service.add_processes(&processes);
        let public = |text: &str| File::public(text.as_bytes());
        let mut files: std::collections::BTreeMap<String, File> =
            UNITS.map(|unit| (format!("systemd/{unit}"), public(unit))).into();
        files.insert("web/main.conf".into(), public("one\ntwo\nthree\n"));
        files.insert("web/lib/a.py".into(), public("a\n"));
        files.insert("web/token".into(), File::secret(*b"hunter2"));
        let tree = Tree {
            files: [
                ("manage.py".to_owned(), (public("code\n"), true)),
                ("app/views.py".to_owned(), (public("views\n"), false)),
                ("data/first.json".to_owned(), (public("[]\n"), false)),
            ]
            .into(),
            persistent: vec!["data".parse().unwrap()],
        };
        let release = Release { version: "1.0".into(), by_machine: [].into() };
        let inputs = Inputs {
            flags: [Flag::Release, Flag::Exporter].into(),
            files,
            releases: [("tool".to_owned(), release)].into(),
            processes,
            tree,
            requirements: Requirements { entry: "r.txt".into(), ..Requirements::default() },
            ..Inputs::default()
        };
        let mut fixture = Self { step, inputs, facts: Facts::default() };
        fixture.facts = fixture.well();
        fixture
    }

    fn service(&self) -> &Service {
        let StepKind::Service(service) = &self.step.kind else { panic!("the fixture is a service") };
        service
    }

    fn well(&self) -> Facts {
        let service = self.service();
        let files = service.expected(&self.inputs).into_iter().map(|expected| {
            let fact = FileFact {
                mode: expected.mode.trim_start_matches('0').into(),
                owner: expected.owner.into(),
                group: expected.group.into(),
                sha256: Some(expected.file.sha256()),
                content: None,
            };
            (expected.path, fact)
        });
        let unit = |name: &str| {
            let [load, active, file] = ["loaded", "active", "enabled"].map(str::to_owned);
            (name.to_owned(), UnitFact { load, active, file, ..UnitFact::default() })
        };
        Facts {
            machine: "x86_64".into(),
            files: files.collect(),
            units: UNITS.map(unit).into(),
            links: [("/opt/web".to_owned(), service.venv_folder(&self.inputs).unwrap())].into(),
            effects: [("rules.service".to_owned(), true)].into(),
            applied: [("web".to_owned(), service.digest(&self.inputs))].into(),
            ..Facts::default()
        }
    }

    fn file(&mut self, path: &str) -> &mut FileFact {
        self.facts.files.get_mut(path).unwrap()
    }

    fn unit(&mut self, name: &str) -> &mut UnitFact {
        self.facts.units.get_mut(name).unwrap()
    }

    /// The file has other content, which the host sends if requested.
    fn edit(&mut self, path: &str, content: &str) {
        let mut probes = Probes::default();
        self.service().probe(&self.inputs, &mut probes);
        let shown = probes.files[path].shown;
        let file = self.file(path);
        file.sha256 = Some(Sha256::of(content));
        file.content = shown.then(|| content.to_owned());
    }

    fn lower(&self, changed: &[&str]) -> Option<StepChange> {
        let changed: Vec<StepId> = changed.iter().map(|&id| StepId(id.into())).collect();
        self.step.lower(&self.inputs, &self.facts, &changed)
    }

    /// Reasons, and the action for each unit.
    fn summary(&self, changed: &[&str]) -> String {
        let Some(mut change) = self.lower(changed) else { return "nothing\n".into() };
        change.commands.retain(|command| command.0[0] == "service_unit");
        StepChange::summary(Some(&change))
    }
}

/// A state: its name, and how to make it from a host on which nothing differs.
type State = (&'static str, fn(&mut Fixture));

const STATES: &[State] = &[
    ("as it must be", |_| {}),
    ("a new host", |it| it.facts = Facts::default()),
    ("a file edited by hand", |it| it.edit("/etc/monctl/web/main.conf", "one\n2\nthree\n")),
    ("a file removed", |it| drop(it.facts.files.remove("/etc/monctl/web/lib/a.py"))),
    ("wrong mode", |it| it.file("/etc/monctl/web/main.conf").mode = "666".into()),
    ("wrong owner", |it| it.file("/etc/monctl/web/token").owner = "root".into()),
    ("a secret edited by hand", |it| it.edit("/etc/monctl/web/token", "swordfish")),
    ("a secret that is none any more", |it| {
        it.inputs.files.insert("web/token".into(), File::public(*b"-"));
        it.edit("/etc/monctl/web/token", "hunter2");
    }),
    ("code edited by hand", |it| it.edit("/srv/web/current/manage.py", "other\n")),
    ("code removed from the project", |it| {
        let manifest = FileFact {
            content: Some("manage.py\napp/views.py\ndata/first.json\nold.py\n".into()),
            ..FileFact::default()
        };
        it.facts.files.insert("/etc/monctl/web/tree.manifest".into(), manifest);
    }),
    ("what the application wrote next to its code", |it| {
        it.facts.beside = vec!["db.sqlite3".into(), "media/a.png".into()];
    }),
    ("a unit file edited by hand", |it| it.edit("/etc/systemd/system/side.service", "other\n")),
    ("a socket's file edited by hand", |it| it.edit("/etc/systemd/system/web.socket", "other\n")),
    ("another environment in use", |it| {
        drop(it.facts.links.insert("/opt/web".into(), "/opt/venvs/old".into()));
    }),
    ("a unit stopped", |it| it.unit("side.service").active = "inactive".into()),
    ("a socket stopped", |it| it.unit("web.socket").active = "inactive".into()),
    ("a unit failed", |it| it.unit("web.service").active = "failed".into()),
    ("a unit disabled", |it| it.unit("web.service").file = "disabled".into()),
    ("a unit masked while it runs", |it| {
        it.unit("side.service").load = "masked".into();
        it.edit("/etc/systemd/system/side.service", "");
    }),
    ("a unit file not read by systemd", |it| it.unit("web.service").stale = true),
    ("what a unit set up changed by hand", |it| {
        it.facts.effects.insert("rules.service".into(), false);
    }),
    ("a run that was cut off", |it| it.facts.applied.clear()),
    ("a release of another version", |it| it.inputs.releases.get_mut("tool").unwrap().version = "2.0".into()),
    ("a unit that is no longer needed", |it| {
        it.inputs.flags.remove(&Flag::Exporter);
    }),
    ("a process with another command", |it| {
        it.edit("/etc/systemd/system/monctl-app-worker.service", "celery\n");
    }),
    ("a process that does not run", |it| it.unit("monctl-app-worker.service").active = "activating".into()),
    ("a process that is no longer in the spec", |it| {
        let former = ["web.service", "monctl-app-beat.service"].map(str::to_owned);
        it.facts.set_units.insert("/etc/monctl/web".into(), former.into());
        it.facts.applied.insert("web".into(), Sha256::of("the set with that process"));
    }),
    ("a unit of another set", |it| {
        it.facts.set_units.insert("/etc/monctl/other".into(), ["other.service".to_owned()].into());
    }),
    ("an unneeded unit, stopped but enabled", |it| {
        it.inputs.flags.remove(&Flag::Exporter);
        it.unit("side.service").active = "inactive".into();
    }),
    ("an unneeded unit that restarts again and again", |it| {
        it.inputs.flags.remove(&Flag::Exporter);
        it.unit("side.service").active = "activating".into();
    }),
];

#[test]
fn every_state_has_its_change() {
    let rows = STATES.iter().map(|(name, make)| {
        let mut fixture = Fixture::new();
        make(&mut fixture);
        format!("{name}: {}", fixture.summary(&[]))
    });
    let folder = Fixture::new().service().venv_folder(&Fixture::new().inputs).unwrap();
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n").replace(&folder, "VENV"));
}

#[test]
fn an_unneeded_unit_that_does_not_exist_needs_nothing() {
    let mut fixture = Fixture::new();
    fixture.inputs.flags.remove(&Flag::Exporter);
    fixture.facts = fixture.well();
    fixture
        .facts
        .units
        .insert("side.service".into(), UnitFact { load: "not-found".into(), ..UnitFact::default() });
    assert_eq!(fixture.summary(&[]), "nothing\n");
}

#[test]
fn an_earlier_step_that_changes_restarts_only_units_that_use_it() {
    let fixture = Fixture::new();
    let summary = fixture.summary(&["tool-release"]);
    assert!(summary.contains("service_unit side.service restart"), "{summary}");
    assert!(summary.contains("service_unit web.socket keep"), "{summary}");
    assert_eq!(fixture.summary(&["another"]), "nothing\n");
}

#[test]
fn a_whole_set_as_commands() {
    let fixture = Fixture::new();
    let mut summary = String::new();
    let mut change = Fixture { facts: Facts::default(), ..Fixture::new() }.lower(&[]).unwrap();
    change.details.clear();
    summary += &StepChange::summary(Some(&change));
    for (digest, name) in fixture
        .service()
        .expected(&fixture.inputs)
        .into_iter()
        .map(|it| (it.file.sha256(), it.path))
        .chain([(fixture.service().digest(&fixture.inputs), "SET".into())])
    {
        summary = summary.replace(&digest.to_string(), &format!("<{name}>"));
    }
    let summary = summary.replace(&fixture.inputs.tree.digest().short(), "CODE");
    insta::assert_snapshot!(summary.replace(&fixture.inputs.requirements.digest().short(), "VENV"));
}

#[test]
fn a_host_has_the_processes_that_run_on_it() {
    let mut inputs = Fixture::new().inputs;
    let mut beat = process("celery -A web beat").settings();
    beat.hosts = ProcessHosts::First;
    inputs.processes.insert("beat".parse().unwrap(), Process::With(beat));
    let units = |number| {
        let inputs = inputs.on(HostName::app(number));
        let playbook = Playbook::of_inputs(Role::APP, &inputs).unwrap();
        let units = playbook.units().map(str::to_owned).collect::<BTreeSet<_>>();
        ["beat", "worker"].map(|name| units.contains(&format!("monctl-app-{name}.service")))
    };
    assert_eq!((units(1), units(2)), ([true, true], [false, true]));
    let inputs = Inputs { flags: [].into(), ..inputs };
    let monitoring = Playbook::of_inputs(Role::MONITORING, &inputs).unwrap();
    assert!(!monitoring.units().any(|unit| unit.starts_with("monctl-app-")));
}

#[test]
fn a_process_does_not_take_the_unit_of_another_step() {
    let processes = [("metrics".parse().unwrap(), process("celery -A web worker"))].into();
    let inputs = Inputs { processes, ..Inputs::default() };
    let error = Playbook::of_inputs(Role::APP, &inputs).unwrap_err();
    assert_eq!(error.message(), "there is already a unit `monctl-app-metrics.service`");
}

#[test]
fn files_are_sent_once_and_code_as_a_folder() {
    let fixture = Fixture { facts: Facts::default(), ..Fixture::new() };
    let payloads = fixture.lower(&[]).unwrap().payloads;
    assert_eq!(payloads.len(), UNITS.len() + 3);
    assert!(fixture.inputs.tree.files.values().all(|(file, _)| !payloads.contains(&file.sha256())));
}

#[test]
fn no_secret_is_shown_or_requested() {
    let mut probes = Probes::default();
    let fixture = Fixture::new();
    fixture.service().probe(&fixture.inputs, &mut probes);
    assert!(!probes.files["/etc/monctl/web/token"].shown);
    for (name, make) in STATES {
        let mut fixture = Fixture::new();
        make(&mut fixture);
        let seen = format!("{:?}", fixture.lower(&[]));
        assert!(!seen.contains("hunter2") && !seen.contains("swordfish"), "{name}: {seen}");
    }
}

#[test]
fn everything_that_the_step_sets_up_is_part_of_its_digest() {
    let digest = |change: fn(&mut Inputs)| {
        let mut fixture = Fixture::new();
        change(&mut fixture.inputs);
        fixture.service().digest(&fixture.inputs)
    };
    let changes: [fn(&mut Inputs); 7] = [
        |_| {},
        |inputs| drop(inputs.files.insert("web/main.conf".into(), File::public(*b"x"))),
        |inputs| drop(inputs.files.insert("systemd/web.socket".into(), File::public(*b"x"))),
        |inputs| drop(inputs.tree.files.remove("manage.py")),
        |inputs| inputs.tree.persistent.push("logs".parse().unwrap()),
        |inputs| inputs.requirements.added.push("x".into()),
        |inputs| inputs.releases.get_mut("tool").unwrap().version = "2".into(),
    ];
    let digests: BTreeSet<Sha256> = changes.into_iter().map(digest).collect();
    assert_eq!(digests.len(), changes.len());
}

#[test]
fn a_database_of_the_code_that_became_data_is_no_difference_and_any_other_link_is_one() {
    let with_link = |target: &str| {
        let mut fixture = Fixture::new();
        let link = FileFact { mode: "777".into(), ..FileFact::default() };
        fixture.facts.files.insert("/srv/web/current/app/views.py".into(), link);
        fixture.facts.links.insert("/srv/web/current/app/views.py".into(), target.into());
        fixture.lower(&[]).is_some()
    };
    assert!(!with_link("/var/lib/web/app/views.py"));
    for target in ["/var/lib/web/other", "/etc/passwd", "views.py"] {
        assert!(with_link(target), "{target}");
    }
}
