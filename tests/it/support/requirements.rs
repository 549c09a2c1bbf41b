//! What not everybody can bring about: whoever can't is told which test was left out, and why.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells that the test `of` was left out. The usual macros would say it only of tests that fail.
pub(crate) fn left_out(of: &str, why: &str) {
    let line = format!("left out: {of}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The same of what only root can do: `.ci/run` refuses such lines where it runs as root.
fn needs_root(of: &str, why: &str) {
    left_out(of, &format!("needs root: {why}"));
}

/// A user whom no password file knows.
pub(crate) const NOBODY: u32 = 54_321;

/// Gives everything to [`NOBODY`]; false if the test is to be left out.
pub(crate) fn given_away(of: &str, paths: &[PathBuf]) -> bool {
    let given = paths.iter().try_for_each(|path| chown(path, Some(NOBODY), None));
    if let Err(why) = &given {
        needs_root(of, &format!("to give a file to another user: {why}"));
    }
    given.is_ok()
}

/// Whether this process can become another user; if not, the test is to be left out.
pub(crate) fn is_root(of: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        needs_root(of, "to become another user");
    }
    is_root
}

/// A file system of its own on a folder; taken away in the end.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// `None` if the test is to be left out.
    pub(crate) fn tmpfs(of: &str, folder: &Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(folder);
        let why = match mount.output() {
            Ok(output) if output.status.success() => return Some(Self(folder.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let why = why.lines().next().unwrap_or_default();
        // Containers keep that right even from their root.
        left_out(of, &format!("needs the right to mount a file system: {why}"));
        None
    }

    pub(crate) fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{options}")]).arg(&self.0);
        assert!(mount.status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
