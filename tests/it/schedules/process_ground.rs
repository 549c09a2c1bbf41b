//! The cache of one process, as the ground of schedules: the actors are its threads.

use std::sync::{Arc, Mutex};

use nomad_clients::store::Store;

use crate::support::bench::Bench as _;
use crate::support::process_bench::ProcessBench;

use super::actor::Actor;
use super::ground::{Ground, Incident};
use super::local_ground::shown;
use super::oracles::Inspected;
use super::rng::Rng;
use super::world::{Limits, SCOPES};

#[derive(Default)]
pub(super) struct ProcessGround(Mutex<ProcessBench>);

impl Ground for ProcessGround {
    fn has_inner_gates(&self) -> bool {
        false
    }

    fn reset(&self) {
        *self.0.lock().unwrap() = ProcessBench::default();
    }

    fn store(&self, actor: &Arc<Actor>) -> Arc<dyn Store> {
        self.direct(actor.scope)
    }

    fn clear_others(&self) {
        for scope in 0..SCOPES.len() {
            self.direct(scope).clear();
        }
    }

    fn direct(&self, scope: usize) -> Arc<dyn Store> {
        self.0.lock().unwrap().store(SCOPES[scope])
    }

    fn strike(&self, blow: Incident, scope: usize, _: &mut Rng, _: &mut Limits) -> Option<String> {
        let is_lost = blow == Incident::LoseLease;
        is_lost.then(|| self.0.lock().unwrap().lose_lease(SCOPES[scope]))?.map(|()| String::new())
    }

    fn inspect(&self, scope: usize, watch: &str) -> Option<Inspected> {
        shown(&*self.direct(scope), watch)
    }
}
