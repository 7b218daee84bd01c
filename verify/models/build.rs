//! Compiles the crate for the model checker.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(hatchery_loom)");
    println!("cargo::rustc-cfg=hatchery_loom");
    println!("cargo::rerun-if-changed=build.rs");
}
