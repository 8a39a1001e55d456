//! The step kind `service`: a set of files, and the units that use it.
//!
//! The set is staged beside the active one and checked there as a whole; it becomes active by one
//! rename. Affected units are reloaded or restarted and must be healthy afterwards, else the host
//! restores the previous set. `playbooks/lib/library.sh` does this; this module computes the
//! differences and the commands.

mod expected;
#[cfg(test)]
mod tests;
mod unit;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use self::expected::Expected;
pub use self::unit::OnChange;
use self::unit::SetUnit;
use super::change::{ChangeKind, Detail, LibraryCall, StepChange};
use super::facts::{Facts, Probes, WantedFile};
use super::inputs::{File, Inputs};
use super::quote::quote_words;
use super::step_id::StepId;
use crate::digest::Sha256;
use crate::integrations::Flag;
use crate::spec::{Process, ProcessName};

/// systemd's folder of the administrator's units.
const UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// A set of files, optionally the application's code and environment, and units.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The folder of the active set: a link to it.
    directory: String,
    #[serde(default)]
    files: Vec<SetFile>,
    #[serde(default)]
    tree: Option<SetTree>,
    #[serde(default)]
    venv: Option<SetVenv>,
    /// Releases whose new version requires a restart.
    #[serde(default)]
    releases: Vec<String>,
    /// Earlier steps that install what the units run: if one changes something, the units restart.
    #[serde(default)]
    after: Vec<StepId>,
    /// Commands that must succeed in the staged set.
    #[serde(default)]
    check: Vec<Vec<String>>,
    /// Commands between the rename and the units.
    #[serde(default)]
    activate: Vec<Vec<String>>,
    units: Vec<SetUnit>,
    /// The units of the application's processes belong to this set.
    #[serde(default)]
    with_app_processes: bool,
    /// Units that count as healthy once they have run for a while, each with the program that it starts.
    #[serde(skip)]
    processes: Vec<(String, String)>,
    /// Commands that must succeed once all units are healthy.
    #[serde(default)]
    verify: Vec<Vec<String>>,
}

/// A file of the set, or all files of the bundle below a folder if `from` ends with `/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFile {
    /// The path below the set's folder.
    name: String,
    /// The name in the bundle.
    from: String,
    #[serde(default = "root")]
    owner: String,
    #[serde(default = "root")]
    group: String,
    #[serde(default = "readable")]
    mode: String,
}

/// The application's code: each version in its own folder, one of them active by a link.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetTree {
    /// The folder of `releases`, of the link `current`, and of `app`, where units see the active version.
    parent: String,
    /// The user that reads the code and cannot write it.
    owner: String,
    /// The folder of the files that this user writes.
    data: String,
}

impl SetTree {
    /// A path below the active version's folder.
    fn current(&self, path: &str) -> String {
        format!("{}/current/{path}", self.parent)
    }
}

/// The list of code files, by its name in the set.
const MANIFEST: &str = "tree.manifest";

/// The Python environment in use: a link to one of several.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetVenv {
    link: String,
    parent: String,
}

/// The differences.
#[derive(Default)]
struct Differences {
    details: Vec<Detail>,
    /// The parts that changed.
    parts: BTreeSet<String>,
    /// Whether any part of the set already exists.
    some_exists: bool,
}

/// What a process of the application uses: parts of the set.
const USED_BY_PROCESSES: [&str; 3] = ["environment", "tree", "venv"];

impl Service {
    /// Adds the units of the application's processes, if they belong here.
    pub(super) fn add_processes(&mut self, processes: &BTreeMap<ProcessName, Process>) {
        if !self.with_app_processes {
            return;
        }
        for (name, process) in processes {
            self.units.push(SetUnit::new(name.unit(), &USED_BY_PROCESSES));
            let program = process.settings().command.words().into_iter().next();
            self.processes.extend(program.map(|program| (name.unit(), program)));
        }
    }

    pub(super) fn probe(&self, inputs: &Inputs, probes: &mut Probes) {
        for expected in self.expected(inputs) {
            let wanted = WantedFile { sha256: expected.file.sha256(), shown: expected.may_be_shown() };
            probes.files.insert(expected.path, wanted);
        }
        probes.units.extend(self.units.iter().map(|unit| unit.name.clone()));
        probes.sets.insert(self.directory.clone());
        probes.links.extend(self.venv.iter().map(|venv| venv.link.clone()));
        let with_effect = self.units.iter().filter(|unit| !unit.effect.is_empty());
        probes.effects.extend(with_effect.map(|unit| (unit.name.clone(), unit.effect.clone())));
        if self.tree.is_some() {
            let wanted = WantedFile { sha256: Sha256::of(inputs.tree.manifest()), shown: true };
            probes.files.insert(self.manifest(), wanted);
        }
        probes.beside.extend(
            self.tree
                .iter()
                .map(|tree| format!("{}\t{}/app\t{}", tree.owner, tree.parent, self.earlier_manifest())),
        );
    }

    /// `changed` are the steps before this one that change something.
    pub(super) fn lower(
        &self,
        step: &StepId,
        inputs: &Inputs,
        facts: &Facts,
        changed: &[StepId],
    ) -> Option<StepChange> {
        let digest = self.digest(inputs);
        let applied = facts.applied.get(&step.0);
        let mut found = self.differences(inputs, facts);
        found.parts.extend(self.after.iter().filter(|step| changed.contains(step)).map(ToString::to_string));
        if applied.is_none() && found.some_exists {
            found.details.push(Detail::new(&self.directory, "an earlier run was interrupted"));
        }
        let actions = self.actions(inputs, facts, &found.parts, applied.copied());
        let former = self.former_units(facts);
        let why = "no longer needed; it is stopped and removed";
        found.details.extend(former.iter().map(|unit| Detail::new(format!("unit {unit}"), why)));
        for (unit, action) in self.units.iter().zip(&actions) {
            if let Some(detail) = unit.state(inputs, facts, *action, found.some_exists) {
                found.details.push(detail);
            }
        }
        if found.details.is_empty() {
            return None;
        }
        let exists = found.some_exists || actions.contains(&OnChange::Stop);
        let kind = if exists { ChangeKind::Change } else { ChangeKind::Create };
        Some(StepChange {
            step: step.clone(),
            kind,
            details: found.details,
            commands: self.commands(step, inputs, digest, &former, &actions),
            payloads: self.payloads(inputs),
        })
    }

    /// The files that are sent by digest. The application's code is sent as a folder.
    fn payloads(&self, inputs: &Inputs) -> BTreeSet<Sha256> {
        let set = self.set_files(inputs).map(|(_, expected)| expected.file.sha256());
        set.chain(self.unit_files(inputs).map(|(_, file)| file.sha256())).collect()
    }

    /// The folder of its active files.
    pub(super) fn directory(&self) -> &str {
        &self.directory
    }

    /// The names of its units.
    pub(super) fn unit_names(&self) -> Vec<&str> {
        self.units.iter().map(|unit| unit.name.as_str()).collect()
    }

    /// The names of its units with these flags.
    pub(super) fn unit_names_with(&self, flags: &BTreeSet<Flag>) -> Vec<&str> {
        self.units.iter().filter(|unit| unit.wanted(flags)).map(|unit| unit.name.as_str()).collect()
    }

    /// Units of earlier sets that this one no longer has.
    fn former_units<'a>(&self, facts: &'a Facts) -> Vec<&'a str> {
        let installed = facts.set_units.get(&self.directory).into_iter().flatten().map(String::as_str);
        installed.filter(|name| !self.units.iter().any(|unit| unit.name == *name)).collect()
    }

    /// Whether this step carries the application's code.
    pub(super) fn carries_tree(&self) -> bool {
        self.tree.is_some()
    }

    /// Every file that must be on the host: the set's, unit files, the application's.
    fn expected<'a>(&'a self, inputs: &'a Inputs) -> Vec<Expected<'a>> {
        let mut expected: Vec<Expected> = self.set_files(inputs).map(|(_, expected)| expected).collect();
        expected.extend(self.unit_files(inputs).map(|(name, file)| Expected {
            part: name.to_owned(),
            path: format!("{UNIT_DIRECTORY}/{name}"),
            file,
            owner: "root",
            group: "root",
            mode: "0644",
        }));
        if let Some(tree) = &self.tree {
            expected.extend(inputs.tree.code().map(|(path, file, executable)| Expected {
                part: "tree".into(),
                path: tree.current(path),
                file,
                owner: "root",
                group: &tree.owner,
                mode: if executable { "0750" } else { "0640" },
            }));
        }
        expected
    }

    /// Whether a code file became data: the host keeps its own version of a database, at the end of a link.
    fn is_data(&self, expected: &Expected, facts: &Facts) -> bool {
        self.tree.as_ref().is_some_and(|tree| {
            let name = expected.path.strip_prefix(&tree.current(""));
            let link = facts.links.get(&expected.path);
            name.zip(link).is_some_and(|(name, link)| *link == format!("{}/{name}", tree.data))
        })
    }

    /// The set's own files with their names below its folder.
    fn set_files<'a>(&'a self, inputs: &'a Inputs) -> impl Iterator<Item = (String, Expected<'a>)> {
        self.files.iter().flat_map(move |entry| {
            let folder = entry.from.ends_with('/');
            inputs
                .files
                .range(entry.from.clone()..)
                .take_while(
                    move |(name, _)| {
                        if folder { name.starts_with(&entry.from) } else { **name == entry.from }
                    },
                )
                .map(move |(name, file)| {
                    let name = format!("{}{}", entry.name, &name[entry.from.len()..]);
                    let expected = Expected {
                        part: name.clone(),
                        path: format!("{}/{name}", self.directory),
                        file,
                        owner: &entry.owner,
                        group: &entry.group,
                        mode: &entry.mode,
                    };
                    (name, expected)
                })
        })
    }

    fn unit_files<'a>(&'a self, inputs: &'a Inputs) -> impl Iterator<Item = (&'a str, &'a File)> {
        self.units.iter().filter(|unit| unit.wanted(&inputs.flags)).filter_map(|unit| {
            inputs.files.get(&format!("systemd/{}", unit.name)).map(|file| (unit.name.as_str(), file))
        })
    }

    /// The digest of everything that this step sets up.
    fn digest(&self, inputs: &Inputs) -> Sha256 {
        let files = self.expected(inputs).into_iter().flat_map(|expected| {
            let digest = expected.file.sha256().to_string();
            [expected.path, digest, expected.owner.into(), expected.group.into(), expected.mode.into()]
        });
        let releases =
            self.releases.iter().filter_map(|name| inputs.releases.get(name)).map(|it| it.version.clone());
        let venv = self.venv_folder(inputs);
        let tree = self.tree.iter().map(|_| inputs.tree.digest().to_string());
        let commands = self.check.iter().chain(&self.activate).chain(&self.verify).flatten().cloned();
        Sha256::of_fields(files.chain(tree).chain(releases).chain(venv).chain(commands))
    }

    /// The list of the code files that monctl installed, in the active set.
    fn manifest(&self) -> String {
        format!("{}/{MANIFEST}", self.directory)
    }

    /// Where the previous version stored that list. A host that has one was not migrated yet.
    fn earlier_manifest(&self) -> String {
        let name = self.directory.rsplit('/').next().unwrap_or_default();
        format!("/var/lib/monctl/sets/{name}/{MANIFEST}")
    }

    fn venv_folder(&self, inputs: &Inputs) -> Option<String> {
        self.venv.as_ref().map(|venv| format!("{}/{}", venv.parent, inputs.requirements.digest().short()))
    }

    fn differences(&self, inputs: &Inputs, facts: &Facts) -> Differences {
        let mut found = Differences::default();
        for expected in self.expected(inputs) {
            let fact = facts.files.get(&expected.path);
            found.some_exists |= fact.is_some();
            if self.is_data(&expected, facts) {
                continue;
            }
            let why = match fact {
                None => Some("absent".to_owned()),
                Some(fact) => expected.difference(fact),
            };
            if let Some(why) = why {
                let diff = fact.and_then(|fact| fact.content.as_deref()).and_then(|old| expected.diff(old));
                found.details.push(Detail { what: expected.path, why, diff });
                found.parts.insert(expected.part);
            }
        }
        if let (Some(venv), Some(folder)) = (&self.venv, self.venv_folder(inputs))
            && facts.links.get(&venv.link) != Some(&folder)
        {
            let linked = facts.links.contains_key(&venv.link);
            let why = if linked { "another Python environment is in use" } else { "absent" };
            found.details.push(Detail::new(&venv.link, why));
            found.parts.insert("venv".into());
        }
        if let Some(tree) = &self.tree {
            let brought = facts.files.get(&self.manifest()).and_then(|file| file.content.as_deref());
            for name in
                brought.unwrap_or_default().lines().filter(|name| !inputs.tree.files.contains_key(*name))
            {
                found.details.push(Detail::new(tree.current(name), "no longer in the project"));
                found.parts.insert("tree".into());
            }
            found.details.extend(facts.beside.iter().map(|name| {
                let to = format!("the application wrote it; it moves to {}/{name}", tree.data);
                Detail::new(format!("{}/app/{name}", tree.parent), to)
            }));
        }
        found
    }

    /// What each unit needs.
    fn actions(
        &self,
        inputs: &Inputs,
        facts: &Facts,
        parts: &BTreeSet<String>,
        applied: Option<Sha256>,
    ) -> Vec<OnChange> {
        let digest = self.digest(inputs);
        let is_explained = !parts.is_empty() || !self.former_units(facts).is_empty();
        let other_set = !is_explained && applied.is_some_and(|last| last != digest);
        // Never applied completely: it is unknown which files the running processes have read.
        let restart_all = applied.is_none() || other_set;
        let mut actions: Vec<OnChange> =
            self.units.iter().map(|unit| unit.action(inputs, facts, parts, restart_all)).collect();
        self.restart_behind_sockets(&mut actions);
        actions
    }

    /// A socket can be rebound only while its service is stopped, so that both are restarted.
    fn restart_behind_sockets(&self, actions: &mut [OnChange]) {
        let restarted: BTreeSet<&str> = self
            .units
            .iter()
            .zip(&*actions)
            .filter(|(_, action)| **action == OnChange::Restart)
            .filter_map(|(unit, _)| unit.name.strip_suffix(".socket"))
            .collect();
        for (unit, action) in self.units.iter().zip(actions) {
            let behind = unit.name.strip_suffix(".service").is_some_and(|name| restarted.contains(name));
            if behind && *action != OnChange::Stop {
                *action = OnChange::Restart;
            }
        }
    }

    fn commands(
        &self,
        step: &StepId,
        inputs: &Inputs,
        digest: Sha256,
        former: &[&str],
        actions: &[OnChange],
    ) -> Vec<LibraryCall> {
        let mut commands = vec![LibraryCall::new(["service_open", &step.0, &self.directory])];
        commands.extend(self.set_files(inputs).map(|(name, expected)| {
            let digest = expected.file.sha256().to_string();
            LibraryCall::new(["service_file", &name, &digest, expected.owner, expected.group, expected.mode])
        }));
        commands.extend(
            self.unit_files(inputs).map(|(name, file)| {
                LibraryCall::new(["service_unit_file", name, &file.sha256().to_string()])
            }),
        );
        commands.extend(self.tree.iter().map(|tree| {
            let digest = inputs.tree.digest().short();
            LibraryCall::new(["service_tree", &tree.parent, &tree.owner, &digest, &tree.data])
        }));
        if let (Some(venv), Some(folder)) = (&self.venv, self.venv_folder(inputs)) {
            commands.push(LibraryCall::new(["service_venv", &venv.link, &folder]));
        }
        commands.extend(self.check.iter().map(|words| with("service_check", words)));
        commands.extend(
            self.processes.iter().map(|(unit, program)| {
                LibraryCall::new(["service_check", "app_check_program", unit, program])
            }),
        );
        commands.push(LibraryCall::new(["service_activate"]));
        commands.extend(self.activate.iter().map(|words| with("service_run", words)));
        commands.extend(former.iter().map(|unit| LibraryCall::new(["service_unit", unit, "stop", "-", "-"])));
        commands.extend(self.units.iter().zip(actions).map(|(unit, action)| {
            let [ready, reloaded] = [&unit.ready, &unit.reloaded].map(|it| it.as_deref().unwrap_or("-"));
            LibraryCall::new(["service_unit", &unit.name, action.word(), ready, reloaded])
        }));
        commands.extend(
            self.units
                .iter()
                .filter(|unit| unit.wanted(&inputs.flags) && !unit.effect.is_empty())
                .map(|unit| LibraryCall::new(["service_effect", &unit.name, &quote_words(&unit.effect)])),
        );
        commands.extend(self.verify.iter().map(|words| with("service_run", words)));
        if !self.processes.is_empty() {
            let units = self.processes.iter().map(|(unit, _)| unit.as_str());
            commands.push(LibraryCall::new(["service_steady"].into_iter().chain(units)));
        }
        commands.push(LibraryCall::new(["service_close", &digest.to_string()]));
        commands
    }
}

fn with(function: &str, words: &[String]) -> LibraryCall {
    LibraryCall::new([function].into_iter().chain(words.iter().map(String::as_str)))
}

fn root() -> String {
    "root".into()
}

fn readable() -> String {
    "0644".into()
}
