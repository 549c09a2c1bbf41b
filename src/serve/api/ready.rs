//! `/readyz`: whether a list can be answered, and what is degraded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{HeaderMap, StatusCode};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clock;
use crate::discovery::Want;
use crate::model::text::sanitised;

use super::problem::Problem;
use super::respond::{HttpResponse, answer};
use crate::serve::App;
use crate::serve::live::publication_cache::{IndexProbeError, LookResult};

/// What was found out is good for as long.
const FRESH: Duration = Duration::from_secs(1);
/// How long an answer is waited for if everything depends on Nomad.
const PATIENCE: Duration = Duration::from_secs(5);
/// If there is a list, only what is degraded depends on it: whoever probes often waits a second.
const PATIENCE_WITH_LIST: Duration = Duration::from_millis(250);
/// What is not waited for any more ends a little later, so that it does not pile up.
const MORE: Duration = Duration::from_millis(500);

/// What was found out last, and when.
pub(crate) type LastReadiness = Mutex<Option<(Instant, Readiness)>>;

/// What there is to answer a list with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A list within its TTL is cached.
    has_list: bool,
    /// Why Nomad can't be asked.
    nomad: Option<String>,
    /// Why the cache that was asked for can't be used.
    cache: Option<String>,
}

/// Everybody may ask; the reasons name addresses and are for those who may ask for nodes.
pub(crate) async fn ready(app: &Arc<App>, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
    let readiness = readiness(app).await;
    let is_known = app.guard.is_known(headers);
    if readiness.is_ready() {
        let text = readiness.degraded(is_known);
        return Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", text));
    }
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, readiness.why_not(is_known));
    Err(if is_known { problem } else { problem.hinted("ask with the access token to be told why") })
}

/// Asked at most once a second, however many want to know.
async fn readiness(app: &Arc<App>) -> Readiness {
    let mut known = app.ready.lock().await;
    if let Some((at, readiness)) = &*known
        && clock::now().saturating_duration_since(*at) < FRESH
    {
        return readiness.clone();
    }
    let has_list = matches!(app.desk.look(Want::Records).await, LookResult::Hit { .. });
    let patience = if has_list { PATIENCE_WITH_LIST } else { PATIENCE };
    let (cache, nomad) = (Arc::clone(&app.keeper), Arc::clone(&app.keeper));
    let (cache, nomad) = tokio::join!(
        within(patience, move || cache.stores.check()),
        within(patience, move || nomad.pulse(None, patience + MORE)),
    );
    let readiness = Readiness {
        has_list,
        nomad: nomad.map_or_else(Some, |pulse| match pulse {
            // A list needs none.
            Ok(_) | Err(IndexProbeError::NoIndex) => None,
            Err(why) => Some(why.to_string()),
        }),
        cache: cache.map_or_else(Some, |cache| cache.err().map(|why| why.to_string())),
    };
    *known = Some((clock::now(), readiness.clone()));
    readiness
}

/// What `question` finds out, or why that is not known. The thread of a question that is not waited
/// for goes on until the question's own limit.
async fn within<T: Send + 'static>(
    limit: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    match timeout(limit, spawn_blocking(question)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err("this is a bug in nomad-clients".to_owned()),
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

impl Readiness {
    fn is_ready(&self) -> bool {
        self.has_list || self.nomad.is_none()
    }

    /// A line for everything that can't be used, with the reason for those who are told reasons.
    fn degraded(&self, is_known: bool) -> String {
        let mut text = "ready\n".to_owned();
        for (part, why) in [("nomad", &self.nomad), ("cache", &self.cache)] {
            text += &match why {
                None => continue,
                Some(why) if is_known => format!("degraded: {part}: {}\n", sanitised(why)),
                Some(_) => format!("degraded: {part}\n"),
            };
        }
        text
    }

    /// The same in one sentence, where no list can be answered.
    fn why_not(&self, is_known: bool) -> String {
        let told = |why: &Option<String>| why.clone().filter(|_| is_known);
        let nomad = told(&self.nomad).unwrap_or_else(|| "Nomad is unavailable".to_owned());
        let cache = match (&self.cache, told(&self.cache)) {
            (None, _) => String::new(),
            (_, None) => "; the cache can't be used".to_owned(),
            (_, Some(why)) => format!("; the cache can't be used: {why}"),
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
    fn what_is_degraded_is_told_to_all_and_why_to_those_who_may_know() {
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
        let stranger = format!("not ready: Nomad is unavailable; {list}; the cache can't be used");
        assert_eq!(why_not(CACHE, false), stranger);
        let known = format!(
            "not ready: cannot reach 10.0.0.5; {list}; the cache can't be used: 10.0.0.6\nrefused"
        );
        assert_eq!(why_not(CACHE, true), known);
    }
}
