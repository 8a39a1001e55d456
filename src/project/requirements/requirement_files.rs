//! Files of this computer to which requirements refer, as they are copied to hosts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::super::link;
use super::encoding::decode;
use super::requirement_line::is_archive;
use crate::bounded::{SMALL_FILE_BYTES, read_at_most};
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::playbook::File;

/// The largest sum of packages that are copied beside the requirements; bytes.
const PACKAGES_BYTES_AT_MOST: u64 = 500_000_000;

/// The files of one set of requirements.
pub(super) struct RequirementFiles {
    /// The folder that holds them all, without links.
    root: PathBuf,
    /// Folders to which their paths may be relative, besides a file's own folder.
    bases: Vec<PathBuf>,
    /// What was found, by path relative to the folder.
    pub found: BTreeMap<String, File>,
    /// The size of the packages among them.
    packages_bytes: u64,
}

impl RequirementFiles {
    /// No files yet, of a folder. `bases` are the folders in which the user runs pip.
    pub fn new(root: &Path, bases: &[&Path]) -> Result<Self> {
        let canonical = |folder: &Path| {
            folder.canonicalize().map_err(|error| {
                Error::invalid(format!("cannot read the folder `{}`", folder.display())).because(error)
            })
        };
        let root = canonical(root)?;
        let mut bases = bases.iter().map(|base| canonical(base)).collect::<Result<Vec<_>>>()?;
        bases.push(root.clone());
        Ok(Self { root, bases, found: BTreeMap::new(), packages_bytes: 0 })
    }

    /// The path of a file on this computer.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The text of a requirements file.
    pub fn text(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        let unreadable = || Error::invalid(format!("cannot read the requirements file `{}`", path.display()));
        let target = link::resolve(&self.root, &path)?;
        let bytes = read_at_most(target.as_ref().unwrap_or(&path), SMALL_FILE_BYTES)
            .map_err(|error| unreadable().because(error))?;
        decode(&bytes).map_err(|reason| {
            unreadable()
                .because(std::io::Error::new(std::io::ErrorKind::InvalidData, reason))
                .remedy("save the file in UTF-8")
        })
    }

    /// Adds a requirements file.
    pub fn add(&mut self, name: &str, text: &str) {
        self.found.insert(name.to_owned(), File::public(text.as_bytes()));
    }

    /// The file or folder at a path that a requirements file names; pip takes it as relative to the folder in which it
    /// runs, or to that of the file. None if there is none that is `wanted`.
    pub fn locate(&self, from: &str, path: &str, wanted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let beside = self.path(from).parent().map(Path::to_owned);
        beside.iter().chain(&self.bases).map(|base| base.join(path)).find(|path| wanted(path))
    }

    /// The name of a file included by another.
    pub fn included(&self, from: &str, path: &str) -> Result<String> {
        let beside = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
        let mut inside = PathBuf::new();
        for component in beside.components() {
            let stays = match component {
                Component::Normal(part) => {
                    inside.push(part);
                    true
                }
                Component::ParentDir => inside.pop(),
                Component::CurDir => true,
                Component::RootDir | Component::Prefix(_) => false,
            };
            if !stays {
                return Err(self.outside(path));
            }
        }
        as_text(&inside)
    }

    /// The folders of the application that a folder holds or is: its own project, whose code hosts have anyway.
    pub fn is_own_project(&self, folder: &Path) -> bool {
        folder.canonicalize().is_ok_and(|folder| {
            folder.starts_with(&self.root)
                && self.bases.first().is_some_and(|manage| manage.starts_with(&folder))
        })
    }

    /// Adds a package; returns its path relative to the folder.
    pub fn add_package(&mut self, path: &Path) -> Result<String> {
        let unreadable = |error: std::io::Error| {
            Error::invalid(format!("cannot read `{}`", path.display())).because(error)
        };
        let target = path.canonicalize().map_err(unreadable)?;
        let below = target.strip_prefix(&self.root).map_err(|_| self.outside(&path.display().to_string()))?;
        let name = portable(below)?;
        if !self.found.contains_key(&name) {
            let (sha256, size) = fs::File::open(&target).and_then(Sha256::of_reader).map_err(unreadable)?;
            self.packages_bytes += size;
            if self.packages_bytes > PACKAGES_BYTES_AT_MOST {
                let text = format!(
                    "the packages beside the requirements hold more than {} MB",
                    PACKAGES_BYTES_AT_MOST / 1_000_000
                );
                return Err(Error::invalid(text)
                    .remedy("serve them by a package index, and name it with `--extra-index-url`"));
            }
            self.found.insert(name.clone(), File::on_disk(target, size, sha256));
        }
        Ok(name)
    }

    /// Adds the packages of a folder; returns the folder's path.
    pub fn add_packages(&mut self, folder: &Path) -> Result<String> {
        let unreadable = |error: std::io::Error| {
            Error::invalid(format!("cannot read the folder `{}`", folder.display())).because(error)
        };
        let target = folder.canonicalize().map_err(unreadable)?;
        let below =
            target.strip_prefix(&self.root).map_err(|_| self.outside(&folder.display().to_string()))?;
        let name = portable(below)?;
        for entry in fs::read_dir(&target).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_file() && path.to_str().is_some_and(is_archive) {
                self.add_package(&path)?;
            }
        }
        Ok(name)
    }

    fn outside(&self, path: &str) -> Error {
        Error::invalid(format!("`{path}` lies outside of `{}`", self.root.display())).remedy(
            "set `app.path` to a folder that holds all requirements, and name the folder of `manage.py` below it with \
             `app.manage`",
        )
    }
}

/// The path of a requirements file as text.
pub(super) fn as_text(path: &Path) -> Result<String> {
    path.to_str()
        .filter(|name| !name.contains(char::is_control))
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid("a requirements file's name is not UTF-8, or has control characters"))
}

/// The path of a package as text, with `/` between parts, as a line of requirements can name it.
fn portable(path: &Path) -> Result<String> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"#[];\\\"'%$?".contains(c);
    path.to_str().filter(|name| name.chars().all(is_plain)).map(str::to_owned).ok_or_else(|| {
        Error::invalid(format!("the file name {:?} cannot stand in requirements", path.display().to_string()))
            .remedy("rename it: the name must be UTF-8 without spaces and special characters")
    })
}
