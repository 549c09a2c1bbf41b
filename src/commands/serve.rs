//! `serve`: the API, the live page, and a cache that stays fresh by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::Serve;
use crate::clock;
use crate::config::serving;
use crate::error::Error;
use crate::model::remark::{Level, Tell};
use crate::nomad::HttpNomad;
use crate::serve::{self, Backend};
use crate::store::Stores;

use super::Run;

/// The same warning is told again after this.
const AGAIN: Duration = Duration::from_secs(60);
/// Texts that are remembered.
const TEXTS: usize = 100;

pub(super) fn run(serve: &Serve, run: &mut Run<'_>) -> Result<(), Error> {
    let settings = serving(serve, run.config.level == Some(Level::Call))?;
    if settings.insecure && settings.listen.iter().any(serve::Listen::is_beyond) {
        run.tell.warning(
            "everybody who reaches this address reads the nodes: --insecure-no-auth is set",
        );
    }
    for warning in &settings.warnings {
        run.tell.warning(warning);
    }
    let tell = seldom(run);
    let nomad = HttpNomad::open(run.config.access.clone(), tell.clone());
    let stores = Stores::open(&run.config.place, &tell);
    let backend = Backend {
        nomad: nomad.map_err(|error| Error::Discovery(error.into()))?,
        stores: stores.map_err(|error| Error::Config { what: error.to_string(), hint: None })?,
        policy: run.config.policy,
        probes: run.config.place.probes(),
        cluster: run.config.cluster.clone(),
        ttl: run.config.place.ttl,
        tell,
        leaving: Arc::clone(&run.leaving),
    };
    let served = serve::run(settings, backend, run.out);
    // A fetch that was under way must not keep others waiting.
    run.leaving.leave();
    Ok(served?)
}

/// Like the run's own, but what repeats itself with every request is told once a minute.
fn seldom(run: &Run<'_>) -> Tell {
    let console = Arc::clone(&run.console);
    let told: Mutex<HashMap<String, Instant>> = Mutex::default();
    Tell::new(move |remark| {
        if matches!(remark.level, Level::Warning | Level::Note) {
            let now = clock::now();
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.retain(|_, at| now.duration_since(*at) < AGAIN);
            if told.len() >= TEXTS || told.insert(remark.text.clone(), now).is_some() {
                return;
            }
        }
        console.remark(&remark);
    })
}
