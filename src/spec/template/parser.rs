//! Checks the actions of a template against the grammar of `text/template` and its program's names.

use super::TemplateFault;
use super::dialect::{Dialect, OF_GO};
use super::tokens::{Token, TokenKind};
use crate::spec::suggest::suggestion;

type Checked<T = ()> = Result<T, TemplateFault>;

/// Checks the tokens of a template against its dialect.
pub(super) fn check(tokens: &[Token<'_>], dialect: &Dialect) -> Checked {
    let mut parser = Parser {
        tokens,
        next: 0,
        dialect,
        variables: dialect.variables.iter().map(|name| (*name).to_owned()).collect(),
        blocks: Vec::new(),
        dot: Dot::Root,
        defined: names_behind(tokens, &["define", "block"]),
    };
    while parser.next < tokens.len() {
        parser.action()?;
    }
    match parser.blocks.pop() {
        Some(block) => {
            let message = format!("the template's `{{{{ {} }}}}` has no `{{{{ end }}}}`", block.word.text);
            Err(block.word.fault(message))
        }
        None => Ok(()),
    }
}

/// The names of templates after these words.
fn names_behind(tokens: &[Token<'_>], words: &[&str]) -> Vec<String> {
    let words_only: Vec<_> = tokens.iter().filter(|token| token.kind != TokenKind::Space).collect();
    let named =
        words_only.windows(2).filter(|pair| words.contains(&pair[0].text) && pair[1].kind == TokenKind::Text);
    named.map(|pair| pair[1].text.trim_matches(['"', '`']).to_owned()).collect()
}

/// What `.` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dot {
    Root,
    /// One of the list of alerts.
    Item,
    Unknown,
}

struct Block<'a> {
    word: Token<'a>,
    /// The variables before it, and the meaning of `.`.
    variables: Vec<String>,
    dot: Dot,
    has_else: bool,
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    next: usize,
    dialect: &'a Dialect,
    variables: Vec<String>,
    blocks: Vec<Block<'a>>,
    dot: Dot,
    defined: Vec<String>,
}

/// The kind of an argument of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Function,
    /// The list of alerts.
    Items,
    /// `$value`: a number with a fraction.
    Value,
    /// An integer, by its token.
    Whole(usize),
    /// A constant, which cannot follow `|` in a pipeline.
    Constant,
    Other,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).copied()
    }

    /// The next token that is not space.
    fn peek_word(&mut self) -> Option<Token<'a>> {
        while self.peek().is_some_and(|token| token.kind == TokenKind::Space) {
            self.next += 1;
        }
        self.peek()
    }

    fn take_if(&mut self, kind: TokenKind) -> Option<Token<'a>> {
        let found = self.peek_word().filter(|token| token.kind == kind)?;
        self.next += 1;
        Some(found)
    }

    fn action(&mut self) -> Checked {
        let Some(open) = self.take_if(TokenKind::Open) else {
            self.next += 1;
            return Ok(());
        };
        let Some(first) = self.peek_word() else { return Ok(()) };
        match (first.kind, first.text) {
            (TokenKind::Comment, _) => self.next += 1,
            (TokenKind::Close, _) => return Err(open.fault("the template `{{ }}` is empty")),
            (
                TokenKind::Word,
                "if" | "with" | "range" | "define" | "block" | "template" | "else" | "end" | "break"
                | "continue",
            ) => {
                self.next += 1;
                self.control(first)?;
            }
            _ => drop(self.pipeline(TokenKind::Close, 1)?),
        }
        match self.peek_word() {
            Some(token) if token.kind == TokenKind::Close => {
                self.next += 1;
                Ok(())
            }
            Some(token) => Err(unexpected(token)),
            None => Ok(()),
        }
    }

    fn control(&mut self, word: Token<'a>) -> Checked {
        match word.text {
            "if" | "with" | "range" => {
                self.open(word);
                self.condition(word)
            }
            "define" | "block" => {
                self.name(word)?;
                self.open(word);
                if word.text == "block" {
                    self.pipeline(TokenKind::Close, 0)?;
                }
                (self.dot, self.variables) = (Dot::Unknown, vec!["$".to_owned()]);
                Ok(())
            }
            "template" => self.template(word),
            "else" => self.otherwise(word),
            "end" => {
                let Some(block) = self.blocks.pop() else {
                    return Err(word.fault("the template has an `{{ end }}` without a block"));
                };
                (self.variables, self.dot) = (block.variables, block.dot);
                Ok(())
            }
            _ if self.blocks.iter().any(|block| block.word.text == "range") => Ok(()),
            other => Err(word.fault(format!("`{{{{ {other} }}}}` is outside of any `{{{{ range }}}}`"))),
        }
    }

    fn open(&mut self, word: Token<'a>) {
        let (variables, dot) = (self.variables.clone(), self.dot);
        self.blocks.push(Block { word, variables, dot, has_else: false });
    }

    /// The pipeline of `if`, `with` and `range`, which sets `.`.
    fn condition(&mut self, word: Token<'a>) -> Checked {
        let most = if word.text == "range" { 2 } else { 1 };
        let result = self.pipeline(TokenKind::Close, most)?;
        self.dot = match (word.text, result) {
            ("if", _) => self.dot,
            ("range", Operand::Items) => Dot::Item,
            _ => Dot::Unknown,
        };
        Ok(())
    }

    fn otherwise(&mut self, word: Token<'a>) -> Checked {
        let Some(block) =
            self.blocks.last_mut().filter(|block| matches!(block.word.text, "if" | "with" | "range"))
        else {
            return Err(word.fault("the template has an `{{ else }}` without an `{{ if }}`"));
        };
        if block.has_else {
            return Err(word.fault("the template has a second `{{ else }}`; only one is allowed"));
        }
        self.dot = block.dot;
        match self.peek_word() {
            Some(next) if matches!(next.text, "if" | "with") => {
                self.next += 1;
                self.condition(next)
            }
            _ => {
                if let Some(block) = self.blocks.last_mut() {
                    block.has_else = true;
                }
                Ok(())
            }
        }
    }

    /// The name after `define`, `block` and `template`.
    fn name(&mut self, word: Token<'a>) -> Checked<Token<'a>> {
        self.take_if(TokenKind::Text).ok_or_else(|| {
            word.fault(format!("`{}` needs the name of a template, in double quotes", word.text))
        })
    }

    fn template(&mut self, word: Token<'a>) -> Checked {
        let name = self.name(word)?;
        let text = name.text.trim_matches(['"', '`']);
        let is_known = self.defined.iter().any(|defined| defined == text)
            || self.dialect.named.iter().any(|part| text.contains(part));
        if !is_known {
            return Err(name.fault(format!("there is no template `{text}`: `define` it in the same text")));
        }
        if self.peek_word().is_some_and(|token| token.kind != TokenKind::Close) {
            self.pipeline(TokenKind::Close, 0)?;
        }
        Ok(())
    }

    /// Commands separated by `|`, up to the closing token; at most `most` variables may be declared first.
    fn pipeline(&mut self, end: TokenKind, most: usize) -> Checked<Operand> {
        let declared = self.declaration(most)?;
        let mut last: Option<Operand> = None;
        while let Some(first) = self.peek_word() {
            if first.kind == end || matches!(first.kind, TokenKind::Pipe) {
                return Err(first.fault("a value is missing here"));
            }
            last = Some(self.command(last)?);
            match self.peek_word() {
                Some(token) if token.kind == TokenKind::Pipe => self.next += 1,
                Some(token) if token.kind == end => break,
                Some(token) => return Err(unexpected(token)),
                None => break,
            }
        }
        self.variables.extend(declared);
        Ok(last.unwrap_or(Operand::Other))
    }

    /// Variables before `:=`, defined from the end of the pipeline on, or before `=`, which must be defined.
    fn declaration(&mut self, most: usize) -> Checked<Vec<String>> {
        let begin = self.next;
        let mut names = Vec::new();
        while let Some(name) = self.take_if(TokenKind::Variable) {
            names.push(name);
            if self.take_if(TokenKind::Comma).is_none() {
                break;
            }
        }
        let word = |name: &Token<'_>| name.text.to_owned();
        if !names.is_empty() && self.take_if(TokenKind::Declare).is_some() {
            return match names.get(most) {
                Some(beyond) => Err(beyond.fault("too many variables are declared here")),
                None => Ok(names.iter().map(word).collect()),
            };
        }
        if !names.is_empty() && self.take_if(TokenKind::Assign).is_some() {
            names.iter().try_for_each(|name| self.known(*name))?;
            return Ok(Vec::new());
        }
        self.next = begin;
        Ok(Vec::new())
    }

    /// A function with its arguments, or one value.
    fn command(&mut self, before: Option<Operand>) -> Checked<Operand> {
        let first = self.peek_word();
        let mut operands = Vec::new();
        while let Some(token) = self.peek_word() {
            if matches!(token.kind, TokenKind::Pipe | TokenKind::Close | TokenKind::BracketClose) {
                break;
            }
            operands.push(self.operand(token)?);
            // Operands are separated by spaces.
            let Some(behind) = self.peek() else { break };
            if !matches!(
                behind.kind,
                TokenKind::Space | TokenKind::Pipe | TokenKind::Close | TokenKind::BracketClose
            ) {
                return Err(unexpected(behind));
            }
        }
        if let (Some(first), Some(_), Some(Operand::Constant | Operand::Whole(_))) =
            (first, before, operands.first())
        {
            return Err(
                first.fault(format!("`|` needs a function after it, and `{}` is not a function", first.text))
            );
        }
        if let (Some(first), [one, _, ..]) = (first, operands.as_slice())
            && matches!(one, Operand::Constant | Operand::Whole(_) | Operand::Value)
        {
            return Err(first.fault(format!("`{}` is not a function and takes no arguments", first.text)));
        }
        self.comparable(first, &operands, before)?;
        Ok(match operands.as_slice() {
            [alone] => *alone,
            _ => Operand::Other,
        })
    }

    /// Go does not compare floats with integers.
    fn comparable(&self, first: Option<Token<'a>>, operands: &[Operand], before: Option<Operand>) -> Checked {
        let Some(word) = first.filter(|it| matches!(it.text, "eq" | "ne" | "lt" | "le" | "gt" | "ge")) else {
            return Ok(());
        };
        let all = || operands.iter().copied().chain(before);
        let whole = all().find_map(|operand| match operand {
            Operand::Whole(index) => Some(self.tokens[index]),
            _ => None,
        });
        match whole.filter(|_| all().any(|operand| operand == Operand::Value)) {
            Some(number) => {
                let text = number.text;
                let message =
                    format!("`{}` compares `$value`, a float, with an integer: write `{text}.0`", word.text);
                Err(number.fault(message))
            }
            None => Ok(()),
        }
    }

    fn operand(&mut self, token: Token<'a>) -> Checked<Operand> {
        let index = self.next;
        self.next += 1;
        let operand = match token.kind {
            TokenKind::Word if matches!(token.text, "true" | "false" | "nil") => Operand::Constant,
            TokenKind::Word => self.function(token)?,
            TokenKind::Variable => {
                self.known(token)?;
                if token.text == "$value" { Operand::Value } else { Operand::Other }
            }
            TokenKind::Field => self.field(token, self.dot)?,
            TokenKind::Dot => Operand::Other,
            TokenKind::Text => Operand::Constant,
            TokenKind::Number if token.text.contains(['.', 'e', 'E', 'x', 'X']) => Operand::Constant,
            TokenKind::Number => Operand::Whole(index),
            TokenKind::Character if is_character(token.text) => Operand::Constant,
            TokenKind::Character => {
                let inner = token.text.trim_matches('\'');
                return Err(token.fault(format!(
                    "a text needs double quotes or backticks in a template: write `\"{inner}\"`"
                )));
            }
            TokenKind::BracketOpen => {
                let result = self.pipeline(TokenKind::BracketClose, 0)?;
                if self.take_if(TokenKind::BracketClose).is_none() {
                    return Err(token.fault("this bracket is never closed"));
                }
                result
            }
            _ => return Err(unexpected(token)),
        };
        self.chain(token, operand)
    }

    /// Fields right after a value: `$labels.queue`, `(index .Alerts 0).Status`.
    fn chain(&mut self, of: Token<'a>, mut operand: Operand) -> Checked<Operand> {
        let mut is_first = true;
        while let Some(field) = self.peek().filter(|token| token.kind == TokenKind::Field) {
            if matches!(operand, Operand::Constant | Operand::Whole(_)) {
                return Err(field.fault(format!("`{}` has no fields", of.text)));
            }
            self.next += 1;
            operand = match operand {
                Operand::Items if matches!(field.text, ".Firing" | ".Resolved") => Operand::Items,
                _ if is_first && of.text == "$" => self.field(field, Dot::Root)?,
                _ => Operand::Other,
            };
            is_first = false;
        }
        Ok(operand)
    }

    fn field(&self, field: Token<'a>, of: Dot) -> Checked<Operand> {
        let name = field.text.trim_start_matches('.');
        let list = self.dialect.list;
        let known = match (of, list) {
            (Dot::Root, _) => self.dialect.fields,
            (Dot::Item, Some((_, fields))) => fields,
            _ => return Ok(Operand::Other),
        };
        if known.contains(&name) {
            return Ok(match (of, list) {
                (Dot::Root, Some((items, _))) if items == name => Operand::Items,
                (Dot::Root, None) if name == "Value" => Operand::Value,
                _ => Operand::Other,
            });
        }
        let near = suggestion(name, known.iter().copied());
        let inside = list.filter(|(_, fields)| of == Dot::Root && fields.contains(&name));
        let message = match inside {
            Some((items, _)) => {
                format!("only each alert has `.{name}`: write `{{{{ range .{items} }}}}` around it")
            }
            None => format!("templates of {} have no `.{name}` here{near}", self.dialect.whose),
        };
        Err(field.fault(message))
    }

    fn function(&self, name: Token<'a>) -> Checked<Operand> {
        let known = || OF_GO.into_iter().chain(self.dialect.functions.iter().copied());
        if known().any(|function| function == name.text) {
            return Ok(Operand::Function);
        }
        let near = suggestion(name.text, known());
        Err(name.fault(format!("templates of {} have no function `{}`{near}", self.dialect.whose, name.text)))
    }

    fn known(&self, variable: Token<'a>) -> Checked {
        if self.variables.iter().any(|known| known == variable.text) {
            return Ok(());
        }
        let near = suggestion(variable.text, self.variables.iter().map(String::as_str));
        Err(variable.fault(format!("there is no variable `{}` here{near}", variable.text)))
    }
}

fn unexpected(token: Token<'_>) -> TemplateFault {
    let text = token.text;
    token.fault(match token.kind {
        TokenKind::Other | TokenKind::Number if text.starts_with(['+', '-', '*', '/', '%', '>', '<']) => {
            format!("a template has no operators such as `{text}`: calculate in `expr`, or use a function such as `gt`")
        }
        TokenKind::Assign => "`=` only assigns to a variable; a template compares with `eq`".to_owned(),
        TokenKind::BracketClose => "this bracket closes nothing".to_owned(),
        _ => format!("`{text}` is not allowed here in a template"),
    })
}

/// Whether single quotes hold a single character, as they must.
fn is_character(quoted: &str) -> bool {
    let inner = quoted.trim_matches('\'');
    inner.chars().count() == 1 || inner.starts_with('\\') && inner.len() > 1
}
