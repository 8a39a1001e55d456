//! `app.env_file`: variables in the syntax of dotenv. Every value counts as a secret, and no message shows one.

use std::collections::BTreeMap;
use std::path::Path;

use super::app::{App, EnvValue, fits_environment};
use super::finding::SpecFinding;
use super::names::EnvName;
use super::secret_ref::SecretRef;
use crate::bounded::read_text;
use crate::secret::Secret;

/// The variables of an environment file.
pub(super) type FileVariables = BTreeMap<EnvName, Secret>;

/// Reads the file that the spec names and adds a reference to each of its variables that `app.env` does not set.
pub(super) fn read(app: &mut App, base: &Path) -> (FileVariables, Vec<SpecFinding>) {
    let Some(path) = app.env_file.as_ref().map(|path| base.join(path)) else { return Default::default() };
    let finding = |message| SpecFinding::new("app.env_file", message);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", path.display());
            return (BTreeMap::new(), vec![finding(message)]);
        }
    };
    let (variables, faults) = parse(&text);
    for name in variables.keys() {
        app.env.entry(name.clone()).or_insert(EnvValue::Secret(SecretRef::EnvFile));
    }
    let message = |fault: Fault| {
        finding(format!("`{}:{}:{}`: {}", path.display(), fault.line, fault.column, fault.message))
    };
    (variables, faults.into_iter().map(message).collect())
}

/// A mistake in the file. The message shows no value.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    column: usize,
    message: String,
}

/// The variables of a text, as far as they can be read.
pub(super) fn readable(text: &str) -> FileVariables {
    parse(text).0
}

/// The variables of a text, and everything that is wrong with it.
fn parse(text: &str) -> (FileVariables, Vec<Fault>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0 };
    let mut variables = BTreeMap::new();
    let mut places = BTreeMap::new();
    let mut faults = Vec::new();
    while let Some(begin) = reader.next_assignment() {
        match reader.assignment() {
            Ok((name, value)) => {
                let (line, column) = place(text, begin);
                if let Some(first) = places.insert(name.clone(), line) {
                    let message = format!(
                        "`{name}` was set on line {first} already; programs differ in which value counts: remove one"
                    );
                    faults.push(Fault { line, column, message });
                }
                variables.insert(name, Secret::new(value));
            }
            Err((at, message)) => {
                let (line, column) = place(text, at);
                faults.push(Fault { line, column, message: message.to_owned() });
                // A value that was read to its end is followed by the next line.
                if reader.at == begin || !reader.is_at_line_begin() {
                    reader.skip_line();
                }
            }
        }
    }
    (variables, faults)
}

/// Line and column of an offset, both from 1, the column in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
}

/// The beginning of a reference to another variable.
const REFERENCE: &str = "${";
const NO_REFERENCE: &str = "`${…}` would insert another variable, which monctl does not do: write the value, or put it in single quotes";

/// Where a mistake is, and what it is.
type Mistake = (usize, &'static str);

struct Reader<'a> {
    text: &'a str,
    /// Offset of the next character.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
    }

    fn is_at_line_begin(&self) -> bool {
        self.text[..self.at].ends_with('\n')
    }

    /// Goes to the next line that is neither empty nor a comment; returns its offset.
    fn next_assignment(&mut self) -> Option<usize> {
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            match self.rest().chars().next()? {
                '#' => self.skip_line(),
                _ => return Some(self.at),
            }
        }
    }

    /// Reads `NAME=VALUE` to the end of its line.
    fn assignment(&mut self) -> Result<(EnvName, String), Mistake> {
        if let Some(rest) = self.rest().strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
            self.at = self.text.len() - rest.len();
            self.skip_blanks();
        }
        let begin = self.at;
        let end = self.rest().find(['=', '\n']).unwrap_or(self.rest().len());
        if !self.rest()[end..].starts_with('=') {
            return Err((begin, "a line sets a variable: `NAME=VALUE`"));
        }
        let name = self.rest()[..end].trim_end();
        let name: EnvName = name.parse().map_err(|_| {
            (begin, "the name of an environment variable has letters, digits and `_` only and does not begin with a digit")
        })?;
        self.at += end + 1;
        self.skip_blanks();
        let begin = self.at;
        let value = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.plain()?,
        };
        if !fits_environment(&value) {
            return Err((
                begin,
                "the value contains control characters, which are not allowed in environment variables",
            ));
        }
        Ok((name, value))
    }

    /// A value without quotes: to the end of the line, or to a comment.
    fn plain(&mut self) -> Result<String, Mistake> {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let comment = line
            .char_indices()
            .zip(line.chars().skip(1))
            .find_map(|((at, blank), next)| (matches!(blank, ' ' | '\t') && next == '#').then_some(at));
        let is_comment_only = line.starts_with('#');
        let value = if is_comment_only { "" } else { &line[..comment.unwrap_or(line.len())] }.trim_end();
        if let Some(at) = value.find(REFERENCE) {
            return Err((self.at + at, NO_REFERENCE));
        }
        self.skip_line();
        Ok(value.to_owned())
    }

    /// A value in quotes, which may have several lines, and the rest of its last line.
    fn quoted(&mut self, quote: char) -> Result<String, Mistake> {
        let begin = self.at;
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        let end = loop {
            match characters.next() {
                None => return Err((begin, "the quote is not closed")),
                Some((at, c)) if c == quote => break at + 1,
                Some((at, '\\')) => match characters.next() {
                    None => return Err((begin, "the quote is not closed")),
                    Some((_, c)) => {
                        push_escaped(&mut value, quote, c).map_err(|message| (begin + at, message))?;
                    }
                },
                // An environment has line feeds only.
                Some((_, '\r')) if characters.peek().is_some_and(|(_, next)| *next == '\n') => {}
                Some((at, '$')) if quote == '"' && self.rest()[at..].starts_with(REFERENCE) => {
                    return Err((begin + at, NO_REFERENCE));
                }
                Some((_, c)) => value.push(c),
            }
        };
        self.at += end;
        self.skip_blanks();
        match self.rest().trim_start_matches('\r').chars().next() {
            None | Some('\n' | '#') => self.skip_line(),
            Some(_) => return Err((self.at, "only a comment can follow the closing quote")),
        }
        Ok(value)
    }
}

/// What a backslash and a character stand for.
fn push_escaped(value: &mut String, quote: char, c: char) -> Result<(), &'static str> {
    match (quote, c) {
        (_, '\\') => value.push('\\'),
        (_, c) if c == quote => value.push(c),
        ('"', 'n') => value.push('\n'),
        ('"', 't') => value.push('\t'),
        ('"', '$') => value.push('$'),
        ('"', 'r') => return Err("an environment variable cannot contain a carriage return"),
        (_, c) => value.extend(['\\', c]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let (variables, faults) = parse(text);
        assert_eq!(faults, [], "{text}");
        variables.iter().map(|(name, value)| (name.to_string(), value.expose().to_owned())).collect()
    }

    #[test]
    fn every_notation_of_dotenv_is_read() {
        for (line, value) in [
            ("A=b", "b"),
            ("  export A = b c  ", "b c"),
            ("export\tA=b", "b"),
            ("A=", ""),
            ("A=   # nothing", ""),
            ("A=#nothing", ""),
            ("A=b#c # d", "b#c"),
            ("A=it's", "it's"),
            ("A=$b$", "$b$"),
            ("A='b # c' # d", "b # c"),
            ("A='${B}\\n'", "${B}\\n"),
            ("A='it\\'s'", "it's"),
            ("A=\"b\\n\\\"c\\\" \\$ $d \\x\"", "b\n\"c\" $ $d \\x"),
            ("A=\"one\ntwo\"", "one\ntwo"),
            ("A=\"one\r\ntwo\"\r", "one\ntwo"),
            ("A=b\r", "b"),
            ("A=\"$\"", "$"),
            ("A=\"$ü\"", "$ü"),
            ("A=ü", "ü"),
        ] {
            let around = format!("\u{feff}# first\n\n{line}\nZ=z");
            assert_eq!(values(&around), [("A".into(), value.into()), ("Z".into(), "z".into())], "{line:?}");
            assert_eq!(values(line), [("A".into(), value.into())], "{line:?}");
        }
        assert_eq!(values(""), []);
    }

    #[test]
    fn what_cannot_be_carried_is_refused_with_its_place_and_without_its_value() {
        for (text, line, column, message) in [
            ("A=1\nhunter2\nB=2", 2, 1, "a line sets a variable"),
            ("A-B=hunter2", 1, 1, "the name of an environment variable"),
            ("export 1A=hunter2", 1, 8, "the name of an environment variable"),
            ("A=\"hunter2\nB=1", 1, 3, "the quote is not closed"),
            ("A='hunter2\\", 1, 3, "the quote is not closed"),
            ("A='hunter2' more", 1, 13, "only a comment"),
            ("A=hunter2${B}", 1, 10, "`${…}` would insert"),
            ("A=\"hü${B}\"", 1, 6, "`${…}` would insert"),
            ("A=\"hunter2\\r\"", 1, 11, "carriage return"),
            ("A=hunter2\u{1}", 1, 3, "control characters"),
            ("B=1\n1A=hunter2\nC=3", 2, 1, "the name of an environment variable"),
            ("A=hunter2\nB=1\nA=other", 3, 1, "`A` was set on line 1 already"),
        ] {
            let (_, faults) = parse(text);
            let [fault] = faults.as_slice() else { panic!("{text:?}: {faults:?}") };
            assert_eq!((fault.line, fault.column), (line, column), "{text:?}: {fault:?}");
            assert!(fault.message.starts_with(message) || fault.message.contains(message), "{fault:?}");
            assert!(!fault.message.contains("hunter2"));
        }
        let (_, faults) = parse("A=\u{1}\nB\nC='\u{1}\n'\nD\n");
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 2, 3, 5]);
    }
}
