//! `serve`: the HTTP API, the live page, and a cache that is kept fresh.

use std::sync::{Arc, Mutex};

use anyhow::Result;

use crate::cli::Serve;
use crate::clock;
use crate::config::serving;
use crate::discovery;
use crate::error::Exit;
use crate::model::notice::{Level, Notice, Notifier};
use crate::net::sync::lock;
use crate::nomad::HttpNomad;
use crate::serve::{self, Backend};
use crate::store::{Place, Stores};

use super::CommandContext;
use super::notice_limiter::NoticeLimiter;

pub(super) fn run(serve: &Serve, context: &mut CommandContext<'_>) -> Result<()> {
    // A log that is not read must not delay an answer.
    context.console.never_wait();
    let settings = serving(serve, &context.config)?;
    if settings.insecure && settings.listen.iter().any(serve::Listen::is_beyond) {
        context.notifier.warning(
            "anyone who can reach this address can read the nodes: --insecure-no-auth is set",
        );
    }
    for warning in &settings.warnings {
        context.notifier.warning(warning);
    }
    let limiter = Arc::<Mutex<NoticeLimiter>>::default();
    let notifier = limited(context, &limiter);
    let nomad = HttpNomad::open(context.config.access.clone(), notifier.clone());
    // What it shows is in its memory.
    let place = Place { copies: false, ..context.config.place.clone() };
    let stores = Stores::open(&place, &notifier);
    let backend = Backend {
        nomad: nomad.and_then(HttpNomad::ready).map_err(discovery::Error::from)?,
        stores: stores.map_err(|error| Exit::Config.error(error))?,
        policy: context.config.policy,
        cluster: context.config.cluster.clone(),
        ttl: context.config.place.ttl,
        notifier,
        shutdown: Arc::clone(&context.shutdown),
    };
    let served = serve::run(settings, backend, context.out);
    // Others must not wait for a fetch that was under way.
    context.shutdown.release_lease();
    if let Some(text) = lock(&limiter).take_suppressed() {
        context.notifier.warning(text);
    }
    Ok(served?)
}

/// A notifier that shows a warning that comes with every request only once a minute.
fn limited(context: &CommandContext<'_>, limiter: &Arc<Mutex<NoticeLimiter>>) -> Notifier {
    let (console, limiter) = (Arc::clone(&context.console), Arc::clone(limiter));
    Notifier::new(move |mut notice| {
        let (mut limiter, now) = (lock(&limiter), clock::now());
        if let Some(text) = limiter.suppressed(now) {
            console.show(&Notice { level: Level::Warning, text });
        }
        if notice.level.is_warning() {
            let Some(text) = limiter.admit(&notice.text, now) else { return };
            notice.text = text;
        }
        drop(limiter);
        console.show(&notice);
    })
}
