//! A place in a text.

/// A place: line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    /// The width in characters on its line, for the carets.
    pub width: usize,
}
