//! Reads files that should be small, and never more than a given number of bytes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Limit for specs, requirements, secrets and catalogues, in bytes; far more than any of them needs.
pub const SMALL_FILE_BYTES: u64 = 4 << 20;

/// Reads the whole file.
///
/// # Errors
/// When it cannot be read, or is larger than `limit` bytes.
pub fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}

/// Reads the whole file as UTF-8 text.
///
/// # Errors
/// As [`read_at_most`], and when it is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_at_most(path, SMALL_FILE_BYTES)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        let error = read_text(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 4 MiB");
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(read_at_most(&path, 4).unwrap(), b"abcd");
        assert!(read_at_most(&path, 3).is_err());
    }
}
