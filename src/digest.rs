//! SHA-256 digests: of files, of sets of files, of downloads.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use base64::Engine as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of everything that `reader` yields, and the number of bytes. Takes little memory.
    ///
    /// # Errors
    /// Those of `reader`.
    pub fn of_reader(reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hashing = Hashing::new(reader);
        io::copy(&mut hashing, &mut io::sink())?;
        Ok(hashing.finish())
    }

    /// The digest of several fields in order; each is preceded by its length, so that no two
    /// different lists give the same bytes.
    pub fn of_fields<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> Self {
        let mut hasher = sha2::Sha256::new();
        for field in fields {
            let field = field.as_ref();
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        Self(hasher.finalize().into())
    }

    /// The first 12 hexadecimal digits, enough for a folder's name.
    pub fn short(self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }

    /// The digest in base64 without padding, as ssh writes fingerprints.
    pub fn base64(self) -> String {
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(self.0)
    }
}

/// Computes the digest of what is read through it.
pub struct Hashing<R> {
    reader: R,
    hasher: sha2::Sha256,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, hasher: sha2::Sha256::new(), bytes: 0 }
    }

    /// The digest of what was read, and the number of bytes.
    pub fn finish(self) -> (Sha256, u64) {
        (Sha256(self.hasher.finalize().into()), self.bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a SHA-256 digest of 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_parsed_as_it_is_printed() {
        let digest = Sha256::of("abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("ba78".parse::<Sha256>().is_err());
    }

    #[test]
    fn a_stream_has_the_same_digest_as_its_bytes() {
        let bytes = vec![3; 300_000];
        assert_eq!(Sha256::of_reader(&bytes[..]).unwrap(), (Sha256::of(&bytes), 300_000));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(Sha256::of_fields(["ab", "c"]), Sha256::of_fields(["a", "bc"]));
    }
}
