//! Compiles the crate for the laboratory.

fn main() {
    println!("cargo::rustc-cfg=hatchery_lab");
    println!("cargo::rerun-if-changed=build.rs");
}
