//! `serve`: the API, the live page, and a cache that stays fresh by itself.

use std::sync::{Arc, Mutex};

use crate::cli::Serve;
use crate::clock;
use crate::config::serving;
use crate::error::Exit;
use crate::model::notice::{Level, Notice, Notifier};
use crate::net::sync::lock;
use crate::nomad::HttpNomad;
use crate::serve::{self, Backend};
use crate::store::Stores;

use super::CommandContext;
use super::notice_limiter::NoticeLimiter;

pub(super) fn run(serve: &Serve, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    // A log that nobody takes away must not stop an answer.
    run.console.never_wait();
    let settings = serving(serve, &run.config)?;
    if settings.insecure && settings.listen.iter().any(serve::Listen::is_beyond) {
        run.tell.warning(
            "everybody who reaches this address reads the nodes: --insecure-no-auth is set",
        );
    }
    for warning in &settings.warnings {
        run.tell.warning(warning);
    }
    let seldom = Arc::<Mutex<NoticeLimiter>>::default();
    let tell = rarely(run, &seldom);
    let nomad = HttpNomad::open(run.config.access.clone(), tell.clone());
    let nomad = nomad.and_then(HttpNomad::ready);
    let stores = Stores::open(&run.config.place, &tell);
    let backend = Backend {
        nomad: nomad?,
        stores: stores.map_err(|error| Exit::Config.error(error))?,
        policy: run.config.policy,
        probes: run.config.place.probes(),
        cluster: run.config.cluster.clone(),
        ttl: run.config.place.ttl,
        notifier: tell,
        shutdown: Arc::clone(&run.leaving),
    };
    let served = serve::run(settings, backend, run.out);
    // A fetch that was under way must not keep others waiting.
    run.leaving.leave();
    if let Some(text) = lock(&seldom).rest() {
        run.tell.warning(text);
    }
    Ok(served?)
}

/// Like the run's own, but what repeats itself with every request is told once a minute.
fn rarely(run: &CommandContext<'_>, seldom: &Arc<Mutex<NoticeLimiter>>) -> Notifier {
    let (console, seldom) = (Arc::clone(&run.console), Arc::clone(seldom));
    Notifier::new(move |mut remark| {
        let mut known = lock(&seldom);
        let now = clock::now();
        if let Some(text) = known.untold(now) {
            console.remark(&Notice { level: Level::Warning, text });
        }
        if matches!(remark.level, Level::Warning | Level::Note) {
            let Some(text) = known.instead(&remark.text, now) else { return };
            remark.text = text;
        }
        drop(known);
        console.remark(&remark);
    })
}
