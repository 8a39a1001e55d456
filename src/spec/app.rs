//! The spec's section `app`: the Django project's folder, how it is served and how its requests are counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app_names::{
    AppModule, DebianPackage, IncludePattern, ManageFolder, ManagementCommand, PersistentPath, ProcessName,
    PythonVersion, ServiceUnit, VenvPath, WebHost,
};
use super::app_service::AppService;
use super::domain::{Acme, DomainName, Domains};
use super::names::{BaseUrl, Cidr, EnvName, Port, UrlPath};
use super::process::Process;
use super::secret_ref::SecretRef;

/// The folder of the code in a src layout.
pub(super) const SRC: &str = "src";

/// The path at which monctl's watch serves the application's metrics.
const WATCHED_METRICS_PATH: &str = "/application";

/// The folder in which hosts have the application's folder.
pub const APP_ROOT: &str = "/srv/monctl/app";

/// The Django application: the project's folder and how it is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Whether monctl deploys the application. With `false` something else does: monctl watches it and changes nothing
    /// of it. Only for `provider: hosts`; see docs/watching.md.
    #[serde(default = "default_deploy")]
    pub deploy: bool,
    /// With `deploy: false`: the unit of the application, such as `shop.service`, whose state is watched. Drills may
    /// stop it and start it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<ServiceUnit>,
    /// With `deploy: false`: a URL of the application as seen on its host, which answers with a status below 400 if all
    /// is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<BaseUrl>,
    /// With `deploy: false`: the URL of the metrics that the project's own django-prometheus serves, as seen on its
    /// host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<BaseUrl>,
    /// With `deploy: false`: the name in the header `Host` of requests to `url` and `metrics_url`: one that
    /// `ALLOWED_HOSTS` accepts. Defaults to that of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<WebHost>,
    /// With `deploy: false`: monctl counts the requests of the unit by a file in its Python environment. The unit's next
    /// start counts; see docs/watching.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_requests: Option<CountRequests>,
    /// The folder that is copied to hosts, relative to the spec: the repository, or the folder of the Django project.
    /// Required, except with `deploy: false`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: PathBuf,
    /// The folder of `manage.py`, relative to `path`, in which the application runs. Defaults to `path` itself, or to
    /// the only folder with a `manage.py` at most two levels below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manage: Option<ManageFolder>,
    /// The WSGI module, such as `notes.wsgi`. Defaults to the one `wsgi.py` next to the settings that `manage.py`
    /// names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wsgi: Option<AppModule>,
    /// The ASGI module, such as `notes.asgi`, for an application that is served by asynchronous workers. Defaults to
    /// the one `asgi.py` of a project without `wsgi.py`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asgi: Option<AppModule>,
    /// The file with the application's requirements, relative to `path`: a requirements file of pip, `uv.lock`,
    /// `poetry.lock`, `Pipfile.lock` or `pyproject.toml`. Defaults to the first that is found; see
    /// docs/application.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<PathBuf>,
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
    /// The domain under which users reach the application, or a list of domains. Caddy then serves it on ports 80 and
    /// 443, with a certificate that it gets by ACME, and the application's own port is closed. See
    /// docs/application.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domains>,
    /// The authority that issues the certificates of `domain`. Defaults to Let's Encrypt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// The number of Gunicorn's worker processes on each host.
    #[serde(default = "default_workers")]
    #[schemars(range(min = 1))]
    pub workers: u16,
    /// The application's environment: plain values and secret references.
    #[serde(default)]
    pub env: BTreeMap<EnvName, EnvValue>,
    /// A file with more variables, such as `.env`, relative to the spec. It is read on this computer; its values are
    /// secrets, and `env` wins over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<PathBuf>,
    /// Debian packages that the application or the build of its requirements needs, such as `libpq-dev` and
    /// `gettext`. They are installed on every application host; `down` removes those that were not there before.
    #[serde(default)]
    pub packages: Vec<DebianPackage>,
    /// Servers that monctl installs on the application host and keeps for the application alone: `postgresql`, whose
    /// address the application gets as `DATABASE_URL`, and `redis`, as `REDIS_URL`.
    #[serde(default)]
    pub services: Vec<AppService>,
    /// What the application writes next to its code, apart from SQLite databases and `MEDIA_ROOT`: paths relative to
    /// `path`. A name with an extension (`debug.log`) is a file, any other a folder.
    #[serde(default)]
    pub persistent: Vec<PersistentPath>,
    /// Processes of the application beside Gunicorn, such as Celery's workers: each by its name with its command, or
    /// with settings. They run in the application's environment and restart with each deploy.
    #[serde(default)]
    pub processes: BTreeMap<ProcessName, Process>,
    /// The management commands that prepare the database for a new version, such as `loaddata initial.json`. They run
    /// in this order, once a deploy: on the first application host, before it restarts. Defaults to `migrate`, which
    /// does nothing without a database; an empty list runs nothing.
    #[serde(default = "default_release")]
    pub release: Vec<ManagementCommand>,
    /// Files that are copied to hosts although git ignores them, such as built CSS: paths and globs relative to `path`.
    #[serde(default)]
    pub include: Vec<IncludePattern>,
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
    /// Whether the WSGI module lies in `src`, below the folder of `manage.py`. Loading finds out.
    #[serde(skip)]
    pub is_src_layout: bool,
}

impl App {
    /// The module with the callable that Gunicorn serves. Loading finds it where the spec names none.
    pub fn module(&self) -> Option<&AppModule> {
        self.asgi.as_ref().or(self.wsgi.as_ref())
    }

    /// The folder of `manage.py`, relative to `path`; empty if it is `path` itself.
    pub fn manage(&self) -> &str {
        self.manage.as_ref().map(ManageFolder::as_str).filter(|folder| *folder != ".").unwrap_or_default()
    }

    /// The folder of `manage.py` in the application's folder.
    pub(super) fn manage_in(&self, root: &Path) -> PathBuf {
        // Joining an empty path would add a slash.
        if self.manage().is_empty() { root.to_owned() } else { root.join(self.manage()) }
    }

    /// The folders, relative to that of `manage.py`, from which Python imports besides it, as the environment names
    /// them.
    pub fn python_path(&self) -> Vec<&str> {
        let of_environment = match self.env.get("PYTHONPATH") {
            Some(EnvValue::Plain(text)) => text.as_str(),
            _ => "",
        };
        let src = self.is_src_layout.then_some(SRC);
        src.into_iter().chain(of_environment.split(':').filter(|folder| !folder.is_empty())).collect()
    }

    /// The domains under which users reach the application; empty if they use its port.
    pub fn domains(&self) -> &[DomainName] {
        self.domain.as_ref().map_or(&[], Domains::all)
    }

    /// The units that a drill stops: those of monctl, or in their place the unit of an application that something else
    /// deploys; none where that is unknown.
    pub fn stopped(&self, units: Vec<String>) -> Option<Vec<String>> {
        let is_of_application = |unit: &String| unit == "app.unit" || unit.starts_with("monctl-app.");
        if self.deploy || !units.iter().any(is_of_application) {
            return Some(units);
        }
        Some(vec![self.unit.as_ref()?.to_string()])
    }

    /// How requests are counted. Loading fills in the default.
    pub fn metrics(&self) -> Metrics {
        // Loading takes the metrics of an application that something else deploys to be its own.
        if self.count_requests.is_some() {
            return Metrics::Exporter;
        }
        self.metrics.unwrap_or(Metrics::Exporter)
    }

    /// The port of requests that a drill sends on the application's host; `None` if it is unknown.
    pub fn requested_port(&self) -> Option<u16> {
        if self.deploy { Some(self.port.get()) } else { self.url.as_ref()?.plain_port() }
    }

    /// The path on which Prometheus finds the application's metrics.
    pub fn metrics_path(&self) -> &str {
        if self.count_requests.is_some() {
            return WATCHED_METRICS_PATH;
        }
        self.metrics_path.as_ref().map_or("/metrics", UrlPath::as_str)
    }

    /// The port on which Prometheus finds the application's metrics.
    pub fn scraped_port(&self) -> u16 {
        match self.metrics() {
            Metrics::Builtin if self.deploy => self.port.get(),
            Metrics::Exporter | Metrics::Builtin => self.metrics_port.get(),
        }
    }
}

/// How monctl counts the requests of an application that something else deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountRequests {
    /// The virtual environment whose Python runs the application, as an absolute path on its hosts.
    pub venv: VenvPath,
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

const fn default_deploy() -> bool {
    true
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

#[expect(clippy::expect_used, reason = "the constant is a valid command; a test reads it")]
fn default_release() -> Vec<ManagementCommand> {
    vec!["migrate".parse().expect("`migrate` is a command")]
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
