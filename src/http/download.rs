//! Downloads a file from another server, as a whole and into memory.

use super::builder;
use crate::error::{Error, Result};

/// Maximum size; a dashboard has some hundred kilobytes.
const LARGEST: usize = 16 << 20;

/// The body behind an address. Follows redirects.
///
/// # Errors
/// When there is no response, its status is not 200, or it is longer than 16 MiB.
pub async fn fetch(url: &str) -> Result<Vec<u8>> {
    let cannot = || Error::failed(format!("cannot fetch `{url}`"));
    let client = builder().redirect(reqwest::redirect::Policy::limited(5)).build();
    let client = client.map_err(|cause| cannot().because(cause))?;
    let mut response = client.get(url).send().await.map_err(|cause| cannot().because(cause.without_url()))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(cannot().because(Error::failed(format!("the status is {}", response.status()))));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|cause| cannot().because(cause.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err(cannot().because(Error::failed(format!("it is longer than {LARGEST} bytes"))));
        }
    }
    Ok(body)
}
