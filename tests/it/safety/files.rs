//! S13, S14, S23: the cache directory under attack, names that would lead elsewhere, and files that
//! happen to lie where the program is started. D1 to D5 are the same folder in mere trouble.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nomad_sim::{Fleet, Sim};

use super::good;
use crate::support::requirements::given_away;
use crate::support::sandbox::Sandbox;

struct Run {
    sim: Sim,
    sandbox: Sandbox,
}

impl Run {
    fn new() -> Self {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = Sandbox::local().nomad(&sim.address());
        Self { sim, sandbox }
    }

    /// The cache directory, filled.
    fn filled() -> Self {
        let run = Self::new();
        run.sandbox.stdout("list");
        run.sim.asked();
        run
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = below(&self.sandbox.cache());
        files.sort();
        files
    }

    /// The whole answer, whatever is said of the cache.
    #[track_caller]
    fn answers(&self) -> String {
        let said = self.sandbox.run("list --json");
        let all = Self::new().sandbox.stdout("list --json");
        assert_eq!((said.stdout.as_str(), said.code), (all.as_str(), 0), "{}", said.stderr);
        said.stderr
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// Whatever the umask is; and nothing lies in the folder that everybody shares.
#[test]
fn s13_only_the_user_can_read_what_is_cached_and_it_lies_nowhere_else() {
    use std::os::unix::process::CommandExt as _;
    let run = Run::new();
    let shared = tempfile::tempdir().unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" list --json", env!("CARGO_BIN_EXE_nomad-clients")]);
    let own = run.sandbox.command(["list"]);
    shell.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("TMPDIR", shared.path()).current_dir(run.sandbox.home()).process_group(0);
    assert!(shell.output().unwrap().status.success());
    let cache = run.sandbox.cache();
    for folder in [&cache, &cache.join("connections")] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700, "{folder:?}");
    }
    assert!(!run.files().is_empty());
    for file in run.files() {
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "{file:?}");
    }
    assert_eq!(below(shared.path()), Vec::<PathBuf>::new());
    let elsewhere = below(run.sandbox.home()).into_iter().filter(|path| !path.starts_with(&cache));
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// Files that others could have put there, or changed, while the folder was open: none is believed,
/// and none is written to.
#[test]
fn s13_a_file_that_others_could_have_written_is_not_believed() {
    let run = Run::filled();
    for file in run.files() {
        mode(&file, 0o666);
    }
    let folder = run.sandbox.cache();
    let why = format!(
        "warning: cache not used: cannot write the cache directory {}: pub.lock can be written by others: remove it\n",
        folder.display()
    );
    assert_eq!(run.answers(), why);
    assert_eq!(run.sim.asked().len(), 6, "nothing of it was shown");
    fs::remove_file(folder.join("pub.lock")).unwrap();
    run.answers();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(run.answers(), "");
}

/// Each file in turn is another name of something that must not change.
#[test]
fn s13_a_hard_link_is_not_written_through() {
    let run = Run::filled();
    run.sandbox.stdout("refresh");
    for file in run.files() {
        let target = run.sandbox.write("precious", "mine");
        // An old snapshot may have gone with the one that took its place.
        let _ = fs::remove_file(&file);
        fs::hard_link(&target, &file).unwrap();
        for _ in 0..2 {
            run.answers();
            let _ = run.sandbox.run("refresh");
        }
        assert_eq!(fs::read(&target).unwrap(), b"mine", "{file:?}");
        fs::remove_file(&target).unwrap();
        let _ = fs::remove_file(&file);
    }
}

/// The same with links, which may lead to what is not even there.
#[test]
fn s13_no_link_is_followed() {
    let run = Run::filled();
    for file in run.files() {
        let (target, missing) =
            (run.sandbox.write("precious", "mine"), run.sandbox.home().join("missing"));
        for to in [&target, &missing] {
            let _ = fs::remove_file(&file);
            symlink(to, &file).unwrap();
            run.answers();
            let _ = run.sandbox.run("refresh");
            assert_eq!(fs::read(&target).unwrap(), b"mine", "{file:?}");
            assert!(!missing.exists(), "{file:?}");
            let _ = fs::remove_file(&file);
            run.answers();
        }
    }
}

/// Whose file is believed is decided, for everybody, in `store::folder`.
#[test]
fn s13_a_file_of_another_user_is_not_believed() {
    let run = Run::filled();
    if !given_away("s13_a_file_of_another_user_is_not_believed", &run.files()) {
        return;
    }
    let stderr = run.answers();
    assert!(stderr.ends_with("pub.lock belongs to another user: remove it\n"), "{stderr}");
    assert_eq!(run.sim.asked().len(), 6);
}

/// S14: whatever clusters, regions, names and prefixes are called, only harmless names become files
/// and keys, and nothing is made elsewhere.
#[test]
fn s14_names_lead_nowhere() {
    let run = Run::new();
    run.sim.cluster().regions = vec!["../../../escaped".to_owned()];
    let name = "../../escaped";
    run.sim.cluster().register(name);
    let path = format!("{}/../../escaped", run.sim.address());
    for args in [
        vec!["list", "--region", "../../../escaped"],
        vec!["list", "--cache-prefix", "own..name"],
        vec!["show", name],
        vec!["list", name],
        vec!["list", "--address", &path],
        vec!["list", "--address", "unix:///../escaped/x"],
        vec!["list", "--tls-server-name", "../escaped"],
    ] {
        let _ = run.sandbox.command(args).output().unwrap();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    assert!(!run.files().is_empty());
    for file in run.files() {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.bytes().all(plain) && !name.contains("escaped"), "{name}");
    }
    let cache = run.sandbox.cache();
    assert!(below(run.sandbox.home()).iter().all(|path| path.starts_with(&cache)));
    let long = "x".repeat(65);
    for prefix in ["..", ".hidden", "a/b", "../../etc", "a b", "", "é", "a\nb", "a:b", "*", &long]
    {
        let output = run.sandbox.command(["list", "--cache-prefix", prefix]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{prefix}");
    }
}

/// S23: what lies in the folder where the program is started says nothing.
#[test]
fn s23_nothing_is_read_from_where_it_is_started() {
    let run = Run::new();
    let all = run.sandbox.stdout("list --json");
    let here = tempfile::tempdir().unwrap();
    let evil = "address = 'http://evil.invalid:1'\nredis = 'redis://evil.invalid:1'\n";
    for place in [
        "config.toml",
        "nomad-clients/config.toml",
        ".config/nomad-clients/config.toml",
        ".nomad-clients.toml",
        "nomad-clients.toml",
    ] {
        let path = here.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, evil).unwrap();
    }
    let started = |name: &str, value: &str| {
        let mut command = run.sandbox.command(["list", "--json", "--cache", "none"]);
        command.current_dir(here.path()).env(name, value);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code())
    };
    let right = (all, String::new(), Some(0));
    assert_eq!(started("UNUSED", ""), right);
    // What is not absolute is no folder of a user's.
    assert_eq!(started("XDG_CONFIG_HOME", "."), right);
    assert_eq!(started("XDG_CONFIG_HOME", ".config"), right);
    assert_eq!(started("HOME", "."), right);
    // Neither is a socket.
    for address in ["unix://nomad.sock", "unix:nomad.sock", "nomad.sock"] {
        let said = run.sandbox.run(&format!("list --address {address}"));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{address}: {}", said.stderr);
    }
    let said = run.sandbox.run("list --redis unix://redis.sock");
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{}", said.stderr);
    let named = here.path().join("config.toml");
    let said = run.sandbox.run(&format!("list --config {}", named.display()));
    assert_ne!(said, good("", ""), "what is named is read");
    assert!(said.code == 0, "the variable wins over the file");
}
