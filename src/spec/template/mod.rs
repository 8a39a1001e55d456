//! Whether a text is a template that its program can read and fill: Go's `text/template` with the functions, variables and
//! data of Prometheus or of Alertmanager. Which labels there are, `verify/check` asks a live Prometheus.
//!
//! Neither program says so when it loads its files: Prometheus reads a template without filling it, Alertmanager not even
//! that. What is wrong then shows in the message that somebody waits for.

mod dialect;
mod parser;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

pub(crate) use dialect::{ALERTMANAGER, Dialect, PROMETHEUS};
pub(super) use words::words;

/// What is wrong with a template, and where: in bytes from its beginning, and how many characters wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateFault {
    pub at: usize,
    pub width: usize,
    pub message: String,
}

/// What is wrong with a template, if anything is.
pub(crate) fn fault(template: &str, dialect: &Dialect) -> Option<TemplateFault> {
    tokens::tokens(template).and_then(|tokens| parser::check(&tokens, dialect)).err()
}

/// Whether a text is a template at all.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}
