//! `/readyz`: whether lists are available, and what is degraded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{HeaderMap, StatusCode};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clock;
use crate::discovery::Want;
use crate::model::text::sanitised;

use crate::serve::http::problem::Problem;
use crate::serve::http::response::{HttpResponse, PLAIN, response};
use crate::serve::live::publication_cache::IndexProbeError;

use super::App;

/// How long a result is used for further requests.
const FRESH: Duration = Duration::from_secs(1);
/// The limit for a check if everything depends on Nomad.
const LIMIT: Duration = Duration::from_secs(5);
/// If there is a list, only what is degraded depends on it, and most probes wait for one second.
const LIMIT_WITH_LIST: Duration = Duration::from_millis(250);
/// A check that is not waited for any more ends a little later, so that checks do not pile up.
const MORE: Duration = Duration::from_millis(500);

pub(crate) type LastReadiness = Mutex<Option<(Instant, Readiness)>>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    has_list: bool,
    /// Why Nomad cannot be used.
    nomad: Option<String>,
    /// Why the configured cache cannot be used.
    cache: Option<String>,
}

/// Needs no token; but the reasons, which contain addresses, do.
pub(crate) async fn ready(app: &Arc<App>, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
    let readiness = readiness(app).await;
    let is_authorized = app.guard.is_authorized(headers);
    if readiness.is_ready() {
        return Ok(response(StatusCode::OK, PLAIN, readiness.degraded(is_authorized)));
    }
    let problem = Problem::unavailable(readiness.why_not(is_authorized));
    Err(if is_authorized {
        problem
    } else {
        problem.hinted("send the access token to see the reasons")
    })
}

/// Checked at most once a second, however many requests there are.
async fn readiness(app: &Arc<App>) -> Readiness {
    let mut known = app.readiness.lock().await;
    if let Some((at, readiness)) = &*known
        && clock::now().saturating_duration_since(*at) < FRESH
    {
        return readiness.clone();
    }
    let has_list = app.live.requests.look(Want::Records).await.is_some();
    let limit = if has_list { LIMIT_WITH_LIST } else { LIMIT };
    let (cache, nomad) = (Arc::clone(&app.live.cache), Arc::clone(&app.live.cache));
    let (cache, nomad) = tokio::join!(
        within(limit, move || cache.backend.stores.check()),
        within(limit, move || nomad.probe_index(None, limit + MORE)),
    );
    let readiness = Readiness {
        has_list,
        nomad: nomad.map_or_else(Some, |index| match index {
            // A list needs none.
            Ok(_) | Err(IndexProbeError::NoIndex) => None,
            Err(why) => Some(why.to_string()),
        }),
        cache: cache.map_or_else(Some, |cache| cache.err().map(|why| why.to_string())),
    };
    *known = Some((clock::now(), readiness.clone()));
    readiness
}

/// The result of `check`, or why there is none. A thread that is not waited for any more goes on until
/// its own limit.
async fn within<T: Send + 'static>(
    limit: Duration,
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    match timeout(limit, spawn_blocking(check)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err("this is a bug in nomad-clients".to_owned()),
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

impl Readiness {
    fn is_ready(&self) -> bool {
        self.has_list || self.nomad.is_none()
    }

    /// A line for each part that cannot be used, with the reason for authorized clients.
    fn degraded(&self, is_authorized: bool) -> String {
        let mut text = "ready\n".to_owned();
        for (part, why) in [("nomad", &self.nomad), ("cache", &self.cache)] {
            text += &match why {
                None => continue,
                Some(why) if is_authorized => format!("degraded: {part}: {}\n", sanitised(why)),
                Some(_) => format!("degraded: {part}\n"),
            };
        }
        text
    }

    /// The same in one sentence, if no list is available.
    fn why_not(&self, is_authorized: bool) -> String {
        let reason = |why: &Option<String>| why.clone().filter(|_| is_authorized);
        let nomad = reason(&self.nomad).unwrap_or_else(|| "Nomad is unavailable".to_owned());
        let cache = match (&self.cache, reason(&self.cache)) {
            (None, _) => String::new(),
            (_, None) => "; the cache cannot be used".to_owned(),
            (_, Some(why)) => format!("; the cache cannot be used: {why}"),
        };
        format!("not ready: {nomad}; no list within its TTL is cached{cache}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Readiness, within};

    fn readiness(has_list: bool, nomad: Option<&str>, cache: Option<&str>) -> Readiness {
        let owned = |why: Option<&str>| why.map(str::to_owned);
        Readiness { has_list, nomad: owned(nomad), cache: owned(cache) }
    }

    const NOMAD: Option<&str> = Some("cannot reach 10.0.0.5");
    const CACHE: Option<&str> = Some("10.0.0.6\nrefused");

    #[test]
    fn ready_is_who_can_answer_a_list() {
        for (has_list, nomad, cache, is_ready) in [
            (true, None, None, true),
            (false, None, None, true),
            (false, None, CACHE, true),
            (true, NOMAD, None, true),
            (true, NOMAD, CACHE, true),
            (false, NOMAD, None, false),
            (false, NOMAD, CACHE, false),
        ] {
            assert_eq!(readiness(has_list, nomad, cache).is_ready(), is_ready);
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_limit_and_the_reason_is_what_was_waited() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let asked = within(Duration::from_millis(20), move || held.recv());
        assert_eq!(runtime.block_on(asked), Err("no answer within 20 ms".to_owned()));
        drop(hold);
        let known = within(Duration::from_secs(600), || 5);
        assert_eq!(runtime.block_on(known), Ok(5));
    }

    #[test]
    fn what_is_degraded_is_reported_to_all_and_why_to_those_who_may_know() {
        let told = |nomad, cache, known| readiness(true, nomad, cache).degraded(known);
        assert_eq!(told(None, None, false), "ready\n");
        assert_eq!(told(None, CACHE, false), "ready\ndegraded: cache\n");
        assert_eq!(told(NOMAD, CACHE, false), "ready\ndegraded: nomad\ndegraded: cache\n");
        let all = "ready\ndegraded: nomad: cannot reach 10.0.0.5\n\
                   degraded: cache: 10.0.0.6\\u{a}refused\n";
        assert_eq!(told(NOMAD, CACHE, true), all);
        let why_not = |cache, known| readiness(false, NOMAD, cache).why_not(known);
        let list = "no list within its TTL is cached";
        assert_eq!(why_not(None, false), format!("not ready: Nomad is unavailable; {list}"));
        let stranger = format!("not ready: Nomad is unavailable; {list}; the cache cannot be used");
        assert_eq!(why_not(CACHE, false), stranger);
        let known = format!(
            "not ready: cannot reach 10.0.0.5; {list}; the cache cannot be used: 10.0.0.6\nrefused"
        );
        assert_eq!(why_not(CACHE, true), known);
    }
}
