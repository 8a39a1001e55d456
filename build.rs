//! Has Cargo build again when a file appears in the embedded folders; changes of known files it sees by itself.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=templates");
    // Tests start the debug build thousands of times. To relocate its quarter of a million addresses takes longer than
    // most of these runs, so that they are fixed when it is linked.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "debug") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
