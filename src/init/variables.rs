//! The variables of the environment that settings read: by `os.environ`, django-environ, environs, python-decouple and
//! dj-database-url.

use std::collections::BTreeMap;

use regex::Regex;

use super::call::{arguments, keyword, literal};
use crate::error::{Error, Result};

/// A variable that the settings read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: String,
    /// The file and line that read it first.
    pub place: String,
    /// The default in the code, as it is written there; `None` if the settings fail without the variable.
    pub default: Option<String>,
}

/// Words in the names of variables whose values are secrets.
const SECRET_WORDS: [&str; 9] =
    ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "CREDENTIAL", "PRIVATE", "DSN", "API_KEY", "ACCESS_KEY"];
/// Variables that are addresses with a password, usually.
const ADDRESSES: [&str; 4] = ["DATABASE_URL", "REDIS_URL", "BROKER_URL", "EMAIL_URL"];

impl EnvironmentVariable {
    /// Whether its value is a secret, judged by its name.
    pub fn is_secret(&self) -> bool {
        let name = self.name.to_uppercase();
        SECRET_WORDS.iter().any(|word| name.contains(word))
            || ADDRESSES.iter().any(|address| name.ends_with(address))
    }

    /// Whether it switches on what users must not see.
    pub(super) fn is_debug(&self) -> bool {
        let name = self.name.to_uppercase();
        name == "DEBUG" || name.ends_with("_DEBUG")
    }

    /// Whether it is Django's `SECRET_KEY`, whose default must not be used.
    pub fn is_secret_key(&self) -> bool {
        self.name.to_uppercase().ends_with("SECRET_KEY")
    }
}

/// Whether a value, as text or as Python code, means no.
pub(super) fn is_false(value: &str) -> bool {
    let value = value.trim_matches(['\'', '"']).to_lowercase();
    matches!(value.as_str(), "" | "0" | "false" | "no" | "none" | "off")
}

/// What reads a variable: the call up to its opening parenthesis or bracket, and how its arguments are meant.
struct Reader {
    call: Regex,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `os.environ[NAME]`.
    Index,
    /// `os.environ.get(NAME, DEFAULT)`, without an error if both are missing.
    Get,
    /// `env(NAME, default=DEFAULT)`.
    Named,
    /// `env.str(NAME, DEFAULT)`, where the default may have a name, too.
    Typed,
    /// `env.db()`: a variable with a usual name.
    Url(&'static str),
}

fn readers() -> Result<Vec<Reader>> {
    let reader = |pattern: &str, kind| {
        let call = Regex::new(pattern);
        let call =
            call.map_err(|error| Error::failed("a pattern of this program is wrong").because(error))?;
        Ok(Reader { call, kind })
    };
    let typed = r"\b[eE][nN][vV]\.(?:str|bool|int|float|list|tuple|dict|json|url|path|decimal|bytes|unicode|get_value)\(";
    [
        (r"\benviron\[", Kind::Index),
        (r"\b(?:environ\.get|getenv)\(", Kind::Get),
        (r"(?:^|[^\w.])(?:env|ENV|config|env_config)\(", Kind::Named),
        (typed, Kind::Typed),
        (r"\b[eE][nN][vV]\.(?:db|db_url|dj_db_url)\(", Kind::Url("DATABASE_URL")),
        (r"\bdj_database_url\.config\(", Kind::Url("DATABASE_URL")),
        (r"\b[eE][nN][vV]\.(?:cache|cache_url|dj_cache_url)\(", Kind::Url("CACHE_URL")),
        (r"\b[eE][nN][vV]\.(?:email|email_url|dj_email_url)\(", Kind::Url("EMAIL_URL")),
    ]
    .map(|(pattern, kind)| reader(pattern, kind))
    .into_iter()
    .collect()
}

/// The variables that files of code read, by name. `files` are pairs of a name and its code.
///
/// # Errors
/// None that a user can cause.
pub(super) fn variables(files: &[(String, String)]) -> Result<BTreeMap<String, EnvironmentVariable>> {
    let mut found: BTreeMap<String, EnvironmentVariable> = BTreeMap::new();
    let readers = readers()?;
    let declared = declared_defaults(files)?;
    for (file, code) in files {
        for reader in &readers {
            for call in reader.call.find_iter(code) {
                let Some((name, default)) = read(&code[call.end()..], reader.kind) else { continue };
                let line = code[..call.end()].lines().count();
                let default = default.or_else(|| declared.get(&name).cloned());
                let variable = EnvironmentVariable { name, place: format!("{file}:{line}"), default };
                // A variable that is needed anywhere is needed.
                let known = found.entry(variable.name.clone()).or_insert_with(|| variable.clone());
                if known.default.is_some() && variable.default.is_none() {
                    *known = variable;
                }
            }
        }
    }
    Ok(found)
}

/// The name and default of one call; `None` where the name is not a literal.
fn read(rest: &str, kind: Kind) -> Option<(String, Option<String>)> {
    if kind == Kind::Index {
        let end = rest.find(']')?;
        let is_assigned =
            rest[end + 1..].trim_start().strip_prefix('=').is_some_and(|rest| !rest.starts_with('='));
        return (!is_assigned).then(|| Some((variable_name(&rest[..end])?, None)))?;
    }
    let arguments = arguments(rest)?;
    let positional: Vec<&str> =
        arguments.iter().copied().take_while(|argument| !is_keyword(argument)).collect();
    let default = keyword(&arguments, "default");
    let name = positional.first().copied();
    match kind {
        Kind::Index => None,
        Kind::Get => {
            let default = default.or(positional.get(1).copied());
            Some((variable_name(name?)?, Some(default.unwrap_or("None").to_owned())))
        }
        Kind::Named => Some((variable_name(name?)?, default.map(str::to_owned))),
        Kind::Typed => {
            let default = default.or(positional.get(1).copied());
            Some((variable_name(name?)?, default.map(str::to_owned)))
        }
        Kind::Url(usual) => {
            let named = name.or(keyword(&arguments, "env")).or(keyword(&arguments, "var"));
            let name = named.map_or(Some(usual.to_owned()), variable_name)?;
            Some((name, default.map(str::to_owned)))
        }
    }
}

fn is_keyword(argument: &str) -> bool {
    argument.split_once('=').is_some_and(|(name, rest)| {
        !rest.starts_with('=')
            && !name.is_empty()
            && name.trim_end().chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

fn variable_name(argument: &str) -> Option<String> {
    let name = literal(argument.trim())?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| name.to_owned())
}

/// The defaults that django-environ is given once for all: `environ.Env(DEBUG=(bool, False))`.
fn declared_defaults(files: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let call = Regex::new(r"\bEnv\(")
        .map_err(|error| Error::failed("a pattern of this program is wrong").because(error))?;
    let mut found = BTreeMap::new();
    for (_, code) in files {
        for call in call.find_iter(code) {
            for argument in arguments(&code[call.end()..]).into_iter().flatten() {
                let Some((name, value)) = argument.split_once('=') else { continue };
                let pair = value.trim().strip_prefix('(').and_then(arguments);
                if let Some([_, default]) = pair.as_deref() {
                    found.insert(name.trim().to_owned(), (*default).to_owned());
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, defaults and lines of the variables that this code reads.
    fn found(code: &str) -> Vec<(String, Option<String>, String)> {
        let found = variables(&[("settings.py".to_owned(), code.to_owned())]).unwrap();
        found.into_values().map(|variable| (variable.name, variable.default, variable.place)).collect()
    }

    fn one(code: &str) -> Option<(String, Option<String>)> {
        found(code).pop().map(|(name, default, _)| (name, default))
    }

    #[test]
    fn every_usual_way_to_read_a_variable_is_known() {
        for (code, default) in [
            ("x = os.environ['A']", None),
            ("x = environ[\"A\"].split(',')", None),
            ("x = os.environ.get('A')", Some("None")),
            ("x = os.getenv('A', 'b')", Some("'b'")),
            ("x = int(os.environ.get('A', 5))", Some("5")),
            ("x = env('A')", None),
            ("x = env(\n    'A',\n    default=None,\n)", Some("None")),
            ("x = env('A', cast=bool)", None),
            ("env = environ.Env(A=(bool, False))\nx = env('A')", Some("False")),
            ("x = env.bool('A', False)", Some("False")),
            ("x = env.list('A', default=[])", Some("[]")),
            ("x = config('A', default='', cast=Csv())", Some("''")),
            ("x = config('A')", None),
            ("x = env.db('A')", None),
            ("x = dj_database_url.config(env='A', default='sqlite:///db')", Some("'sqlite:///db'")),
        ] {
            assert_eq!(one(code), Some(("A".to_owned(), default.map(str::to_owned))), "{code}");
        }
    }

    #[test]
    fn urls_have_usual_names() {
        assert_eq!(one("x = env.db()"), Some(("DATABASE_URL".to_owned(), None)));
        assert_eq!(
            one("x = dj_database_url.config(conn_max_age=600)"),
            Some(("DATABASE_URL".to_owned(), None))
        );
        assert_eq!(one("x = env.cache(default='locmemcache://')").unwrap().0, "CACHE_URL");
    }

    #[test]
    fn writing_a_variable_is_not_reading_it() {
        for code in [
            "os.environ['A'] = '1'",
            "os.environ.setdefault('A', '1')",
            "x = env(name)",
            "x = reconfig('A')",
            "x = app.config('A')",
            "x = env.read_env('A')",
        ] {
            assert_eq!(found(code), [], "{code}");
        }
        assert!(one("x = os.environ['A'] == '1'").is_some());
    }

    #[test]
    fn a_variable_that_is_needed_once_is_needed() {
        let code = "x = os.environ.get('A', '')\n\ny = os.environ['A']\n";
        assert_eq!(found(code), [("A".to_owned(), None, "settings.py:3".to_owned())]);
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        let is_secret = |name: &str| {
            EnvironmentVariable { name: name.to_owned(), place: String::new(), default: None }.is_secret()
        };
        for name in
            ["SECRET_KEY", "DJANGO_SECRET_KEY", "DB_PASSWORD", "DATABASE_URL", "SENTRY_DSN", "STRIPE_API_KEY"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["DEBUG", "ALLOWED_HOSTS", "DB_NAME", "SITE_URL", "KEYBOARD"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
