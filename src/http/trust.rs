//! Certificates that are trusted beside the system's: those of `AWS_CA_BUNDLE`, which AWS' own tools read, too. Behind a
//! proxy that opens TLS nothing of AWS can be reached without.

use std::env;
use std::fs;
use std::path::PathBuf;

use reqwest::ClientBuilder;

use crate::error::{Error, Result};

/// The variable that names the file.
const VARIABLE: &str = "AWS_CA_BUNDLE";

/// A file of certificates, all of which can be read.
#[derive(Debug, Clone)]
pub struct CaBundle {
    /// The certificates as PEM.
    pub pem: Vec<u8>,
    certificates: Vec<reqwest::Certificate>,
}

/// The certificates of the environment's `AWS_CA_BUNDLE`, where it names a file.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn ca_bundle() -> Result<Option<CaBundle>> {
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        Error::could_not_run(format!("`{VARIABLE}` names `{}`, which {what}", path.display()))
            .remedy("name a file of certificates in PEM, or unset it")
    };
    let pem = fs::read(&path).map_err(|error| wrong("cannot be read").because(error))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|error| wrong("is not a file of certificates").because(error))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate"));
    }
    Ok(Some(CaBundle { pem, certificates }))
}

/// Lets a client trust them, too.
///
/// # Errors
/// As [`ca_bundle`].
pub(super) fn trusting(builder: ClientBuilder) -> Result<ClientBuilder> {
    Ok(match ca_bundle()? {
        Some(bundle) => builder.tls_certs_merge(bundle.certificates),
        None => builder,
    })
}
