//! completions/, man/ and the table of settings say what the command line says; `UPDATE=1 cargo test --test it generated` rewrites them.

mod man;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::ValueEnum as _;
use clap_complete::Shell;
use nomad_clients::cli::{self, completions};
use nomad_clients::settings::{SETTINGS, Setting, variables};

/// File name to content.
type Folder = BTreeMap<String, Vec<u8>>;

#[test]
fn completions_are_current() {
    let script = |shell: &Shell| {
        let name = match shell {
            Shell::Zsh => "_nomad-clients".to_owned(),
            Shell::PowerShell => "_nomad-clients.ps1".to_owned(),
            Shell::Fish => "nomad-clients.fish".to_owned(),
            Shell::Elvish => "nomad-clients.elv".to_owned(),
            _ => format!("nomad-clients.{shell}"),
        };
        (name, completions(*shell))
    };
    check("completions", &Shell::value_variants().iter().map(script).collect());
}

#[test]
fn man_pages_are_current() {
    let pages = man::pages(cli::command());
    let names: Vec<&str> = pages.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "nomad-clients-cache-clear.1",
            "nomad-clients-cache-stats.1",
            "nomad-clients-cache.1",
            "nomad-clients-completions.1",
            "nomad-clients-doctor.1",
            "nomad-clients-list.1",
            "nomad-clients-refresh.1",
            "nomad-clients-serve.1",
            "nomad-clients-show.1",
            "nomad-clients.1",
        ]
    );
    check("man", &pages);
}

#[test]
fn the_table_of_settings_is_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(&page).unwrap();
    let (begin, end) = ("<!-- settings -->\n", "<!-- /settings -->\n");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let wanted = [before, begin, &table(), end, after].concat();
    if env::var_os("UPDATE").is_some() {
        fs::write(&page, &wanted).unwrap();
    }
    let found = fs::read_to_string(&page).unwrap();
    assert!(found == wanted, "`UPDATE=1 cargo test --test it generated` rewrites {page:?}");
}

fn table() -> String {
    let row = |[option, variable, default]: [Option<String>; 3], text: &str| {
        let code = |text: Option<String>| text.map(|text| format!(" `{text}`")).unwrap_or_default();
        format!("|{} |{} |{} | {text} |\n", code(option), code(variable), code(default))
    };
    let of_setting = |setting: &Setting| {
        let short = setting.short.map(|short| format!("-{short}, ")).unwrap_or_default();
        let option = format!("{short}--{} {}", setting.name, setting.value_name());
        let words = [Some(option.trim_end()), setting.variable, setting.default];
        let only = setting.only.map(|name| format!("`{name}`: ")).unwrap_or_default();
        let detail = setting.detail.map(|detail| format!(". {detail}")).unwrap_or_default();
        let text = format!("{only}{}{detail}", setting.summary);
        row(words.map(|word| word.map(str::to_owned)), &text)
    };
    let of_variable =
        |(name, text): (&str, String)| row([None, Some(name.to_owned()), None], &text);
    let has_option = |name: &str| SETTINGS.iter().any(|setting| setting.variable == Some(name));
    let others = variables().filter(|(name, _)| !has_option(name)).map(of_variable);
    let head = "| option | variable | default | |\n|---|---|---|---|\n".to_owned();
    [head].into_iter().chain(SETTINGS.iter().map(of_setting)).chain(others).collect()
}

/// The folder holds exactly these files.
#[track_caller]
fn check(folder: &str, wanted: &Folder) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if env::var_os("UPDATE").is_some() {
        rewrite(&path, wanted);
    }
    let found = read(&path);
    let names = |folder: &Folder| folder.keys().cloned().collect::<Vec<_>>();
    let how = "`UPDATE=1 cargo test --test it generated` rewrites it";
    assert_eq!(names(&found), names(wanted), "{folder}/ is not current: {how}");
    for (name, content) in wanted {
        assert!(found[name] == *content, "{folder}/{name} is not current: {how}");
    }
}

fn rewrite(path: &Path, wanted: &Folder) {
    fs::create_dir_all(path).unwrap();
    for name in read(path).keys().filter(|name| !wanted.contains_key(*name)) {
        fs::remove_file(path.join(name)).unwrap();
    }
    for (name, content) in wanted {
        fs::write(path.join(name), content).unwrap();
    }
}

fn read(path: &Path) -> Folder {
    let Ok(entries) = fs::read_dir(path) else { return Folder::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(&path).unwrap())
    };
    paths.map(file).collect()
}
