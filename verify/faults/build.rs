//! Compiles the crate with fail points, and with threads that can be refused.

fn main() {
    println!("cargo::rustc-cfg=hatchery_faults");
    println!("cargo::rerun-if-changed=build.rs");
}
