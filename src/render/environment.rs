//! The application's environment as a file that systemd reads by `EnvironmentFile=`.

use std::collections::BTreeMap;

use super::content::{Content, Part};
use super::quote;
use crate::error::{Error, Result};
use crate::spec::{EnvName, EnvValue, SecretName};

pub(super) fn content(variables: &BTreeMap<EnvName, EnvValue>) -> Result<Content> {
    let mut parts = Vec::with_capacity(2 * variables.len() + 1);
    parts.push(Part::Text("# The application's environment, written by monctl.\n".into()));
    for (name, value) in variables {
        match value {
            EnvValue::Plain(text) => {
                let quoted = quote::environment(text).ok_or_else(|| unfit(name))?;
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

fn unfit(name: &EnvName) -> Error {
    Error::invalid(format!(
        "`app.env.{name}` contains control characters, which are not allowed in environment variables"
    ))
    .remedy("encode the value, for example by `base64`, and decode it in the application")
}
