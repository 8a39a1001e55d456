//! Every kind of step in every state of a host: the change, its reasons and its commands. The states are
//! outputs of the facts script. Services have their own table; the last tests check the references of the
//! playbooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::*;
use crate::digest::Sha256;
use crate::host::Role;
use crate::integrations::{Flag, Integration};

/// A role for each playbook.
static ROLES: LazyLock<[Role; 3]> =
    LazyLock::new(|| ["app", "monitoring", "db"].map(|role| role.parse().unwrap()));

/// The playbook of a role with the integrations of the program.
fn playbook(role: Role) -> Playbook {
    Playbook::of(role, &BTreeSet::new(), Integration::builtin()).unwrap()
}

/// A step as written in a playbook.
pub(super) fn step(yaml: &str) -> Step {
    serde_saphyr::from_str(yaml).unwrap()
}

/// Facts of a host with this output, with `|` instead of tabs.
pub(super) fn facts(answer: &str) -> Facts {
    let lines = answer.lines().map(|line| line.trim().replace('|', "\t")).chain(["end".to_owned()]);
    Facts::parse(&lines.collect::<Vec<_>>().join("\n")).unwrap()
}

/// The table of a step: the change for each state.
fn table(step: &Step, inputs: &Inputs, states: &[(&str, &str)]) -> String {
    let rows = states.iter().map(|(state, answer)| {
        let facts = facts(answer);
        let missing = step.missing(inputs, &facts).map(|why| format!("  missing: {why}\n"));
        let change = step.lower(inputs, &facts, &[]);
        format!("{state}: {}{}", StepChange::summary(change.as_ref()), missing.unwrap_or_default())
    });
    rows.collect::<Vec<_>>().join("\n").replace(&digest('a').to_string(), "AAAA")
}

fn digest(letter: char) -> Sha256 {
    String::from(letter).repeat(64).parse().unwrap()
}

#[test]
fn packages() {
    let step = step("{id: x, package: {names: [curl, prometheus], mask: [prometheus.service]}}");
    let masked = "unit|Id=prometheus.service\nunit|LoadState=masked";
    let unmasked = masked.replace("masked", "loaded");
    let both = "package|curl|installed\npackage|prometheus|installed";
    let removed = "package|curl|installed\npackage|prometheus|config-files";
    let interrupted = "package|curl|installed\npackage|prometheus|half-configured";
    let states = [
        ("a new host", ""),
        ("as it must be", &format!("{both}\n{masked}")),
        ("one removed, its configuration left", &format!("{removed}\n{masked}")),
        ("installation cut off", &format!("{interrupted}\n{masked}")),
        ("unmasked by hand", &format!("{both}\n{unmasked}")),
    ];
    insta::assert_snapshot!(table(&step, &Inputs::default(), &states));
}

#[test]
fn packages_of_the_application_are_installed_before_its_requirements() {
    let app_packages = vec!["libpq-dev".parse().unwrap()];
    let playbook = playbook(Role::APP);
    let steps = playbook.steps(&Inputs { app_packages, ..Inputs::default() });
    let place = |id: &str| steps.iter().position(|step| step.id.to_string() == id).unwrap();
    let python = &steps[place("python")];
    assert!(place("python") < place("venv") && python.lane.is_none(), "the lane of the venv begins after it");
    let change = python.lower(&Inputs::default(), &facts("package|python3|installed"), &[]);
    let summary = StepChange::summary(change.as_ref());
    assert!(summary.contains("package libpq-dev"), "{summary}");
    assert!(!summary.contains("package python3:"), "{summary}");
    let other = playbook.steps(&Inputs::default())[0].lower(&Inputs::default(), &facts(""), &[]);
    assert!(!StepChange::summary(other.as_ref()).contains("libpq-dev"));
}

#[test]
fn users() {
    let step = step("{id: x, user: {name: monctl-app}}");
    let states = [("absent", "user|monctl-grafana"), ("there", "user|monctl-app")];
    insta::assert_snapshot!(table(&step, &Inputs::default(), &states));
}

fn with_release(optional: bool) -> Inputs {
    let by_machine = [("x86_64".to_owned(), ("https://x.test/g.tar.gz".to_owned(), digest('a')))].into();
    let release = Release { version: "13.2".into(), by_machine };
    Inputs {
        releases: [("grafana".to_owned(), release)].into(),
        optional: optional.then(|| "grafana".to_owned()).into_iter().collect(),
        ..Inputs::default()
    }
}

#[test]
fn a_release_that_no_catalogue_has_is_refused() {
    let inputs = Inputs { flags: [Flag::Release].into(), ..with_release(false) };
    let error = Playbook::of_inputs(Role::MONITORING, &inputs).unwrap_err();
    assert_eq!(
        error.message(),
        "the step `prometheus-release` installs a release of `prometheus`, of which no catalogue has a default version"
    );
}

#[test]
fn archives() {
    let step = step("{id: x, archive: {release: grafana, to: /opt/g}}");
    let [ours, other] = ['a', 'b'].map(digest);
    let tried = |digest: Sha256, url: &str| format!("failed|/opt/g|{digest}|{url}|no route");
    let states = [
        ("a host that does not exist yet", ""),
        ("absent", "machine|x86_64"),
        ("as it must be", &format!("installed|/opt/g|{ours}|1|1")),
        ("another version", &format!("installed|/opt/g|{other}|1|1")),
        ("changed by hand", &format!("installed|/opt/g|{ours}|1|2")),
        ("note damaged", "installed|/opt/g|||2"),
        ("another architecture", "machine|riscv64"),
        ("failed a short while ago", &tried(ours, "https://x.test/g.tar.gz")),
        ("failed from another mirror", &tried(ours, "https://y.test/g.tar.gz")),
        ("failed with another digest", &tried(other, "https://x.test/g.tar.gz")),
    ];
    insta::assert_snapshot!("archive_required", table(&step, &with_release(false), &states));
    insta::assert_snapshot!("archive_optional", table(&step, &with_release(true), &states));
}

#[test]
fn environments() {
    let yaml = format!(
        "{{id: x, venv: {{parent: /opt/v, user: builder, uv: {{version: 0.1.2, sha256: [{}]}}}}}}",
        digest('a')
    );
    let requirements = Requirements {
        files: [("req/base.txt".to_owned(), File::public(*b"Django"))].into(),
        entry: "req/base.txt".into(),
        source: "req/base.txt".into(),
        added: vec!["gunicorn==1 --hash=sha256:0".into()],
        python: None,
    };
    let digest = requirements.digest();
    let folder = format!("/opt/v/{}", digest.short());
    let inputs = Inputs { requirements, ..Inputs::default() };
    let states = [
        ("absent", ""),
        ("as it must be", &format!("installed|{folder}|{digest}|1|1")),
        ("that of other requirements", &format!("installed|/opt/v/other|{digest}|1|1")),
        ("changed by hand", &format!("installed|{folder}|{digest}|1|2")),
    ];
    let table = table(&step(&yaml), &inputs, &states);
    insta::assert_snapshot!(table.replace(&digest.to_string(), "DDDD").replace(&digest.short(), "SHORT"));
}

#[test]
fn the_python_and_the_packages_of_the_application_are_known_before_its_environment_is_built() {
    let yaml = format!(
        "{{id: x, venv: {{parent: /opt/v, user: builder, uv: {{version: 0.1.2, sha256: [{}]}}}}}}",
        digest('a')
    );
    let python = PythonRequest {
        version: ">=3.12".into(),
        source: "pyproject.toml".into(),
        mirror: Some("https://m.test".into()),
    };
    let requirements = Requirements {
        source: "r.txt".into(),
        entry: "r.txt".into(),
        python: Some(python),
        ..Requirements::default()
    };
    let app_packages = vec!["libpq-dev".parse().unwrap()];
    let inputs = Inputs { app_packages, requirements, ..Inputs::default() };
    let change = step(&yaml).lower(&inputs, &facts(""), &[]).unwrap();
    let words: Vec<&[String]> = change.commands.iter().map(|call| &call.0[..]).collect();
    assert_eq!(words[0], ["build_with", "libpq-dev"]);
    let uv = format!("uv==0.1.2 --hash=sha256:{}", digest('a'));
    assert_eq!(words[1], ["python_choose", "builder", &uv, ">=3.12", "pyproject.toml", "https://m.test"]);
    assert_eq!(words[2][0], "venv_install");
    let summary = StepChange::summary(Some(&change));
    assert!(summary.contains("r.txt with Python >=3.12 (pyproject.toml)"), "{summary}");
}

#[test]
fn other_requirements_mean_another_environment() {
    let base = Requirements { entry: "r.txt".into(), ..Requirements::default() };
    let with = |files: &[(&str, &[u8])], added: &[&str]| Requirements {
        files: files.iter().map(|(name, bytes)| ((*name).to_owned(), File::public(*bytes))).collect(),
        added: added.iter().map(|&line| line.into()).collect(),
        ..base.clone()
    };
    let python = |version: &str| {
        let python = PythonRequest { version: version.into(), source: "x".into(), mirror: None };
        Requirements { python: Some(python), ..base.clone() }
    };
    let all = [
        base.clone(),
        with(&[("r.txt", b"a")], &[]),
        with(&[("r.txt", b"b")], &[]),
        with(&[], &["a"]),
        python("3.11"),
        python("3.12"),
    ];
    let digests: std::collections::BTreeSet<Sha256> = all.iter().map(Requirements::digest).collect();
    assert_eq!(digests.len(), all.len());
}

#[test]
fn a_step_has_one_kind_and_known_keys() {
    for yaml in [
        "{id: x}",
        "{id: x, user: {name: a}, package: {names: [b]}}",
        "{id: x, user: {name: a, shell: b}}",
        "{id: x, users: {name: a}}",
        "{id: x, lanes: y, user: {name: a}}",
        "{id: x, when: sometimes, user: {name: a}}",
    ] {
        assert!(serde_saphyr::from_str::<Step>(yaml).is_err(), "{yaml}");
    }
}

/// The possible sets of flags of a spec.
fn flag_sets() -> impl Iterator<Item = Inputs> {
    [Flag::Release, Flag::Distribution].into_iter().flat_map(|install| {
        [vec![install], vec![install, Flag::Exporter], vec![install, Flag::Grafana]]
            .map(|flags| Inputs { flags: flags.into_iter().collect(), ..Inputs::default() })
    })
}

#[test]
fn steps_of_a_playbook_have_unique_names_and_wait_only_for_earlier_lanes() {
    for role in *ROLES {
        let playbook = playbook(role);
        for inputs in flag_sets() {
            let mut lanes: BTreeMap<String, usize> = BTreeMap::new();
            let mut ids = Vec::new();
            for step in playbook.steps(&inputs) {
                assert!(!ids.contains(&step.id), "{} occurs twice in {role}", step.id);
                ids.push(step.id.clone());
                for lane in &step.join {
                    assert!(
                        lanes.contains_key(lane.as_str()),
                        "{} waits for `{lane}`, which is not begun",
                        step.id
                    );
                    assert!(step.lane.is_none(), "{}: a lane does not wait for another", step.id);
                }
                step.lane.into_iter().for_each(|lane| *lanes.entry(lane).or_default() += 1);
            }
        }
    }
}

#[test]
fn an_optional_release_has_its_own_lane() {
    let inputs = with_release(true);
    for step in ROLES.iter().copied().flat_map(|role| playbook(role).steps) {
        let missing = step.missing(&inputs, &facts("machine|riscv64")).is_some();
        assert!(!missing || step.lane.is_some(), "{} would block all steps after it", step.id);
    }
}

#[test]
fn each_command_is_a_function_of_the_host_library() {
    let library =
        [include_str!("../../playbooks/lib/library.sh"), include_str!("../../playbooks/lib/application.sh")]
            .concat();
    for role in *ROLES {
        for inputs in flag_sets() {
            let inputs = Inputs { releases: with_release(false).releases, ..inputs };
            for step in playbook(role).steps(&inputs) {
                for command in
                    step.lower(&inputs, &Facts::default(), &[]).into_iter().flat_map(|it| it.commands)
                {
                    let function = &command.0[0];
                    assert!(library.contains(&format!("\n{function}() {{")), "{}: `{function}`", step.id);
                    let inner = command.0.get(1).filter(|word| word.starts_with("app_"));
                    assert!(
                        inner.is_none_or(|word| library.contains(&format!("\n{word}() {{"))),
                        "{inner:?}"
                    );
                }
            }
        }
    }
}
