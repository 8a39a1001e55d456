//! Width of results in columns.

use std::env;

use rustix::termios::tcgetwinsize;

/// Default if the width is unknown: a pipe, a file.
const USUAL: usize = 80;

/// The width of the terminal on standard output; `COLUMNS` overrides it.
pub fn width() -> usize {
    // A missing or invalid width is detected, and has a default.
    let requested = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let found = || tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    requested.or_else(found).filter(|&columns| columns > 0).unwrap_or(USUAL)
}
