//! A rule that is broken on purpose: on the way to the Redis, or in what a process believes.

use std::sync::Arc;

use nomad_clients::nomad::Nomad;
use nomad_clients::store::Store;
use nomad_clients::store::meta::Meta;

use crate::support::bench::scope;

use super::actor::Actor;
use super::faulty_client::FaultyClient;
use super::redis_ground::RedisGround;
use super::resp::{Words, bulk, strings};
use super::run::Cast;
use super::stale_details::StaleDetails;
use super::wire::{SCRIPTS, Tamper};
use super::world::SCOPES;

/// Script, the text to break, and what stands there instead.
pub(super) type Edit = (&'static str, &'static str, &'static str);

/// A client that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Honest,
    /// The clear leaves epoch and lease.
    ClearsHalf,
    /// The reader ignores the epoch, or the scope.
    IgnoresEpoch,
    IgnoresScope,
    /// A refresh takes any hit.
    AcceptsAnyHit,
    /// The rev of the base is the one that OLDER named.
    RenamesBase,
    /// The base is kept after the index was disproved, or after a torn read.
    KeepsDisproved,
    KeepsTorn,
    /// Details older than their list are not noticed.
    BlindToTorn,
    /// The records are not verified; only counted; not compared with their ids.
    Unverified,
    OnlyCounted,
    IdsNotCompared,
    /// The copy that is kept is not compared with the meta line.
    TrustsCopy,
    /// A partial publication has an `all`; or is published as complete.
    PartialWithAll,
    PartialAsComplete,
    /// Records without details are reused as if they had some.
    InventsDetails,
    /// A refresh takes the partial publication of a flight from before it.
    TakesOlderPartial,
    /// Dead epochs are not remembered; or not looked for in ENTER.
    ForgetsDead,
    EntersUnguarded,
    /// The expiries are asked for after the values.
    AsksAgeLast,
}

/// One broken rule, in force.
pub(super) struct Broken {
    /// The scripts as they are, and as they are carried out.
    scripts: Vec<(&'static str, String)>,
    client: Client,
}

impl Broken {
    /// Panics if the text to break is not there.
    pub(super) fn new(edits: &[Edit], client: Client) -> Self {
        let mut scripts: Vec<(&str, String)> =
            SCRIPTS.iter().map(|(_, text)| (*text, (*text).to_owned())).collect();
        for (script, from, to) in edits {
            let at = SCRIPTS.iter().position(|(name, _)| name == script).expect("one of ours");
            let text = &mut scripts[at].1;
            assert!(text.contains(from), "the text to break is no longer in {script}: {from}");
            *text = text.replace(from, to);
        }
        Self { scripts, client }
    }
}

/// The meta line that names `scope`, of those that MGET read.
fn mine<'a>(values: &'a [Option<Vec<u8>>], scope: &str) -> Option<&'a [u8]> {
    let names = |line: &&[u8]| Meta::parse(line).is_some_and(|meta| meta.scope == scope);
    values.iter().flatten().map(Vec::as_slice).find(names)
}

/// An array reply of strings.
fn array(values: &[Option<Vec<u8>>]) -> Vec<u8> {
    let head = format!("*{}\r\n", values.len()).into_bytes();
    values.iter().fold(head, |reply, value| [reply, bulk(value.as_deref())].concat())
}

impl Tamper for Broken {
    fn command(&self, _: &Actor, words: &mut Words) {
        if words[0] == b"EVAL" {
            let broken = self.scripts.iter().find(|(text, _)| words[1] == text.as_bytes());
            words[1] = broken.expect("one of five").1.clone().into_bytes();
        }
        if words[0] == b"DEL" && self.client == Client::ClearsHalf {
            words.drain(1..3);
        }
    }

    fn reply(&self, actor: &Actor, words: &Words, reply: &mut Vec<u8>) {
        if words[0] != b"MGET" {
            return;
        }
        let scope = scope(SCOPES[actor.scope]);
        let mut values = strings(reply);
        let literal = values.get(1).and_then(|line| Meta::parse(line.as_deref()?));
        match self.client {
            Client::IgnoresEpoch => {
                let meta = mine(&values, scope.as_str()).and_then(Meta::parse);
                if let Some(meta) = meta {
                    values[0] = Some(meta.epoch.into_bytes());
                }
            }
            Client::IgnoresScope => {
                if let Some(meta) = literal {
                    let meta = Meta { scope: scope.as_str().to_owned(), ..meta };
                    values[1] = Some(meta.to_string().into_bytes());
                }
            }
            _ => return,
        }
        *reply = array(&values);
    }

    fn order(&self, pipeline: &mut Vec<(usize, Words)>) {
        if self.client == Client::AsksAgeLast {
            pipeline.sort_by_key(|(_, words)| words[0] == b"PTTL");
        }
    }
}

/// Who plays under a broken rule, on a Redis that can be looked into.
pub(super) struct BrokenCast {
    pub(super) client: Client,
    pub(super) ground: Arc<RedisGround>,
}

impl Cast for BrokenCast {
    fn cast(
        &self,
        actor: &Arc<Actor>,
        store: Arc<dyn Store>,
        nomad: Arc<dyn Nomad>,
    ) -> (Arc<dyn Store>, Arc<dyn Nomad>) {
        if self.client == Client::Honest {
            return (store, nomad);
        }
        let stale_details = Arc::new(StaleDetails::new(self.client));
        let crook =
            FaultyClient::new(self.client, actor, store, &self.ground, Arc::clone(&stale_details));
        (Arc::new(crook), stale_details.nomad(nomad))
    }
}
