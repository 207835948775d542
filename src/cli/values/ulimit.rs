//! Resource limits: `nofile=1024:2048`.

use execdriver::Rlimit;

/// The names in the order of their numbers (getrlimit(2)).
const NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// Parses `NAME=SOFT[:HARD]`; `unlimited` or -1 is no limit.
pub(crate) fn ulimit(text: &str) -> Result<Rlimit, String> {
    let wrong = || {
        format!(
            "{text:?} is not NAME=SOFT[:HARD], NAME one of {}",
            NAMES.join(" ")
        )
    };
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let index = NAMES
        .iter()
        .position(|known| *known == name)
        .ok_or_else(wrong)?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let limit = |value: &str| match value {
        "unlimited" | "-1" => Ok(u64::MAX),
        number => number.parse::<u64>().map_err(|_| wrong()),
    };
    let (soft, hard) = (limit(soft)?, limit(hard)?);
    if soft > hard {
        return Err(format!("{text:?} has a soft limit above the hard one"));
    }
    let kind = u32::try_from(index).map_err(|_| wrong())?;
    Ok(Rlimit { kind, soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_both_limits() {
        let limit = ulimit("nofile=42").unwrap();
        assert_eq!((limit.kind, limit.soft, limit.hard), (7, 42, 42));
        assert_eq!(ulimit("core=0:unlimited").unwrap().hard, u64::MAX);
    }

    #[test]
    fn unknown_names_and_crossed_limits_are_refused() {
        for text in [
            "",
            "nofile",
            "files=1",
            "nofile=x",
            "nofile=2:1",
            "nofile=-2",
        ] {
            assert!(ulimit(text).is_err(), "{text:?}");
        }
    }
}
