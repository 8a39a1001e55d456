//! The packages of a `poetry.lock` of Poetry 1 that the application itself needs: those that can be reached from the
//! dependencies in `pyproject.toml`, each with its marker.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use toml::Value;

use super::locked_package::{Dependencies, Dependency, LockedPackage};
use super::pyproject::{Project, normalized};
use crate::error::{Error, Result};

/// Alternative conditions, each a set of markers that all hold. Never contains one that another one implies.
type Conditions = BTreeSet<BTreeSet<String>>;

/// More alternatives are hardly the marker of one package.
const CONDITIONS_AT_MOST: usize = 64;

/// A package, or what one of its extras adds.
type Vertex = (String, Option<String>);

/// The packages and their dependencies.
pub(super) struct Graph<'a> {
    packages: BTreeMap<String, &'a LockedPackage>,
}

impl<'a> Graph<'a> {
    pub fn new(packages: &'a [LockedPackage]) -> Self {
        Self { packages: packages.iter().map(|package| (normalized(&package.name), package)).collect() }
    }

    /// The packages that the project's main dependencies need, with their markers.
    pub fn reachable(&self, project: &Project) -> Result<Vec<(&'a LockedPackage, String)>> {
        let mut found: BTreeMap<Vertex, Conditions> = BTreeMap::new();
        let mut open: Vec<(Vertex, BTreeSet<String>)> = Vec::new();
        for (name, alternatives) in main_dependencies(project)? {
            for dependency in alternatives.each().iter().filter(|dependency| !dependency.optional) {
                open.extend(vertices(&name, dependency, &BTreeSet::new())?);
            }
        }
        while let Some((vertex, condition)) = open.pop() {
            let Some(package) = self.packages.get(&vertex.0) else {
                return Err(
                    Error::invalid(format!("`{}` is not locked", vertex.0)).remedy("run `poetry lock`")
                );
            };
            let conditions = found.entry(vertex.clone()).or_default();
            if conditions.iter().any(|known| known.is_subset(&condition)) {
                continue;
            }
            conditions.retain(|known| !condition.is_subset(known));
            conditions.insert(condition.clone());
            if conditions.len() > CONDITIONS_AT_MOST {
                return Err(Error::invalid(format!("the markers of `{}` are too many", vertex.0)).remedy(
                    "lock again with Poetry 2 or later, or make a requirements file with `poetry export`",
                ));
            }
            for (name, dependency) in dependencies(package, vertex.1.as_deref()) {
                open.extend(vertices(&name, &dependency, &condition)?);
            }
        }
        let plain = found.into_iter().filter(|((_, extra), _)| extra.is_none());
        Ok(plain
            .filter_map(|((name, _), conditions)| Some((*self.packages.get(&name)?, marker(&conditions))))
            .collect())
    }
}

/// The main dependencies of a project of Poetry before version 2.
fn main_dependencies(project: &Project) -> Result<Dependencies> {
    let dependencies = project.table.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies"));
    let Some(dependencies) = dependencies.and_then(Value::as_table) else {
        return Err(Error::invalid("its `pyproject.toml` has no `tool.poetry.dependencies`")
            .remedy("lock again with Poetry 2 or later"));
    };
    let mut found: Dependencies = dependencies
        .clone()
        .try_into()
        .map_err(|error| Error::invalid("`tool.poetry.dependencies` is not valid").because(error))?;
    found.retain(|name, _| name != "python");
    Ok(found)
}

/// The dependencies of a package, or of one of its extras.
fn dependencies(package: &LockedPackage, extra: Option<&str>) -> Vec<(String, Dependency)> {
    let of_extra: Option<BTreeSet<String>> = extra.map(|extra| {
        let listed = package.extras.iter().filter(|(name, _)| normalized(name) == normalized(extra));
        listed.flat_map(|(_, list)| list).map(|text| normalized(name_of(text))).collect()
    });
    let all = package.dependencies.iter();
    all.flat_map(|(name, alternatives)| alternatives.each().into_iter().map(|it| (name.clone(), it)))
        .filter(|(name, dependency)| match &of_extra {
            Some(listed) => listed.contains(&normalized(name)),
            None => !dependency.optional,
        })
        .collect()
}

/// The name at the beginning of a requirement.
fn name_of(requirement: &str) -> &str {
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    &requirement[..end.unwrap_or(requirement.len())]
}

/// A dependency under a condition: the package, and the extras that it needs.
fn vertices(
    name: &str,
    dependency: &Dependency,
    condition: &BTreeSet<String>,
) -> Result<Vec<(Vertex, BTreeSet<String>)>> {
    let mut condition = condition.clone();
    condition
        .extend(dependency.markers.as_deref().map(without_extra).transpose()?.filter(|it| !it.is_empty()));
    condition
        .extend(dependency.python.as_deref().map(python_marker).transpose()?.filter(|it| !it.is_empty()));
    condition.extend(dependency.platform.as_ref().map(|platform| format!("sys_platform == \"{platform}\"")));
    let extras = dependency.extras.iter().map(|extra| Some(extra.clone()));
    Ok([None].into_iter().chain(extras).map(|extra| ((normalized(name), extra), condition.clone())).collect())
}

/// A marker without the extra, which is given where this dependency counts.
fn without_extra(marker: &str) -> Result<String> {
    let failed = |error| Error::failed("a pattern of monctl is not valid").because(error);
    let extra =
        Regex::new(r#"^extra == ["'][^"']+["']$|^extra == ["'][^"']+["'] and | and extra == ["'][^"']+["']"#);
    let text = extra.map_err(failed)?.replace(marker, "").into_owned();
    if text.contains("extra ") {
        return Err(Error::invalid(format!("the marker `{marker}` is not supported"))
            .remedy("lock again with Poetry 2 or later, or make a requirements file with `poetry export`"));
    }
    Ok(text)
}

/// A range of Python's versions in Poetry's notation as a marker; empty for all versions.
fn python_marker(range: &str) -> Result<String> {
    let refused = || {
        Error::invalid(format!("the range `{range}` of Python's versions is not supported"))
            .remedy("write it with `>=` and `<`, or lock again with Poetry 2 or later")
    };
    let mut terms = Vec::new();
    for part in range.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty() && *part != "*") {
        let begin = part.find(|c: char| c.is_ascii_digit()).ok_or_else(refused)?;
        let (operator, version) = part.split_at(begin);
        let numbers: Vec<u32> =
            version.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| refused())?;
        let variable = if numbers.len() > 2 { "python_full_version" } else { "python_version" };
        match operator {
            ">=" | "<" | ">" | "<=" | "==" | "!=" => {
                terms.push(format!("{variable} {operator} \"{version}\""));
            }
            "^" => {
                terms.push(format!("{variable} >= \"{version}\""));
                terms.push(format!("python_version < \"{}.0\"", numbers[0] + 1));
            }
            "~" if numbers.len() > 1 => {
                terms.push(format!("{variable} >= \"{version}\""));
                terms.push(format!("python_version < \"{}.{}\"", numbers[0], numbers[1] + 1));
            }
            _ => return Err(refused()),
        }
    }
    Ok(terms.join(" and "))
}

/// Conditions as one marker; empty if it always holds.
fn marker(conditions: &Conditions) -> String {
    let all = |markers: &BTreeSet<String>| match markers.len() {
        1 if conditions.len() == 1 => markers.iter().cloned().collect(),
        _ => markers.iter().map(|marker| format!("({marker})")).collect::<Vec<_>>().join(" and "),
    };
    if conditions.iter().any(BTreeSet::is_empty) {
        return String::new();
    }
    conditions.iter().map(all).collect::<Vec<_>>().join(" or ")
}
