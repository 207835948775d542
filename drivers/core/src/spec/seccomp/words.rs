//! The words of a profile: actions, operators, architectures, flags, capabilities, kernel versions.

use super::SeccompError;
use oci_spec::runtime::{
    Arch, Capability, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSeccompOperator,
};
use std::str::FromStr;

pub(super) fn action(word: &str) -> Result<LinuxSeccompAction, SeccompError> {
    parse("action", word)
}

pub(super) fn operator(word: &str) -> Result<LinuxSeccompOperator, SeccompError> {
    parse("operator", word)
}

/// Of this machine or of another, whose rules then say nothing here.
pub(super) fn arch(word: &str) -> Result<Arch, SeccompError> {
    // The derived names put an underscore before digits that the field's words have not.
    match word {
        "SCMP_ARCH_X86_64" => Ok(Arch::ScmpArchX86_64),
        word => {
            let json = serde_json::Value::String(word.to_owned());
            serde_json::from_value(json).map_err(|_| invalid("arch", word))
        }
    }
}

pub(super) fn flag(word: &str) -> Result<LinuxSeccompFilterFlag, SeccompError> {
    parse("flag", word)
}

/// With `CAP_`, as everywhere but in a command.
pub(super) fn capability(word: &str) -> Result<Capability, SeccompError> {
    let name = word.strip_prefix("CAP_");
    let known = name.and_then(crate::spec::capabilities::parse);
    known.ok_or_else(|| invalid("capability", word))
}

/// `4.8`: major and minor.
pub(super) fn kernel(word: &str) -> Result<(u32, u32), SeccompError> {
    let numbers = word
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| invalid("kernel version", word))
}

/// Go's word for the machine's architecture, as conditions have it.
pub(super) fn machine(arch: Arch) -> &'static str {
    match arch {
        Arch::ScmpArchX86_64 => "amd64",
        Arch::ScmpArchAarch64 => "arm64",
        Arch::ScmpArchX86 => "x86",
        Arch::ScmpArchArm => "arm",
        _ => "",
    }
}

/// The machines that profiles name, those of Go's `GOARCH` among them; no rule for another one is ever meant.
const MACHINES: [&str; 26] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "armbe",
    "loong64",
    "m68k",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "parisc",
    "parisc64",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390",
    "s390x",
    "sh",
    "sparc64",
    "x32",
    "x86",
];

pub(super) fn check_machine(word: &str) -> Result<(), SeccompError> {
    match MACHINES.contains(&word) {
        true => Ok(()),
        false => Err(invalid("arch", word)),
    }
}

fn parse<T: FromStr>(kind: &'static str, word: &str) -> Result<T, SeccompError> {
    word.parse().map_err(|_| invalid(kind, word))
}

fn invalid(kind: &'static str, word: &str) -> SeccompError {
    SeccompError::Word {
        kind,
        word: word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_contract_is_known() {
        for word in ["KILL", "ERRNO", "TRAP", "ALLOW", "TRACE", "LOG", "NOTIFY"] {
            assert!(action(&format!("SCMP_ACT_{word}")).is_ok(), "{word}");
        }
        for word in ["KILL_PROCESS", "KILL_THREAD"] {
            assert!(action(&format!("SCMP_ACT_{word}")).is_ok(), "{word}");
        }
        for word in ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"] {
            assert!(operator(&format!("SCMP_CMP_{word}")).is_ok(), "{word}");
        }
        for word in [
            "X86",
            "X86_64",
            "X32",
            "ARM",
            "AARCH64",
            "MIPS",
            "MIPS64",
            "MIPS64N32",
            "MIPSEL",
            "MIPSEL64",
            "MIPSEL64N32",
            "PPC",
            "PPC64",
            "PPC64LE",
            "S390",
            "S390X",
            "RISCV64",
            "LOONGARCH64",
            "PARISC",
            "PARISC64",
        ] {
            let arch = arch(&format!("SCMP_ARCH_{word}"));
            assert!(arch.is_ok(), "{arch:?}");
        }
        for word in ["LOG", "TSYNC", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"] {
            assert!(
                flag(&format!("SECCOMP_FILTER_FLAG_{word}")).is_ok(),
                "{word}"
            );
        }
    }

    #[test]
    fn another_word_is_named_in_the_words_of_the_original() {
        let error = action("SCMP_ACT_MAYBE").unwrap_err().to_string();
        assert_eq!(
            error,
            "string SCMP_ACT_MAYBE is not a valid action for seccomp"
        );
        let error = operator("=").unwrap_err().to_string();
        assert_eq!(error, "string = is not a valid operator for seccomp");
        let error = arch("amd64").unwrap_err().to_string();
        assert_eq!(error, "string amd64 is not a valid arch for seccomp");
        assert!(kernel("4").is_err() && kernel("x.y").is_err());
        assert_eq!(kernel("4.8").unwrap(), (4, 8));
    }
}
