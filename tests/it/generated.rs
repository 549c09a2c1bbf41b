//! completions/ and man/ say what the command line says; `UPDATE=1 cargo test --test it generated` rewrites them.

mod man;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::ValueEnum as _;
use clap_complete::Shell;
use nomad_clients::cli::{self, completions};

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
