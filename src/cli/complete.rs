//! Completion at the prompt: the shell asks the program, which answers from what it is given.

use std::ffi::{OsStr, OsString};

use clap_complete::env::{CompleteEnv, Shells};
use clap_complete::{ArgValueCompleter, CompletionCandidate, Shell};

use super::{Given, Global, command};

/// The variable by which the scripts ask.
const VARIABLE: &str = "NOMAD_CLIENTS_COMPLETE";

/// What a word on the command line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Node,
    Datacenter,
    Class,
    Pool,
    Driver,
    Version,
    Status,
    Eligibility,
    /// `KEY` or `KEY=VALUE` of metadata.
    Meta,
    /// `KEY` or `KEY=VALUE` of attributes.
    Attribute,
    /// Names of fields between commas.
    Columns,
}

/// The arguments that are completed from the cache, by command.
const WORDS: [(&str, &str, Word); 15] = [
    ("show", "node", Word::Node),
    ("list", "nodes", Word::Node),
    ("list", "datacenter", Word::Datacenter),
    ("list", "class", Word::Class),
    ("list", "pool", Word::Pool),
    ("list", "driver", Word::Driver),
    ("list", "nomad_version", Word::Version),
    ("list", "status", Word::Status),
    ("list", "eligibility", Word::Eligibility),
    ("list", "meta", Word::Meta),
    ("list", "attr", Word::Attribute),
    ("list", "columns", Word::Columns),
    ("list", "sort", Word::Columns),
    ("list", "count_by", Word::Columns),
    ("list", "fail_on", Word::Columns),
];

/// Answers a shell, if one asks. `candidates` gives what a word may be, from the options that were
/// typed so far; those that do not begin as the word does are left out here.
///
/// # Errors
/// The shell is none that is known, or nobody reads the answer.
pub fn complete(candidates: fn(&Global, Word, &str) -> Vec<String>) -> Result<bool, clap::Error> {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell.is_empty()) {
        return Ok(false);
    }
    let typed: Vec<OsString> =
        std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let factory = move || {
        let typed = typed.clone();
        WORDS.iter().fold(command(), |command, (name, argument, word)| {
            let typed = typed.clone();
            let completer = ArgValueCompleter::new(move |current: &OsStr| {
                let current = current.to_string_lossy();
                offered(&candidates(&global(&typed), *word, &current), &current)
            });
            command.mut_subcommand(name, |command| {
                command.mut_arg(argument, |argument| argument.add(completer))
            })
        })
    };
    CompleteEnv::with_factory(factory).var(VARIABLE).try_complete(std::env::args_os(), None)
}

fn offered(candidates: &[String], current: &str) -> Vec<CompletionCandidate> {
    let fitting = candidates.iter().filter(|candidate| candidate.starts_with(current));
    fitting.map(CompletionCandidate::new).collect()
}

/// The settings, as far as they are typed; a line that is not finished has mistakes.
fn global(typed: &[OsString]) -> Global {
    let matches = command().ignore_errors(true).try_get_matches_from(typed);
    let given = matches.map(|matches| Given::of(&matches)).unwrap_or_default();
    Global { given, ..Global::default() }
}

/// The script that makes a shell ask this program.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let name = "nomad-clients";
    let shell = shell.to_string();
    let completer = Shells::builtins().0.iter().find(|completer| completer.is(&shell));
    let written =
        completer.map(|it| it.write_registration(VARIABLE, name, name, name, &mut script));
    written.expect("every shell of the option is known").expect("memory takes every write");
    script
}
