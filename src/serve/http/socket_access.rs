//! The mode and the group of a unix socket: who may connect to it.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::Path;

/// The database of groups, and how much of it is read.
const GROUPS: &str = "/etc/group";
const GROUPS_MAX: u64 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketAccess {
    mode: u32,
    /// `None` = that of this process.
    group: Option<u32>,
}

impl Default for SocketAccess {
    /// This user only.
    fn default() -> Self {
        Self { mode: 0o600, group: None }
    }
}

impl SocketAccess {
    /// Sets the mode, in octal digits such as `0660`.
    ///
    /// # Errors
    /// The expected form.
    pub(crate) fn with_mode(self, text: &str) -> Result<Self, String> {
        let is_octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        let mode = mode.filter(|mode| mode & 0o600 == 0o600);
        let mode = mode.ok_or("must be an octal mode that includes 0600, like 0660")?;
        Ok(Self { mode, ..self })
    }

    /// Allows the members of a group, by name or ID.
    ///
    /// # Errors
    /// There is no group of that name.
    pub(crate) fn with_group(self, text: &str) -> Result<Self, String> {
        let group = match text.parse() {
            // To the system the highest ID means "no change".
            Ok(u32::MAX) => return Err("must be a group name or a group ID".to_owned()),
            Ok(group) => group,
            Err(_) => {
                let known = groups().map_err(|error| format!("cannot read {GROUPS}: {error}"))?;
                named(&known, text)
                    .ok_or_else(|| format!("no such group in {GROUPS}; a group ID works too"))?
            }
        };
        Ok(Self { mode: self.mode | 0o060, group: Some(group) })
    }

    /// Sets group and mode of a socket that only this user may connect to so far. The group comes first:
    /// the mode must not let in another group.
    pub(crate) fn apply(self, path: &Path) -> io::Result<()> {
        if self.group.is_some() {
            lchown(path, None, self.group)?;
        }
        fs::set_permissions(path, Permissions::from_mode(self.mode))
    }
}

fn groups() -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(GROUPS)?.take(GROUPS_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The ID of a group in lines such as `www-data:x:33:`.
fn named(groups: &str, name: &str) -> Option<u32> {
    let mut fields = groups.lines().map(|line| line.split(':'));
    fields.find_map(|mut fields| {
        let is_it = !name.is_empty() && fields.next() == Some(name);
        is_it.then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::{SocketAccess, named};

    #[test]
    fn modes_are_octal_and_let_their_owner_in() {
        let mode = |text: &str| SocketAccess::default().with_mode(text).map(|access| access.mode);
        for (text, expected) in [("0660", 0o660), ("660", 0o660), ("0666", 0o666), ("777", 0o777)] {
            assert_eq!(mode(text), Ok(expected), "{text}");
        }
        for text in
            ["", "0", "060", "0800", "0o660", "-660", "+660", "1660", "rw-rw----", "99999999999"]
        {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn groups_by_name_or_number() {
        let groups = "root:x:0:\nbroken\n:x:7:\nwww-data:x:33:a,b\nodd:x:many:\n";
        let found =
            ["root", "www-data", "odd", "broken", "", "www"].map(|name| named(groups, name));
        assert_eq!(found, [Some(0), Some(33), None, None, None, None]);
        let with = |text: &str| SocketAccess::default().with_group(text);
        assert_eq!(with("33"), Ok(SocketAccess { mode: 0o660, group: Some(33) }));
        assert_eq!(with("4294967295"), Err("must be a group name or a group ID".to_owned()));
        let why = "no such group in /etc/group; a group ID works too".to_owned();
        assert_eq!(with("no such group"), Err(why));
    }
}
