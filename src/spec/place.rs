//! A place in a text.

/// Where something stands: line and column count from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    /// How many characters it takes on its line, for the carets.
    pub width: usize,
}
