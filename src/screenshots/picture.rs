//! Detects blank pictures. Reads the PNGs that a browser writes: eight bits a channel, not interlaced. Pure.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Length and kind before the data of a chunk; a checksum follows.
const HEAD: usize = 8;
const CHECKSUM: usize = 4;

/// Whether all pixels have the same colour.
///
/// # Errors
/// When it is not such a PNG.
pub(super) fn is_of_one_colour(png: &[u8]) -> Result<bool, String> {
    let invalid = || "the browser's picture is not a valid PNG".to_owned();
    let rest = png.strip_prefix(SIGNATURE).ok_or_else(invalid)?;
    let (width, channels) = chunks(rest)
        .find(|(kind, _)| kind == b"IHDR")
        .and_then(|(_, header)| size(header))
        .ok_or_else(invalid)?;
    let packed: Vec<u8> =
        chunks(rest).filter(|(kind, _)| kind == b"IDAT").flat_map(|(_, data)| data).copied().collect();
    let mut lines = Vec::new();
    ZlibDecoder::new(packed.as_slice()).read_to_end(&mut lines).map_err(|_| invalid())?;

    let length = width * channels;
    let mut before = vec![0; length];
    let mut first: Option<Vec<u8>> = None;
    for line in lines.chunks_exact(length + 1) {
        let pixels = plain(line[0], &line[1..], &before, channels).ok_or_else(invalid)?;
        let first = first.get_or_insert_with(|| pixels[..channels].to_vec());
        if pixels.chunks_exact(channels).any(|pixel| pixel != first.as_slice()) {
            return Ok(false);
        }
        before = pixels;
    }
    if first.is_none() { Err(invalid()) } else { Ok(true) }
}

/// Kind and data of each chunk.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(HEAD)?;
        let length = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
        let (data, after) = after.split_at_checked(length)?;
        rest = after.get(CHECKSUM..)?;
        Some((&head[4..], data))
    })
}

/// The width in pixels and the number of channels.
fn size(header: &[u8]) -> Option<(usize, usize)> {
    let width = u32::from_be_bytes(header.get(..4)?.try_into().ok()?) as usize;
    let (depth, colour, interlaced) = (*header.get(8)?, *header.get(9)?, *header.get(12)?);
    let channels = match colour {
        2 => 3,
        6 => 4,
        _ => return None,
    };
    (width > 0 && depth == 8 && interlaced == 0).then_some((width, channels))
}

/// Reverses the filter of this kind for a line (section 9 of the PNG specification).
fn plain(filter: u8, line: &[u8], above: &[u8], channels: usize) -> Option<Vec<u8>> {
    let mut pixels: Vec<u8> = Vec::with_capacity(line.len());
    for (at, byte) in line.iter().enumerate() {
        let left = at.checked_sub(channels).map_or(0, |at| pixels[at]);
        let corner = at.checked_sub(channels).map_or(0, |at| above[at]);
        let guess = match filter {
            0 => 0,
            1 => left,
            2 => above[at],
            3 => u8::midpoint(left, above[at]),
            4 => nearest(left, above[at], corner),
            _ => return None,
        };
        pixels.push(byte.wrapping_add(guess));
    }
    Some(pixels)
}

/// The Paeth predictor: of left, above and the corner between them, the one nearest to `left + above - corner`.
fn nearest(left: u8, above: u8, corner: u8) -> u8 {
    let estimate = i16::from(left) + i16::from(above) - i16::from(corner);
    let far = |from: u8| (estimate - i16::from(from)).abs();
    if far(left) <= far(above) && far(left) <= far(corner) {
        left
    } else if far(above) <= far(corner) {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    /// A picture of RGB lines, each with its filter.
    fn png(width: u32, lines: &[(u8, &[u8])]) -> Vec<u8> {
        let chunk = |kind: &[u8], data: &[u8]| {
            let length = u32::try_from(data.len()).unwrap().to_be_bytes();
            [&length, kind, data, &[0; CHECKSUM]].concat()
        };
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        for (filter, line) in lines {
            packed.write_all(&[&[*filter], *line].concat()).unwrap();
        }
        let height = u32::try_from(lines.len()).unwrap();
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        let data = packed.finish().unwrap();
        [SIGNATURE, &chunk(b"IHDR", &header), &chunk(b"IDAT", &data), &chunk(b"IEND", &[])].concat()
    }

    #[test]
    fn a_single_colour_is_detected_with_every_filter() {
        let (plain, left, same) = ([7, 8, 9, 7, 8, 9], [7, 8, 9, 0, 0, 0], [0; 6]);
        let mean = [4, 4, 5, 0, 0, 0];
        let blank = png(2, &[(0, &plain), (1, &left), (2, &same), (3, &mean), (4, &same)]);
        assert_eq!(is_of_one_colour(&blank), Ok(true));
        for (filter, line) in [(0, [7, 8, 9, 7, 8, 1]), (1, [7, 8, 9, 0, 1, 0]), (2, [0, 0, 0, 1, 0, 0])] {
            assert_eq!(is_of_one_colour(&png(2, &[(0, &plain), (filter, &line)])), Ok(false), "{filter}");
        }
    }

    #[test]
    fn an_invalid_picture_is_refused() {
        assert!(is_of_one_colour(b"<html>").is_err());
        assert!(is_of_one_colour(SIGNATURE).is_err());
        assert!(is_of_one_colour(&png(2, &[])).is_err());
        let picture = png(1, &[(0, &[1, 2, 3])]);
        assert!(is_of_one_colour(&picture[..40]).is_err());
    }
}
