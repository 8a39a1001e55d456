//! Limits for the output and the time of a host. A host is not trusted: it may be broken, or not be the user's.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// How much of the end of a command's standard error is kept, in bytes.
const COMPLAINT_BYTES: usize = 32 << 10;

/// Limits for the output of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time limit; `None` if it may run forever.
    pub within: Option<Duration>,
    /// Bytes on both streams; `None` if the command may run forever.
    pub bytes: Option<usize>,
    /// Lines of standard output.
    pub lines: Option<usize>,
    /// Bytes of a line of standard output; longer lines are truncated.
    pub line: usize,
}

impl Limits {
    /// A short and quick answer.
    pub const ANSWER: Self = Self {
        within: Some(Duration::from_mins(1)),
        bytes: Some(8 << 20),
        lines: Some(100_000),
        line: 4 << 20,
    };
    /// The events of a script, without a time limit.
    pub const EVENTS: Self = Self { within: None, bytes: Some(8 << 20), lines: Some(20_000), line: 64 << 10 };
    /// A stream of lines that runs until the reader stops.
    pub const STREAM: Self = Self { within: None, bytes: None, lines: None, line: 64 << 10 };

    /// Sets another time limit.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }
}

/// Why reading ended before the command did.
#[derive(Debug)]
pub(super) enum Stop {
    /// The connection broke.
    Broken(io::Error),
    /// The host sent more than the limit.
    TooMuch(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Counts what was read so far, on both streams of a command.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    bytes: AtomicUsize,
    lines: AtomicUsize,
}

impl Meter {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, bytes: AtomicUsize::new(0), lines: AtomicUsize::new(0) }
    }

    fn read(&self, bytes: usize) -> Result<(), Stop> {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match self.limits.bytes {
            Some(limit) if bytes > limit => Err(Stop::TooMuch(format!("more than {} MiB", limit >> 20))),
            _ => Ok(()),
        }
    }

    fn line(&self) -> Result<(), Stop> {
        let lines = self.lines.fetch_add(1, Ordering::Relaxed) + 1;
        match self.limits.lines {
            Some(limit) if lines > limit => Err(Stop::TooMuch(format!("more than {limit} lines"))),
            _ => Ok(()),
        }
    }
}

/// Calls `on_line` with each line; of a line that is too long, with its beginning and `…`.
pub(super) async fn lines(
    stream: impl AsyncRead + Unpin,
    meter: &Meter,
    mut on_line: impl FnMut(&str),
) -> Result<(), Stop> {
    let longest = meter.limits.line;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut is_cut = false;
    loop {
        let chunk = stream.fill_buf().await?;
        let is_over = chunk.is_empty();
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        let taken = part.len().min(longest - line.len());
        line.extend_from_slice(&part[..taken]);
        is_cut |= taken < part.len();
        let consumed = part.len() + usize::from(end.is_some());
        stream.consume(consumed);
        meter.read(consumed)?;
        if end.is_some() || (is_over && !line.is_empty()) {
            meter.line()?;
            let text = String::from_utf8_lossy(&line);
            if is_cut {
                on_line(&format!("{text}…"));
            } else {
                on_line(&text);
            }
            (line, is_cut) = (Vec::new(), false);
        }
        if is_over {
            return Ok(());
        }
    }
}

/// The end of a command's standard error.
pub(super) async fn complaint(stream: impl AsyncRead + Unpin, meter: &Meter) -> Result<String, Stop> {
    let mut stream = BufReader::new(stream);
    let mut text = Vec::new();
    let mut is_cut = false;
    loop {
        let chunk = stream.fill_buf().await?;
        if chunk.is_empty() {
            break;
        }
        let count = chunk.len();
        text.extend_from_slice(chunk);
        stream.consume(count);
        meter.read(count)?;
        if text.len() > 2 * COMPLAINT_BYTES {
            text.drain(..text.len() - COMPLAINT_BYTES);
            is_cut = true;
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    // Starts at a whole line: a secret that is cut in two would not be recognized.
    Ok(if is_cut {
        text.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned())
    } else {
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8], limits: Limits) -> (Vec<String>, Result<(), Stop>) {
        let meter = Meter::new(limits);
        let mut seen = Vec::new();
        let end = lines(text, &meter, |line| seen.push(line.to_owned())).await;
        (seen, end)
    }

    const LIMITS: Limits = Limits { within: None, bytes: Some(1 << 20), lines: Some(100), line: 10 };

    #[tokio::test]
    async fn lines_are_passed_on_and_long_ones_truncated() {
        let (seen, end) = read(b"one\n\n0123456789\n0123456789abc\nlast", LIMITS).await;
        assert_eq!(seen, ["one", "", "0123456789", "0123456789…", "last"]);
        assert!(end.is_ok());
    }

    #[tokio::test]
    async fn reading_ends_at_the_limit_of_bytes_or_lines() {
        for (flood, what) in
            [(vec![b'x'; 3 << 20], "more than 1 MiB"), (vec![b'\n'; 3 << 20], "more than 100 lines")]
        {
            let (seen, end) = read(&flood, LIMITS).await;
            assert!(seen.len() <= 100);
            assert!(matches!(end, Err(Stop::TooMuch(text)) if text == what));
            let meter = Meter::new(LIMITS);
            let end = complaint(&flood[..], &meter).await;
            assert!(matches!(end, Err(Stop::TooMuch(text)) if text == "more than 1 MiB"));
        }
    }

    #[tokio::test]
    async fn only_the_last_whole_lines_of_a_long_complaint_are_kept() {
        let text = "a line of the complaint\n".repeat(10_000);
        let meter = Meter::new(LIMITS);
        let kept = complaint(text.as_bytes(), &meter).await.unwrap();
        assert!(kept.len() <= 2 * COMPLAINT_BYTES && text.ends_with(&kept), "{}", kept.len());
        assert!(kept.starts_with("a line"), "{:?}", &kept[..40]);
    }
}
