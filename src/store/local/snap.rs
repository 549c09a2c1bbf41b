//! The file of a publication: one header line, then the bytes of `all`.

use serde::{Deserialize, Serialize};

use crate::store::judge::{Family, Seen};
use crate::store::meta::Meta;
use crate::store::scope::Scope;

const VERSION: u8 = 1;

/// What the header line says of the publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub(super) hsum: String,
    /// The name of the file with the full records; empty if there is none.
    pub(super) full: String,
    /// Milliseconds since boot at the publication.
    pub(super) at: u64,
    pub(super) ttl: u64,
    pub(super) lag: u64,
}

/// A snapshot file of this scope and boot, its sums not yet compared.
#[derive(Debug, Clone)]
pub(super) struct Snap {
    pub(super) header: Header,
    pub(super) all: Vec<u8>,
}

impl Snap {
    /// # Errors
    /// Why the file says nothing to this run.
    pub(super) fn parse(
        mut bytes: Vec<u8>,
        scope: &Scope,
        boot_id: &str,
        now: u64,
    ) -> Result<Self, &'static str> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no header line")?;
        let header: Header =
            serde_json::from_slice(&bytes[..end]).map_err(|_| "its header is not readable")?;
        if header.v != VERSION {
            return Err("it is of another version");
        }
        if header.scope != scope.as_str() {
            return Err("it is of another cluster");
        }
        if header.boot_id != boot_id || header.at > now {
            return Err("it is of another boot of this machine");
        }
        bytes.drain(..=end);
        Ok(Self { header, all: bytes })
    }

    /// The same in the words of the protocol.
    pub(super) fn meta(&self) -> Meta {
        let header = self.header.clone();
        Meta {
            scope: header.scope,
            epoch: header.epoch,
            rev: header.rev,
            index: header.idx,
            count: header.count,
            len: header.len,
            sum: header.sum,
            hsum: header.hsum,
            ttl_ms: header.ttl,
            lag_ms: header.lag,
        }
    }

    /// What LOOK would have read of a Redis that holds this: `all` expires, the rest lives on.
    pub(super) fn seen(self, epoch: Option<Vec<u8>>, now: u64) -> Seen {
        let meta = Some(self.meta().to_string().into_bytes());
        let since = now.saturating_sub(self.header.at);
        let left = self.header.ttl.checked_sub(since).and_then(|left| i64::try_from(left).ok());
        let (all, ttl_left) = match left {
            Some(left) if self.header.len > 0 => (Some(self.all), left),
            _ => (None, -2),
        };
        Seen { epoch, literal: Family { meta, all, ttl_left }, own: Family::default() }
    }
}

impl Header {
    /// The header of something published at this moment.
    pub(super) fn new(meta: Meta, full: String, boot_id: &str, at: u64) -> Self {
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
            hsum: meta.hsum,
            full,
            at,
            ttl: meta.ttl_ms,
            lag: meta.lag_ms,
        }
    }

    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("plain texts and numbers are JSON");
        line.push(b'\n');
        line
    }
}
