//! `floor ROOTFS [COUNT]`: the yardstick by itself, for profilers and `strace -c`.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = || std::io::Error::other("usage: floor ROOTFS [COUNT]");
    let rootfs = args.next().ok_or_else(usage)?;
    let count: u32 = args
        .next()
        .map_or(Ok(1), |count| count.parse())
        .map_err(|_| usage())?;
    let floor = floor::Floor::new(rootfs.as_ref())?;
    let id = format!("floor-{}", std::process::id());
    let start = std::time::Instant::now();
    for _ in 0..count {
        floor.run(&id)?;
    }
    println!(
        "{count} containers, {:?} each",
        start.elapsed() / count.max(1)
    );
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
