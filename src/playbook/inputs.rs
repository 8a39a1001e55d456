//! Inputs that steps refer to by name: rendered files, release tarballs, the application's code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::digest::Sha256;
use crate::host::HostName;
use crate::integrations::{Flag, Integration};
use crate::spec::{DebianPackage, PersistentPath, Process, ProcessName};

/// The content of a file that goes to a host.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    content: FileContent,
    sha256: Sha256,
    secret: bool,
}

/// Where the content of a file is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum FileContent {
    /// In memory.
    Memory(Arc<[u8]>),
    /// On this computer's disk, read piece by piece when it is sent.
    Disk(Arc<Path>, u64),
}

impl File {
    /// A file without secrets.
    pub fn public(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(bytes.into(), false)
    }

    /// A file with a secret: never shown, never compared in a diff.
    pub fn secret(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(bytes.into(), true)
    }

    fn new(bytes: Arc<[u8]>, secret: bool) -> Self {
        Self { sha256: Sha256::of(&bytes), content: FileContent::Memory(bytes), secret }
    }

    /// A file without secrets that stays on the disk, with its size and digest.
    pub fn on_disk(path: impl Into<Arc<Path>>, size: u64, sha256: Sha256) -> Self {
        Self { content: FileContent::Disk(path.into(), size), sha256, secret: false }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match &self.content {
            FileContent::Memory(bytes) => bytes.len() as u64,
            FileContent::Disk(_, size) => *size,
        }
    }

    /// The digest of its bytes.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Whether it contains a secret.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Its content, for the wire.
    pub(super) fn content(&self) -> &FileContent {
        &self.content
    }

    /// Its text, if it is text, may be shown and is in memory.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            // A file that is not text has no diff.
            FileContent::Memory(bytes) if !self.secret => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({}, {} bytes)", self.sha256.short(), self.size())
    }
}

/// A release tarball: URL and digest by machine architecture as `uname -m` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The version, for people.
    pub version: String,
    /// URL and digest by architecture.
    pub by_machine: BTreeMap<String, (String, Sha256)>,
}

/// Maximum size of code files: larger files are data.
const LARGE_FILE_BYTES: u64 = 20_000_000;

/// A folder of the user's: its files by path relative to the folder, with `/` between parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Content and whether it is executable.
    pub files: BTreeMap<String, (File, bool)>,
    /// Paths at which the application writes: a host gets their files once.
    pub persistent: Vec<PersistentPath>,
}

impl Tree {
    /// The names of its files, one per line, as a host stores them.
    pub fn manifest(&self) -> String {
        self.files.keys().flat_map(|path| [path.as_str(), "\n"]).collect()
    }

    /// The largest files with their sizes, the largest first.
    pub fn large_files(&self) -> Vec<(&str, u64)> {
        let mut large: Vec<(&str, u64)> = self
            .files
            .iter()
            .map(|(name, (file, _))| (name.as_str(), file.size()))
            .filter(|(_, size)| *size > LARGE_FILE_BYTES)
            .collect();
        large.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        large
    }

    /// Its code files, which hosts have unchanged.
    pub fn code(&self) -> impl Iterator<Item = (&str, &File, bool)> {
        let is_code = |path: &str| !self.persistent.iter().any(|kept| kept.holds(path));
        self.files
            .iter()
            .map(|(path, (file, executable))| (path.as_str(), file, *executable))
            .filter(move |(path, ..)| is_code(path))
    }

    /// The digest of names, contents and modes, and of the data paths.
    pub fn digest(&self) -> Sha256 {
        let files = self.files.iter().flat_map(|(path, (file, executable))| {
            [path.clone(), file.sha256().to_string(), executable.to_string()]
        });
        Sha256::of_fields(files.chain(self.persistent.iter().map(ToString::to_string)))
    }
}

/// The Python that an application needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRequest {
    /// A version or conditions, as uv understands them.
    pub version: String,
    /// Where it is stated, for people.
    pub source: String,
    /// The mirror of python-build-standalone's releases.
    pub mirror: Option<String>,
}

/// The content of a Python environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Requirements files by path; they may refer to each other.
    pub files: BTreeMap<String, File>,
    /// The file among them that is installed: requirements of pip, `pyproject.toml` or `uv.lock`.
    pub entry: String,
    /// The user's file from which they come, relative to the application's folder.
    pub source: String,
    /// Additions of monctl: lines of a requirements file, each `name==version` with its digests.
    pub added: Vec<String>,
    /// The Python, if the project states one.
    pub python: Option<PythonRequest>,
}

impl Requirements {
    /// The digest of all requirements.
    pub fn digest(&self) -> Sha256 {
        let files = self.files.iter().flat_map(|(path, file)| [path.clone(), file.sha256().to_string()]);
        let python = self.python.iter().map(|python| format!("python {}", python.version));
        Sha256::of_fields(files.chain([self.entry.clone()]).chain(self.added.iter().cloned()).chain(python))
    }
}

/// Everything that the steps of a role refer to.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The flags of the spec that decide which steps apply.
    pub flags: BTreeSet<Flag>,
    /// The integrations. Their steps are part of the playbooks.
    pub integrations: Vec<Integration>,
    /// Rendered files by bundle name.
    pub files: BTreeMap<String, File>,
    /// Releases by name.
    pub releases: BTreeMap<String, Release>,
    /// Optional releases.
    pub optional: BTreeSet<String>,
    /// Debian packages that the application needs.
    pub app_packages: Vec<DebianPackage>,
    /// The processes of the application beside Gunicorn.
    pub processes: BTreeMap<ProcessName, Process>,
    /// The application's code.
    pub tree: Tree,
    /// The application's requirements.
    pub requirements: Requirements,
}

impl Inputs {
    /// What the steps on this host refer to: some processes run only on the first host.
    #[must_use]
    pub fn on(&self, host: HostName) -> Self {
        let mut inputs = self.clone();
        inputs.processes.retain(|_, process| process.settings().hosts.include(host));
        inputs
    }
}
