//! Small types of the spec in place of plain strings and numbers: each can be built only from valid text, and
//! each adds its rule and an example to the JSON Schema.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::host::ProjectName;

/// Defines a newtype over text with one rule, shared by loading, serde and the JSON Schema.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $example:literal, $valid:expr, $hint:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern, "patternErrorMessage" = $hint, "examples" = [$example]))]
        pub struct $name(String);

        impl $name {
            /// The pattern that the text must match, and the message if it does not.
            #[allow(dead_code, reason = "only the keys of mappings need it")]
            pub(super) const RULE: (&str, &str) = ($pattern, $hint);

            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err($hint.to_owned()) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

/// Whether the text is a name as Python, Prometheus and shells write them: ASCII letters, digits and `_`.
fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the text is a path below a folder: parts with `/` between them, none of them `.` or `..`.
fn is_path_below(text: &str) -> bool {
    text.split('/')
        .all(|part| !["", ".", ".."].contains(&part) && !part.contains(|c: char| c.is_control() || c == '\\'))
}

text_type! {
    /// A module with a WSGI or ASGI callable in dotted notation, such as `mysite.wsgi`, followed by `:NAME` if the
    /// callable is not named `application`.
    AppModule,
    "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*(:[A-Za-z_][A-Za-z0-9_]*)?$",
    "mysite.wsgi",
    |text| {
        let (module, callable) = text.split_once(':').map_or((text, None), |(module, name)| (module, Some(name)));
        module.split('.').all(is_identifier) && callable.is_none_or(is_identifier)
    },
    "the module is written with dots, such as `mysite.wsgi`, or with its callable: `mysite.wsgi:application`"
}

impl AppModule {
    /// The module without the callable's name.
    pub fn module(&self) -> &str {
        self.as_str().split(':').next().unwrap_or(self.as_str())
    }
}

text_type! {
    /// The name of an environment variable.
    EnvName,
    "^[A-Za-z_][A-Za-z0-9_]*$",
    "DJANGO_SECRET_KEY",
    is_identifier,
    "the name of an environment variable has letters, digits and `_` only and does not begin with a digit"
}

text_type! {
    /// The name of a Debian package.
    DebianPackage,
    "^[a-z0-9][a-z0-9+.-]+$",
    "libpq-dev",
    |text| {
        let is_of_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        text.len() > 1 && text.bytes().next().is_some_and(is_of_name) && text.bytes().all(|b| is_of_name(b) || b"+.-".contains(&b))
    },
    "the name of a Debian package has lower-case letters, digits, `+`, `-` and `.` only, such as `libpq-dev`"
}

text_type! {
    /// The name of a process of the application: a part of its unit's name.
    ProcessName,
    "^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$",
    "worker",
    |text| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(is_inner)
    },
    "the name of a process has up to 32 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen"
}

impl ProcessName {
    /// The name of its unit.
    pub fn unit(&self) -> String {
        format!("monctl-app-{self}.service")
    }
}

text_type! {
    /// A command without a shell: a program and its arguments, with quotes around characters that a shell would interpret.
    CommandLine,
    "^[ \\t\\n]*[^-=\\s\\x00-\\x1f\\x7f-\\x9f'\"\\\\$`|&;<>#()*?\\[\\]{}~][^=\\s\\x00-\\x1f\\x7f-\\x9f'\"\\\\$`|&;<>#()*?\\[\\]{}~]*([ \\t\\n]([ \\t\\n]|[^\\s\\x00-\\x1f\\x7f-\\x9f'\"\\\\$`|&;<>#()*?\\[\\]{}~]|'[^'\\x00-\\x1f\\x7f-\\x9f]*'|\"[^\"\\\\$`\\x00-\\x1f\\x7f-\\x9f]*\")*)?$",
    "celery -A shop worker",
    |text| split_words(text).is_some(),
    "a command is a program and its arguments; no shell runs it: put variables into `app.env`, and arguments with characters such as `$`, `*`, `;` and `|` in single quotes"
}

impl CommandLine {
    /// The program and its arguments.
    pub fn words(&self) -> Vec<String> {
        split_words(&self.0).into_iter().flatten().collect()
    }
}

/// Splits a command line as a shell does; none where a shell would do more than that, or where the program has quotes.
fn split_words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let (quoted, rest) = chars.as_str().split_once(c)?;
                let is_interpreted = |it: char| c == '"' && "\\$`".contains(it);
                if words.is_empty() || quoted.contains(|it: char| it.is_control() || is_interpreted(it)) {
                    return None;
                }
                word.get_or_insert_default().push_str(quoted);
                chars = rest.chars();
            }
            ' ' | '\t' | '\n' => words.extend(word.take()),
            c if c.is_whitespace() || c.is_control() || "\\$`|&;<>#()*?[]{}~".contains(c) => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let program = words.first()?;
    (!program.starts_with('-') && !program.contains('=')).then_some(words)
}

text_type! {
    /// A management command of Django with its arguments. Arguments are separated by spaces; quotes hold one with
    /// spaces together.
    ManagementCommand,
    "^[A-Za-z_][A-Za-z0-9_]*( +([^ '\"\\\\\\x00-\\x1f\\x7f]|'[^'\\\\\\x00-\\x1f\\x7f]*'|\"[^\"\\\\\\x00-\\x1f\\x7f]*\")+)*$",
    "loaddata initial.json",
    |text| {
        let closed = |quote: Option<char>, c: char| match quote {
            Some(open) => (c != open).then_some(open),
            None => matches!(c, '\'' | '"').then_some(c),
        };
        is_identifier(text.split(' ').next().unwrap_or(text))
            && !text.ends_with(' ')
            && !text.contains(|c: char| c == '\\' || c.is_ascii_control())
            && text.chars().fold(None, closed).is_none()
    },
    "a management command begins with its name, without `python manage.py`; quotes hold an argument with spaces \
     together, and there are no backslashes or line breaks: `loaddata 'first steps.json'`"
}

text_type! {
    /// Versions of Python: one, such as `3.12`, or conditions as in `requires-python`, such as `>=3.11,<3.14`.
    PythonVersion,
    "^(3\\.[0-9]{1,2}(\\.[0-9]{1,2})?|(===?|!=|~=|[<>]=?) *[0-9]{1,2}(\\.[0-9]{1,2}){0,2}(\\.\\*)?( *, *(===?|!=|~=|[<>]=?) *[0-9]{1,2}(\\.[0-9]{1,2}){0,2}(\\.\\*)?)*)$",
    "3.12",
    is_python_version,
    "a version of Python is written in quotes, such as `\"3.12\"`, or as conditions: `\">=3.11,<3.14\"`"
}

/// Whether a text is a version of Python 3, or a list of conditions.
fn is_python_version(text: &str) -> bool {
    let numbers = |text: &str, most: usize| {
        let parts: Vec<&str> = text.split('.').collect();
        let is_number = |part: &&str| matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() <= most && parts.iter().all(is_number)
    };
    if let Some(rest) = text.strip_prefix("3.") {
        return numbers(rest, 2);
    }
    text.split(',').all(|condition| {
        let condition = condition.trim_matches(' ');
        let operator = ["===", "==", "!=", "~=", "<=", ">=", "<", ">"];
        let version = operator.iter().find_map(|operator| condition.strip_prefix(operator));
        version.is_some_and(|version| {
            let version = version.trim_start_matches(' ');
            numbers(version.strip_suffix(".*").unwrap_or(version), 3)
        })
    })
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
    |text| {
        (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    },
    "a severity has up to 63 letters, digits, `_` and `-`, and does not begin with `-`"
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
    /// A path below the application's folder, such as `data` or `logs/app.log`.
    PersistentPath,
    "^([^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.[^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.\\.[^/\\\\\\x00-\\x1f\\x7f]+)(/([^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.[^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.\\.[^/\\\\\\x00-\\x1f\\x7f]+))*$",
    "data",
    is_path_below,
    "a path is relative to `app.path`, without `.` and `..`, such as `data` or `logs/app.log`"
}

impl PersistentPath {
    /// Whether a path below the application's folder is this one or lies in it.
    pub fn holds(&self, path: &str) -> bool {
        path.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

text_type! {
    /// Files below the application's folder: a path, or a glob.
    IncludePattern,
    "^([^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.[^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.\\.[^/\\\\\\x00-\\x1f\\x7f]+)(/([^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.[^./\\\\\\x00-\\x1f\\x7f][^/\\\\\\x00-\\x1f\\x7f]*|\\.\\.[^/\\\\\\x00-\\x1f\\x7f]+))*$",
    "static/css/*.css",
    is_path_below,
    "a path or glob is relative to `app.path`, without `.` and `..`, such as `static/dist` or `static/css/*.css`"
}

text_type! {
    /// A folder below the application's folder, or `.` for that one itself. Units and scripts name it unquoted.
    ManageFolder,
    "^(\\.|[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*)$",
    "backend",
    |text| {
        text == "."
            || text.split('/').all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            })
    },
    "a folder is relative to `app.path` and consists of letters, digits, `.`, `_` and `-`, such as `backend`"
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
}

text_type! {
    /// A region of AWS, such as `eu-central-1`.
    Region,
    "^[a-z]{2,4}(-[a-z]+)+-[0-9]+$",
    "eu-central-1",
    |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        parts.len() >= 3
            && (2..=4).contains(&parts[0].len())
            && parts[..parts.len() - 1].iter().all(word)
            && parts.last().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
    },
    "a region is written like `eu-central-1`"
}

text_type! {
    /// The number of an AWS account: twelve digits. Written in quotes, since it may begin with 0.
    AccountId,
    "^[0-9]{12}$",
    "123456789012",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
    "an account is written as its twelve digits, in quotes"
}

text_type! {
    /// A type of EC2 instances, such as `t3.small`.
    InstanceType,
    "^[a-z][a-z0-9-]*\\.[a-z0-9-]+$",
    "t3.small",
    |text| {
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.split_once('.').is_some_and(|(family, size)| part(family) && part(size))
    },
    "an instance type is written like `t3.small`"
}

/// Whether the text is an id of EC2 with this prefix: followed by 8 or 17 hexadecimal digits.
fn is_ec2_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        [8, 17].contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

text_type! {
    /// The id of an image.
    ImageId,
    "^ami-([0-9a-f]{8}|[0-9a-f]{17})$",
    "ami-0123456789abcdef0",
    |text| is_ec2_id(text, "ami-"),
    "an image is written by its id, like `ami-0123456789abcdef0`"
}

text_type! {
    /// The id of a VPC.
    VpcId,
    "^vpc-([0-9a-f]{8}|[0-9a-f]{17})$",
    "vpc-0123456789abcdef0",
    |text| is_ec2_id(text, "vpc-"),
    "a VPC is written by its id, like `vpc-0123456789abcdef0`"
}

text_type! {
    /// The id of a subnet.
    SubnetId,
    "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
    "subnet-0123456789abcdef0",
    |text| is_ec2_id(text, "subnet-"),
    "a subnet is written by its id, like `subnet-0123456789abcdef0`"
}

text_type! {
    /// The name of an IAM instance profile.
    ProfileName,
    "^[A-Za-z0-9+=,.@_-]{1,128}$",
    "monctl-discovery",
    |text| {
        (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
    },
    "an instance profile is written by its name: letters, digits and `+=,.@_-`"
}

/// Whether EC2 and all other services accept this in tags: letters and digits of any script, spaces, `+-=._:/@`.
fn is_tag_text(text: &str, longest: usize) -> bool {
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    text.chars().count() <= longest && text.chars().all(fits) && text.trim() == text
}

text_type! {
    /// The key of a user's tag.
    TagKey,
    "^[^ ].{0,127}$",
    "cost-center",
    |text| {
        let reserved = text.to_lowercase().starts_with("aws:") || text.starts_with("monctl:") || text == "Name";
        !text.is_empty() && !reserved && is_tag_text(text, 128)
    },
    "a tag's key has up to 128 letters, digits, spaces and `+-=._:/@`, and is neither `Name` nor begins with `aws:` or `monctl:`"
}

text_type! {
    /// The value of a tag.
    TagValue,
    "^.{0,256}$",
    "4711",
    |text| is_tag_text(text, 256),
    "a tag's value has up to 256 letters, digits, spaces and `+-=._:/@`; quote numbers"
}

text_type! {
    /// A KMS key: its ARN, its id, or an alias as `alias/NAME`.
    KmsKeyId,
    "^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+|alias/[A-Za-z0-9/_-]+|[0-9a-f-]{36}|mrk-[0-9a-f]{32})$",
    "alias/monctl",
    |text| {
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
        };
        let id = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-' || b"mrk".contains(&b));
        let arn = || {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let named = parts.get(5).and_then(|it| it.strip_prefix("key/").or_else(|| it.strip_prefix("alias/")));
            matches!(parts[..], ["arn", partition, "kms", ..] if partition.starts_with("aws")) && named.is_some_and(word)
        };
        id || text.strip_prefix("alias/").is_some_and(word) || arn()
    },
    "a KMS key is written by its ARN, its id or as `alias/NAME`"
}

text_type! {
    /// The name of a user of a host.
    LoginName,
    "^[a-z_][a-z0-9_-]{0,31}$",
    "admin",
    |text| {
        (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    },
    "a user has up to 32 lower-case letters, digits, `_` and `-`, and begins with a letter or `_`"
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

impl InstanceType {
    /// Two CPUs and 2 GiB: the smallest type on which both roles run without swapping.
    pub(super) fn small() -> Self {
        Self("t3.small".to_owned())
    }
}

impl LoginName {
    /// The user of Debian's own images.
    pub(super) fn debian() -> Self {
        Self("admin".to_owned())
    }
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
    fn names_accept_what_matches_their_rule_and_nothing_else() {
        for (text, good) in [
            ("notes.wsgi", true),
            ("wsgi", true),
            ("", false),
            ("a..b", false),
            ("a/b", false),
            ("notes.wsgi:application", true),
            ("wsgi:app", true),
            ("a.b:", false),
            (":app", false),
            ("a:b:c", false),
            ("a:make()", false),
        ] {
            assert_eq!(text.parse::<AppModule>().is_ok(), good, "{text}");
        }
        for (text, good) in
            [("g++", true), ("libssl1.1", true), ("Curl", false), ("-y", false), ("a b", false), ("x", false)]
        {
            assert_eq!(text.parse::<DebianPackage>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            (".", true),
            ("a/b-1.x", true),
            ("./a", false),
            ("a/../b", false),
            ("a b", false),
            ("/a", false),
            ("a/", false),
        ] {
            assert_eq!(text.parse::<ManageFolder>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("3.12", true),
            ("3.12.4", true),
            (">=3.11", true),
            (">= 3.11, <4", true),
            ("~=3.12", true),
            ("==3.12.*", true),
            ("!=3.12.1,>3.10", true),
            ("3", false),
            ("2.7", false),
            ("3.12; rm", false),
            ("--x", false),
            ("^3.11", false),
            ("pypy3.10", false),
            (">=", false),
            (">=3.11,", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<PythonVersion>().is_ok(), good, "{text}");
        }
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
    fn a_command_is_split_as_a_shell_splits_it() {
        for text in [
            "celery -A shop worker",
            " ./manage.py \n  qcluster\t--x=1 ",
            r#"python -c 'import time; print("$x")' a' 'b"c d"e """#,
            "celery -A shop worker -n 'worker-*@%h' --pool=solo",
        ] {
            let command: CommandLine = text.parse().unwrap();
            let script =
                format!("for word in {}; do printf '%s\\0' \"$word\"; done", text.replace('\n', " "));
            let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            let seen: Vec<&str> =
                std::str::from_utf8(&output.stdout).unwrap().split_terminator('\0').collect();
            assert_eq!(command.words(), seen, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_command_that_a_shell_would_interpret_is_refused_by_pattern_and_by_parser(
            text in "[-= \t\n'\"\\\\$`|&;#*~a%\u{1}\u{85}\u{a0}]{0,9}",
        ) {
            let pattern = regex::Regex::new(CommandLine::RULE.0).unwrap();
            proptest::prop_assert_eq!(text.parse::<CommandLine>().is_ok(), pattern.is_match(&text), "{:?}", text);
        }
    }

    #[test]
    fn the_name_of_a_process_fits_a_unit() {
        for (text, good) in [
            ("worker", true),
            ("w", true),
            ("mail-2", true),
            (&"w".repeat(32), true),
            (&"w".repeat(33), false),
            ("2nd", false),
            ("-w", false),
            ("w-", false),
            ("Worker", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<ProcessName>().is_ok(), good, "{text:?}");
            assert_eq!(regex::Regex::new(ProcessName::RULE.0).unwrap().is_match(text), good, "{text:?}");
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
    fn a_management_command_is_a_name_with_words_and_no_call_of_python() {
        for (text, good) in [
            ("migrate", true),
            ("loaddata initial.json", true),
            ("migrate --database  other", true),
            ("loaddata 'first steps.json' --app=\"a b\"", true),
            ("set_rate 'it''s' 20%", true),
            ("", false),
            (" migrate", false),
            ("migrate ", false),
            ("./manage.py migrate", false),
            ("--version", false),
            ("loaddata 'open", false),
            ("loaddata a\\ b", false),
            ("migrate\nflush", false),
        ] {
            assert_eq!(text.parse::<ManagementCommand>().is_ok(), good, "{text:?}");
            assert_eq!(
                regex::Regex::new(ManagementCommand::RULE.0).unwrap().is_match(text),
                good,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_percentage_lies_between_0_and_100() {
        for (value, good) in [(0.0, true), (100.0, true), (100.1, false), (-0.1, false), (f64::NAN, false)] {
            assert_eq!(Percent::new(value).is_some(), good, "{value}");
        }
    }
}
