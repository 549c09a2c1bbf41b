//! The options that the table of settings describes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use crate::settings::{SETTINGS, Setting, ValueKind};

/// What was typed, with its command.
#[derive(Debug, Clone, Default)]
pub struct Given(ArgMatches);

impl Given {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let mut deepest = matches;
        while let Some((_, inner)) = deepest.subcommand() {
            deepest = inner;
        }
        Self(deepest.clone())
    }

    /// What was typed for the setting, if it was; more than one only of columns and sort keys.
    pub fn values(&self, setting: &Setting) -> Option<Vec<OsString>> {
        let Self(matches) = self;
        matches.ids().find(|id| *id == setting.name)?;
        let is_typed = matches.value_source(setting.name) == Some(ValueSource::CommandLine);
        let values = matches.get_raw(setting.name).filter(|_| is_typed)?;
        Some(values.map(ToOwned::to_owned).collect())
    }
}

/// Adds each option, as `arg` makes it, to the command that has it, or to all.
pub(super) fn with_settings(command: Command, arg: fn(&Setting) -> Arg) -> Command {
    SETTINGS.iter().fold(command, |command, setting| match setting.only {
        Some(name) if command.find_subcommand(name).is_none() => command,
        Some(name) => command.mut_subcommand(name, |own| own.arg(arg(setting))),
        None => command.arg(arg(setting).global(true)),
    })
}

/// With its help.
pub(super) fn described(setting: &Setting) -> Arg {
    arg(setting).help(setting.help()).long_help(setting.long_help()).help_heading(setting.heading)
}

pub(super) fn arg(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name)
        .long(setting.name)
        .short(setting.short)
        .value_name(setting.value_name());
    match setting.kind {
        ValueKind::Flag => arg.action(ArgAction::SetTrue),
        ValueKind::Text(_) | ValueKind::Number => arg,
        ValueKind::Url => arg.value_hint(ValueHint::Url),
        ValueKind::Texts(_) => arg.action(ArgAction::Append),
        ValueKind::Optional(_) => {
            arg.num_args(0..=1).require_equals(true).default_missing_values(setting.default)
        }
        ValueKind::SortKeys => arg.action(ArgAction::Append).allow_hyphen_values(true),
        ValueKind::File | ValueKind::SecretFile => {
            arg.value_parser(value_parser!(PathBuf)).value_hint(ValueHint::FilePath)
        }
        ValueKind::Folder => {
            arg.value_parser(value_parser!(PathBuf)).value_hint(ValueHint::DirPath)
        }
        // What also a variable or the file may say is checked with them.
        ValueKind::OneOf(_, names) if setting.only.is_some() => {
            arg.value_parser(PossibleValuesParser::new(names))
        }
        ValueKind::OneOf(_, names) => arg
            .add(ArgValueCandidates::new(|| names.iter().map(CompletionCandidate::new).collect())),
    }
}
