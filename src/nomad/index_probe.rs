//! The index probe: the cheapest request, for one stub and the index of the whole nodes table.

use std::time::Duration;

use super::http::{HttpNomad, checked};
use super::timeouts::REQUEST;
use super::{Error, IndexReply, wire};

/// A request that Nomad answers when its index has passed `index`, or after `wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongPoll {
    /// The index of the last reply; more than 0.
    pub index: u64,
    pub wait: Duration,
}

impl LongPoll {
    /// Nomad adds up to a sixteenth to `wait`.
    fn limit(self) -> Duration {
        self.wait + self.wait / 16 + REQUEST
    }
}

impl HttpNomad {
    /// Whether anything has changed. After a long poll, the index may also be lower: the cluster was
    /// restored or rebuilt. A long poll holds one of the 100 connections that Nomad allows an address.
    ///
    /// # Errors
    /// As for the list.
    pub fn probe_index(&self, long_poll: Option<LongPoll>) -> Result<IndexReply, Error> {
        const ONE: &str = "/v1/nodes?per_page=1";
        let reply = match long_poll {
            Some(poll) => {
                let ms = poll.wait.as_millis();
                let path = format!("{ONE}&index={}&wait={ms}ms", poll.index);
                let _permit = self.enter_held();
                let request = self.request_within("list", poll.limit());
                checked(self.send(&self.path(&path), false, &request), &request)?
            }
            None => self.get(&self.path(ONE), "list", false)?,
        };
        let stubs = self.parsed(&reply, "list", wire::stubs)?;
        let leader = reply.known_leader() && reply.last_contact_ms() == 0;
        Ok(IndexReply { index: reply.index(), leader, first: stubs.into_iter().next() })
    }
}
