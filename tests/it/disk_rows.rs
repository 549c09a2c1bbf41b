//! The rows of disk and configuration: D1, D3, D4, D5 of the fault matrix, through the program.

mod clearing;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nomad_sim::{Fleet, Sim};

use crate::support::other_user::OtherUser;
use crate::support::requirements::{Mounted, given_away, is_root};
use crate::support::sandbox::{Output, Sandbox, failure};

/// A cluster, and a run that keeps its answers in files.
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

    /// The folder that holds the cache directory.
    fn parent(&self) -> PathBuf {
        let parent = self.sandbox.cache().parent().unwrap().to_owned();
        fs::create_dir_all(&parent).unwrap();
        parent
    }

    /// The cache directory, private.
    fn folder(&self) -> PathBuf {
        self.parent();
        let folder = self.sandbox.cache();
        fs::create_dir(&folder).unwrap();
        mode(&folder, 0o700);
        folder
    }

    /// Two runs print everything, each asks Nomad itself, and each says once why nothing is kept.
    #[track_caller]
    fn check(&self, why: &str) {
        let all = Self::new();
        let stdout = all.sandbox.stdout("list --json");
        for _ in 0..2 {
            let said = self.sandbox.run("list --json");
            let stderr = format!("warning: {why}\n");
            assert_eq!(said, Output { stdout: stdout.clone(), stderr, code: 0 });
            assert_eq!(self.sim.asked().len(), 6, "straight to Nomad");
        }
    }

    fn unusable(&self, why: &str) {
        self.check(&format!(
            "no local cache: cache directory {}: {why}",
            self.sandbox.cache().display()
        ));
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn d1_a_missing_directory_is_made_private() {
    let run = Run::new();
    let cold = run.sandbox.stdout("list --json");
    assert_eq!(run.sandbox.stdout("list --json"), cold);
    assert_eq!(run.sim.asked().len(), 6, "the second run is a hit");
    let permissions = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(permissions(&run.sandbox.cache()), 0o700);
    for entry in fs::read_dir(run.sandbox.cache()).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(permissions(&path), expected, "{path:?}");
    }
}

/// A user whom the password file does not know. `d1_a_home_that_is_no_whole_path` is for everybody.
#[test]
fn d1_no_home_at_all() {
    if !is_root("d1_no_home_at_all") {
        return;
    }
    let run = Run::new();
    let own = run.sandbox.command(["list", "--json"]);
    let other = OtherUser::of(&own);
    let output = other.command(&own).env_remove("HOME").output().unwrap();
    let stderr = "warning: no local cache: no home directory\n";
    assert_eq!(
        (String::from_utf8(output.stderr).unwrap().as_str(), output.status.code()),
        (stderr, Some(0))
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, Run::new().sandbox.stdout("list --json"));
    assert_eq!(run.sim.asked().len(), 6, "straight to Nomad");
}

/// `ulimit -f`: the answer is there all the same.
#[test]
fn d1_files_that_may_not_grow() {
    let run = Run::new();
    let all = run.sandbox.stdout("list --json");
    let limited = run.sandbox.command(["list", "--json", "--force"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 0; exec \"$0\" \"$@\""]).arg(limited.get_program());
    shell.args(limited.get_args()).env_clear().current_dir(run.sandbox.home());
    shell.envs(limited.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let said = Output::from(shell.output().unwrap());
    let stderr = format!(
        "warning: cache not used: cannot write the cache directory {}: file too large\n",
        run.sandbox.cache().display()
    );
    assert_eq!((said.stderr, said.code), (stderr, 0));
    assert!(said.stdout == all);
}

/// Every folder that somebody stands in would get a cache of its own.
#[test]
fn d1_a_home_that_is_no_whole_path() {
    let run = Run::new();
    let mut command = run.sandbox.command(["list", "-o", "name"]);
    let output = command.env("HOME", "here").current_dir(run.parent()).output().unwrap();
    let stderr = "warning: no local cache: no home directory\n";
    let said = Output::from(output);
    assert_eq!((said.stderr.as_str(), said.code), (stderr, 0));
    assert!(!run.parent().join("here").exists());
}

#[test]
fn d1_a_file_in_its_place() {
    let run = Run::new();
    fs::write(run.parent().join("nomad-clients"), "mine").unwrap();
    run.unusable("is a file or a link, not a directory");
    assert_eq!(fs::read(run.sandbox.cache()).unwrap(), b"mine");
}

#[test]
fn d1_a_file_in_the_way() {
    let run = Run::new();
    run.sandbox.write(".cache", "mine");
    run.unusable("cannot be created: not a directory");
}

/// S13: somebody else made it, to read what we would write there.
#[test]
fn d1_a_link() {
    let run = Run::new();
    let elsewhere = tempfile::tempdir().unwrap();
    mode(elsewhere.path(), 0o700);
    symlink(elsewhere.path(), run.parent().join("nomad-clients")).unwrap();
    run.unusable("is a file or a link, not a directory");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

/// S13: links in the folder are not followed either.
#[test]
fn s13_a_link_in_the_directory_is_replaced_and_its_target_is_left_alone() {
    let run = Run::new();
    let target = run.sandbox.write("target", "mine");
    symlink(&target, run.folder().join("epoch")).unwrap();
    run.sandbox.stdout("list --json");
    run.sandbox.stdout("list --json");
    assert_eq!(run.sim.asked().len(), 6, "the second run is a hit");
    assert_eq!(fs::read(target).unwrap(), b"mine");
    assert!(fs::symlink_metadata(run.sandbox.cache().join("epoch")).unwrap().is_file());
}

#[test]
fn d1_open_to_others() {
    for (bits, shown) in [(0o777, "0777"), (0o710, "0710"), (0o1770, "1770")] {
        let run = Run::new();
        mode(&run.folder(), bits);
        run.unusable(&format!("is open to others (mode {shown}): chmod 700 it"));
        assert_eq!(fs::read_dir(run.sandbox.cache()).unwrap().count(), 0);
    }
}

/// Whose folder is used is decided, for everybody, in `store::folder`.
#[test]
fn d1_of_another_user() {
    let run = Run::new();
    if given_away("d1_of_another_user", &[run.folder()]) {
        run.unusable("belongs to another user");
    }
}

/// Root may write in any folder, so it needs a file system that takes nothing.
#[test]
fn d1_read_only() {
    let run = Run::new();
    let folder = run.folder();
    let why = format!("cache not used: cannot write the cache directory {}: ", folder.display());
    if !rustix::process::geteuid().is_root() {
        mode(&folder, 0o500);
        run.check(&format!("{why}permission denied"));
    } else if let Some(mounted) = Mounted::tmpfs("d1_read_only", &folder, "size=1m,mode=700") {
        mounted.remount("ro");
        run.check(&format!("{why}read-only file system"));
    }
}

/// Full from the start, and full only when the answer is to be written. What becomes of each write
/// is tried, for everybody, in `store::files::killed`.
#[test]
fn d1_a_full_disk() {
    let run = Run::new();
    let folder = run.folder();
    let Some(_mounted) = Mounted::tmpfs("d1_a_full_disk", &folder, "size=64k,mode=700") else {
        return;
    };
    let fill = |path: PathBuf| {
        let zeros = vec![0; 1 << 20];
        let full = fs::write(&path, zeros).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    };
    fill(folder.join("ballast"));
    let why =
        format!("cannot write the cache directory {}: no space left on device", folder.display());
    run.check(&format!("cache not used: {why}"));

    fs::remove_file(folder.join("ballast")).unwrap();
    run.sandbox.stdout("list --json");
    fill(folder.join("ballast"));
    run.sim.asked();
    run.sandbox.stdout("list --json");
    assert_eq!(run.sim.asked(), Vec::<String>::new(), "reading needs no room");
    let said = run.sandbox.run("refresh");
    let stdout = "Updated: 0 new, 0 changed, 5 cached\n".to_owned();
    let stderr = format!("warning: the answer could not be cached: {why}\n");
    assert_eq!(said, Output { stdout, stderr, code: 0 });
    let has = |ending: &str| {
        let mut entries = fs::read_dir(&folder).unwrap();
        entries.any(|entry| entry.unwrap().file_name().to_str().unwrap().ends_with(ending))
    };
    assert!(!has(".snap"), "what was printed may be newer than what could be kept");

    fs::remove_file(folder.join("ballast")).unwrap();
    run.sandbox.stdout("list --json");
    fill(folder.join("ballast"));
    assert!(has(".snap") && has("epoch"));
    run.sandbox.stdout("cache clear");
    assert!(!has(".snap") && !has("epoch") && !has(".full"), "to clear needs no room");
}

/// Somebody keeps the lock of those who write: nobody waits for longer than a moment.
#[test]
fn d3_a_lock_that_is_kept() {
    let run = Run::new();
    let kept = fs::File::create(run.folder().join("pub.lock")).unwrap();
    kept.lock().unwrap();
    let folder = run.sandbox.cache();
    let why = format!(
        "cannot write the cache directory {}: pub.lock is held by another process",
        folder.display()
    );
    let began = std::time::Instant::now();
    run.check(&format!("cache not used: {why}"));
    assert!(began.elapsed().as_secs() < 10);
    let said = run.sandbox.run("cache clear");
    let stderr = format!(
        "error: cache NOT cleared in {}: pub.lock is held by another process; old data may be served up to 60 s; rerun\n",
        folder.display()
    );
    assert_eq!(said, failure(7, &stderr));
}

/// What stands where the lock should be and has no locks, or would block whoever opens it.
#[test]
fn d3_no_lock() {
    let run = Run::new();
    fs::create_dir(run.folder().join("pub.lock")).unwrap();
    let folder = run.sandbox.cache();
    run.check(&format!(
        "cache not used: cannot write the cache directory {}: is a directory",
        folder.display()
    ));
}

/// 200 runs at once, at most 50 of them alive: one list and five details.
#[test]
fn d4_two_hundred_processes() {
    let run = Run::new();
    let mut printed = Vec::new();
    std::thread::scope(|scope| {
        let runs = || (0..10).map(|_| run.sandbox.run("list --json")).collect::<Vec<_>>();
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(runs)).collect();
        printed.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
    });
    assert_eq!(run.sim.asked().len(), 6);
    assert_eq!(printed.len(), 200);
    assert!(printed.iter().all(|said| *said == printed[0]));
    assert_eq!((printed[0].stderr.as_str(), printed[0].code), ("", 0));
}

#[test]
fn d5_a_password_that_others_can_read() {
    let run = Run::new();
    let stdout = run.sandbox.stdout("list --json");
    let leaks = "warning: others may read c.toml, which holds a password: chmod 600 c.toml\n";
    let address = run.sim.address().replace("http://", "http://me:canary@");
    let (secret, harmless) = (format!("address = '{address}'\n"), "ttl = '60s'\n");
    for (text, warned) in
        [("redis = 'redis://:canary@127.0.0.1:1'\n", leaks), (&secret, leaks), (harmless, "")]
    {
        let path = run.sandbox.write("c.toml", text);
        for (bits, stderr) in [(0o600, ""), (0o640, warned), (0o604, warned)] {
            mode(&path, bits);
            let said = run.sandbox.run("list --json --config c.toml");
            let expected = Output { stdout: stdout.clone(), stderr: stderr.to_owned(), code: 0 };
            assert_eq!(said, expected, "{text} {bits:o}");
        }
    }
}

/// D5: the rest of the row. A directory can be read by nobody, not even by root.
#[test]
fn d5_unreadable_or_not_toml() {
    let run = Run::new();
    run.sandbox.write("bad.toml", "# mine\n\nredis = 'redis://:canary@h\n");
    let said = run.sandbox.run("list --json --config bad.toml");
    assert_eq!((said.stdout.as_str(), said.code), ("", 3));
    assert!(said.stderr.starts_with("error: invalid configuration (bad.toml:3): "), "{said:?}");
    assert!(!said.stderr.contains("canary"));
    fs::create_dir(run.sandbox.home().join("folder.toml")).unwrap();
    let stderr = "error: cannot read the configuration (folder.toml): is a directory\nhint: repair that file, or name another one with --config FILE\n";
    assert_eq!(run.sandbox.run("list --config folder.toml"), failure(3, stderr));
    assert_eq!(run.sim.asked(), Vec::<String>::new());
}
