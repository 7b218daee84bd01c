//! Compiles the crate for the scheduler of tests.

fn main() {
    println!("cargo::rustc-cfg=hatchery_shuttle");
    println!("cargo::rerun-if-changed=build.rs");
}
