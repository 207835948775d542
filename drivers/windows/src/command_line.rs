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
mod tests;
