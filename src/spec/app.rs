//! The spec's section `app`: the Django project's folder, how it is served and how its requests are counted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{Cidr, DebianPackage, EnvName, PersistentPath, Port, PythonVersion, UrlPath, WsgiModule};
use super::secret_ref::SecretRef;

/// The Django application: the project's folder and how it is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The folder of the Django project (the one with `manage.py`), relative to the spec.
    pub path: PathBuf,
    /// The WSGI module, such as `notes.wsgi`.
    pub wsgi: WsgiModule,
    /// The requirements file, relative to `path`.
    #[serde(default = "default_requirements")]
    pub requirements: PathBuf,
    /// The version of Python, such as `"3.12"`, or conditions such as `">=3.11,<3.14"`. Defaults to what the project
    /// states in `.python-version`, `pyproject.toml` (`requires-python`) or `runtime.txt`, else to the host's Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonVersion>,
    /// How many application hosts there are.
    #[serde(default = "default_count")]
    #[schemars(range(min = 1))]
    pub count: u16,
    /// The port on which Gunicorn listens.
    #[serde(default = "default_port")]
    pub port: Port,
    /// The networks that may reach the application's port, besides the monitoring host. On AWS, defaults to those
    /// that may reach ssh; elsewhere, to all.
    #[serde(default)]
    pub allow: Vec<Cidr>,
    /// The number of Gunicorn's worker processes on each host.
    #[serde(default = "default_workers")]
    #[schemars(range(min = 1))]
    pub workers: u16,
    /// The application's environment: plain values and secret references.
    #[serde(default)]
    pub env: BTreeMap<EnvName, EnvValue>,
    /// Debian packages that the application or the build of its requirements needs, such as `libpq-dev` and
    /// `gettext`. They are installed on every application host; `down` removes those that were not there before.
    #[serde(default)]
    pub packages: Vec<DebianPackage>,
    /// What the application writes next to its code, apart from SQLite databases and `MEDIA_ROOT`: paths relative to
    /// `path`. A name with an extension (`debug.log`) is a file, any other a folder.
    #[serde(default)]
    pub persistent: Vec<PersistentPath>,
    /// How requests are counted. Defaults to `builtin` if the settings in use install django-prometheus and the
    /// project's URLs show its path, else to `exporter`.
    #[serde(default)]
    pub metrics: Option<Metrics>,
    /// The metrics path of the project's own django-prometheus, with `metrics: builtin`. Defaults to the path in its
    /// URLs, or to `/metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_path: Option<UrlPath>,
    /// The port of the exporter process where `metrics` is `exporter`.
    #[serde(default = "default_metrics_port")]
    pub metrics_port: Port,
    /// The path of health checks.
    #[serde(default = "default_health_path")]
    pub health_path: UrlPath,
}

impl App {
    /// Whether the requirements file is the usual one, which the spec need not name.
    pub(super) fn has_usual_requirements(&self) -> bool {
        self.requirements == default_requirements()
    }

    /// How requests are counted. Loading fills in the default.
    pub fn metrics(&self) -> Metrics {
        self.metrics.unwrap_or(Metrics::Exporter)
    }

    /// The path on which Prometheus finds the application's metrics.
    pub fn metrics_path(&self) -> &str {
        self.metrics_path.as_ref().map_or("/metrics", UrlPath::as_str)
    }

    /// The port on which Prometheus finds the application's metrics.
    pub fn scraped_port(&self) -> u16 {
        match self.metrics() {
            Metrics::Exporter => self.metrics_port.get(),
            Metrics::Builtin => self.port.get(),
        }
    }
}

/// How the application's requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metrics {
    /// monctl counts from outside; the project needs nothing.
    Exporter,
    /// The project's own django-prometheus is scraped.
    Builtin,
}

/// A value of the environment: plain text, or a secret reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvValue {
    /// Plain text.
    Plain(String),
    /// A secret.
    Secret(SecretRef),
}

/// Whether an environment can carry the text: systemd rejects control characters other than tabs and line breaks.
pub(crate) fn fits_environment(text: &str) -> bool {
    !text.contains(|c: char| c.is_ascii_control() && !matches!(c, '\n' | '\t'))
}

fn default_requirements() -> PathBuf {
    PathBuf::from("requirements.txt")
}

const fn default_count() -> u16 {
    1
}

const fn default_port() -> Port {
    Port::new(8000)
}

const fn default_workers() -> u16 {
    3
}

const fn default_metrics_port() -> Port {
    Port::new(9101)
}

#[expect(clippy::expect_used, reason = "the constant is a valid path; a test reads it")]
fn default_health_path() -> UrlPath {
    "/".parse().expect("`/` is a path")
}
