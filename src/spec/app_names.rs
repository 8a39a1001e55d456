//! Small types of the spec's section `app` in place of plain strings.

use super::text_type::{is_identifier, is_path_below, is_port, text_type};

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
    /// The unit of a service that monctl did not make.
    ServiceUnit,
    "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,190}\\.service$",
    "shop.service",
    |text| {
        let name = text.strip_suffix(".service").unwrap_or_default();
        (1..=191).contains(&name.len())
            && name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:@-".contains(&byte))
    },
    "write the full name of the service, such as `shop.service`"
}

text_type! {
    /// The absolute path of a Python environment that monctl did not make.
    VenvPath,
    "^(/\\.?[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]*)+$",
    "/srv/shop/venv",
    |text| {
        let is_part = |part: &str| {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+@-".contains(&byte);
            let name = part.strip_prefix('.').unwrap_or(part);
            !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_name)
        };
        text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part))
    },
    "write the absolute path of the environment's folder, such as `/srv/shop/venv`"
}

text_type! {
    /// The name of a web site, as in the header `Host`.
    WebHost,
    "^[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?$",
    "shop.example",
    |text| {
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        (1..=253).contains(&name.len())
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
            && port.is_none_or(is_port)
    },
    "write a name such as `shop.example`, without `https://` and without a path"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_application_accept_what_matches_their_rule_and_nothing_else() {
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
            ("shop.service", true),
            ("web@1.service", true),
            ("shop", false),
            (".service", false),
            ("-x.service", false),
            ("a b.service", false),
            ("shop.socket", false),
        ] {
            assert_eq!(text.parse::<ServiceUnit>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("/srv/shop/venv", true),
            ("/home/shop/.venv", true),
            ("/srv/py3.13-venv", true),
            ("venv", false),
            ("/srv/../etc", false),
            ("/srv/a b", false),
            ("/srv/venv/", false),
            ("/", false),
        ] {
            assert_eq!(text.parse::<VenvPath>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("shop.example", true),
            ("localhost:8000", true),
            ("https://x", false),
            ("a/b", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<WebHost>().is_ok(), good, "{text}");
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
}
