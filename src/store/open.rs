//! Which store a run uses.

use std::sync::Arc;

use crate::model::remark::Tell;

use super::auto::{AutoStore, Local};
use super::local::LocalStore;
use super::memory::{MemoryStore, SharedSpace};
use super::redis::RedisStore;
use super::{BootClock, Choice, Error, Place, Store};

/// Opens the store that `place` names; connects to nothing yet. Fails if the Redis URL is not one.
pub fn open(place: &Place, tell: &Tell) -> Result<Arc<dyn Store>, Error> {
    let memory = || MemoryStore::new(SharedSpace::default(), place, tell.clone());
    match place.choice {
        Choice::None => Ok(Arc::new(memory())),
        Choice::Local => match open_local(place, tell) {
            Ok(local) => Ok(local),
            Err(error) => {
                tell.warning(format!("no local cache: {error}"));
                Ok(Arc::new(memory()))
            }
        },
        Choice::Auto | Choice::Redis => {
            let redis = Arc::new(RedisStore::new(place, tell.clone())?);
            let mut store = AutoStore::new(redis, open_local(place, tell), tell.clone());
            if place.choice == Choice::Redis {
                store = store.without_fallback();
            } else if !place.redis.asked {
                store = store.unasked();
            }
            Ok(Arc::new(store))
        }
    }
}

fn open_local(place: &Place, tell: &Tell) -> Result<Arc<dyn Local>, Error> {
    Ok(Arc::new(LocalStore::open(place, BootClock::of_this_boot(), tell.clone())?))
}
