//! The form of the spec's small types over text: each can be built only from valid text, and adds its rule and an
//! example to the JSON Schema.

/// Defines a newtype over text with one rule, shared by loading, serde and the JSON Schema.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $example:literal, $valid:expr, $hint:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
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

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

        impl std::str::FromStr for $name {
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

pub(super) use text_type;

/// Whether the text is a name as Python, Prometheus and shells write them: ASCII letters, digits and `_`.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the text is a short name that also fits a file: ASCII letters, digits, `_` and, but for its first
/// character, `-`.
pub(super) fn is_short_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Whether the text has the form of a port: one to five digits.
pub(super) fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text is a path below a folder: parts with `/` between them, none of them `.` or `..`.
pub(super) fn is_path_below(text: &str) -> bool {
    text.split('/')
        .all(|part| !["", ".", ".."].contains(&part) && !part.contains(|c: char| c.is_control() || c == '\\'))
}
