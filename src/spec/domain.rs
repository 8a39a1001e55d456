//! The spec's `app.domain` and `app.acme`: the names of the application in public, and where their certificates come
//! from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::BaseUrl;
use super::text_type::text_type;

/// The port on which the web server of a domain redirects to [`HTTPS`], and the authority checks the domain.
pub const HTTP: u16 = 80;
/// The port on which the web server of a domain serves the application.
pub const HTTPS: u16 = 443;

text_type! {
    /// A domain: labels of lower-case letters, digits and hyphens, with dots between them.
    DomainName,
    "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
    "shop.example.org",
    is_domain,
    "a domain is written in lower case without `https://`, a port or a path, such as `shop.example.org`"
}

fn is_domain(text: &str) -> bool {
    let is_of_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(is_of_label)
    };
    // A last label that begins with a digit is that of an address.
    text.split('.').all(is_label)
        && text.rsplit_once('.').is_some_and(|(_, last)| last.starts_with(|c: char| c.is_ascii_lowercase()))
}

text_type! {
    /// An address of mail.
    MailAddress,
    "^[A-Za-z0-9.!#%&'*+/=?^_`|~-]+@[A-Za-z0-9.-]+$",
    "ops@example.org",
    |text| {
        text.split_once('@').is_some_and(|(name, host)| {
            let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
            let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b".!#%&'*+/=?^_`|~-".contains(&byte);
            !name.is_empty() && name.bytes().all(is_of_name) && !host.is_empty() && host.bytes().all(is_of_host)
        })
    },
    "an address of mail has the form `ops@example.org`"
}

/// The domain of the application, or several of them, such as with and without `www`. The first is the one that `up`
/// shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Domains {
    /// One domain.
    One(DomainName),
    /// Several domains.
    Several(Vec<DomainName>),
}

impl Domains {
    /// All of them.
    pub fn all(&self) -> &[DomainName] {
        match self {
            Self::One(domain) => std::slice::from_ref(domain),
            Self::Several(domains) => domains,
        }
    }
}

/// The authority that issues the certificates of `app.domain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// Where the authority sends mail about the certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<MailAddress>,
    /// The URL of the authority's ACME directory. The application host must trust the certificate of that URL.
    /// Defaults to Let's Encrypt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<BaseUrl>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_name_in_lower_case_without_scheme_port_and_path() {
        for text in ["shop.example", "www.shop.example.org", "xn--bcher-kva.example", "4shop.example"] {
            assert!(is_domain(text), "{text}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            "shop",
            "Shop.example",
            "https://shop.example",
            "shop.example:443",
            "shop.example/",
            "shop..example",
            "-shop.example",
            "192.0.2.1",
            "*.example.org",
            "shop.example {",
            &long,
        ] {
            assert!(!is_domain(text), "{text}");
        }
    }
}
