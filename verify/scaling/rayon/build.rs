//! Compiles the programs with rayon beside the crate.

fn main() {
    println!("cargo::rustc-cfg=hatchery_rayon");
    println!("cargo::rerun-if-changed=build.rs");
}
