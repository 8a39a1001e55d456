//! From a file to a valid spec, or to one error that lists everything that is wrong with it.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use super::app::Metrics;
use super::catalogue::Catalogue;
use super::env_file::{self, FileVariables};
use super::excerpt::Excerpt;
use super::finding::SpecFinding;
use super::lack::{has_no_lasting_receiver, lacks};
use super::model::Spec;
use super::names::AlertName;
use super::place::Place;
use super::problem::Problem;
use super::provider::ProviderSettings;
use super::rule_file::{self, ReadRules};
use super::schema::json_schema;
use super::source::{Origin, SpecFile};
use super::tree::{KeyPath, Node, Value};
use super::{deploy, detect, home, schema_check, semantics};
use crate::bounded::{SMALL_FILE_BYTES, read_at_most, read_text};
use crate::error::{Error, Result};

/// A valid spec and the file it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The spec, with all defaults filled in.
    pub spec: Spec,
    pub(super) origin: Origin,
    /// The files of `monitoring.rules`.
    pub(super) rules: Vec<ReadRules>,
    /// The variables of `app.env_file`.
    pub(super) file_variables: FileVariables,
}

impl Loaded {
    /// The spec's file.
    pub fn path(&self) -> &Path {
        &self.origin.source.path
    }

    /// The folder to which the spec's paths are relative.
    pub fn base_dir(&self) -> &Path {
        folder_of(self.path())
    }

    /// The place of the value at a path of keys, such as `["alerts", "HighCPUUsage", "for"]`, or of the last existing
    /// key on the way; in its rule file, if the alert is of one.
    pub fn locate(&self, path: &[&str]) -> Location {
        let of_rule = |file: &'_ ReadRules| {
            let path = file.path_of(&self.spec, path)?;
            Some((file.origin.clone(), file.origin.root.locate(path.keys())))
        };
        let of_spec = || (self.origin.clone(), self.origin.root.locate(path.iter().copied()));
        let (Origin { source, .. }, place) = self.rules.iter().find_map(of_rule).unwrap_or_else(of_spec);
        Location {
            line: place.line,
            column: place.column,
            excerpt: (source.excerpt)(&source.text, place).to_string(),
            file: source.path,
        }
    }

    /// An error about values that are each valid: each with its path of keys and a message, shown with its line like
    /// errors of loading.
    pub(crate) fn refuse(&self, what: &str, values: Vec<(Vec<String>, String)>) -> Error {
        let problem = |(path, message): (Vec<String>, String)| {
            Problem::new(self.origin.root.locate(path.iter().map(String::as_str)), message)
        };
        self.origin.source.error(what, values.into_iter().map(problem).collect())
    }

    /// Whether the settings of the Django project name something.
    pub fn settings_mention(&self, name: &str) -> bool {
        detect::settings_mention(&self.app_dir(), &self.spec.app, &self.file_variables, name)
    }

    /// The files of the Django project's settings in use; none where they cannot be found without running the project.
    pub fn settings_files(&self) -> Option<Vec<PathBuf>> {
        detect::settings_files(&self.app_dir(), &self.spec.app, &self.file_variables)
    }

    /// The application's folder, which is copied to hosts.
    pub fn app_dir(&self) -> PathBuf {
        self.base_dir().join(&self.spec.app.path)
    }
}

/// A place in a spec's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The line, with carets below the place.
    pub excerpt: String,
}

/// Reads and validates a spec.
///
/// # Errors
/// One error of [`crate::error::Exit::Invalid`] with all problems of the file, each with line and column.
pub fn load(path: &Path) -> Result<Loaded> {
    let bytes = read_at_most(path, SMALL_FILE_BYTES).map_err(|error| {
        Error::invalid(format!("cannot read the spec `{}`", path.display()))
            .remedy("name the spec with `-f PATH` or `MONCTL_SPEC`; see `examples/` for specs to start from")
            .because(error)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::invalid(format!("the spec `{}` is not UTF-8", path.display()))
            .remedy("a spec is a YAML file; see `examples/` for specs to start from")
    })?;
    read(SpecFile { path: path.to_owned(), text, excerpt: Excerpt::of })
}

fn read(source: SpecFile) -> Result<Loaded> {
    let root = Node::parse(&source.text).map_err(|problem| invalid(&source, vec![problem]))?;
    if matches!(root.value, Value::Null) {
        return Err(invalid(&source, vec![Problem::new(None, "the file is empty")]));
    }
    let base = folder_of(&source.path);
    let schema_check::Repaired { json, mut faulty, mut problems } =
        schema_check::check(json_schema(), &root, &source.text, source.excerpt);
    let counted = json.pointer("/app/count").is_some();
    // serde's message may contain a secret. The schema's tests ensure that a file without problems can be read.
    let Ok(mut spec) = serde_json::from_value::<Spec>(json) else {
        if problems.is_empty() {
            problems.push(Problem::new(None, "a value has the right form but is not valid"));
        }
        return Err(invalid(&source, problems));
    };
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let homeless = home::expand(&mut spec, home.as_deref().map(Path::new));
    faulty.extend(homeless.iter().map(|finding| finding.path.clone()));
    spec.catalogue = catalogue(&spec, base)?;
    let (file_variables, of_env_file) = env_file::read(&mut spec.app, base);
    let mut rules = rule_file::read(&spec, base);
    let mut spec = decided(spec, &root, base, &file_variables, &rules.alert_names());
    target_cas(&mut spec, base);
    let of_rules = rules.add(&mut spec, &root);
    if !rules.unreadable.is_empty() || rules.files.iter().any(|file| !file.problems.is_empty()) {
        faulty.insert(KeyPath::from(rule_file::KEY));
    }
    let mut findings: Vec<SpecFinding> = count(&mut spec, counted).into_iter().collect();
    let has = |key: &str| root.get(["app", key]).is_some();
    findings.extend(deploy::check(&spec, &has));
    if spec.app.deploy {
        problems.extend(deploy::missing_path(&root, &mut faulty));
    }
    findings.extend(of_env_file);
    let mentions =
        |name: &str| detect::settings_mention(&base.join(&spec.app.path), &spec.app, &file_variables, name);
    findings.extend(semantics::check(&spec, base, &mentions));
    findings.retain(|finding| finding.is_of_user(&faulty));
    findings.extend(
        rules.findings.drain(..).filter(|finding| !homeless.iter().any(|it| it.path == finding.path)),
    );
    findings.extend(homeless);
    findings.retain(|finding| !rules.files.iter_mut().any(|file| file.take(&spec, finding)));
    findings.extend(of_rules.into_iter().filter(|finding| finding.is_of_user(&faulty)));
    problems
        .extend(findings.into_iter().map(|it| Problem::new(place_of(&it, &root, &source.text), it.message)));
    let in_rules = rules.messages();
    if problems.is_empty() && in_rules.is_empty() {
        return Ok(Loaded { spec, origin: Origin { source, root }, rules: rules.files, file_variables });
    }
    let in_spec = (!problems.is_empty()).then(|| source.message("the spec", problems));
    let messages: Vec<String> = in_spec.into_iter().chain(in_rules).collect();
    Err(Error::invalid(messages.join("\n")).remedy(REMEDY))
}

const REMEDY: &str = "`monctl schema` prints the keys of a spec; see `examples/` for specs to start from";

/// Reads the CAs of scrape targets.
fn target_cas(spec: &mut Spec, base: &Path) {
    for tls in spec.monitoring.targets.values_mut().filter_map(|target| target.tls.as_mut()) {
        // The check of targets reports a file that cannot be read.
        tls.ca = tls.ca_file.as_ref().and_then(|path| read_text(&base.join(path)).ok());
    }
}

/// The catalogue with the integrations of the spec. A missing folder is reported elsewhere.
fn catalogue(spec: &Spec, base: &Path) -> Result<Catalogue> {
    let folders = spec.integrations.iter().map(|folder| base.join(folder)).filter(|folder| folder.is_dir());
    Catalogue::with(&folders.collect::<Vec<_>>())
}

/// Sets the number of hosts where they are listed; `count`, if given, must match.
fn count(spec: &mut Spec, counted: bool) -> Option<SpecFinding> {
    let ProviderSettings::Hosts(hosts) = &spec.provider else { return None };
    let listed = u16::try_from(hosts.app.len()).unwrap_or(u16::MAX);
    if counted && listed > 0 && spec.app.count != listed {
        let hosts = if listed == 1 { "1 host".to_owned() } else { format!("{listed} hosts") };
        let message = format!("`provider.hosts.app` lists {hosts}; leave `count` out");
        return Some(SpecFinding::new("app.count", message));
    }
    spec.app.count = listed.max(1);
    None
}

/// Fills in defaults that depend on other files.
fn decided(
    mut spec: Spec,
    root: &Node,
    base: &Path,
    variables: &FileVariables,
    names_of_rules: &BTreeSet<AlertName>,
) -> Spec {
    if spec.app.deploy {
        detect::decide(&base.join(&spec.app.path), &mut spec.app, variables);
    } else {
        // Only the project's own metrics can be scraped.
        spec.app.metrics = Some(Metrics::Builtin);
    }
    let adds_drills = rule_file::only_adds_drills(root, names_of_rules);
    if !root.has("alerts") || adds_drills {
        let all = spec.catalogue.default_alerts();
        let fits = |name: &str| lacks(name, &spec).is_none() && !has_no_lasting_receiver(name, &spec);
        let selected = all.into_iter().filter(|(name, _)| fits(name.as_str())).collect();
        let added = std::mem::replace(&mut spec.alerts, selected);
        spec.alerts.extend(added.into_iter().filter(|_| adds_drills));
    }
    spec
}

/// The place of a finding: at its value, or within the value's text.
fn place_of(finding: &SpecFinding, root: &Node, text: &str) -> Place {
    let whole = root.locate(finding.path.keys());
    let inside = |(at, width)| root.get(finding.path.keys())?.place_of_action(text, at, width);
    finding.within.and_then(inside).unwrap_or(whole)
}

fn invalid(source: &SpecFile, problems: Vec<Problem>) -> Error {
    source.error("the spec", problems).remedy(REMEDY)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
