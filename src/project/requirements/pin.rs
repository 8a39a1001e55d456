//! A package of a lock file as a line of requirements.

/// A package with its version or place.
#[derive(Debug, Default)]
pub(super) struct Pin {
    /// Its name, with extras in brackets.
    pub name: String,
    /// `==VERSION`, or ` @ PLACE`.
    pub what: String,
    /// Where it is installed; empty for everywhere.
    pub marker: String,
    /// Digests of its files, such as `sha256:…`.
    pub hashes: Vec<String>,
}

impl Pin {
    /// The requirement of exactly this package.
    pub fn line(&self) -> String {
        let mut line = format!("{}{}", self.name, self.what);
        if !self.marker.is_empty() {
            line.push_str(&format!(" ; {}", self.marker));
        }
        for hash in &self.hashes {
            line.push_str(&format!(" \\\n    --hash={hash}"));
        }
        line.push('\n');
        line
    }
}
