//! Certificates that are trusted in addition to the system's: those of `AWS_CA_BUNDLE`, which AWS' own tools read, too.
//! Behind a TLS-inspecting proxy AWS cannot be reached without them.

use std::env;
use std::fs;
use std::path::PathBuf;

use reqwest::ClientBuilder;

use crate::error::{Error, Result};

/// The variable with the file's path.
const VARIABLE: &str = "AWS_CA_BUNDLE";

/// A valid file of certificates.
#[derive(Debug, Clone)]
pub struct CaBundle {
    /// The certificates as PEM.
    pub pem: Vec<u8>,
    certificates: Vec<reqwest::Certificate>,
}

/// The certificates of the environment's `AWS_CA_BUNDLE`, if it is set.
///
/// # Errors
/// The file cannot be read, or contains no certificate.
pub fn ca_bundle() -> Result<Option<CaBundle>> {
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        Error::could_not_run(format!("`{VARIABLE}` names `{}`, which {what}", path.display()))
            .remedy("set it to a file of certificates in PEM format, or unset it")
    };
    let pem = fs::read(&path).map_err(|error| wrong("cannot be read").because(error))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|error| wrong("is not a file of certificates").because(error))?;
    if certificates.is_empty() {
        return Err(wrong("contains no certificate"));
    }
    Ok(Some(CaBundle { pem, certificates }))
}

/// Adds them to a client's trusted certificates.
///
/// # Errors
/// As [`ca_bundle`].
pub(super) fn trusting(builder: ClientBuilder) -> Result<ClientBuilder> {
    Ok(match ca_bundle()? {
        Some(bundle) => builder.tls_certs_merge(bundle.certificates),
        None => builder,
    })
}
