//! Arguments as the original escaped them, and as the C runtime takes them apart.

use super::*;
use proptest::prelude::*;

#[test]
fn arguments_are_escaped_like_the_originals() {
    for (argument, expected) in [
        ("", r#""""#),
        ("a b", r#""a b""#),
        (r#"a"b"#, r#"a\"b"#),
        (r"a\b", r"a\b"),
        (r"a\", r"a\"),
        (r"a b\", r#""a b\\""#),
        (r#"a\"b"#, r#"a\\\"b"#),
    ] {
        assert_eq!(escape(argument), expected, "{argument:?}");
    }
}

#[test]
fn an_entry_point_with_blanks_is_quoted() {
    let process = ProcessConfig::new(r"C:\Program Files\x.exe").args(["a b"]);
    assert_eq!(
        command_line(&process, false),
        r#""C:\Program Files\x.exe" "a b""#
    );
}

#[test]
fn what_is_escaped_already_is_only_joined() {
    let process = ProcessConfig::new("cmd").args([r#"/c "echo hi""#]);
    assert_eq!(command_line(&process, true), r#"cmd /c "echo hi""#);
}

/// What the C runtime makes of one argument.
fn parse(line: &str) -> String {
    let (mut parsed, mut backslashes) = (String::new(), 0);
    for c in line.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                parsed.extend(std::iter::repeat_n('\\', backslashes / 2));
                if backslashes % 2 == 1 {
                    parsed.push('"');
                }
                backslashes = 0;
            }
            c => {
                parsed.extend(std::iter::repeat_n('\\', backslashes));
                backslashes = 0;
                parsed.push(c);
            }
        }
    }
    parsed.extend(std::iter::repeat_n('\\', backslashes));
    parsed
}

proptest! {
    #[test]
    fn every_argument_comes_back_as_it_was(argument in r#"[a "\\\t]{0,12}"#) {
        prop_assert_eq!(parse(&escape(&argument)), argument);
    }
}
