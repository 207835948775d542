//! Bytes as people read them, rounded as Docker's client does.

const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// Four digits: `1.953MiB`.
pub(super) fn binary(bytes: u64) -> String {
    scaled(bytes, 1024.0, &BINARY, 4)
}

/// Three digits: `2.05MB`.
pub(super) fn decimal(bytes: u64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 3)
}

fn scaled(bytes: u64, base: f64, units: &[&str], digits: usize) -> String {
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    let whole = size.trunc().to_string().len();
    let text = format!("{size:.*}", digits.saturating_sub(whole));
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", units.get(unit).unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_digits_that_docker_prints() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1KiB"),
            (2_048_000, "1.953MiB"),
            (128 << 20, "128MiB"),
            (25_286_000_000, "23.55GiB"),
            (u64::MAX, "16384PiB"),
        ] {
            assert_eq!(binary(bytes), text);
        }
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1500, "1.5kB"),
            (2_050_000, "2.05MB"),
        ] {
            assert_eq!(decimal(bytes), text);
        }
    }
}
