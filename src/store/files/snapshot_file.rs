//! The file of a publication: one header line, then the bytes of `all`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::host::folder::Folder;
use crate::random;
use crate::store::meta::{self, Meta};
use crate::store::validate::{Payload, StoredEntry, StoredFamily};

const VERSION: u8 = 3;
/// More than any header line of this program.
const HEADER_LONGEST: u64 = 4096;
/// As large as an answer of Nomad's may be.
pub(super) const MAX_SNAPSHOT_BYTES: u64 = 256 << 20;

/// What the header line says of the publication.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) v: u8,
    pub(super) scope: String,
    pub(super) epoch: String,
    /// Of the boot whose clock `at` was read from.
    pub(super) boot_id: String,
    pub(super) rev: String,
    pub(super) idx: u64,
    pub(super) count: u64,
    pub(super) len: u64,
    pub(super) sum: String,
    /// The name of the file with the full records; empty if there is none.
    pub(super) full: String,
    /// Its length in bytes.
    pub(super) full_len: u64,
    /// Milliseconds since boot at the publication.
    pub(super) at: u64,
    pub(super) ttl: u64,
    pub(super) lag: u64,
    /// `at` of the publication whose list all this was made from.
    pub(super) listed: u64,
    /// The epoch of the Redis that could not take this; `None` if none could be used.
    pub(super) beside: Option<String>,
    /// Sum of the line as it reads while this is empty: a disk that flips a bit must not make an
    /// answer younger than it is.
    pub(super) check: String,
}

/// A file of this scope and boot that is open at the first byte of `all`.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) header: Header,
    file: BufReader<File>,
    /// Bytes behind the header line.
    rest: u64,
}

impl Opened {
    /// `None` if there is no such file.
    ///
    /// # Errors
    /// Why the file says nothing to this run.
    pub(super) fn open(
        folder: &Folder,
        name: &str,
        scope: &str,
        boot: (&str, u64),
    ) -> Result<Option<Self>, &'static str> {
        let file = match folder.file(name, OFlags::RDONLY) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err("cannot be opened"),
        };
        let meta = file.metadata().ok().filter(std::fs::Metadata::is_file);
        let len = meta.ok_or("not a file")?.len();
        if len > MAX_SNAPSHOT_BYTES + HEADER_LONGEST {
            return Err("larger than 256 MB");
        }
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        let read = file.by_ref().take(HEADER_LONGEST).read_until(b'\n', &mut line);
        read.map_err(|_| "cannot be read")?;
        let header = Header::parse(&line, scope, boot)?;
        Ok(Some(Self { header, file, rest: len.saturating_sub(line.len() as u64) }))
    }

    /// `all` is there in its full length.
    pub(super) fn has_all(&self) -> bool {
        self.header.len > 0 && self.header.len == self.rest
    }

    /// The header and the bytes of `all`, which are not yet compared with their sum.
    pub(super) fn read(mut self) -> Result<(Header, Vec<u8>), &'static str> {
        let mut all = Vec::with_capacity(usize::try_from(self.rest).unwrap_or(0));
        let read = self.file.by_ref().take(MAX_SNAPSHOT_BYTES + 1).read_to_end(&mut all);
        read.map_err(|_| "cannot be read")?;
        Ok((self.header, all))
    }
}

impl Header {
    /// The header of something published at this moment, without full records.
    pub(super) fn new(meta: Meta, boot_id: &str, at: u64) -> Self {
        Self {
            v: VERSION,
            scope: meta.scope,
            epoch: meta.epoch,
            boot_id: boot_id.to_owned(),
            rev: meta.rev,
            idx: meta.index,
            count: meta.count,
            len: meta.len,
            sum: meta.sum,
            full: String::new(),
            full_len: 0,
            at,
            ttl: meta.ttl_ms,
            lag: meta.lag_ms,
            listed: at,
            beside: None,
            check: String::new(),
        }
    }

    /// `boot`: its name, and the milliseconds since.
    fn parse(line: &[u8], scope: &str, boot: (&str, u64)) -> Result<Self, &'static str> {
        let line = line.strip_suffix(b"\n").ok_or("no header line")?;
        let header: Self = serde_json::from_slice(line).map_err(|_| "unreadable header")?;
        if header.v != VERSION {
            return Err("written by another version");
        }
        if header.line() != [line, b"\n"].concat() {
            return Err("damaged header");
        }
        if header.scope != scope {
            return Err("belongs to another cluster");
        }
        if header.boot_id != boot.0 || header.at > boot.1 {
            return Err("written before the last boot");
        }
        Ok(header)
    }

    /// Holds nothing, and fences every flight that began before it.
    pub(super) fn void(epoch: String, scope: String, boot_id: &str, at: u64) -> Self {
        let (rev, none) = (format!("x{}", random::hex16()), "-".to_owned());
        let boot_id = boot_id.to_owned();
        Self { v: VERSION, scope, epoch, boot_id, rev, sum: none, at, ..Self::default() }
    }

    pub(super) fn is_void(&self) -> bool {
        self.rev.starts_with('x')
    }

    /// The line as it is written, with its sum.
    pub(super) fn line(&self) -> Vec<u8> {
        let text = |header: &Self| {
            serde_json::to_vec(header).expect("plain texts and numbers are always JSON")
        };
        let unchecked = Self { check: String::new(), ..self.clone() };
        let check = meta::sum(&text(&unchecked));
        let mut line = text(&Self { check, ..unchecked });
        line.push(b'\n');
        line
    }

    /// The same in the words of the protocol.
    pub(super) fn meta(&self) -> Meta {
        Meta {
            scope: self.scope.clone(),
            epoch: self.epoch.clone(),
            rev: self.rev.clone(),
            index: self.idx,
            count: self.count,
            len: self.len,
            sum: self.sum.clone(),
            ttl_ms: self.ttl,
            lag_ms: self.lag,
        }
    }

    /// What LOOK would have read of a Redis that holds this: `all` expires, the rest lives on.
    pub(super) fn seen(&self, all: Payload, epoch: Option<Vec<u8>>, now: u64) -> StoredEntry {
        let since = now.saturating_sub(self.at);
        let left = self.ttl.checked_sub(since).and_then(|left| i64::try_from(left).ok());
        let (all, ttl_left) = match left {
            Some(left) if self.len > 0 => (all, left),
            _ => (Payload::None, -2),
        };
        StoredEntry {
            epoch,
            literal: StoredFamily { meta: Some(self.meta()), is_unreadable: false, all, ttl_left },
            own: StoredFamily::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, VERSION};

    fn header() -> Header {
        Header {
            v: VERSION,
            scope: "ab".to_owned(),
            epoch: "cd".to_owned(),
            boot_id: "boot".to_owned(),
            at: 5000,
            ttl: 60_000,
            ..Header::default()
        }
    }

    fn parsed(line: &[u8]) -> Result<Header, &'static str> {
        Header::parse(line, "ab", ("boot", 9000))
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = header().line();
        let read = parsed(&line).unwrap();
        assert_eq!(read.line(), line);
        assert_eq!((read.at, read.ttl, read.check.len()), (5000, 60_000, 16));
    }

    #[test]
    fn any_other_line_says_why_it_is_ignored() {
        let reason = |header: Header| parsed(&header.line()).unwrap_err();
        assert_eq!(reason(Header { v: 1, ..header() }), "written by another version");
        assert_eq!(
            reason(Header { scope: "x".to_owned(), ..header() }),
            "belongs to another cluster"
        );
        let elsewhere = "written before the last boot";
        assert_eq!(reason(Header { boot_id: "x".to_owned(), ..header() }), elsewhere);
        assert_eq!(reason(Header { at: 9001, ..header() }), elsewhere);
        assert_eq!(parsed(b"").unwrap_err(), "no header line");
        assert_eq!(parsed(b"null\n").unwrap_err(), "unreadable header");
        let young = String::from_utf8(header().line()).unwrap().replace(":5000,", ":8999,");
        assert_eq!(parsed(young.as_bytes()).unwrap_err(), "damaged header");
    }
}
