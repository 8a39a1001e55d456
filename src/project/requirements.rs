//! The application's requirements files: the one that the spec names, and those that it includes.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::link;
use crate::bounded::read_text;
use crate::error::{Error, Result};
use crate::playbook::{File, Requirements};

/// Reads a requirements file of the application's folder and all files that it includes by `-r` or
/// `-c`. `added` is what monctl adds, one requirement a line, comments allowed.
///
/// # Errors
/// When a file is missing, is outside the folder, or names a local path, which hosts do not have.
pub fn requirements(folder: &Path, entry: &Path, added: &str) -> Result<Requirements> {
    let mut files = BTreeMap::new();
    let entry = inside(entry, entry)?;
    read(folder, &entry, &mut files)?;
    let added = lines(added).map(|(_, line)| line.to_owned()).collect();
    Ok(Requirements { files, entry, added, python: None })
}

fn read(folder: &Path, name: &str, files: &mut BTreeMap<String, File>) -> Result<()> {
    if files.contains_key(name) {
        return Ok(());
    }
    let path = folder.join(name);
    let unreadable = |error: std::io::Error| {
        Error::invalid(format!("cannot read the requirements file `{}`", path.display())).because(error)
    };
    let root = folder.canonicalize().map_err(unreadable)?;
    let target = link::resolve(&root, &path)?;
    let text = read_text(target.as_ref().unwrap_or(&path)).map_err(unreadable)?;
    files.insert(name.to_owned(), File::public(text.as_bytes()));
    for (number, line) in lines(&text) {
        let place = || format!("{}:{number}", path.display());
        if let Some(included) = included(line) {
            let beside = Path::new(name).parent().unwrap_or(Path::new("")).join(included);
            let included = inside(&beside, &path).map_err(|error| error.at(place()))?;
            read(folder, &included, files)?;
        } else if is_local(line) {
            return Err(Error::invalid(format!("`{line}` is a local path, which hosts do not have"))
                .at(place())
                .remedy("name a published package; modules of the application's own folder need no line"));
        } else if line.contains("+ssh://") {
            return Err(Error::invalid(format!("`{line}` needs a key for ssh, which hosts do not have"))
                .at(place())
                .remedy("name a published package, or a URL that begins with `https://`"));
        }
    }
    Ok(())
}

/// Options whose value is a path or a URL.
const PLACES: [&str; 8] =
    ["-e", "--editable", "-f", "--find-links", "-i", "--index-url", "--extra-index-url", "--pypi-url"];

/// File extensions that pip takes for packages.
const ARCHIVES: [&str; 8] = [".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".egg"];

/// Whether a line refers to a path of this computer, in any of pip's notations.
fn is_local(line: &str) -> bool {
    // Options continue on the next line.
    let line = line.trim_end_matches('\\').trim_end();
    if let Some(place) = PLACES.iter().find_map(|option| value_of(line, option)) {
        return is_path(place);
    }
    if line.starts_with('-') {
        return false;
    }
    let requirement = line.split(" ;").next().unwrap_or(line).split(" --").next().unwrap_or(line).trim();
    // `NAME @ PLACE`; an `@` in a URL has no space before it.
    if let Some((_, place)) = requirement.split_once(" @").or_else(|| requirement.split_once("@ ")) {
        return is_path(place.trim());
    }
    let name = requirement.split('[').next().unwrap_or(requirement);
    let is_archive = ARCHIVES.iter().any(|end| name.to_lowercase().ends_with(end));
    let looks_so = requirement.starts_with(['.', '~']) || requirement.contains(['/', '\\']) || is_archive;
    looks_so && is_path(requirement)
}

/// The value of an option: after a space or `=`, or right after a short one.
fn value_of<'a>(line: &'a str, option: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(option)?;
    let is_short = !option.starts_with("--");
    let is_option = rest.starts_with([' ', '\t', '=']) || is_short && !rest.starts_with('-');
    let value = rest.trim_start_matches([' ', '\t', '=']).trim_matches(['"', '\'']);
    (is_option && !value.is_empty()).then_some(value)
}

/// Whether hosts cannot download from a place.
fn is_path(place: &str) -> bool {
    match place.split_once("://") {
        Some((scheme, _)) => scheme == "file" || scheme.ends_with("+file"),
        None => true,
    }
}

/// Lines with content, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split(" #").next().unwrap_or(line).trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The file that a line includes. Hosts download URLs themselves.
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
    fn included_files_are_copied() {
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
    fn hosts_download_urls_themselves() {
        let text = "-r https://x.test/r.txt\n-e git+https://x.test/y\nz @ https://x.test/z.whl\n";
        assert_eq!(read_all(&[("r.txt", text)]).unwrap().files.len(), 1);
    }

    #[test]
    fn options_and_digests_are_no_paths() {
        let text = "--extra-index-url https://x.test/simple\n--require-hashes\na==1 \\\n  --hash=sha256:0\n\
                    --find-links https://x.test/wheels\n-i https://x.test\n--pre\n--no-binary :all:\n\
                    b[x]==2 ; python_version < '3.13'\nc @ https://x.test/c.whl\nd@ git+https://x.test/d@v1\n\
                    e.f-g>=1,<2  # ./why\nhttps://x.test/h.tar.gz\n";
        assert_eq!(read_all(&[("r.txt", text)]).unwrap().files.len(), 1);
    }

    #[test]
    fn local_paths_are_refused_with_their_line() {
        for line in [
            "-e .",
            "-e.",
            "-e src/x",
            "--editable=src/x",
            "--editable ./x[extra]",
            "./x.whl",
            "../x",
            "/x",
            "~/x.whl",
            "wheels/x-1.2-py3-none-any.whl",
            "x-1.2-py3-none-any.whl",
            "wheels/x.tar.gz[extra] ; python_version > '3'",
            "x @ file:///x",
            "x @ file:x.whl",
            "x @ wheels/x.whl",
            "x@ ./x.whl",
            "file:///x.whl",
            "git+file:///x",
            "-f wheels",
            "-fwheels",
            "--find-links=wheels",
            "--find-links wheels/",
            "--index-url=file:///mirror",
            "-e git+ssh://git@x.test/y.git@v1#egg=y",
            "y @ git+ssh://git@x.test/y.git",
        ] {
            let error = read_all(&[("r.txt", &format!("Django\n{line}\n"))]).unwrap_err();
            assert!(error.place().unwrap().ends_with("r.txt:2"), "{line}: {error}");
        }
        let error = read_all(&[("r.txt", "-r ../secret.txt\n")]).unwrap_err();
        assert!(error.message().contains("outside"), "{error}");
        assert!(read_all(&[("r.txt", "-r missing.txt\n")]).is_err());
    }

    #[test]
    fn a_file_that_is_a_link_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("pins.txt")).unwrap();
        fs::write(folder.path().join("r.txt"), "-c pins.txt\n").unwrap();
        let error = requirements(folder.path(), Path::new("r.txt"), "").unwrap_err();
        assert!(error.message().contains("/pins.txt` leads out of the application's folder"), "{error}");
    }
}
