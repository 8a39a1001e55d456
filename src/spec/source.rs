//! The file that a spec was read from, and the error that lists its problems.

use std::path::PathBuf;

use super::excerpt::Excerpt;
use super::place::Place;
use super::problem::Problem;
use super::tree::Node;
use crate::error::Error;

/// The file that a spec was read from.
#[derive(Debug, Clone)]
pub(super) struct SpecFile {
    pub path: PathBuf,
    pub text: String,
    /// What a message shows of a line.
    pub excerpt: fn(&str, Place) -> Excerpt,
}

impl SpecFile {
    /// One error that lists all problems in the file's order, each with line, column and excerpt.
    pub fn error(&self, what: &str, problems: Vec<Problem>) -> Error {
        Error::invalid(self.message(what, problems))
    }

    /// The text of such an error.
    pub fn message(&self, what: &str, mut problems: Vec<Problem>) -> String {
        problems.sort_by_key(|problem| problem.place);
        problems.dedup();
        let count = match problems.len() {
            1 => "a problem".to_owned(),
            count => format!("{count} problems"),
        };
        let mut message = format!("{what} `{}` has {count}", self.path.display());
        for problem in &problems {
            self.describe(problem, &mut message);
        }
        message
    }

    fn describe(&self, problem: &Problem, message: &mut String) {
        let path = self.path.display();
        let text = match problem.place {
            Some(place) => format!(
                "\n{path}:{}:{}: {}\n{}",
                place.line,
                place.column,
                problem.message,
                (self.excerpt)(&self.text, place)
            ),
            None => format!("\n{path}: {}", problem.message),
        };
        message.push_str(&text);
    }
}

/// A valid spec's file, kept so that later problems, such as an unreadable secret, name their place, too.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub source: SpecFile,
    pub root: Node,
}
