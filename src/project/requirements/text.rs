//! Requirements files of pip: lines that refer to files of this computer are rewritten for hosts.

use std::path::Path;

use super::pyproject;
use super::requirement_files::{RequirementFiles, as_text};
use super::requirement_line::{RequirementLine, is_archive};
use crate::error::{Error, Result};

/// A line that may continue over several lines of its file.
pub(super) struct LogicalLine<'a> {
    /// The number of its first line, from 1.
    pub number: usize,
    /// The line as it is written.
    raw: &'a str,
    /// Its content in one line, without comment.
    pub joined: String,
}

/// The lines with content.
pub(super) fn lines(text: &str) -> Vec<LogicalLine<'_>> {
    all_lines(text).into_iter().filter(|line| !line.joined.is_empty()).collect()
}

fn all_lines(text: &str) -> Vec<LogicalLine<'_>> {
    let mut found = Vec::new();
    let (mut begin, mut end, mut first) = (0, 0, 1);
    let mut parts: Vec<&str> = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        end += line.len();
        let line = line.trim();
        let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line).trim() };
        let continued = line.strip_suffix('\\');
        parts.push(continued.unwrap_or(line).trim());
        if continued.is_none() || end == text.len() {
            let joined = parts.join(" ").trim().to_owned();
            found.push(LogicalLine { number: first, raw: &text[begin..end], joined });
            (begin, first) = (end, index + 2);
            parts.clear();
        }
    }
    found
}

/// Reads a requirements file and all that it includes.
pub(super) fn read(files: &mut RequirementFiles, name: &str) -> Result<()> {
    if files.found.contains_key(name) {
        return Ok(());
    }
    let text = files.text(name)?;
    // Files may include each other.
    files.add(name, "");
    let mut for_hosts = String::new();
    for line in all_lines(&text) {
        let place = format!("{}:{}", files.path(name).display(), line.number);
        let placed = |error: Error| if error.place().is_some() { error } else { error.at(place) };
        match rewritten(files, name, &line.joined).map_err(placed)? {
            Some(text) => for_hosts.push_str(&format!("{text}\n")),
            None => for_hosts.push_str(line.raw),
        }
    }
    files.add(name, &for_hosts);
    Ok(())
}

/// The line as hosts need it; none if it stays as it is. Adds what it refers to. `from` is its file.
pub(super) fn rewritten(files: &mut RequirementFiles, from: &str, line: &str) -> Result<Option<String>> {
    match RequirementLine::of(line) {
        RequirementLine::Other => Ok(None),
        RequirementLine::Include(path) => {
            let included = files.included(from, path)?;
            read(files, &included)?;
            Ok(None)
        }
        RequirementLine::Package { before, path, after } => {
            package(files, from, line, (before, path, after)).map(Some)
        }
        RequirementLine::Packages(path) => {
            let Some(folder) = files.locate(from, path, Path::is_dir) else {
                return Err(Error::invalid(format!("there is no folder `{path}`")));
            };
            let name = files.add_packages(&folder)?;
            Ok(Some(format!("--find-links file://${{PROJECT_ROOT}}/{name}")))
        }
        RequirementLine::Index => Err(Error::invalid(format!(
            "`{line}` is a package index on this computer, which hosts do not have"
        ))
        .remedy("name the folder of its packages with `--find-links`")),
        RequirementLine::Ssh => Err(Error::invalid(format!(
            "`{line}` needs a key for ssh, which hosts do not have"
        ))
        .remedy("name a published package, a wheel in the repository, or a URL that begins with `https://`")),
    }
}

fn package(
    files: &mut RequirementFiles,
    from: &str,
    line: &str,
    (before, path, after): (&str, &str, &str),
) -> Result<String> {
    if let Some(file) = files.locate(from, path, Path::is_file).filter(|_| is_archive(path)) {
        let name = files.add_package(&file)?;
        return Ok(format!("{before}./{name}{after}"));
    }
    let is_project = |path: &Path| {
        ["pyproject.toml", "setup.py", "setup.cfg"].iter().any(|name| path.join(name).is_file())
    };
    match files.locate(from, path, is_project) {
        Some(folder) if files.is_own_project(&folder) => own_project(files, &folder, after),
        Some(folder) => Err(Error::invalid(format!(
            "`{line}` is a package in a folder, which hosts do not build"
        ))
        .remedy(format!(
            "build a wheel (`uv build --wheel {} --out-dir wheels`) and name it here: `./wheels/….whl`",
            folder.display()
        ))),
        None => Err(Error::invalid(format!("`{line}` is a local path where no package is"))
            .remedy("name a published package, or a wheel in the repository; the application's own modules need no line")),
    }
}

/// The dependencies of the application's own project, whose code needs no installation.
fn own_project(files: &mut RequirementFiles, folder: &Path, after: &str) -> Result<String> {
    let extras = after.trim().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (extras, rest) = extras
        .map_or((Vec::new(), after), |(extras, rest)| (extras.split(',').map(str::trim).collect(), rest));
    if !rest.trim().is_empty() && !rest.starts_with("#egg=") {
        return Err(Error::invalid(format!(
            "`{}` after the application's own folder is not supported",
            rest.trim()
        ))
        .remedy("leave it out"));
    }
    let folder = folder
        .canonicalize()
        .map_err(|error| Error::invalid("cannot read the application's folder").because(error))?;
    let below = folder
        .strip_prefix(files.path(""))
        .map_err(|_| Error::invalid("a folder outside of the application's"))?;
    let name = as_text(&below.join(pyproject::NAME))?;
    let dependencies = pyproject::Project::read(files, &name)?.dependencies(&extras)?;
    let mut lines = Vec::with_capacity(dependencies.len());
    for dependency in dependencies {
        lines.push(rewritten(files, &name, &dependency)?.unwrap_or(dependency));
    }
    Ok(lines.join("\n"))
}
