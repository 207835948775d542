//! From words to the verb, with the options of that one alone: those of all verbs are a quarter of a MiB while they are there.

use super::{
    Cli, Global, checkpoint, create, delete, events, exec, kill, list, pause, ps, restore, run,
    spec, start, state, update,
};
use clap::{Args, Command, Error, FromArgMatches, Parser};
use std::ffi::OsString;

/// A verb, and what adds its options when it is the one.
type Verb = (&'static str, fn(Command) -> Command);

/// Those that are looked for first.
const VERBS: [Verb; 18] = [
    ("create", create::Args::augment_args),
    ("start", start::Args::augment_args),
    ("run", run::Args::augment_args),
    ("exec", exec::Args::augment_args),
    ("state", state::Args::augment_args),
    ("kill", kill::Args::augment_args),
    ("delete", delete::Args::augment_args),
    ("list", list::Args::augment_args),
    ("ps", ps::Args::augment_args),
    ("pause", pause::Args::augment_args),
    ("resume", pause::Args::augment_args),
    ("update", update::Args::augment_args),
    ("events", events::Args::augment_args),
    ("spec", spec::Args::augment_args),
    ("checkpoint", checkpoint::Args::augment_args),
    ("restore", restore::Args::augment_args),
    ("features", |command| command),
    ("version", |command| command),
];

/// Parses the words, of which the first is the program's name.
///
/// # Errors
/// Help that was asked for, or what is wrong with them.
pub(super) fn parse(words: &[OsString]) -> Result<Cli, Error> {
    match sparing().try_get_matches_from(words) {
        Ok(mut matches) => Cli::from_arg_matches_mut(&mut matches),
        // Help, and what is wrong, is told with all verbs at hand.
        Err(_) => Cli::try_parse_from(words),
    }
}

fn sparing() -> Command {
    let bare = Command::new("execdriver-oci")
        .disable_version_flag(true)
        .args_override_self(true);
    VERBS
        .into_iter()
        .fold(Global::augment_args(bare), |command, (name, options)| {
            command.subcommand(Command::new(name).defer(options))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(command: &Command) -> Vec<String> {
        let args = command.get_arguments();
        let mut all: Vec<String> = args.map(|arg| format!("{arg:?}")).collect();
        all.sort();
        all
    }

    #[test]
    fn every_verb_is_found_with_the_options_that_it_has() {
        let (mut whole, mut sparing) = (Cli::command(), sparing());
        whole.build();
        sparing.build();
        assert_eq!(options(&whole), options(&sparing));
        for verb in whole.get_subcommands() {
            let found = sparing.find_subcommand(verb.get_name());
            let found = found.unwrap_or_else(|| panic!("{} is not there", verb.get_name()));
            if verb.get_name() != "help" {
                assert_eq!(options(verb), options(found), "{}", verb.get_name());
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_as_with_all_verbs_at_hand() {
        for line in [&["run"][..], &["rum", "x"], &["--help"], &["run", "--help"]] {
            let words: Vec<OsString> = std::iter::once("execdriver-oci")
                .chain(line.iter().copied())
                .map(OsString::from)
                .collect();
            let whole = Cli::try_parse_from(&words).unwrap_err();
            assert_eq!(
                parse(&words).unwrap_err().to_string(),
                whole.to_string(),
                "{line:?}"
            );
        }
    }
}
