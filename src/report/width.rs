//! How many columns a result may take.

use std::env;

use rustix::termios::tcgetwinsize;

/// Where nothing tells the width: a pipe, a file.
const USUAL: usize = 80;

/// The width of the terminal on standard output; `COLUMNS` overrides it.
pub fn width() -> usize {
    // A width that is not given, or not a number, is looked for, and has a usual value.
    let asked = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let found = || tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    asked.or_else(found).filter(|&columns| columns > 0).unwrap_or(USUAL)
}
