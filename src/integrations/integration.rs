//! One integration, and the set of built-in ones.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use super::folder::{self, Files};
use super::manifest::{Manifest, Program, ScrapeJob};
use crate::error::{Error, Result};
use crate::host::Role;

static FOLDERS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/integrations");

#[expect(clippy::expect_used, reason = "the files are embedded and a test reads them all")]
static BUILTIN: LazyLock<Vec<Integration>> = LazyLock::new(|| {
    let read = |folder: &'static Dir<'static>| {
        let root = Path::new("templates/integrations").join(folder.path());
        Integration::new(root, folder::embedded(folder)?)
    };
    FOLDERS.dirs().map(read).collect::<Result<_>>().expect("the built-in integrations are valid")
});

/// A monitored component with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// The folder, for error messages.
    root: PathBuf,
    name: String,
    manifest: Manifest,
    files: Files,
}

impl Integration {
    /// The built-in ones, by name: `caddy`, `django`, `monitoring`, `node`, `watch`.
    pub fn builtin() -> &'static [Self] {
        &BUILTIN
    }

    /// Reads one of the user's, named after its folder.
    ///
    /// # Errors
    /// Where the folder cannot be read, contains unexpected files, or declares something invalid.
    pub fn read(folder: &Path) -> Result<Self> {
        let integration = Self::new(folder.to_owned(), folder::on_disk(folder)?)?;
        if BUILTIN.iter().any(|builtin| builtin.name == integration.name) {
            return Err(Error::invalid(format!(
                "`{}` is the name of a built-in integration",
                integration.name
            ))
            .at(folder.display().to_string())
            .remedy("rename the folder"));
        }
        Ok(integration)
    }

    fn new(root: PathBuf, files: Files) -> Result<Self> {
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let invalid = |what: String| Error::invalid(what).at(root.display().to_string());
        if !is_name(&name) {
            return Err(invalid(format!("`{name}` is not a valid name of an integration")).remedy(
                "use lower-case letters, digits and hyphens for the folder's name, such as `queue`",
            ));
        }
        let Some(manifest) = files.get("integration.yaml") else {
            return Err(invalid("there is no `integration.yaml`".to_owned())
                .remedy("see docs/integrations.md for the files of an integration"));
        };
        let manifest: Manifest = parse(&root.join("integration.yaml"), manifest)?;
        if let Some(fault) = manifest.fault() {
            return Err(Error::invalid(fault)
                .at(root.join("integration.yaml").display().to_string())
                .remedy("see docs/integrations.md for its keys"));
        }
        Ok(Self { root, name, manifest, files })
    }

    /// Its name, which is its folder's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its title in descriptions, such as `node exporter`.
    pub fn title(&self) -> &str {
        &self.manifest.title
    }

    /// Whether it monitors hosts of this role.
    pub fn watches(&self, role: Role) -> bool {
        self.manifest.roles.as_ref().is_none_or(|roles| roles.contains(&role))
    }

    /// What Prometheus scrapes.
    pub fn scrape_jobs(&self) -> &[ScrapeJob] {
        &self.manifest.scrape
    }

    /// The path of its program.
    pub fn program(&self) -> Option<&Program> {
        self.manifest.program.as_ref()
    }

    /// The text of a file by its path below the folder.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|text| &**text)
    }

    /// The files of a subfolder such as `alerts`: names without the folder.
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter_map(move |(path, text)| Some((path.strip_prefix(folder)?.strip_prefix('/')?, &**text)))
    }

    /// The path of a file, for messages.
    pub fn place(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    /// Reads one of its YAML files.
    ///
    /// # Errors
    /// Where the file is not valid, with line and column.
    pub fn parse<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        self.file(path).map(|text| parse(&self.root.join(path), text)).transpose()
    }
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        Error::invalid("a file of an integration is not valid")
            .at(path.display().to_string())
            .because(error)
            .remedy("see docs/integrations.md for its keys")
    })
}

/// Whether the text is valid as a name of folders, users and jobs.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
