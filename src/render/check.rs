//! Asks promtool and amtool about a bundle, where they are installed on this computer. The one effect of this
//! room; hosts check once more before anything is activated.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::bundle::Bundle;
use crate::error::{Error, Result};

/// A judge of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Prometheus' own.
    Promtool,
    /// Alertmanager's own.
    Amtool,
}

/// What a judge said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolVerdict {
    /// It accepts the files.
    Accepted,
    /// It is not installed here.
    NotInstalled,
}

/// The files that are checked together, in one folder as on the host.
const SET: [&str; 3] = ["prometheus.yml", "alert_rules.yml", "alertmanager.yml"];

impl Tool {
    /// Both, in the order in which people are told about them.
    pub const ALL: [Self; 2] = [Self::Promtool, Self::Amtool];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promtool => "promtool",
            Self::Amtool => "amtool",
        }
    }

    /// Names the program where it is not on `PATH`.
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

    /// The program on this computer: what its variable names, else the first one on `PATH`.
    pub fn find(self) -> Option<PathBuf> {
        if let Some(path) = std::env::var_os(self.variable()).filter(|path| !path.is_empty()) {
            return Some(path.into());
        }
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(self.name())).find(|path| path.is_file())
    }

    fn judge(self, program: &Path, folder: &Path) -> Result<()> {
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
        let said = [output.stdout, output.stderr].concat();
        Err(Error::invalid(format!("{} refuses the rendered files", self.name()))
            .remedy("an own rule's `expr` and templates are taken as they are: mend them in the spec")
            .because(String::from_utf8_lossy(&said).trim().to_owned()))
    }
}

/// Checks the set with every judge that is installed here.
///
/// # Errors
/// Where a judge refuses the set; its words are the cause.
pub fn check(bundle: &Bundle) -> Result<Vec<(Tool, ToolVerdict)>> {
    let found: Vec<_> = Tool::ALL.into_iter().map(|tool| (tool, tool.find())).collect();
    if found.iter().all(|(_, program)| program.is_none()) {
        return Ok(Tool::ALL.map(|tool| (tool, ToolVerdict::NotInstalled)).to_vec());
    }
    let folder = tempfile::tempdir().map_err(cannot_write)?;
    for name in SET {
        let missing =
            || Error::failed(format!("monctl rendered no `{name}`, so that nothing can be checked"));
        let content = bundle.get(name).ok_or_else(missing)?.judgeable();
        std::fs::write(folder.path().join(name), content.as_bytes()).map_err(cannot_write)?;
    }
    let judged = |(tool, program): (Tool, Option<PathBuf>)| match program {
        Some(program) => tool.judge(&program, folder.path()).map(|()| (tool, ToolVerdict::Accepted)),
        None => Ok((tool, ToolVerdict::NotInstalled)),
    };
    found.into_iter().map(judged).collect()
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::could_not_run("cannot write files to be checked")
        .remedy("see that `TMPDIR` has room")
        .because(error)
}
