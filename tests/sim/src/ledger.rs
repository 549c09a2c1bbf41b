//! Every request exactly once: what was asked, by whom, when, and how it ended.

use std::time::{Duration, Instant};

use crate::http::{Head, header};

/// One entry of the ledger.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When its head had been read, after the start of the simulator.
    pub at: Duration,
    /// The status that was sent, and when its last byte had been written; `None` while it is
    /// under way, and for ever if no whole answer was sent.
    pub answered: Option<(u16, Duration)>,
    /// The number of the connection, from 1.
    pub connection: usize,
    /// `list`, `node <name>`, or method and target.
    pub what: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub fn token(&self) -> Option<&str> {
        self.header("X-Nomad-Token")
    }
}

#[derive(Debug)]
pub(crate) struct Ledger {
    started: Instant,
    pub(crate) requests: Vec<Request>,
    /// How many requests `asked` has given out.
    pub(crate) seen: usize,
    in_flight: usize,
    open: usize,
    pub(crate) most_in_flight: usize,
    pub(crate) most_open: usize,
    pub(crate) connections: usize,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            requests: Vec::new(),
            seen: 0,
            in_flight: 0,
            open: 0,
            most_in_flight: 0,
            most_open: 0,
            connections: 0,
        }
    }

    /// A connection was accepted; gives its number.
    pub(crate) fn connect(&mut self) -> usize {
        self.connections += 1;
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
        self.connections
    }

    pub(crate) fn disconnect(&mut self) {
        self.open -= 1;
    }

    pub(crate) fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// A request has come; gives its place in the ledger.
    pub(crate) fn begin(&mut self, head: &Head, what: String, connection: usize) -> usize {
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        self.requests.push(Request {
            method: head.method.clone(),
            target: head.target.clone(),
            headers: head.headers.clone(),
            body: head.body.clone(),
            at: self.started.elapsed(),
            answered: None,
            connection,
            what,
        });
        self.requests.len() - 1
    }

    pub(crate) fn end(&mut self, place: usize, status: Option<u16>) {
        self.in_flight -= 1;
        let at = self.started.elapsed();
        // Gone if the ledger was cleared meanwhile.
        if let Some(request) = self.requests.get_mut(place) {
            request.answered = status.map(|status| (status, at));
        }
    }
}
