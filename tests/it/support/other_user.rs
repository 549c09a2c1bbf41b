//! The program as another user of this machine starts it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use tempfile::TempDir;

use super::requirements::NOBODY;

/// A copy of the program where everybody may start it: the build folder may lie below a home that
/// others can't enter.
pub(crate) struct OtherUser(TempDir);

impl OtherUser {
    /// Copies the program that `command` starts.
    pub(crate) fn of(command: &Command) -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("nomad-clients");
        fs::copy(command.get_program(), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// The same arguments and variables, started by [`NOBODY`] in `/`.
    pub(crate) fn command(&self, like: &Command) -> Command {
        let mut command = Command::new(self.0.path().join("nomad-clients"));
        command.args(like.get_args()).env_clear().current_dir("/").uid(NOBODY);
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }
}
