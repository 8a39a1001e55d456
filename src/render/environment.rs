//! The application's environment as a file that systemd reads by `EnvironmentFile=`.

use super::content::{Content, Part};
use super::quote;
use crate::error::{Error, Result};
use crate::spec::{APP_ROOT, App, AppService, EnvValue, SecretName};

/// The variable with the folders from which Python imports.
const PYTHON_PATH: &str = "PYTHONPATH";

/// How the application reaches its PostgreSQL: by a socket, which needs no password, since it checks the user of each
/// client. Its folder is in a variable of PostgreSQL's own library, because not every reader of the address takes it.
const POSTGRESQL: &str = "DATABASE_URL=postgresql://monctl-app@/app\nPGHOST=/run/monctl-postgresql\n";

pub(super) fn content(app: &App) -> Result<Content> {
    let mut parts = Vec::with_capacity(2 * app.env.len() + 2);
    parts.push(Part::Text("# The application's environment, written by monctl.\n".into()));
    if app.is_src_layout {
        let mut folders = app.python_path();
        let src = format!("{}/{}", app_folder(app), folders.remove(0));
        folders.insert(0, &src);
        let quoted = quote::environment(&folders.join(":")).ok_or_else(|| unfit(PYTHON_PATH))?;
        parts.push(Part::Text(format!("{PYTHON_PATH}={quoted}\n").into()));
    }
    if app.services.contains(&AppService::Postgresql) {
        parts.push(Part::Text(POSTGRESQL.into()));
    }
    for (name, value) in
        app.env.iter().filter(|(name, _)| !(app.is_src_layout && name.as_str() == PYTHON_PATH))
    {
        match value {
            EnvValue::Plain(text) => {
                let quoted = quote::environment(text).ok_or_else(|| unfit(name.as_str()))?;
                parts.push(Part::Text(format!("{name}={quoted}\n").into()));
            }
            EnvValue::Secret(_) => {
                parts.push(Part::Text(format!("{name}=").into()));
                parts.push(Part::EnvironmentSecret(SecretName::Env(name.clone())));
                parts.push(Part::Text("\n".into()));
            }
        }
    }
    Ok(Content::of(parts))
}

/// The folder of `manage.py` on hosts.
pub(super) fn app_folder(app: &App) -> String {
    match app.manage() {
        "" => APP_ROOT.to_owned(),
        below => format!("{APP_ROOT}/{below}"),
    }
}

fn unfit(name: &str) -> Error {
    Error::invalid(format!(
        "`app.env.{name}` contains control characters, which are not allowed in environment variables"
    ))
    .remedy("encode the value, for example by `base64`, and decode it in the application")
}
