//! The cheapest question: one stub and the index of the whole nodes table.

use std::time::Duration;

use super::http::{HttpNomad, judged};
use super::timeouts::REQUEST;
use super::{Error, IndexReply, wire};

/// Since which index Nomad may hold its answer back, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongPoll {
    /// Of the last answer; more than 0.
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
    /// Whether anything has changed. With `hold` the answer comes when the index has passed the one
    /// named, or when the time is over: then it may also be lower, and the cluster was restored or
    /// rebuilt. A held question keeps one of the 100 connections that Nomad gives to an address.
    ///
    /// # Errors
    /// Nomad's failure, as that of the list.
    pub fn pulse(&self, hold: Option<LongPoll>) -> Result<IndexReply, Error> {
        const ONE: &str = "/v1/nodes?per_page=1";
        let reply = match hold {
            Some(hold) => {
                let ms = hold.wait.as_millis();
                let path = format!("{ONE}&index={}&wait={ms}ms", hold.index);
                let _permit = self.enter_held();
                let asked = self.asked_within("list", hold.limit());
                judged(self.send_alive(&self.path(&path), false, &asked), &asked)?
            }
            None => self.ask(&self.path(ONE), "list", false)?,
        };
        let stubs = self.parsed(&reply, "list", wire::stubs)?;
        let leader = reply.known_leader() && reply.last_contact_ms() == 0;
        Ok(IndexReply { index: reply.index(), leader, first: stubs.into_iter().next() })
    }
}
