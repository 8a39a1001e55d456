//! A Go template cut into its tokens, as the lexer of `text/template` does it.

use super::TemplateFault;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `{{`
    Open,
    /// `}}`
    Close,
    Comment,
    Space,
    Word,
    /// `.Name`
    Field,
    /// `.`
    Dot,
    /// `$name`, or `$` alone
    Variable,
    Number,
    Text,
    /// A single character in single quotes.
    Character,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    Pipe,
    Comma,
    BracketOpen,
    BracketClose,
    /// A character that no action allows.
    Other,
}

/// A piece of an action, with its place in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub kind: TokenKind,
    pub at: usize,
    pub text: &'a str,
}

impl Token<'_> {
    pub fn fault(&self, message: impl Into<String>) -> TemplateFault {
        TemplateFault { at: self.at, width: self.text.chars().count().max(1), message: message.into() }
    }
}

/// The tokens of all actions; the text between them is left out.
pub(super) fn tokens(template: &str) -> Result<Vec<Token<'_>>, TemplateFault> {
    let mut lexer = Lexer { template, at: 0, found: Vec::new() };
    while let Some(begin) = lexer.rest().find("{{") {
        lexer.at += begin;
        lexer.action()?;
    }
    Ok(lexer.found)
}

struct Lexer<'a> {
    template: &'a str,
    at: usize,
    found: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.template[self.at..]
    }

    /// Takes `length` bytes as a token.
    fn take(&mut self, kind: TokenKind, length: usize) {
        self.found.push(Token { kind, at: self.at, text: &self.rest()[..length] });
        self.at += length;
    }

    fn action(&mut self) -> Result<(), TemplateFault> {
        let begin = self.at;
        self.take(TokenKind::Open, 2);
        // `-` followed by a space trims the text before.
        if self.rest().starts_with("- ") || self.rest().starts_with("-\n") || self.rest().starts_with("-\t") {
            self.at += 1;
        }
        if self.rest().trim_start().starts_with("/*") {
            return self.comment(begin);
        }
        loop {
            if let Some(length) = end_of_action(self.rest()) {
                self.at += length - 2;
                self.take(TokenKind::Close, 2);
                return Ok(());
            }
            let Some(first) = self.rest().chars().next() else { return Err(self.unclosed(begin)) };
            self.token(first, begin)?;
        }
    }

    fn token(&mut self, first: char, begin: usize) -> Result<(), TemplateFault> {
        let rest = self.rest();
        let while_is = |skip: usize, is: fn(char) -> bool| {
            rest[skip..].find(|c| !is(c)).map_or(rest.len(), |length| skip + length)
        };
        match first {
            c if c.is_whitespace() => {
                self.take(TokenKind::Space, while_is(0, char::is_whitespace).min(before_close(rest)));
            }
            ':' if rest.starts_with(":=") => self.take(TokenKind::Declare, 2),
            '=' => self.take(TokenKind::Assign, 1),
            '|' => self.take(TokenKind::Pipe, 1),
            ',' => self.take(TokenKind::Comma, 1),
            '(' => self.take(TokenKind::BracketOpen, 1),
            ')' => self.take(TokenKind::BracketClose, 1),
            '"' | '`' | '\'' => {
                let length = quoted(rest, first).ok_or_else(|| self.unclosed(begin))?;
                self.take(if first == '\'' { TokenKind::Character } else { TokenKind::Text }, length);
            }
            '.' if rest[1..].starts_with(is_word) => self.name(TokenKind::Field, while_is(1, is_word))?,
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.take(TokenKind::Dot, 1),
            '$' => self.name(TokenKind::Variable, while_is(1, is_word))?,
            c if c.is_ascii_digit() || c == '.' || signs_a_number(rest) => {
                self.take(
                    TokenKind::Number,
                    while_is(1, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_'),
                );
            }
            c if is_word(c) => self.name(TokenKind::Word, while_is(0, is_word))?,
            c => self.take(TokenKind::Other, c.len_utf8()),
        }
        Ok(())
    }

    /// A name, with nothing right after it that looks like a part of it.
    fn name(&mut self, kind: TokenKind, length: usize) -> Result<(), TemplateFault> {
        self.take(kind, length);
        let behind = self.rest().chars().next();
        if behind.is_none_or(|c| c.is_whitespace() || ".,|:()=}".contains(c)) {
            return Ok(());
        }
        let begin = self.found.iter().rposition(|token| {
            !matches!(token.kind, TokenKind::Field | TokenKind::Variable | TokenKind::Word)
        });
        let start = begin.and_then(|index| self.found.get(index + 1)).map_or(self.at, |token| token.at);
        let word = self.template[start..].split([' ', '}', '|', ')', '\n']).next().unwrap_or("");
        let c = behind.map(String::from).unwrap_or_default();
        let message = match word.rsplit_once('.') {
            Some((before, last)) if c == "-" && kind == TokenKind::Field => {
                format!(
                    "`-` is not allowed in a name: write `index {before} \"{last}\"` in place of `{word}`"
                )
            }
            _ => format!("`{c}` is not allowed right after `{}`", &self.template[start..self.at]),
        };
        Err(TemplateFault { at: self.at, width: 1, message })
    }

    fn comment(&mut self, begin: usize) -> Result<(), TemplateFault> {
        let close = self.rest().find("*/").ok_or_else(|| self.unclosed(begin))?;
        self.take(TokenKind::Comment, close + 2);
        let length = end_of_action(self.rest()).or_else(|| self.rest().starts_with("}}").then_some(2));
        let Some(length) = length else {
            let message = "a comment must be the end of its action: write `*/}}`";
            return Err(TemplateFault { at: self.at, width: 1, message: message.to_owned() });
        };
        self.at += length - 2;
        self.take(TokenKind::Close, 2);
        Ok(())
    }

    fn unclosed(&self, begin: usize) -> TemplateFault {
        let message = format!("the template `{}` has no `}}}}`", shortened(&self.template[begin..]));
        TemplateFault { at: begin, width: 2, message }
    }
}

/// The length of the closing token, if it is next: `}}`, or a space and `-}}`.
fn end_of_action(rest: &str) -> Option<usize> {
    if rest.starts_with("}}") {
        return Some(2);
    }
    let space = rest.chars().next().filter(|c| c.is_whitespace())?;
    rest[space.len_utf8()..].starts_with("-}}").then_some(space.len_utf8() + 3)
}

/// How much space precedes the space of a closing `-}}`.
fn before_close(rest: &str) -> usize {
    rest.find("-}}").map_or(rest.len(), |close| {
        let last = rest[..close].chars().next_back().map_or(0, char::len_utf8);
        (close - last).max(1)
    })
}

/// The length of a text with its quotes; none if it is not closed. Only a text in backticks may have several lines.
fn quoted(rest: &str, mark: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if mark != '`' => escaped = true,
            '\n' if mark != '`' => return None,
            c if c == mark => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn signs_a_number(rest: &str) -> bool {
    rest.strip_prefix(['+', '-'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The beginning of a text that may be long.
fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let mut short: String = line.chars().take(32).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
