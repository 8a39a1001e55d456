//! Arithmetic over named numbers, as the catalogue's trials use it: `traffic * level / 100`. A closed vocabulary,
//! so that a file of the catalogue can depend on the user's parameters without any code.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// An arithmetic expression: numbers, names, `+ - * /`, brackets, and `floor`, `min`, `max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount(Term);

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Number(f64),
    Name(String),
    Minus(Box<Term>),
    Binary(char, Box<(Term, Term)>),
    Call(String, Vec<Term>),
}

impl Amount {
    /// The value; `name` looks up names.
    ///
    /// # Errors
    /// Where a name or function is unknown.
    pub fn value(&self, name: &impl Fn(&str) -> Option<f64>) -> Result<f64, String> {
        self.0.value(name)
    }
}

impl From<f64> for Amount {
    fn from(number: f64) -> Self {
        Self(Term::Number(number))
    }
}

impl Term {
    fn value(&self, name: &impl Fn(&str) -> Option<f64>) -> Result<f64, String> {
        Ok(match self {
            Self::Number(number) => *number,
            Self::Name(word) => name(word).ok_or_else(|| format!("unknown number `{word}`"))?,
            Self::Minus(term) => -term.value(name)?,
            Self::Binary(operator, sides) => {
                let (left, right) = (sides.0.value(name)?, sides.1.value(name)?);
                match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ => left / right,
                }
            }
            Self::Call(function, arguments) => {
                let values: Vec<f64> =
                    arguments.iter().map(|term| term.value(name)).collect::<Result<_, _>>()?;
                match (function.as_str(), values.as_slice()) {
                    ("floor", [value]) => value.floor(),
                    ("min", [one, other]) => one.min(*other),
                    ("max", [one, other]) => one.max(*other),
                    _ => {
                        return Err(format!("unknown function `{function}` of {} numbers", values.len()));
                    }
                }
            }
        })
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let term = reader.sum()?;
        if reader.peek().is_some() {
            return Err(format!("unexpected `{}` after the end of an expression", reader.rest));
        }
        Ok(Self(term))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(number) => Ok(number.into()),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// Reads from left to right; `rest` is the unread text.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take_if(&mut self, wanted: &[char]) -> Option<char> {
        let found = self.peek().filter(|c| wanted.contains(c))?;
        self.rest = &self.rest[found.len_utf8()..];
        Some(found)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn sum(&mut self) -> Result<Term, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.take_if(&['+', '-']) {
            left = Term::Binary(operator, Box::new((left, self.product()?)));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Term, String> {
        let mut left = self.factor()?;
        while let Some(operator) = self.take_if(&['*', '/']) {
            left = Term::Binary(operator, Box::new((left, self.factor()?)));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Term, String> {
        match self.peek() {
            Some('-') => {
                self.take_if(&['-']);
                Ok(Term::Minus(Box::new(self.factor()?)))
            }
            Some('(') => {
                self.take_if(&['(']);
                let term = self.sum()?;
                self.closing()?;
                Ok(term)
            }
            Some(c) if c.is_ascii_digit() => {
                let digits = self.take_while(|c| c.is_ascii_digit() || c == '.');
                digits.parse().map(Term::Number).map_err(|_| format!("`{digits}` is not a number"))
            }
            Some(c) if c.is_ascii_alphabetic() => {
                let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
                if self.take_if(&['(']).is_none() {
                    return Ok(Term::Name(word));
                }
                let mut arguments = vec![self.sum()?];
                while self.take_if(&[',']).is_some() {
                    arguments.push(self.sum()?);
                }
                self.closing()?;
                Ok(Term::Call(word, arguments))
            }
            _ => Err(format!("a number or a name is missing before `{}`", self.rest)),
        }
    }

    fn closing(&mut self) -> Result<(), String> {
        self.take_if(&[')']).map(drop).ok_or_else(|| format!("`)` is missing before `{}`", self.rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<f64, String> {
        text.parse::<Amount>()?.value(&|name| (name == "level").then_some(8.0))
    }

    #[test]
    fn operators_have_their_usual_precedence() {
        for (text, expected) in [
            ("1", 1.0),
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("8 - 4 - 2", 2.0),
            ("16 / 4 / 2", 2.0),
            ("-level / 100", -0.08),
            ("2 - -level", 10.0),
            ("floor(level / 3)", 2.0),
            ("max(min(level, 9), 3 * 3)", 9.0),
            (" 1.5*level ", 12.0),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for text in ["", "1 +", "(1", "1 2", "1..2", "floor(1", "nothing", "floor(1, 2)", "sin(1)", "1 & 2"] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
