//! Dependencies in `pyproject.toml`, as PEP 621 defines them.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::requirement_files::RequirementFiles;
use crate::error::{Error, Result};

/// The file's name.
pub(super) const NAME: &str = "pyproject.toml";

/// A `pyproject.toml`.
pub(super) struct Project {
    /// Its path, for errors.
    pub place: String,
    /// Its content.
    pub table: Table,
}

impl Project {
    /// Reads and parses it.
    pub fn read(files: &RequirementFiles, name: &str) -> Result<Self> {
        let place = files.path(name).display().to_string();
        if !files.path(name).is_file() {
            return Err(Error::invalid("there is no `pyproject.toml`; monctl installs no dependencies of a `setup.py`")
                .at(place)
                .remedy("write the dependencies into `project.dependencies` of a `pyproject.toml`, or into a requirements file"));
        }
        Ok(Self { table: parse(&files.text(name)?, &place)?, place })
    }

    /// The dependencies, with those of extras.
    pub fn dependencies(&self, extras: &[&str]) -> Result<Vec<String>> {
        let Some(project) = self.table.get("project").and_then(Value::as_table) else {
            let is_poetry = self.table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
            let remedy = if is_poetry {
                "run `poetry lock`, and name `poetry.lock` with `app.requirements`"
            } else {
                "write the dependencies into `project.dependencies`, or into a requirements file"
            };
            return Err(Error::invalid("it has no section `project`").at(&self.place).remedy(remedy));
        };
        let dynamic = project.get("dynamic").and_then(Value::as_array).into_iter().flatten();
        let is_dynamic = |name: &str| dynamic.clone().any(|value| value.as_str() == Some(name));
        if is_dynamic("dependencies") || !extras.is_empty() && is_dynamic("optional-dependencies") {
            return Err(Error::invalid("its dependencies are `dynamic`: only its build knows them")
                .at(&self.place)
                .remedy("name the file with the dependencies by `app.requirements`"));
        }
        let mut found = self.texts(project.get("dependencies"), "project.dependencies")?;
        for extra in extras {
            let of_extra = project
                .get("optional-dependencies")
                .and_then(Value::as_table)
                .and_then(|all| all.iter().find(|(name, _)| normalized(name) == normalized(extra)));
            let Some((_, list)) = of_extra else {
                return Err(Error::invalid(format!("it has no extra `{extra}`")).at(&self.place));
            };
            found.extend(self.texts(Some(list), "project.optional-dependencies")?);
        }
        Ok(found)
    }

    /// A list of texts.
    fn texts(&self, value: Option<&Value>, key: &str) -> Result<Vec<String>> {
        let none = Vec::new();
        let wrong = || Error::invalid(format!("`{key}` is not a list of texts")).at(&self.place);
        let list = value.map_or(Some(&none), Value::as_array).ok_or_else(wrong)?;
        list.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }
}

/// Parses TOML.
///
/// # Errors
/// With line and column.
pub(super) fn parse<T: DeserializeOwned>(text: &str, place: &str) -> Result<T> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Error::invalid(format!("not valid TOML: {}", error.message())).at(format!("{place}:{line}:{column}"))
    })
}

/// The name of a package or extra, by which different spellings are equal.
pub(super) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
