//! Packs the relocations of the static program: as they are they fill a twentieth of it, and each start reads all of them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        // DT_RELR, which musl knows since 1.2.4. An older linker warns and does without.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
