//! Checks templates: Go's `text/template` with the functions, variables and data of Prometheus or of Alertmanager.
//! `verify/check` compares their labels with a live Prometheus.
//!
//! Neither program reports such faults when it loads its files: Prometheus parses templates without executing them,
//! Alertmanager does not even parse them. A fault would then break the notification itself.

mod dialect;
mod parser;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

pub(crate) use dialect::{ALERTMANAGER, Dialect, PROMETHEUS};
pub(super) use words::words;

/// A fault of a template: its offset in bytes, and its width in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateFault {
    pub at: usize,
    pub width: usize,
    pub message: String,
}

/// The fault of a template, if any.
pub(crate) fn fault(template: &str, dialect: &Dialect) -> Option<TemplateFault> {
    tokens::tokens(template).and_then(|tokens| parser::check(&tokens, dialect)).err()
}

/// Whether a text is a template.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}
