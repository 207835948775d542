//! One text of a program and its arguments, which the program takes apart again.
//!
//! Windows hands a process one string; the C runtime splits it by the rules of "Parsing C command-line arguments"
//! (learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments).

use execdriver_core::ProcessConfig;

/// The command line of `process`. `escaped`: it is one already, its parts only need joining.
pub(crate) fn command_line(process: &ProcessConfig, escaped: bool) -> String {
    let mut line = if escaped {
        process.entrypoint.clone()
    } else {
        program(&process.entrypoint)
    };
    for argument in &process.arguments {
        line.push(' ');
        if escaped {
            line.push_str(argument);
        } else {
            line.push_str(&escape(argument));
        }
    }
    line
}

/// An argument as `CommandLineToArgvW` and the C runtime give it back: quoted if it is empty or has blanks, with
/// backslashes doubled before a quote only.
pub(crate) fn escape(argument: &str) -> String {
    let quoted = argument.is_empty() || argument.contains([' ', '\t']);
    let mut escaped = String::with_capacity(argument.len() + 2);
    if quoted {
        escaped.push('"');
    }
    let mut backslashes = 0;
    for c in argument.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                escaped.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        escaped.push(c);
    }
    if quoted {
        escaped.extend(std::iter::repeat_n('\\', backslashes));
        escaped.push('"');
    }
    escaped
}

/// The program's name, in quotes if it has blanks: the first word knows no escapes.
fn program(name: &str) -> String {
    if name.contains([' ', '\t']) && !name.starts_with('"') {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
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
}
