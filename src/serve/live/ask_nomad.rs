//! Asks Nomad whether it still answers, while somebody watches: a held question tells that too late.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock;
use crate::discovery::Want;

use super::nomad_contact::Question;
use super::publication_cache::LookResult;
use crate::serve::App;

/// From an answer to the next question.
const AFTER_ANSWER: Duration = Duration::from_secs(10);
/// From a failure to the next question.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// For one question. With the pause before it this is as long as an answer counts.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks again and again while there are readers of events.
pub(crate) async fn watch(app: Arc<App>) {
    loop {
        while app.keeper.hub.readers() == 0 {
            app.watched.notified().await;
        }
        let contact = app.keeper.contact.at(clock::now());
        let answered = contact.answered_ms.map(Duration::from_millis);
        let pause = answered.and_then(|ago| AFTER_ANSWER.checked_sub(ago));
        match pause.filter(|pause| contact.up == Some(true) && !pause.is_zero()) {
            Some(pause) => sleep(pause).await,
            None if ask(&app).await => app.keeper.hub.beat(),
            None => sleep(AFTER_FAILURE).await,
        }
    }
}

/// Asks once; says whether Nomad answers.
async fn ask(app: &Arc<App>) -> bool {
    let keeper = Arc::clone(&app.keeper);
    let pulse = spawn_blocking(move || keeper.pulse(None, PATIENCE)).await;
    if let Ok(Ok(index)) = pulse {
        app.index.send_replace(index);
        list_again(app, index).await;
    }
    app.keeper.contact.at(clock::now()).up == Some(true)
}

/// Nomad answers again: does the question for the list, which has failed, get its answer too? A
/// list that is cached and has Nomad's index needs no other.
async fn list_again(app: &Arc<App>, index: u64) {
    if !app.keeper.contact.is_list_failing() {
        return;
    }
    match app.desk.look(Want::Records).await {
        LookResult::Hit { held, .. } if held.index == index => app.keeper.answered(Question::List),
        _ => drop(app.refresh().await),
    }
}
