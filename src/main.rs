//! The thin binary: reads the command line, runs a command, prints once, exits once.

fn main() {}
