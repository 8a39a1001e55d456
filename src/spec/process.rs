//! The spec's `app.processes`: what runs beside Gunicorn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app_names::CommandLine;
use crate::duration::PromDuration;
use crate::host::HostName;

/// A process of the application beside Gunicorn: its command, or one with settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Process {
    /// A program and its arguments. The program is looked up in the application's Python environment first.
    Bare(CommandLine),
    /// With settings.
    With(ProcessSettings),
}

impl Process {
    /// The process with all its settings.
    pub fn settings(&self) -> ProcessSettings {
        match self {
            Self::Bare(command) => ProcessSettings {
                command: command.clone(),
                hosts: ProcessHosts::default(),
                stop_within: default_stop_within(),
            },
            Self::With(settings) => settings.clone(),
        }
    }
}

/// A process of the application with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessSettings {
    /// A program and its arguments. The program is looked up in the application's Python environment first.
    pub command: CommandLine,
    /// The application hosts on which it runs.
    #[serde(default)]
    pub hosts: ProcessHosts,
    /// How long a stop waits after SIGTERM until the process is killed. A deploy waits as long.
    #[serde(default = "default_stop_within")]
    pub stop_within: PromDuration,
}

/// The application hosts on which a process runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessHosts {
    /// Each of them.
    #[default]
    All,
    /// The first one, for what must run only once, such as Celery's beat.
    First,
}

impl ProcessHosts {
    /// Whether a host is one of them.
    pub fn include(self, host: HostName) -> bool {
        match self {
            Self::All => true,
            Self::First => host.number() == 1,
        }
    }
}

const fn default_stop_within() -> PromDuration {
    PromDuration::seconds(60)
}
