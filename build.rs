//! Tells Cargo when to build again, and the program which build it is.

use std::env;

fn main() {
    // Changes of known files Cargo sees by itself, but not new files in the embedded folders.
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-env-changed=MONCTL_COMMIT");
    println!("cargo::rustc-env=MONCTL_VERSION={}", version());
    // Tests start the debug build thousands of times. To relocate its quarter of a million addresses takes longer than
    // most of these runs, so that they are fixed when it is linked.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "debug") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

/// `0.1.0 (commit 1a2b3c4, with aws)`. `scripts/package.sh` names the commit; a build in a checkout has none, since it
/// would begin anew with every commit.
fn version() -> String {
    let number = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = env::var("MONCTL_COMMIT").map(|commit| format!("commit {commit}, ")).unwrap_or_default();
    let aws = if env::var_os("CARGO_FEATURE_AWS").is_some() { "with" } else { "without" };
    format!("{number} ({commit}{aws} aws)")
}
