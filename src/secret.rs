//! Secrets in memory: a string that cannot be printed by accident.
//!
//! A secret leaves this type in two ways only: on standard input of a remote script, or in an HTTP
//! header. It is never part of a plan, an event, a log line, an error or JSON.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// A secret value, zeroed when dropped. `Debug` shows `[secret]`; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a secret value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// Generates a secret from 24 random bytes of the kernel: 192 bits, in letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// When `/dev/urandom` cannot be read.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 24];
        File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut bytes))
            .map_err(|error| Error::failed("cannot read random bytes").because(error))?;
        Ok(Self::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The value itself. Every call of this is a place to review.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

/// Replacement for a secret's value.
const MASK: &str = "[secret]";
/// Shorter values are not masked: they occur in too many words and protect nothing.
const SHORTEST: usize = 6;

/// The secret values of this run. All output is searched for them: a host, a service or an application may print a
/// secret that it received. Cheap to clone; all clones share the values.
#[derive(Debug, Clone, Default)]
pub struct KnownSecrets(Arc<RwLock<Vec<Secret>>>);

impl KnownSecrets {
    /// Masks a value from now on, also as JSON and Python quote it.
    pub fn add(&self, secret: &Secret) {
        let value = secret.expose();
        if value.chars().count() < SHORTEST {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let json = serde_json::Value::from(value).to_string();
        let json = json[1..json.len() - 1].to_owned();
        let python = value.replace('\\', "\\\\").replace('\'', "\\'");
        known.extend([value.to_owned(), json, python].map(Secret::new));
        // A value that contains another one is replaced first.
        known.sort_by(|a, b| b.expose().len().cmp(&a.expose().len()).then(a.expose().cmp(b.expose())));
        known.dedup();
    }

    /// Replaces all values in the text.
    pub fn mask(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let masked = |text: String, secret: &Secret| text.replace(secret.expose(), MASK);
        known.iter().fold(text.to_owned(), masked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_masked_in_every_place_and_quotation() {
        let known = KnownSecrets::default();
        let clone = known.clone();
        for value in ["it's-a-\\-\"key\"", "s3cret-key", "s3cret-key-and-more", "short"] {
            known.add(&Secret::new(value));
        }
        let text = "KEY='it\\'s-a-\\\\-\"key\"' and s3cret-key-and-more/s3cret-key, in short";
        assert_eq!(clone.mask(text), "KEY='[secret]' and [secret]/[secret], in short");
        let json = serde_json::json!({ "output": "it's-a-\\-\"key\"" }).to_string();
        assert_eq!(clone.mask(&json), r#"{"output":"[secret]"}"#);
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([secret])");
    }
}
