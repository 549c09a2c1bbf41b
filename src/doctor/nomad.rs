//! The way to Nomad: name, connection, TLS, answer, leader, token, right, version, latency.

use std::time::Duration;

use crate::model::format::took;
use crate::model::notice::Notifier;
use crate::model::selection::version::Version;
use crate::model::text::first_line;
use crate::nomad::address::Scheme;
use crate::nomad::{
    Access, Agent, Error, FailureKind, HttpNomad, OneNodeList, ProbeError, ProbeReply,
};

use super::clock::ClockReading;
use super::{Checks, Findings, NO_TIME, Section, TimeLeft};

/// Slower than this, Nomad is what people wait for.
const SLOW: Duration = Duration::from_millis(500);
/// The first with node pools, which records show.
const OLDEST: &str = "1.6.0";
const ASKS: u32 = 3;

pub(super) fn examined(access: &Access, time: TimeLeft, tell: &Notifier) -> Findings {
    let mut way =
        NomadCheck { access, time, checks: Checks::of(Section::Nomad), index: None, clock: None };
    // An examination writes nothing, not even its place among the connections of this host.
    let alone = Access { folder: None, ..access.clone() };
    match HttpNomad::open(alone, tell.clone()).and_then(HttpNomad::ready) {
        Ok(nomad) => way.walk(&nomad),
        Err(error) => way.broken("settings", &error, &ALL),
    }
    Findings { checks: way.checks.all, index: way.index, clock: way.clock, entry: None }
}

const ALL: [&str; 9] =
    ["address", "reached", "tls", "answer", "leader", "token", "permission", "version", "latency"];

struct NomadCheck<'a> {
    access: &'a Access,
    time: TimeLeft,
    checks: Checks,
    index: Option<u64>,
    clock: Option<ClockReading>,
}

impl NomadCheck<'_> {
    /// One link after the other, as far as they hold.
    fn walk(&mut self, nomad: &HttpNomad) {
        let (name, connect) = (self.resolves(nomad), ALL[0]);
        if let Err(error) = name {
            return self.broken(connect, &error, &ALL[1..]);
        }
        if self.access.proxy.is_some() {
            self.checks.skipped("reached", "the proxy connects: see answer");
        } else {
            match nomad.connects(self.time.step()) {
                Ok(time) => self.checks.ok("reached", format!("connected in {}", took(time))),
                Err(error) => return self.broken("reached", &error, &ALL[2..]),
            }
        }
        let leader = nomad.leader(self.time.step());
        match &leader {
            Err(broken) if broken.in_tls => return self.broken("tls", &broken.error, &ALL[3..]),
            Err(broken) if broken.unasked && self.is_https() => {
                self.checks.skipped("tls", "not tried: see answer");
            }
            _ => self.encryption(),
        }
        let led = match leader {
            Ok(answered) => self.led(&answered),
            Err(broken) if broken.leaderless => self.leaderless(),
            Err(broken) => return self.broken("answer", &broken.error, &ALL[4..]),
        };
        self.rights(nomad, led);
    }

    /// A problem, and what can't be known because of it.
    fn broken(&mut self, name: &str, error: &Error, skipped: &[&str]) {
        if error.kind == FailureKind::TimedOut && self.time.is_over() {
            self.checks.skipped(name, NO_TIME);
        } else {
            let advice = error.hint.clone().unwrap_or_else(|| usual_advice(error.kind).to_owned());
            self.checks.problem(name, &*error.what, advice);
        }
        self.checks.skip_all(skipped, &format!("needs {name}"));
    }

    fn is_https(&self) -> bool {
        self.access.address.scheme == Scheme::Https
    }

    fn resolves(&mut self, nomad: &HttpNomad) -> Result<(), Error> {
        let address = &self.access.address;
        if address.is_unix() {
            self.checks.ok("address", format!("{address}, a socket of this machine"));
            return Ok(());
        }
        if self.access.proxy.is_some() {
            self.checks.ok("address", format!("{address}, looked up by the HTTP proxy"));
            return Ok(());
        }
        let found = nomad.addresses(self.time.step())?;
        let literal = found.iter().any(|ip| ip.to_string() == address.host);
        let ips: Vec<String> = found.iter().take(4).map(ToString::to_string).collect();
        let said = match literal {
            true => address.to_string(),
            false => format!("{address} is {}", ips.join(", ")),
        };
        self.checks.ok("address", said);
        Ok(())
    }

    /// The handshake succeeded, or there is none.
    fn encryption(&mut self) {
        let access = self.access;
        let secret =
            access.token.is_some() || access.basic.is_some() || access.address.basic.is_some();
        let plain = "use https:// in the address, and enable TLS in Nomad";
        match access.address.scheme {
            Scheme::Https if access.tls.skip_verify => self.checks.warning(
                "tls",
                "encrypted, but anybody can pretend to be Nomad: its certificate is not verified",
                "unset NOMAD_SKIP_VERIFY and --tls-skip-verify, and name its authority with --ca-cert",
            ),
            Scheme::Https => self.checks.ok("tls", "the certificate is valid"),
            Scheme::Http if secret && !access.address.is_local() => {
                self.checks.warning("tls", "none: the credentials travel unencrypted", plain);
            }
            Scheme::Http if !access.address.is_local() => self.checks.ok("tls", "none: plain http"),
            Scheme::Http | Scheme::Unix => self.checks.ok("tls", "not needed on this machine"),
        }
    }

    fn led(&mut self, answered: &ProbeReply<String>) -> bool {
        self.checks.ok("answer", "speaks Nomad's API");
        let leader = first_line(&answered.what, 80);
        if leader.is_empty() {
            return self.no_leader();
        }
        self.checks.ok("leader", format!("{leader} (its address for servers)"));
        true
    }

    fn leaderless(&mut self) -> bool {
        self.checks.ok("answer", "speaks Nomad's API");
        self.no_leader()
    }

    fn no_leader(&mut self) -> bool {
        let said = "the servers have no leader: nothing can be listed";
        let advice = "restore a majority of the servers (nomad server members), then try again";
        self.checks.problem("leader", said, advice);
        false
    }

    /// What this token may do, and what only one who may can find out.
    fn rights(&mut self, nomad: &HttpNomad, led: bool) {
        let agent = nomad.agent(self.time.step());
        let glance = nomad.glance(!led, self.time.step());
        self.token(&agent, &glance);
        match &glance {
            Ok(_) => self.checks.ok("permission", "may read nodes (node:read)"),
            Err(broken) if is_denied(&broken.error) => {
                let advice = "let the token's policy contain: node { policy = \"read\" }";
                self.checks.problem("permission", "may not read nodes (node:read)", advice);
            }
            Err(broken) => self.broken("permission", &broken.error, &[]),
        }
        self.version(&agent);
        match glance {
            Ok(first) => self.latency(nomad, first, led),
            Err(_) => self.checks.skipped("latency", "needs permission"),
        }
    }

    fn token(
        &mut self,
        agent: &Result<Agent, Error>,
        glance: &Result<ProbeReply<OneNodeList>, ProbeError>,
    ) {
        let denied = glance.as_ref().is_err_and(|broken| is_denied(&broken.error));
        let renew = "log in again, and set NOMAD_TOKEN or --token-file";
        match (&self.access.token, denied) {
            (Some(_), _) if matches!(agent, Ok(Agent::TokenUnknown)) => {
                self.checks.problem("token", "unknown to Nomad, or expired", renew);
            }
            (Some(_), false) if glance.is_ok() => self.checks.ok("token", "given and accepted"),
            (Some(_), true) => self.checks.warning(
                "token",
                "given; Nomad does not say whether it is valid",
                "nomad acl token self says what it is",
            ),
            (Some(_), false) => self.checks.skipped("token", "given; needs permission"),
            (None, true) => self.checks.problem(
                "token",
                "none given, and Nomad requires one",
                "set NOMAD_TOKEN or --token-file",
            ),
            (None, false) if glance.is_ok() => self.checks.ok("token", "none given, none needed"),
            (None, false) => self.checks.skipped("token", "none given; needs permission"),
        }
    }

    fn version(&mut self, agent: &Result<Agent, Error>) {
        match agent {
            Ok(Agent::Version(text)) => {
                let version = Version::parse(text);
                let text = first_line(text, 40);
                if version.is_some_and(|version| {
                    Version::parse(OLDEST).is_some_and(|oldest| version < oldest)
                }) {
                    let said = format!("Nomad {text}, older than {OLDEST}: it has no node pools");
                    self.checks.warning("version", said, "upgrade Nomad");
                } else {
                    self.checks.ok("version", format!("Nomad {text}"));
                }
            }
            Ok(_) => self.checks.skipped(
                "version",
                "unknown: the token has no agent:read, which nothing else needs",
            ),
            Err(error) => self.checks.skipped("version", format!("not told: {}", error.what)),
        }
    }

    /// The quickest of a few: what the way costs, without the hiccups.
    fn latency(&mut self, nomad: &HttpNomad, first: ProbeReply<OneNodeList>, led: bool) {
        let mut best = first;
        for _ in 1..ASKS {
            match nomad.glance(!led, self.time.step()) {
                Ok(next) if next.took < best.took => best = next,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.index = best.what.index;
        if led && self.index.is_none() {
            let said = "the answer has no usable X-Nomad-Index: nothing is ever cached";
            let advice = "let the proxy before Nomad pass the X-Nomad-* headers unchanged";
            self.checks.warning("index", said, advice);
        }
        self.clock = best.date.map(ClockReading::now);
        let said = format!("a list of one node takes {}", took(best.took));
        if best.took > SLOW {
            let advice =
                "use a closer server, or run nomad-clients serve to keep the cache fresh for all";
            self.checks.warning("latency", said, advice);
        } else {
            self.checks.ok("latency", said);
        }
        if led && best.what.last_contact_ms > 0 {
            let said = format!(
                "the server that answered has not heard from the leader for {} ms",
                best.what.last_contact_ms
            );
            self.checks.warning(
                "contact",
                said,
                "its answers may be old: ask another server, or wait",
            );
        }
    }
}

fn is_denied(error: &Error) -> bool {
    matches!(error.kind, FailureKind::Denied | FailureKind::Unauthorized)
}

/// For failures that name no cure of their own.
fn usual_advice(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Denied | FailureKind::Unauthorized => "set NOMAD_TOKEN or --token-file",
        FailureKind::Outage => "check the Nomad agent there, then try again",
        FailureKind::TimedOut => {
            "check whether Nomad is stopped or overloaded, or a firewall drops packets"
        }
        FailureKind::NotNomad => "set NOMAD_ADDR or pass --address: something else answers there",
        FailureKind::Config => "correct that setting",
    }
}
