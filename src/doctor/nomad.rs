//! The way to Nomad: name, connection, TLS, answer, leader, token, right, version, latency.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::format::took;
use crate::model::notice::Notifier;
use crate::model::selection::version::Version;
use crate::model::text::first_line;
use crate::nomad::address::Scheme;
use crate::nomad::{Access, Agent, Error, FailedAt, FailureKind, HttpNomad, OneNodeList};

use super::clock::ClockReading;
use super::{Findings, NO_TIME, Section, TimeLeft};

/// Slower than this, Nomad is what people wait for.
const SLOW: Duration = Duration::from_millis(500);
/// The first with node pools, which records show.
const OLDEST: &str = "1.6.0";
const ASKS: u32 = 3;

const ORDER: [&str; 10] = [
    "settings",
    "address",
    "reached",
    "tls",
    "answer",
    "leader",
    "token",
    "permission",
    "version",
    "latency",
];

pub(super) fn examined(access: &Access, time: TimeLeft, notifier: &Notifier) -> Findings {
    let mut way = NomadCheck { access, time, found: Findings::of(Section::Nomad, &ORDER) };
    // An examination writes nothing, not even its place among the connections of this host.
    let alone = Access { folder: None, ..access.clone() };
    let nomad = HttpNomad::open(alone, notifier.clone()).and_then(HttpNomad::ready);
    let walked = nomad.map_err(|error| ("settings", error)).and_then(|nomad| way.walk(&nomad));
    if let Err((name, error)) = walked {
        way.broken(name, &error);
        way.found.skip_after(name);
    }
    way.found
}

struct NomadCheck<'a> {
    access: &'a Access,
    time: TimeLeft,
    found: Findings,
}

impl NomadCheck<'_> {
    /// One link after the other, or the one that is broken.
    fn walk(&mut self, nomad: &HttpNomad) -> Result<(), (&'static str, Error)> {
        let sockets = self.address(nomad).map_err(|error| ("address", error))?;
        if self.access.proxy.is_some() {
            self.found.skipped("reached", "the proxy connects: see answer");
        } else {
            let connected = nomad.connects(&sockets, self.time.step());
            let time = connected.map_err(|error| ("reached", error))?;
            self.found.ok("reached", format!("connected in {}", took(time)));
        }
        let leader = match nomad.leader(self.time.step()) {
            Err((FailedAt::Tls, error)) => return Err(("tls", error)),
            leader => leader,
        };
        let is_https = self.access.address.scheme == Scheme::Https;
        match &leader {
            Err((FailedAt::Connection, _)) if is_https => {
                self.found.skipped("tls", "not tried: see answer");
            }
            _ => self.encryption(),
        }
        let leader = match leader {
            Ok(leader) => leader,
            Err((FailedAt::Leader, _)) => String::new(),
            Err((_, error)) => return Err(("answer", error)),
        };
        self.found.ok("answer", "speaks Nomad's API");
        if leader.is_empty() {
            let said = "the servers have no leader: nothing can be listed";
            let advice = "restore a majority of the servers (nomad server members), then try again";
            self.found.problem("leader", said, advice);
        } else {
            self.found.ok("leader", format!("{leader} (its address for servers)"));
        }
        self.rights(nomad, !leader.is_empty());
        Ok(())
    }

    fn broken(&mut self, name: &'static str, error: &Error) {
        if error.kind == FailureKind::TimedOut && self.time.is_over() {
            self.found.skipped(name, NO_TIME);
        } else {
            let advice = error.hint.as_deref().unwrap_or(usual_advice(error.kind));
            self.found.problem(name, &error.what, advice);
        }
    }

    /// Its addresses, if the name has to be looked up here.
    fn address(&mut self, nomad: &HttpNomad) -> Result<Vec<SocketAddr>, Error> {
        let address = &self.access.address;
        let mut sockets = Vec::new();
        let said = if address.is_unix() {
            format!("{address}, a socket of this machine")
        } else if self.access.proxy.is_some() {
            format!("{address}, looked up by the HTTP proxy")
        } else {
            sockets = nomad.addresses(self.time.step())?;
            let mut ips: Vec<String> = sockets.iter().map(|at| at.ip().to_string()).collect();
            ips.dedup();
            match ips.contains(&address.host) {
                true => address.to_string(),
                false => format!("{address} is {}", ips[..ips.len().min(4)].join(", ")),
            }
        };
        self.found.ok("address", said);
        Ok(sockets)
    }

    /// The handshake succeeded, or there is none.
    fn encryption(&mut self) {
        let Access { address, token, basic, tls, .. } = self.access;
        let has_secret = token.is_some() || basic.is_some() || address.basic.is_some();
        match address.scheme {
            Scheme::Https if tls.skip_verify => self.found.warning(
                "tls",
                "encrypted, but anybody can pretend to be Nomad: its certificate is not verified",
                "unset NOMAD_SKIP_VERIFY and --tls-skip-verify, and name its authority with --ca-cert",
            ),
            Scheme::Https => self.found.ok("tls", "the certificate is valid"),
            _ if address.is_local() => self.found.ok("tls", "not needed on this machine"),
            _ if has_secret => self.found.warning(
                "tls",
                "none: the credentials travel unencrypted",
                "use https:// in the address, and enable TLS in Nomad",
            ),
            _ => self.found.ok("tls", "none: plain http"),
        }
    }

    /// What this token may do, and what only one who may can find out.
    fn rights(&mut self, nomad: &HttpNomad, led: bool) {
        let agent = nomad.agent(self.time.step());
        let first = nomad.list_one(!led, self.time.step());
        self.token(&agent, first.as_ref().err());
        match &first {
            Ok(_) => self.found.ok("permission", "may read nodes (node:read)"),
            Err(error) if is_denied(error) => {
                let advice = "let the token's policy contain: node { policy = \"read\" }";
                self.found.problem("permission", "may not read nodes (node:read)", advice);
            }
            Err(error) => self.broken("permission", error),
        }
        self.version(&agent);
        match first {
            Ok(first) => self.latency(nomad, first, led),
            Err(_) => self.found.skipped("latency", "needs permission"),
        }
    }

    /// `failed`: why no node could be listed.
    fn token(&mut self, agent: &Result<Agent, Error>, failed: Option<&Error>) {
        let is_unknown = matches!(agent, Ok(Agent::TokenUnknown));
        let is_given = self.access.token.is_some();
        match failed.map(is_denied) {
            _ if is_given && is_unknown => self.found.problem(
                "token",
                "unknown to Nomad, or expired",
                "log in again, and set NOMAD_TOKEN or --token-file",
            ),
            None if is_given => self.found.ok("token", "given and accepted"),
            None => self.found.ok("token", "none given, none needed"),
            Some(true) if is_given => self.found.warning(
                "token",
                "given; Nomad does not say whether it is valid",
                "nomad acl token self says what it is",
            ),
            Some(true) => {
                self.found.problem("token", "none given, and Nomad requires one", SET_TOKEN);
            }
            Some(false) if is_given => self.found.skipped("token", "given; needs permission"),
            Some(false) => self.found.skipped("token", "none given; needs permission"),
        }
    }

    fn version(&mut self, agent: &Result<Agent, Error>) {
        match agent {
            Ok(Agent::Version(text)) => {
                let is_old = Version::parse(text)
                    .is_some_and(|version| Some(version) < Version::parse(OLDEST));
                let end = format!(", older than {OLDEST}: it has no node pools");
                let end = if is_old { &*end } else { "" };
                let said = format!("Nomad {}{end}", first_line(text, 40));
                self.found.ok_if(!is_old, "version", said, "upgrade Nomad");
            }
            Ok(_) => self.found.skipped(
                "version",
                "unknown: the token has no agent:read, which nothing else needs",
            ),
            Err(error) => self.found.skipped("version", format!("not told: {}", error.what)),
        }
    }

    /// The quickest of a few: what the way costs, without the hiccups.
    fn latency(&mut self, nomad: &HttpNomad, first: OneNodeList, led: bool) {
        let more = (1..ASKS).map_while(|_| nomad.list_one(!led, self.time.step()).ok());
        let best = more.fold(first, |best, next| if next.took < best.took { next } else { best });
        if led && best.index.is_none() {
            let said = "the answer has no usable X-Nomad-Index: nothing is ever cached";
            let advice = "let the proxy before Nomad pass the X-Nomad-* headers unchanged";
            self.found.warning("index", said, advice);
        }
        self.found.index = best.index;
        self.found.clock = best.date.map(ClockReading::now);
        let said = format!("a list of one node takes {}", took(best.took));
        let advice =
            "use a closer server, or run nomad-clients serve to keep the cache fresh for all";
        self.found.ok_if(best.took <= SLOW, "latency", said, advice);
        if led && best.last_contact_ms > 0 {
            let ms = best.last_contact_ms;
            let said =
                format!("the server that answered has not heard from the leader for {ms} ms");
            let advice = "its answers may be old: ask another server, or wait";
            self.found.warning("contact", said, advice);
        }
    }
}

fn is_denied(error: &Error) -> bool {
    matches!(error.kind, FailureKind::Denied | FailureKind::Unauthorized)
}

const SET_TOKEN: &str = "set NOMAD_TOKEN or --token-file";

/// For failures that name no cure of their own.
fn usual_advice(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Denied | FailureKind::Unauthorized => SET_TOKEN,
        FailureKind::Outage => "check the Nomad agent there, then try again",
        FailureKind::TimedOut => {
            "check whether Nomad is stopped or overloaded, or a firewall drops packets"
        }
        FailureKind::NotNomad => "set NOMAD_ADDR or pass --address: something else answers there",
        FailureKind::Config => "correct that setting",
    }
}
