//! What is installed: one program, with its pages, completions and units where systems look for them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nomad_clients::cli;
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::support::requirements::left_out;

const SERVICE: &str = ".packaging/nomad-clients.service";

/// A file of a package: where it comes from, where it goes, its mode.
type Asset = (String, String, String);

#[test]
fn cargo_install_leaves_one_program() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let said = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Json = serde_json::from_slice(&said.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "nomad-clients").unwrap();
    let targets = package["targets"].as_array().unwrap();
    let programs: Vec<&Json> = targets
        .iter()
        .filter(|target| target["kind"][0] == "bin")
        .map(|bin| &bin["name"])
        .collect();
    assert_eq!(programs, ["nomad-clients"]);
}

#[test]
fn packages_hold_every_page_and_completion() {
    let deb = deb();
    assert_eq!(deb[0].0, "target/release/nomad-clients");
    let missing: Vec<&Asset> =
        deb[1..].iter().filter(|(from, _, _)| expanded(from).is_empty()).collect();
    assert_eq!(missing, [] as [&Asset; 0], "there is nothing to install");
    let packed: BTreeSet<String> = deb.iter().flat_map(|(from, _, _)| expanded(from)).collect();
    for folder in ["man", "completions", ".packaging", "docs", "docs/pictures"] {
        let is_read = |name: &String| !["pictures", "make"].contains(&name.as_str());
        for name in names(folder).into_iter().filter(is_read) {
            assert!(
                packed.contains(&format!("{folder}/{name}")),
                "{folder}/{name} is in no package"
            );
        }
    }
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"] {
        assert!(packed.contains(name), "{name} is in no package");
    }
}

#[test]
fn both_packages_hold_the_same_files() {
    let debian = |(from, to, mode): Asset| {
        let zsh = |to: String| to.replace("/zsh/site-functions/", "/zsh/vendor-completions/");
        (from, zsh(to.trim_start_matches('/').to_owned()), mode)
    };
    let rpm: Vec<Asset> = rpm().into_iter().map(debian).collect();
    assert_eq!(rpm, deb());
    for (from, to, mode) in deb() {
        let expected = if to == "usr/bin/nomad-clients" { "755" } else { "644" };
        assert_eq!((mode.as_str(), to.starts_with("usr/")), (expected, true), "{from}");
    }
}

#[test]
fn the_unit_starts_what_the_package_installs() {
    let unit = read(SERVICE);
    let start = only(&unit, "ExecStart=");
    // Options come from the environment file; without it the words are these.
    let words = start.trim_end_matches(" $SERVE_OPTIONS").split(' ').map(OsString::from);
    let cli = cli::parse(words).unwrap();
    assert!(matches!(cli.command, cli::Command::Serve(_)));
    let program = start.split(' ').next().unwrap().trim_start_matches('/');
    assert!(deb().iter().any(|(_, to, _)| to == program), "{program} is installed");
    for name in ["NOMAD_TOKEN", "REDIS_URL", "NOMAD_CLIENTS_ACCESS_TOKEN"] {
        assert!(unit.contains(name));
    }
    let (serve, global) = (read("man/nomad-clients-serve.1"), read("man/nomad-clients.1"));
    assert!(serve.contains("NOMAD_CLIENTS_ACCESS_TOKEN") && global.contains("REDIS_URL"));
    assert_eq!(only(&unit, "Documentation="), "man:nomad-clients-serve(1)");
    // Wrong usage and a wrong configuration.
    assert_eq!(only(&unit, "RestartPreventExitStatus="), "2 3");
}

/// Taking one of these away is a decision, not an oversight.
#[test]
fn the_unit_is_closed() {
    let unit = read(SERVICE);
    for (key, value) in [
        ("DynamicUser=", "yes"),
        ("CapabilityBoundingSet=", ""),
        ("NoNewPrivileges=", "yes"),
        ("LockPersonality=", "yes"),
        ("MemoryDenyWriteExecute=", "yes"),
        ("PrivateDevices=", "yes"),
        ("PrivateTmp=", "yes"),
        ("ProtectHome=", "yes"),
        ("ProtectKernelTunables=", "yes"),
        ("ProtectProc=", "invisible"),
        ("ProtectSystem=", "strict"),
        ("RestrictAddressFamilies=", "AF_UNIX AF_INET AF_INET6"),
        ("RestrictNamespaces=", "yes"),
        ("RestrictSUIDSGID=", "yes"),
        ("SystemCallArchitectures=", "native"),
        ("CacheDirectoryMode=", "0700"),
        ("EnvironmentFile=", "-/etc/nomad-clients/env"),
        ("UMask=", "0077"),
    ] {
        assert_eq!(only(&unit, key), value, "{key}");
    }
    let calls: Vec<&str> = values(&unit, "SystemCallFilter=").collect();
    assert_eq!(calls, ["@system-service", "~@privileged"]);
}

/// systemd itself finds nothing wrong, where it is installed.
#[test]
fn systemd_takes_the_units() {
    let has = Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status();
    if let Err(why) = has {
        return left_out("systemd_takes_the_units", &format!("systemd-analyze: {why}"));
    }
    let folder = tempfile::TempDir::new().unwrap();
    let mut units = Vec::new();
    for name in names(".packaging") {
        let text = read(&format!(".packaging/{name}"));
        let here = text.replace("/usr/bin/nomad-clients", env!("CARGO_BIN_EXE_nomad-clients"));
        units.push(folder.path().join(&name));
        fs::write(&units[units.len() - 1], here).unwrap();
    }
    let said =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().unwrap();
    let stderr = String::from_utf8(said.stderr).unwrap();
    let ours: Vec<&str> = stderr.lines().filter(|line| line.contains("nomad-clients")).collect();
    assert_eq!(ours, [""; 0]);
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn package(kind: &str) -> Vec<Value> {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    manifest["package"]["metadata"][kind]["assets"].as_array().unwrap().clone()
}

fn deb() -> Vec<Asset> {
    let text = |asset: &Value, at: usize| asset[at].as_str().unwrap().to_owned();
    package("deb").iter().map(|asset| (text(asset, 0), text(asset, 1), text(asset, 2))).collect()
}

fn rpm() -> Vec<Asset> {
    let text = |asset: &Value, key: &str| asset[key].as_str().unwrap().to_owned();
    let asset = |asset: &Value| (text(asset, "source"), text(asset, "dest"), text(asset, "mode"));
    package("generate-rpm").iter().map(asset).collect()
}

/// The files that there are: the one, or those whose names end so.
fn expanded(from: &str) -> Vec<String> {
    match from.split_once("/*") {
        Some((folder, end)) => names(folder)
            .iter()
            .filter(|name| name.ends_with(end))
            .map(|name| format!("{folder}/{name}"))
            .collect(),
        None => Some(from.to_owned())
            .filter(|from| Path::new(env!("CARGO_MANIFEST_DIR")).join(from).is_file())
            .into_iter()
            .collect(),
    }
}

fn values<'a>(unit: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    unit.lines().filter_map(move |line| line.strip_prefix(key))
}

/// The value of a key that stands there once.
#[track_caller]
fn only<'a>(unit: &'a str, key: &'a str) -> &'a str {
    let found: Vec<&str> = values(unit, key).collect();
    assert_eq!(found.len(), 1, "{key}");
    found[0]
}
