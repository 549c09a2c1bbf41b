//! Asks Nomad whether it still answers, while there are readers of events: a long poll tells too late.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock;
use crate::discovery::{How, Want};

use super::LiveCluster;
use super::nomad_contact::Question;

/// From an answer to the next probe.
const AFTER_ANSWER: Duration = Duration::from_secs(10);
/// From a failure to the next probe.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// For one probe. With the pause before it this is as long as an answer counts.
const LIMIT: Duration = Duration::from_secs(5);

/// Asks again and again while there are readers of events.
pub(crate) async fn watch(live: Arc<LiveCluster>) {
    let (events, contact) = (&live.cache.events, &live.cache.contact);
    loop {
        while events.readers() == 0 {
            events.joined.notified().await;
        }
        let last = contact.at(clock::now());
        let answered = last.answered_ms.map(Duration::from_millis);
        let pause = answered.and_then(|ago| AFTER_ANSWER.checked_sub(ago));
        match pause.filter(|pause| last.up == Some(true) && !pause.is_zero()) {
            Some(pause) => sleep(pause).await,
            None if is_up(&live).await => events.beat(),
            None => sleep(AFTER_FAILURE).await,
        }
    }
}

async fn is_up(live: &LiveCluster) -> bool {
    let cache = Arc::clone(&live.cache);
    if let Ok(Ok(index)) = spawn_blocking(move || cache.probe_index(None, LIMIT)).await {
        live.index.send_replace(index);
        list_again(live, index).await;
    }
    live.cache.contact.at(clock::now()).up == Some(true)
}

/// Nomad answers again: a list that had failed is requested again, unless the cached one has Nomad's
/// index.
async fn list_again(live: &LiveCluster, index: u64) {
    if !live.cache.contact.is_list_failing() {
        return;
    }
    match live.requests.look(Want::Records).await {
        Some(current) if current.publication.index == index => live.cache.answered(Question::List),
        _ => drop(live.fetch(How::Refresh).await),
    }
}
