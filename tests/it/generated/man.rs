//! The man pages: what clap_mangen makes of the command line, and the sections that it does not know.

use clap::Command;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use nomad_clients::cli;
use nomad_clients::settings::{SETTINGS, variables};

use crate::support::sandbox::Sandbox;

const NAME: &str = "nomad-clients";

const FILES: [(&str, &str); 2] = [
    (
        "~/.config/nomad-clients/config.toml",
        "Configuration file; its keys are the long names of the global options. --config names another one.",
    ),
    (
        "~/.cache/nomad-clients/",
        "Local cache, used without Redis, and notes for later runs. It holds no tokens.",
    ),
];

/// File name to content, for the command and all below it.
pub(super) fn pages(command: Command) -> super::Folder {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    all(&command).iter().map(|command| page(command)).collect()
}

fn all(command: &Command) -> Vec<&Command> {
    std::iter::once(command).chain(command.get_subcommands().flat_map(all)).collect()
}

fn page(command: &Command) -> (String, Vec<u8>) {
    let name = command.get_display_name().unwrap_or(NAME).to_owned();
    let is_main = name == NAME;
    let bare = command
        .clone()
        .after_help(Resettable::Reset)
        // The main page has the global options; each other page refers to it.
        .mut_args(|arg| {
            let is_elsewhere = !is_main && arg.is_global_set();
            arg.hide(is_elsewhere)
        });
    let mut page = Vec::new();
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    Man::new(bare).source(source).manual("User Commands").render(&mut page).unwrap();

    // An empty date is left out, so that the source would take its place.
    let page = String::from_utf8(page).unwrap().replacen(" 1  ", " 1 \"\" ", 1);

    let mut roff = Roff::new();
    if !is_main {
        section(&mut roff, "GLOBAL OPTIONS");
        roff.text([
            roman("Every command accepts the global options, which are described in "),
            bold(NAME),
            roman("(1)."),
        ]);
    }
    section(&mut roff, "EXIT STATUS");
    list(&mut roff, exit_codes(&name));
    if !is_main {
        roff.control("PP", []).text([
            roman("All codes are described in "),
            bold(NAME),
            roman("(1)."),
        ]);
    }
    let variables = environment(command, is_main);
    if !variables.is_empty() {
        section(&mut roff, "ENVIRONMENT");
        list(&mut roff, variables);
    }
    if is_main {
        section(&mut roff, "FILES");
        list(&mut roff, FILES.map(|(file, what)| (file.to_owned(), what.to_owned())));
    }
    let lines = examples(command);
    if !lines.is_empty() {
        section(&mut roff, "EXAMPLES");
        roff.control("nf", []);
        lines.lines().for_each(|line| _ = roff.text([roman(line)]));
        roff.control("fi", []);
    }
    section(&mut roff, "SEE ALSO");
    roff.text(see_also(&name));
    (format!("{name}.1"), (page + &roff.to_roff()).into_bytes())
}

fn section(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]);
}

fn list(roff: &mut Roff, rows: impl IntoIterator<Item = (String, String)>) {
    for (term, what) in rows {
        roff.control("TP", []).text([bold(term)]).text([roman(what)]);
    }
}

/// The rows of the README's table: all on the main page, on another those that its command adds.
fn exit_codes(name: &str) -> Vec<(String, String)> {
    let own: &[&str] = match name.strip_prefix("nomad-clients-") {
        None => &[],
        Some("list") => &["8", "10"],
        Some("doctor") => &["1"],
        Some("cache-clear") => &["7"],
        Some(_) => return Vec::new(),
    };
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("\n## Exit codes\n").unwrap();
    let rows = rest.split("\n## ").next().unwrap().lines();
    let rows = rows.filter_map(|row| row.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = rows.filter(|(code, _)| code.starts_with(|first: char| first.is_ascii_digit()));
    let rows = rows.filter(|(code, _)| own.is_empty() || own.contains(code));
    let rows: Vec<_> = rows.map(|(code, what)| (code.to_owned(), what.replace('`', ""))).collect();
    assert!(rows.len() >= own.len().max(1), "{name}: {rows:?}");
    rows
}

/// The variables of the options that only this command has, and on the main page all.
fn environment(command: &Command, is_main: bool) -> Vec<(String, String)> {
    let own = |name: &str| {
        let mut own = SETTINGS.iter().filter(|setting| setting.only == Some(command.get_name()));
        own.any(|setting| setting.variable == Some(name))
    };
    let width = ("COLUMNS", "Width of the help".to_owned());
    let all = variables().chain(is_main.then_some(width));
    let described = all.filter(|(name, _)| is_main || own(name));
    described.map(|(name, what)| (name.to_owned(), what)).collect()
}

/// The lines below `Examples:` in the help.
fn examples(command: &Command) -> String {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    help.strip_prefix("Examples:\n").unwrap_or_default().to_owned()
}

/// The main page, or the pages of all commands.
fn see_also(name: &str) -> Vec<Inline> {
    let mut built = cli::command().disable_help_subcommand(true);
    built.build();
    let others = all(&built).into_iter().filter_map(Command::get_display_name).chain([NAME]);
    let mut others: Vec<&str> = others.filter(|other| *other != name).collect();
    others.sort_unstable();
    others.dedup();
    let last = others.len() - 1;
    let reference = |(at, other): (usize, &&str)| {
        [bold(*other), roman(if at == last { "(1)" } else { "(1), " })]
    };
    others.iter().enumerate().flat_map(reference).collect()
}

/// The arguments of each example, as a shell splits them; what a pipe or a redirection follows is cut.
fn typed() -> Vec<Vec<String>> {
    let mut built = cli::command().disable_help_subcommand(true);
    built.build();
    let text: String = all(&built).into_iter().map(|it| examples(it) + "\n").collect();
    let text = text.replace("\\\n", " ");
    let command = |line: &str| {
        let start = line.find(NAME).unwrap_or_else(|| panic!("no command: {line}"));
        let line = line[start..].split(" | ").next().unwrap().trim_end_matches(')').to_owned();
        let script = format!("printf '%s\\n' {line}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    text.lines().filter(|line| !line.is_empty()).map(command).collect()
}

#[test]
fn every_command_has_examples_and_each_of_them_can_be_typed() {
    let typed = typed();
    for args in &typed {
        assert!(cli::parse(args.iter().map(Into::into)).is_ok(), "{args:?}");
    }
    for command in ["list", "show", "refresh", "clear", "stats", "serve", "doctor", "completions"] {
        assert!(typed.iter().any(|args| args.iter().any(|arg| arg == command)), "{command}");
    }
    // What the command line takes for any text is judged by the commands: wrong usage is 2 or 3.
    let sandbox = Sandbox::empty();
    let is_brief = |args: &&Vec<String>| {
        let begins = |begin: &str| args.iter().any(|arg| arg.starts_with(begin));
        !["serve", "--watch", "--address"].into_iter().any(begins)
    };
    for args in typed.iter().filter(is_brief) {
        let output = sandbox.command(&args[1..]).output().unwrap();
        assert!(!matches!(output.status.code(), Some(2 | 3) | None), "{args:?}: {output:?}");
    }
}

#[test]
fn each_page_has_the_sections_that_a_reader_looks_for() {
    for (name, content) in pages(cli::command()) {
        let content = String::from_utf8(content).unwrap();
        let has = |title: &str| {
            content.lines().any(|line| line.trim_start_matches(".SH ").trim_matches('"') == title)
        };
        let everywhere =
            ["NAME", "SYNOPSIS", "DESCRIPTION", "GLOBAL OPTIONS", "EXIT STATUS", "SEE ALSO"];
        assert!(everywhere.into_iter().all(has), "{name}: {content}");
        let main = ["ENVIRONMENT", "FILES", "EXAMPLES"];
        assert!(name != "nomad-clients.1" || main.into_iter().all(has), "{name}: {content}");
    }
}
