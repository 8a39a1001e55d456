//! The application's requirements files: the one that the spec names, and those that it refers to.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::playbook::{File, Requirements};

/// Reads a requirements file of the application's folder and all files that it includes by `-r` or
/// `-c`. `added` is what monctl adds, one requirement a line, comments allowed.
///
/// # Errors
/// When a file is missing, lies outside the folder, or asks for a local path, which hosts do not have.
pub fn requirements(folder: &Path, entry: &Path, added: &str) -> Result<Requirements> {
    let mut files = BTreeMap::new();
    let entry = inside(entry, entry)?;
    read(folder, &entry, &mut files)?;
    let added = lines(added).map(|(_, line)| line.to_owned()).collect();
    Ok(Requirements { files, entry, added })
}

fn read(folder: &Path, name: &str, files: &mut BTreeMap<String, File>) -> Result<()> {
    if files.contains_key(name) {
        return Ok(());
    }
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::invalid(format!("cannot read the requirements file `{}`", path.display())).because(error)
    })?;
    files.insert(name.to_owned(), File::public(text.as_bytes()));
    for (number, line) in lines(&text) {
        let place = || format!("{}:{number}", path.display());
        if let Some(included) = included(line) {
            let beside = Path::new(name).parent().unwrap_or(Path::new("")).join(included);
            let included = inside(&beside, &path).map_err(|error| error.at(place()))?;
            read(folder, &included, files)?;
        } else if is_local(line) {
            return Err(Error::invalid(format!("`{line}` is a path, which hosts do not have"))
                .at(place())
                .remedy("name a published package; modules of the application's own folder need no line"));
        }
    }
    Ok(())
}

/// Whether a line asks for something on this computer.
fn is_local(line: &str) -> bool {
    line.starts_with(['.', '/'])
        || line.contains("file:")
        || ["-e", "--editable"]
            .iter()
            .any(|option| line.strip_prefix(option).is_some_and(|rest| !rest.contains("://")))
}

/// Lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split(" #").next().unwrap_or(line).trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The file that a line includes. What has a URL, a host fetches itself.
fn included(line: &str) -> Option<&str> {
    ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
        (!rest.is_empty() && !rest.contains("://")).then_some(rest)
    })
}

/// The path with `..` resolved; an error where it leaves the application's folder.
fn inside(path: &Path, from: &Path) -> Result<String> {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        let stays = match component {
            Component::Normal(part) => {
                resolved.push(part);
                true
            }
            Component::ParentDir => resolved.pop(),
            Component::CurDir => true,
            Component::RootDir | Component::Prefix(_) => false,
        };
        if !stays {
            return Err(Error::invalid(format!(
                "`{}` lies outside the application's folder",
                path.display()
            ))
            .at(from.display().to_string())
            .remedy("keep all requirements files below `app.path`"));
        }
    }
    resolved
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid("a requirements file's name is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_all(files: &[(&str, &str)]) -> Result<Requirements> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        requirements(folder.path(), Path::new(files[0].0), "gunicorn==1 # why\n\n# note\n")
    }

    #[test]
    fn included_files_travel_along() {
        let found = read_all(&[
            ("requirements/prod.txt", "-r base.txt\n--constraint=../pins.txt\n"),
            ("requirements/base.txt", "Django~=5.2\n-r prod.txt\n"),
            ("pins.txt", "asgiref==3.8\n"),
        ])
        .unwrap();
        let names: Vec<&String> = found.files.keys().collect();
        assert_eq!(names, ["pins.txt", "requirements/base.txt", "requirements/prod.txt"]);
        assert_eq!(found.added, ["gunicorn==1"]);
    }

    #[test]
    fn what_has_a_url_is_the_hosts_to_fetch() {
        let text = "-r https://x.test/r.txt\n-e git+https://x.test/y\nz @ https://x.test/z.whl\n";
        assert_eq!(read_all(&[("r.txt", text)]).unwrap().files.len(), 1);
    }

    #[test]
    fn options_and_digests_are_no_paths() {
        let text = "--extra-index-url https://x.test/simple\n--require-hashes\na==1 \\\n  --hash=sha256:0\n";
        assert_eq!(read_all(&[("r.txt", text)]).unwrap().files.len(), 1);
    }

    #[test]
    fn what_a_host_cannot_have_is_refused_with_its_line() {
        for line in ["-e .", "--editable=src/x", "./x.whl", "/x", "x @ file:///x"] {
            let error = read_all(&[("r.txt", &format!("Django\n{line}\n"))]).unwrap_err();
            assert!(error.place().unwrap().ends_with("r.txt:2"), "{line}: {error}");
        }
        let error = read_all(&[("r.txt", "-r ../secret.txt\n")]).unwrap_err();
        assert!(error.message().contains("outside"), "{error}");
        assert!(read_all(&[("r.txt", "-r missing.txt\n")]).is_err());
    }
}
