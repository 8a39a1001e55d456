//! Has Cargo build again when a file appears in the embedded folders; changes of known files it sees by itself.

fn main() {
    println!("cargo::rerun-if-changed=templates");
}
