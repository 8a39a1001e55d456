//! From a file to a valid spec, or to one error that lists everything that is wrong with it.

use std::fs;
use std::path::{Path, PathBuf};

use super::excerpt::Excerpt;
use super::problem::{Origin, Problem, Source};
use super::tree::{Node, Value};
use super::{Provider, Spec, detect, json_schema, lacks, meaning, shape};
use crate::error::{Error, Result};

/// A valid spec and the file it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The spec, with every choice that it leaves open decided.
    pub spec: Spec,
    pub(super) origin: Origin,
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

    /// Where the value at a path of keys stands, such as `["alerts", "HighCPUUsage", "for"]`; the last key on the way
    /// that is there, where the value is not.
    pub fn locate(&self, path: &[&str]) -> Location {
        let place = self.origin.root.locate(path.iter().copied());
        Location {
            file: self.path().to_owned(),
            line: place.line,
            column: place.column,
            excerpt: Excerpt::of(&self.origin.source.text, place).to_string(),
        }
    }

    /// Whether the settings of the Django project name something.
    pub fn settings_mention(&self, name: &str) -> bool {
        detect::settings_mention(&self.app_dir(), name)
    }

    /// The folder of the Django project.
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
    /// The line with the place marked.
    pub excerpt: String,
}

/// Reads and validates a spec.
///
/// # Errors
/// One error of [`crate::error::Exit::Invalid`] with all problems of the file, each with line and column.
pub fn load(path: &Path) -> Result<Loaded> {
    let bytes = fs::read(path).map_err(|error| {
        Error::invalid(format!("cannot read the spec `{}`", path.display()))
            .remedy("name the spec by `-f PATH` or `MONCTL_SPEC`; `examples/` holds some to start from")
            .because(error)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::invalid(format!("the spec `{}` is no text in UTF-8", path.display()))
            .remedy("a spec is a YAML file; `examples/` holds some to start from")
    })?;
    read(Source { path: path.to_owned(), text })
}

fn read(source: Source) -> Result<Loaded> {
    let root = Node::parse(&source.text).map_err(|problem| invalid(&source, vec![problem]))?;
    if matches!(root.value, Value::Null) {
        return Err(invalid(&source, vec![Problem::new(None, "the file is empty")]));
    }
    let base = folder_of(&source.path);
    let shape::Repaired { json, faulty, mut problems } = shape::check(json_schema(), &root, &source.text);
    let counted = json.pointer("/app/count").is_some();
    let mut spec: Option<Spec> = serde_json::from_value(json).ok().map(|spec| decided(spec, &root, base));
    if let Some(spec) = &mut spec {
        let is_known = |path: &str| faulty.iter().any(|faulty| is_at_or_below(path, faulty));
        let mut findings: Vec<_> = count(spec, counted).into_iter().collect();
        findings.extend(meaning::check(spec, base));
        let findings = findings.into_iter().filter(|(path, _)| !is_known(path));
        problems.extend(findings.map(|(path, message)| Problem::new(root.locate(path.split('.')), message)));
    }
    match spec {
        Some(spec) if problems.is_empty() => Ok(Loaded { spec, origin: Origin { source, root } }),
        None if problems.is_empty() => {
            // The schema's tests see to it that this does not happen.
            Err(invalid(&source, vec![Problem::new(None, "a value has the right form and no meaning")]))
        }
        _ => Err(invalid(&source, problems)),
    }
}

/// Where hosts are listed, their list says how many there are; a number beside it must be the same.
fn count(spec: &mut Spec, counted: bool) -> Option<meaning::Finding> {
    let Provider::Hosts(hosts) = &spec.provider else { return None };
    let listed = u16::try_from(hosts.app.len()).unwrap_or(u16::MAX);
    if counted && listed > 0 && spec.app.count != listed {
        let hosts = if listed == 1 { "1 host".to_owned() } else { format!("{listed} hosts") };
        return Some(("app.count".into(), format!("`provider.hosts.app` lists {hosts}; leave `count` out")));
    }
    spec.app.count = listed.max(1);
    None
}

/// Decides what the file leaves open.
fn decided(mut spec: Spec, root: &Node, base: &Path) -> Spec {
    spec.app.metrics = Some(detect::metrics(&base.join(&spec.app.path), &spec.app));
    if !root.has("alerts") {
        let all = std::mem::take(&mut spec.alerts);
        spec.alerts = all.into_iter().filter(|(name, _)| lacks(name.as_str(), &spec).is_none()).collect();
    }
    spec
}

fn invalid(source: &Source, problems: Vec<Problem>) -> Error {
    source
        .error("the spec", problems)
        .remedy("`monctl schema` prints what a spec may hold; `examples/` holds some to start from")
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a path of keys is another one or lies below it. Nothing is below the empty path's value but all.
fn is_at_or_below(path: &str, above: &str) -> bool {
    above.is_empty() || path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
