//! The text of a requirements file: UTF-8, or UTF-16 as PowerShell writes it.

/// The text, without its byte order mark.
///
/// # Errors
/// A sentence, where it is in another encoding.
pub(super) fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    let text = if let Some(units) = bytes.strip_prefix(b"\xff\xfe") {
        utf16(units, u16::from_le_bytes)
    } else if let Some(units) = bytes.strip_prefix(b"\xfe\xff") {
        utf16(units, u16::from_be_bytes)
    } else {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // Without a text the error below names the encodings.
        std::str::from_utf8(text).ok().map(str::to_owned)
    };
    // UTF-16 without a mark, and UTF-32, have such characters.
    text.filter(|text| !text.contains('\0')).ok_or("it is text neither in UTF-8 nor in UTF-16")
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    // The caller reports the encodings.
    String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_of_utf16_and_a_mark_of_utf8_are_read() {
        let text = "Django==5.2 # größer\r\n";
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
        };
        assert_eq!(decode(&utf16([0xff, 0xfe], u16::to_le_bytes)).unwrap(), text);
        assert_eq!(decode(&utf16([0xfe, 0xff], u16::to_be_bytes)).unwrap(), text);
        assert_eq!(decode(format!("\u{feff}{text}").as_bytes()).unwrap(), text);
        assert_eq!(decode(text.as_bytes()).unwrap(), text);
    }

    #[test]
    fn other_encodings_are_refused() {
        for bytes in [&b"gr\xf6\xdfer"[..], b"\xff\xfea", b"D\0j\0", b"\xff\xfe\0\0D\0\0\0"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
