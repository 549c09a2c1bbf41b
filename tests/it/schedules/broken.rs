//! A rule that is broken on purpose: on the way to the Redis, or in what a process believes.

use std::sync::{Arc, Mutex};

use nomad_clients::nomad::Nomad;
use nomad_clients::store::Store;
use nomad_clients::store::meta::Meta;

use crate::support::bench::scope;

use super::actor::Actor;
use super::copied::Copied;
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
    /// It leaves the copies that outlive `all`.
    ClearsNotKept,
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
    /// The sum of a full record is not checked; or its record is not compared with the list.
    SealNotChecked,
    PrefixNotCompared,
    /// The copy that is kept is not compared with the meta line; or copied whatever the base was.
    TrustsKept,
    CopiesAnyBase,
    /// The meta line is not read again behind the full records of a base.
    TrustsHash,
    /// A copy on this host is not compared with the meta line of LOOK, with that of ENTER, or with its
    /// own sum.
    TrustsAnyCopy,
    TrustsCopiedBase,
    TrustsSpoiltCopy,
    /// LOOK without the bytes: the length is not compared, what never expires counts, what has expired
    /// counts.
    IgnoresLength,
    IgnoresEndless,
    IgnoresExpiry,
    /// What this host has shown is not compared with a hit; or not noted.
    IgnoresShown,
    NotesNothing,
    ForgetsShown,
    /// A list below what is known is not asked for again.
    ListsOnce,
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
    /// The length that the last meta line named.
    len: Mutex<u64>,
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
        Self { scripts, client, len: Mutex::default() }
    }

    /// What this client makes of LOOK's numbers.
    fn number(&self, words: &Words, reply: &[u8]) -> Option<u64> {
        let said = std::str::from_utf8(reply).ok()?.strip_prefix(':')?.trim_end();
        match (&*words[0], self.client, said) {
            (b"PTTL", Client::IgnoresEndless, "-1") | (b"PTTL", Client::IgnoresExpiry, "-2") => {
                Some(60_000)
            }
            (b"STRLEN", Client::IgnoresLength, _) | (b"STRLEN", Client::IgnoresExpiry, "0") => {
                Some(*self.len.lock().unwrap())
            }
            _ => None,
        }
    }

    /// Makes the copies of this host fit where this client would not see that they do not.
    fn forge(&self, actor: &Actor, words: &Words, metas: &[Meta]) {
        let name = scope(SCOPES[actor.scope]);
        let meta = metas.iter().find(|meta| meta.scope == name.as_str() && meta.len > 0);
        let of = match (self.client, &*words[0]) {
            (Client::TrustsAnyCopy, b"MGET") | (Client::TrustsCopiedBase, b"EVAL") => meta,
            (Client::TrustsSpoiltCopy, _) => None,
            _ => return,
        };
        if of.is_none() && self.client != Client::TrustsSpoiltCopy {
            return;
        }
        let Some(folder) = actor.notes().folder.clone() else { return };
        let path = folder.join(format!("{name}.copy"));
        if let Some(copied) = Copied::read(&path) {
            copied.forge(of, &path);
        }
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
        if words[0] == b"DEL" && self.client == Client::ClearsNotKept {
            words.retain(|key| !key.ends_with(b":kept"));
        }
    }

    fn reply(&self, actor: &Actor, words: &Words, reply: &mut Vec<u8>) {
        if let Some(number) = self.number(words, reply) {
            *reply = format!(":{number}\r\n").into_bytes();
        }
        let mut values = strings(reply);
        let lines = values.iter().flatten();
        let metas: Vec<Meta> = lines.filter_map(|line| Meta::parse(line)).collect();
        self.forge(actor, words, &metas);
        if words[0] != b"MGET" {
            return;
        }
        *self.len.lock().unwrap() = metas.first().map_or(0, |meta| meta.len);
        let scope = scope(SCOPES[actor.scope]);
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
    fn forgets_shown(&self) -> bool {
        self.client == Client::ForgetsShown
    }

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
