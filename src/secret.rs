//! Secrets in memory: a string that cannot be printed by accident.
//!
//! A secret leaves this type in two ways only: on standard input of a remote script, or in an HTTP
//! header. It is no part of a plan, an event, a log line, an error or JSON.

use std::fmt;
use std::fs::File;
use std::io::Read;

use base64::Engine;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// A secret value, zeroed when dropped. `Debug` shows `[secret]`; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes over a secret value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// 24 random bytes of the kernel's: 192 bits, in letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// When the kernel gives none.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([secret])");
    }
}
