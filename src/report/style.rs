//! Styles for terminals: bold, italics and a few colours. They only repeat what the text expresses.

/// Whether text is styled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// ANSI escape sequences.
    Colour,
}

impl Style {
    /// Headlines.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Italic text of messages.
    pub fn italic(self, text: &str) -> String {
        self.wrap("3", text)
    }

    /// Struck-out text of messages.
    pub fn struck(self, text: &str) -> String {
        self.wrap("9", text)
    }

    /// Secondary information.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Success, or an addition.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Failure, or a removal.
    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// Warning, or a change.
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Remedies.
    pub fn help(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// A name, always in the same one of a few colours.
    pub fn name(self, text: &str, of: &str) -> String {
        const COLOURS: [&str; 6] = ["32", "33", "34", "35", "36", "94"];
        let sum: usize = of.bytes().map(usize::from).sum();
        self.wrap(COLOURS[sum % COLOURS.len()], text)
    }

    /// A plan or a diff: lines that begin with `+`, `-` or `~`, indented or not, are coloured.
    pub fn marks(self, text: &str) -> String {
        let mark = |line: &str| match line.trim_start().get(..1) {
            Some("+") => self.good(line),
            Some("-") => self.bad(line),
            Some("~") => self.warn(line),
            _ => line.to_owned(),
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => text.lines().map(mark).collect::<Vec<_>>().join("\n"),
        }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
