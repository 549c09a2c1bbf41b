//! The Nomad client on the wire: what it sends, what it understands, and how it says what is wrong.

mod answers;
mod asking;
mod connections;
mod memory;
mod proxied;
mod reach;
mod recorded;
mod tls;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::model::node::NodeId;
use nomad_clients::model::notice::{Level, Notice, Notifier};
use nomad_clients::nomad::address::Address;
use nomad_clients::nomad::{Access, Compress, Error, FailureKind, HttpNomad, TlsSettings};

/// A node that nobody has.
const NODE: &str = "6f1c36aa-0000-4000-8000-00000000000a";

fn node() -> NodeId {
    NodeId::parse(NODE).unwrap()
}

fn access(address: &str) -> Access {
    Access {
        address: Address::parse(address).unwrap(),
        region: None,
        token: None,
        basic: None,
        tls: TlsSettings::default(),
        proxy: None,
        compress: Compress::Auto,
        concurrency: 16,
        folder: None,
        timeout: Duration::from_secs(60),
        deadline: Instant::now() + Duration::from_secs(60),
    }
}

fn open(access: Access) -> HttpNomad {
    HttpNomad::open(access, Notifier::nobody()).unwrap()
}

pub(crate) fn nomad(address: &str) -> HttpNomad {
    open(access(address))
}

/// With so little time left for the whole command.
fn hurried(address: &str, left: Duration) -> HttpNomad {
    open(Access { timeout: left, deadline: Instant::now() + left, ..access(address) })
}

/// Collects what is told.
fn listening() -> (Notifier, Arc<Mutex<Vec<Notice>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&heard);
    (Notifier::new(move |remark| own.lock().unwrap().push(remark)), heard)
}

fn heard(remarks: &Mutex<Vec<Notice>>, level: Level) -> Vec<String> {
    let remarks = remarks.lock().unwrap();
    let of_level = remarks.iter().filter(|remark| remark.level == level);
    of_level.map(|remark| remark.text.clone()).collect()
}

/// A whole answer with a length.
fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn json(body: &str) -> Vec<u8> {
    answer("200 OK", "Content-Type: application/json\r\nX-Nomad-Index: 9\r\n", body)
}

/// A stub and a detail at once: both skip what they do not know.
fn node_json() -> String {
    format!(r#"{{"ID":"{NODE}","Name":"n","Status":"ready","CreateIndex":7,"ModifyIndex":9}}"#)
}

/// Kind, text and hint, compared whole. `what` may say `{at}` for the address.
#[track_caller]
fn check<T: std::fmt::Debug>(
    result: Result<T, Error>,
    at: &str,
    (kind, what, hint): (FailureKind, &str, Option<&str>),
) {
    let error = result.unwrap_err();
    let what = what.replace("{at}", at);
    assert_eq!((error.kind, error.what.as_str(), error.hint.as_deref()), (kind, &*what, hint));
}
