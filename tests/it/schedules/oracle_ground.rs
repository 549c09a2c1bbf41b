//! The oracle, as the ground of schedules.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::store::Store;
use nomad_clients::store::meta::Meta;

use crate::oracle::{OracleStore, SharedSpace, Space};
use crate::support::bench::{place, scope};

use super::actor::Actor;
use super::ground::{Ground, Incident};
use super::oracles::{Inspected, is_readable, opened};
use super::rng::Rng;
use super::world::{Limits, SCOPES};

const P: &str = "nomad:clients";

#[derive(Default)]
pub(super) struct OracleGround(Mutex<SharedSpace>);

impl OracleGround {
    fn space(&self) -> SharedSpace {
        self.0.lock().unwrap().clone()
    }

    fn open(&self, of: usize) -> Arc<dyn Store> {
        Arc::new(OracleStore::new(self.space(), &place(SCOPES[of], "")))
    }
}

/// `meta`, `all` and `hash` of the literal family, then of a scope's own.
fn families(of: usize) -> [[String; 3]; 2] {
    let own = format!("{P}:{}", scope(SCOPES[of]));
    [P.to_owned(), own].map(|prefix| ["meta", "all", "hash"].map(|key| format!("{prefix}:{key}")))
}

fn lease(of: usize) -> String {
    format!("{P}:lease:{}", scope(SCOPES[of]))
}

/// It is evicted, or another program writes into it.
fn spoil_kept(space: &mut Space, now: Instant, rng: &mut Rng) -> Option<()> {
    let kept = format!("{P}:kept");
    let mut all = space.text(&kept, now)?.to_vec();
    space.delete(&[&kept]);
    if rng.percent(50) {
        all[5] ^= 1;
        space.set(&kept, all, Some(now + Duration::from_secs(60)));
    }
    Some(())
}

/// Everything of everybody.
fn clear_by_hand(space: &mut Space) {
    for of in 0..SCOPES.len() {
        for [meta, all, hash] in families(of) {
            space.delete(&[&meta, &all, &hash, &all.replace("all", "kept")]);
        }
        space.delete(&[&lease(of), &format!("{P}:epoch")]);
    }
}

impl Ground for OracleGround {
    fn has_inner_gates(&self) -> bool {
        false
    }

    fn reset(&self) {
        *self.0.lock().unwrap() = SharedSpace::default();
    }

    fn store(&self, actor: &Arc<Actor>) -> Arc<dyn Store> {
        self.open(actor.scope)
    }

    fn direct(&self, scope: usize) -> Arc<dyn Store> {
        self.open(scope)
    }

    fn strike(
        &self,
        blow: Incident,
        scope: usize,
        rng: &mut Rng,
        limits: &mut Limits,
    ) -> Option<String> {
        let shared = self.space();
        let (now, [literal, own]) = (shared.now(), families(scope));
        let mut space = shared.space();
        match blow {
            Incident::Evict => {
                let mut keys = [literal.to_vec(), own.to_vec()].concat();
                keys.extend([format!("{P}:epoch"), lease(scope)]);
                keys.retain(|key| space.ttl_left(key, now) != -2);
                let key = rng.pick(&keys)?.clone();
                limits.lossy |= key.ends_with(":meta") || key.ends_with(":epoch");
                space.delete(&[&key]);
                return Some(key);
            }
            Incident::LoseLease => space.delete(&[&lease(scope)]),
            Incident::EndAll => space.delete(&[&literal[1], &own[1]]),
            Incident::EndHash => {
                limits.lossy = true;
                space.delete(&literal.each_ref().map(String::as_str));
            }
            Incident::Foreign => {
                limits.touched = true;
                let hash = if rng.percent(50) { &literal[2] } else { &own[2] };
                let edit = rng.below(3);
                space.change(hash, now, |fields| {
                    let Some(mut first) = fields.first_entry() else { return };
                    match edit {
                        0 => first.get_mut().push(b' '),
                        1 => drop(first.remove()),
                        _ => drop(fields.insert(b"q".to_vec(), b"{\"id\":\"q\"}".to_vec())),
                    }
                });
            }
            Incident::SpoilKept => spoil_kept(&mut space, now, rng)?,
            Incident::ClearByHand => clear_by_hand(&mut space),
            Incident::SpoilCopy
            | Incident::Refuse
            | Incident::Allow
            | Incident::Save
            | Incident::Load => return None,
        }
        Some(String::new())
    }

    fn inspect(&self, scope: usize, _: &str) -> Option<Inspected> {
        let shared = self.space();
        let now = shared.now();
        let space = shared.space();
        let name = crate::support::bench::scope(SCOPES[scope]);
        let parsed = |key: &str| Meta::parse(space.text(key, now)?);
        let of_scope =
            |keys: &[String; 3]| parsed(&keys[0]).is_some_and(|meta| meta.scope == name.as_str());
        let [meta, all, hash] = families(scope).into_iter().find(of_scope)?;
        let left =
            |key: &str| u64::try_from(space.ttl_left(key, now)).ok().map(Duration::from_millis);
        let fields = space.hash(&hash, now).cloned().unwrap_or_default();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (line, hash_left) = (parsed(&meta)?, left(&hash));
        let stored = fields.into_iter().map(|(id, full)| (text(id), full)).collect();
        let found = space.text(&all, now);
        Some(Inspected {
            has_all: found.is_some(),
            is_readable: is_readable(&line, found, &stored),
            rev: line.rev,
            hash: opened(stored),
            left: Some([left(&all), hash_left, left(&meta)]),
        })
    }
}
