//! Checks a bundle with promtool and amtool, if they are installed on this computer. This is the module's only side
//! effect; hosts check again before they activate anything.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::bundle::{Bundle, RULES};
use super::targets::TARGETS;
use crate::error::{Error, Result};

/// A checker of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Prometheus' checker.
    Promtool,
    /// Alertmanager's checker.
    Amtool,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolVerdict {
    /// It accepts the files.
    Accepted,
    /// It is not installed here.
    NotInstalled,
}

/// The files that are checked together, in one folder, as on the host.
const SET: [&str; 3] = ["prometheus.yml", "alert_rules.yml", "alertmanager.yml"];

/// The folders of files that `prometheus.yml` names.
const FOLDERS: [&str; 2] = [RULES, TARGETS];

impl Tool {
    /// Both, in the order of the output.
    pub const ALL: [Self; 2] = [Self::Promtool, Self::Amtool];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promtool => "promtool",
            Self::Amtool => "amtool",
        }
    }

    /// The environment variable with the program's path, if it is not on `PATH`.
    const fn variable(self) -> &'static str {
        match self {
            Self::Promtool => "MONCTL_PROMTOOL",
            Self::Amtool => "MONCTL_AMTOOL",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            // It follows `rule_files`, so that the rules are checked with it.
            Self::Promtool => &["check", "config", "prometheus.yml"],
            Self::Amtool => &["check-config", "alertmanager.yml"],
        }
    }

    /// The program on this computer: the one in its environment variable, or the first one on `PATH`.
    pub fn find(self) -> Option<PathBuf> {
        if let Some(path) = std::env::var_os(self.variable()).filter(|path| !path.is_empty()) {
            return Some(path.into());
        }
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(self.name())).find(|path| path.is_file())
    }

    fn run(self, program: &Path, folder: &Path) -> Result<()> {
        let output = Command::new(program)
            .args(self.arguments())
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                Error::could_not_run(format!("cannot run `{}`", program.display()))
                    .remedy(format!("install {}, or unset `{}`", self.name(), self.variable()))
                    .because(error)
            })?;
        if output.status.success() {
            return Ok(());
        }
        let message = [output.stdout, output.stderr].concat();
        Err(Error::invalid(format!("{} rejects the rendered files", self.name()))
            .remedy("correct your own rules, in the spec and in `monitoring.rules`, which are rendered as they are")
            .because(String::from_utf8_lossy(&message).trim().to_owned()))
    }
}

/// Checks the files with every installed checker.
///
/// # Errors
/// Where a checker rejects the files; its message is the cause.
pub fn check(bundle: &Bundle) -> Result<Vec<(Tool, ToolVerdict)>> {
    let found: Vec<_> = Tool::ALL.into_iter().map(|tool| (tool, tool.find())).collect();
    if found.iter().all(|(_, program)| program.is_none()) {
        return Ok(Tool::ALL.map(|tool| (tool, ToolVerdict::NotInstalled)).to_vec());
    }
    let folder = tempfile::tempdir().map_err(cannot_write)?;
    for name in SET {
        let missing =
            || Error::failed(format!("monctl did not render `{name}`, so that nothing can be checked"));
        let content = bundle.get(name).ok_or_else(missing)?.checkable();
        std::fs::write(folder.path().join(name), content.as_bytes()).map_err(cannot_write)?;
    }
    for folder_of_set in FOLDERS {
        std::fs::create_dir(folder.path().join(folder_of_set)).map_err(cannot_write)?;
        for (name, content) in bundle.folder(folder_of_set) {
            let path = folder.path().join(folder_of_set).join(name);
            std::fs::write(path, content.checkable().as_bytes()).map_err(cannot_write)?;
        }
    }
    let checked = |(tool, program): (Tool, Option<PathBuf>)| match program {
        Some(program) => tool.run(&program, folder.path()).map(|()| (tool, ToolVerdict::Accepted)),
        None => Ok((tool, ToolVerdict::NotInstalled)),
    };
    found.into_iter().map(checked).collect()
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::could_not_run("cannot write the files to check")
        .remedy("free some space in `TMPDIR`")
        .because(error)
}
