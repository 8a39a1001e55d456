//! Detects the public address of this computer. Without a proxy, since ssh does not use one either.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::retry::Patience;

/// Amazon's page, which returns only the caller's address.
const PAGE: &str = "https://checkip.amazonaws.com";
/// Timeout of one attempt.
const TRY: Duration = Duration::from_secs(5);
/// Timeout of all attempts.
const LIMIT: Duration = Duration::from_secs(15);

/// Returns the caller's address as reported by a page, Amazon's by default.
///
/// # Errors
/// When the page does not answer in time, or not with an address.
pub async fn of_caller(page: Option<&str>) -> Result<IpAddr> {
    let page = page.unwrap_or(PAGE);
    let client = super::trust::trusting(super::builder())?.timeout(TRY).no_proxy().build();
    let client = client.map_err(|cause| Error::failed("cannot set up an HTTP client").because(cause))?;
    let mut patience = Patience::new(LIMIT);
    loop {
        let request = async { client.get(page).send().await?.error_for_status()?.text().await };
        let error = match request.await {
            Ok(text) => match text.trim().parse() {
                Ok(address) => return Ok(address),
                Err(_) => unknown(page).because("the response is not an address"),
            },
            Err(cause) => unknown(page).because(cause.without_url()),
        };
        patience.again(error).await?;
    }
}

fn unknown(page: &str) -> Error {
    Error::could_not_run(format!("cannot get the public address of this computer from `{page}`"))
        .remedy("set `provider.aws.allow_ssh_from` to the networks that may use ssh")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_page_is_requested_over_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let page = format!("https://{}", listener.local_addr().unwrap());
        let greeting = async { listener.accept().await.unwrap().0.read_u8().await.unwrap() };
        let first = tokio::select! {
            first = greeting => first,
            address = of_caller(Some(&page)) => panic!("{address:?}"),
        };
        // The type of a TLS record that begins a handshake (RFC 8446, section 5.1).
        assert_eq!(first, 22);
    }
}
