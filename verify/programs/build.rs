//! Compiles the crate with a clock that can be moved.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(hatchery_clock)");
    println!("cargo::rustc-cfg=hatchery_clock");
    println!("cargo::rerun-if-changed=build.rs");
}
