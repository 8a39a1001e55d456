//! The content of one file of a bundle: text, and references to secrets in place of their values.

use std::borrow::Cow;

use super::quote;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::spec::{SecretName, Secrets};

/// A file's content. It never contains a secret: [`Content::reveal`] inserts the values on the way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(Cow<'static, str>),
    /// The value of a secret as it is.
    Secret(SecretName),
    /// The value of a secret as a quoted YAML scalar.
    YamlSecret(SecretName),
    /// The value of a secret, quoted as a file of environment variables wants it.
    EnvironmentSecret(SecretName),
}

/// The placeholder for a secret in plans and output.
const MASK: &str = "[secret]";

impl Content {
    pub(super) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    pub(super) const fn of(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// Whether the file contains secrets on a host.
    pub fn is_secret(&self) -> bool {
        self.secrets().next().is_some()
    }

    /// The secrets that the file refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Secret(name) | Part::YamlSecret(name) | Part::EnvironmentSecret(name) => Some(name),
        })
    }

    /// The text with `[secret]` for each secret.
    pub fn masked(&self) -> Cow<'_, str> {
        self.masked_by(MASK)
    }

    /// The text for checkers that require a URL in place of a secret.
    pub(super) fn checkable(&self) -> Cow<'_, str> {
        self.masked_by("https://secret.invalid/")
    }

    fn masked_by(&self, mask: &str) -> Cow<'_, str> {
        if let [Part::Text(text)] = self.0.as_slice() {
            return Cow::Borrowed(text);
        }
        let shown = |part: &Part| match part {
            Part::Text(text) => text.clone().into_owned(),
            Part::Secret(_) => mask.to_owned(),
            Part::YamlSecret(_) | Part::EnvironmentSecret(_) => format!("\"{mask}\""),
        };
        Cow::Owned(self.0.iter().map(shown).collect())
    }

    /// The text for the host.
    ///
    /// # Errors
    /// Where a secret was not resolved, or is not valid in a file of environment variables.
    pub fn reveal(&self, secrets: &Secrets) -> Result<Secret> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Secret(name) => text.push_str(known(secrets, name)?.expose()),
                Part::YamlSecret(name) => text.push_str(&quote::yaml(known(secrets, name)?.expose())),
                Part::EnvironmentSecret(name) => {
                    let quoted = quote::environment(known(secrets, name)?.expose());
                    text.push_str(&quoted.ok_or_else(|| unfit(name))?);
                }
            }
        }
        Ok(Secret::new(text))
    }
}

fn known<'a>(secrets: &'a Secrets, name: &SecretName) -> Result<&'a Secret> {
    secrets.get(name).ok_or_else(|| Error::failed(format!("the secret `{name}` was not resolved")))
}

fn unfit(name: &SecretName) -> Error {
    Error::invalid(format!(
        "the secret `{name}` contains control characters, which are not allowed in environment variables"
    ))
    .remedy("encode the value, for example by `base64`, and decode it in the application")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Content {
        Content::of(vec![
            Part::Text("KEY=".into()),
            Part::EnvironmentSecret(SecretName::Env("KEY".parse().unwrap())),
            Part::Text("\n".into()),
        ])
    }

    #[test]
    fn a_secret_is_masked_until_it_is_revealed() {
        let name = SecretName::Env("KEY".parse().unwrap());
        assert!(example().is_secret());
        assert_eq!(example().masked(), "KEY=\"[secret]\"\n");
        let secrets = Secrets::from_iter([(name, Secret::new("a\"b$c"))]);
        assert_eq!(example().reveal(&secrets).unwrap().expose(), "KEY=\"a\\\"b\\$c\"\n");
    }

    #[test]
    fn a_secret_that_was_not_resolved_is_an_error_that_names_it() {
        let error = example().reveal(&Secrets::default()).unwrap_err();
        assert!(error.to_string().contains("app.env.KEY"), "{error}");
    }

    #[test]
    fn an_error_about_a_secret_does_not_show_it() {
        let secrets =
            Secrets::from_iter([(SecretName::Env("KEY".parse().unwrap()), Secret::new("hunter\u{1}2"))]);
        let error = example().reveal(&secrets).unwrap_err();
        assert!(!error.to_string().contains("hunter"), "{error}");
    }
}
