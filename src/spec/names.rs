//! Small types of the spec in place of plain strings and numbers: each can be built only from valid text, and
//! each adds its rule and an example to the JSON Schema.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text_type::{is_identifier, is_port, is_short_name, text_type};

pub use crate::host::ProjectName;

text_type! {
    /// The name of an environment variable.
    EnvName,
    "^[A-Za-z_][A-Za-z0-9_]*$",
    "DJANGO_SECRET_KEY",
    is_identifier,
    "the name of an environment variable has letters, digits and `_` only and does not begin with a digit"
}

text_type! {
    /// The name of an alert: any text that Prometheus accepts.
    AlertName,
    "^[^\\s\\x00-\\x1f\\x7f]([^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f])?$",
    "HighCPUUsage",
    |text| !text.is_empty() && text.trim() == text && !text.contains(char::is_control),
    "the name of an alert has no line breaks or other control characters, and no spaces at its ends"
}

text_type! {
    /// The name of a label.
    LabelName,
    "^[A-Za-z_][A-Za-z0-9_]*$",
    "team",
    is_identifier,
    "the name of a label has letters, digits and `_` only and does not begin with a digit"
}

text_type! {
    /// A severity with settings: it also names a receiver and a file.
    SeverityName,
    "^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$",
    "critical",
    is_short_name,
    "a severity has up to 63 letters, digits, `_` and `-`, and does not begin with `-`"
}

text_type! {
    /// A scrape job of the user's own: it also names files.
    JobName,
    "^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$",
    "shop-database",
    is_short_name,
    "the name of a scrape job has up to 63 letters, digits, `_` and `-`, and does not begin with `-`"
}

text_type! {
    /// The name of a series that a recording rule records.
    SeriesName,
    "^[A-Za-z_:][A-Za-z0-9_:]*$",
    "shop:requests:rate5m",
    |text| {
        !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
    },
    "the name of a series has letters, digits, `_` and `:` only and does not begin with a digit"
}

text_type! {
    /// A host and a port: `db.example.org:9187`, or `[fd00::1]:9187`.
    HostPort,
    "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?):[0-9]{1,5}$",
    "db.example.org:9187",
    is_host_port,
    "write HOST:PORT, such as `db.example.org:9187`; scheme and path are keys of their own"
}

fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|c| c.is_ascii_hexdigit() || b":.".contains(&c))
        }
        None => {
            host.bytes().all(|c| is_word(c) || b".-".contains(&c))
                && host.bytes().next().is_some_and(is_word)
                && host.bytes().last().is_some_and(is_word)
        }
    };
    is_port(port) && is_host
}

text_type! {
    /// A path on a web server: begins with `/` and has neither spaces nor control characters.
    UrlPath,
    "^/[!-~]*$",
    "/",
    |text| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "a path begins with `/` and has neither spaces nor letters beyond ASCII"
}

text_type! {
    /// A base URL, `http://` or `https://`, without credentials.
    BaseUrl,
    "^https?://[^\\s@]+$",
    "https://mirror.example.org/releases",
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && b != b'@'))
    },
    "a base URL begins with `http://` or `https://` and contains no user name or password"
}

impl BaseUrl {
    /// Whether its host is loopback, so that nothing is sent over a network.
    pub fn is_loopback(&self) -> bool {
        let rest = self.as_str().split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => authority.split(':').next().unwrap_or(authority),
        };
        let address = host.parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The port of 127.0.0.1 at which it is requested without encryption; `None` for other URLs.
    pub fn plain_port(&self) -> Option<u16> {
        let authority = self.as_str().strip_prefix("http://")?.split(['/', '?', '#']).next()?;
        let port = authority.split_once(':').map_or("80", |(_, port)| port);
        let Ok(port) = port.parse::<u16>() else { return None };
        (self.is_loopback() && !authority.starts_with('[')).then_some(port)
    }
}

text_type! {
    /// The name with which ssh logs in. Directory services have names with dots and capitals.
    SshUser,
    "^[A-Za-z0-9._][A-Za-z0-9._-]*$",
    "deploy",
    is_ssh_user,
    "a user has letters, digits, `.`, `_` and `-` only, and does not begin with `-`"
}

/// Whether ssh accepts this user name and does not take it for an option.
fn is_ssh_user(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Where ssh connects to: a name, an address or an alias of the user's ssh configuration, with an optional `USER@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination(String);

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, host) = text.split_once('@').map_or((None, text), |(user, host)| (Some(user), host));
        if let Some(hint) = misplaced(host) {
            return Err(hint);
        }
        let is_name = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if user.is_none_or(is_ssh_user) && (is_name || host.parse::<Ipv6Addr>().is_ok()) {
            return Ok(Self(text.to_owned()));
        }
        Err("a host is written as for ssh: a name, an address or an alias, with an optional `USER@`".into())
    }
}

/// The correct form of a host with its port, or of an address in brackets.
fn misplaced(host: &str) -> Option<String> {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bracketed {
        Some((address, "")) => return Some(format!("leave the brackets out: `{address}`")),
        Some((address, port)) => (address, port.strip_prefix(':')?),
        None => host.rsplit_once(':').filter(|(name, _)| !name.contains(':'))?,
    };
    let number = port.parse::<Port>().ok()?;
    Some(format!("write the port next to the host: `{{ssh: {address}, port: {number}}}`"))
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Destination {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.0
    }
}

impl JsonSchema for Destination {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Destination".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "ssh-destination",
            "examples": ["web1.example.org"],
            "description": "a name, an address or an alias of the ssh configuration, with an optional `USER@`"
        })
    }
}

impl Destination {
    /// The whole of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `@`.
    pub fn user(&self) -> Option<&str> {
        self.as_str().split_once('@').map(|(user, _)| user)
    }

    /// The name, address or alias alone.
    pub fn host(&self) -> &str {
        self.as_str().split_once('@').map_or(self.as_str(), |(_, host)| host)
    }
}

text_type! {
    /// The fingerprint of a host key, as `ssh-keygen -lf` prints it: SHA-256 in base64 without padding.
    Fingerprint,
    "^SHA256:[A-Za-z0-9+/]{43}$",
    "SHA256:H4HyiwQ/z2xV+/KYe56drGuo8NHH1Tys90IQikqNFYQ",
    |text| {
        text.strip_prefix("SHA256:").is_some_and(|digest| {
            digest.len() == 43 && digest.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
        })
    },
    "a host key is written by its fingerprint, as `ssh-keygen -lf` prints it: `SHA256:` and 43 characters"
}

/// A network by its address and prefix length, such as `203.0.113.0/24`. A single address is a network, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network.
    pub const fn get(self) -> IpNet {
        self.0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let net = net.map_err(|_| "write a network such as `203.0.113.0/24`, or one address".to_owned())?;
        if net.addr() == net.network() {
            return Ok(Self(net));
        }
        Err(format!("it has bits set after its prefix; use `{}`", net.trunc()))
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cidr".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "cidr",
            "examples": ["203.0.113.0/24"],
            "description": "a network, or one address"
        })
    }
}

text_type! {
    /// The uid of a dashboard, folder or data source in Grafana.
    GrafanaUid,
    "^[A-Za-z0-9_-]{1,40}$",
    "prometheus",
    |text| (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
    "a uid has letters, digits, `_` and `-` only, at most 40"
}

text_type! {
    /// A SHA-256 digest in hexadecimal digits.
    Sha256Text,
    "^[0-9a-fA-F]{64}$",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    |text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
    "a SHA-256 digest has 64 hexadecimal digits"
}

/// A TCP port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// The port with this number; 0 becomes 1.
    pub const fn new(number: u16) -> Self {
        match NonZeroU16::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU16::MIN),
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl FromStr for Port {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Port {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 1, "maximum": 65535, "description": "a TCP port"
        })
    }
}

/// A percentage, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Percent(f64);

impl Percent {
    /// The percentage; none if out of range.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=100.0).contains(&value).then_some(Self(value))
    }

    /// The value, 0 to 100.
    pub const fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_url_of_this_host_has_a_port_for_drills() {
        let port = |text: &str| text.parse::<BaseUrl>().unwrap().plain_port();
        assert_eq!(port("http://127.0.0.1:8000/health/?a:b"), Some(8000));
        assert_eq!(port("http://localhost/"), Some(80));
        for other in ["https://127.0.0.1:8000/", "http://shop.example:8000/", "http://[::1]:8000/"] {
            assert_eq!(port(other), None, "{other}");
        }
    }

    #[test]
    fn names_accept_what_matches_their_rule_and_nothing_else() {
        for (text, good) in [("A_1", true), ("1A", false), ("A-B", false), ("https://x", false)] {
            assert_eq!(text.parse::<EnvName>().is_ok(), good, "{text}");
        }
        for (text, good) in
            [("https://m/x", true), ("ftp://m", false), ("https://u:p@m", false), ("https://", false)]
        {
            assert_eq!(text.parse::<BaseUrl>().is_ok(), good, "{text}");
        }
        for (text, good) in [("/", true), ("/health/?x=1", true), ("health", false), ("/a b", false)] {
            assert_eq!(text.parse::<UrlPath>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_destination_is_what_ssh_takes_and_never_an_option_or_a_pattern() {
        for text in ["web1", "10.0.0.7", "fd00::7", "deploy@web1.example.org", "_jump"] {
            assert!(text.parse::<Destination>().is_ok(), "{text}");
        }
        for text in [
            "",
            "-oProxyCommand=x",
            "a b",
            "web*",
            "!web",
            "a,b",
            "@web",
            "a@",
            "a@-x",
            "ssh://web",
            "a#b",
            "-l@web",
            "web:",
            ":22",
            "web1:2222",
            "web1:ssh",
            "[fd00::7]",
            "[fd00::7]:22",
            "fd00:::7",
            "a@b@c",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
        let destination: Destination = "deploy@web1".parse().unwrap();
        assert_eq!((destination.user(), destination.host()), (Some("deploy"), "web1"));
    }

    #[test]
    fn a_port_after_a_host_and_brackets_get_a_hint() {
        for (text, hint) in [
            ("web1:2222", "write the port next to the host: `{ssh: web1, port: 2222}`"),
            ("deploy@10.0.0.7:22", "write the port next to the host: `{ssh: 10.0.0.7, port: 22}`"),
            ("[fd00::7]", "leave the brackets out: `fd00::7`"),
            ("[fd00::7]:2222", "write the port next to the host: `{ssh: fd00::7, port: 2222}`"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
        for text in ["web1:99999", "web1:", "fd00:::7", "ssh://web1:22"] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.starts_with("a host is written as for ssh"), "{text}: {error}");
        }
    }

    #[test]
    fn a_user_of_ssh_has_the_same_rule_next_to_the_host_and_before_it() {
        for (user, good) in [
            ("anna.meier", true),
            ("Anna", true),
            ("svc_monctl-1", true),
            ("1st", true),
            ("-l", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(user.parse::<SshUser>().is_ok(), good, "{user}");
            assert_eq!(format!("{user}@web1").parse::<Destination>().is_ok(), good, "{user}");
        }
    }

    #[test]
    fn an_alert_is_named_by_any_text_and_a_severity_by_a_word() {
        for (text, good) in [
            ("High error rate", true),
            ("CertExpiry(<7d)", true),
            ("Zähler > 5 %", true),
            ("a.b", true),
            ("", false),
            (" a", false),
            ("a\n", false),
            ("a\u{7}b", false),
        ] {
            assert_eq!(text.parse::<AlertName>().is_ok(), good, "{text:?}");
            assert_eq!(regex::Regex::new(AlertName::RULE.0).unwrap().is_match(text), good, "{text:?}");
        }
        for (text, good) in
            [("critical", true), ("sev-1", true), ("1", true), ("-x", false), ("a b", false), ("a/b", false)]
        {
            assert_eq!(text.parse::<SeverityName>().is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn a_percentage_lies_between_0_and_100() {
        for (value, good) in [(0.0, true), (100.0, true), (100.1, false), (-0.1, false), (f64::NAN, false)] {
            assert_eq!(Percent::new(value).is_some(), good, "{value}");
        }
    }
}
