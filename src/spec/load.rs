//! Reading a spec's file: the one effect of this room, beside resolving secrets.

use std::path::{Path, PathBuf};

use super::Spec;
use crate::error::{Error, Result};

/// A valid spec and the file it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The spec, with every choice that it leaves open decided.
    pub spec: Spec,
    path: PathBuf,
}

impl Loaded {
    /// The spec's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder to which the spec's paths are relative.
    pub fn base_dir(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// The folder of the Django project.
    pub fn app_dir(&self) -> PathBuf {
        self.base_dir().join(&self.spec.app.path)
    }
}

/// Reads and validates a spec.
///
/// # Errors
/// One error with all problems of the file, each with line and column.
pub fn load(path: &Path) -> Result<Loaded> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::invalid(format!("cannot read the spec `{}`", path.display()))
            .remedy("name the spec by `-f PATH` or `MONCTL_SPEC`")
            .because(error)
    })?;
    let spec = serde_saphyr::from_str(&text)
        .map_err(|_| Error::invalid("the spec is not valid").at(path.display().to_string()))?;
    Ok(Loaded { spec, path: path.to_owned() })
}
