//! Lets something happen in the middle of LOOK's pipeline.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use nomad_clients::model::notice::Notifier;
use nomad_clients::model::secret::Secret;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Look, Place, RedisPlace, Store as _, Want};

use super::bench::place;

const MGET: &[u8] = b"*4\r\n$4\r\nMGET\r\n";

/// Looks through a go-between that sends everything before MGET, waits for the two replies, runs
/// `event`, and only then sends the rest.
pub(crate) fn look(server: PathBuf, scope: &str, event: Box<dyn FnOnce() + Send>) -> Look {
    look_at(server, &place(scope, ""), event)
}

/// The same of a cache at this place.
pub(crate) fn look_at(server: PathBuf, of: &Place, event: Box<dyn FnOnce() + Send>) -> Look {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let url = Secret::new(format!("unix://{}", socket.display()));
    let place = Place { redis: RedisPlace { url, ..of.redis.clone() }, ..of.clone() };
    let store = RedisStore::new(&place, Notifier::nobody());
    std::thread::scope(|threads| {
        threads.spawn(move || {
            let (client, _) = listener.accept().unwrap();
            relay(client, UnixStream::connect(server).unwrap(), event);
        });
        store.unwrap().look(Want::Records).unwrap()
    })
}

fn relay(mut client: UnixStream, mut server: UnixStream, event: Box<dyn FnOnce() + Send>) {
    let mut question = vec![0; 4096];
    let length = client.read(&mut question).unwrap();
    question.truncate(length);
    let at = question.windows(MGET.len()).position(|bytes| bytes == MGET).unwrap();
    server.write_all(&question[..at]).unwrap();
    let mut expiries = Vec::new();
    while expiries.iter().filter(|byte| **byte == b'\n').count() < 2 {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        expiries.extend(byte);
    }
    event();
    server.write_all(&question[at..]).unwrap();
    let mut values = vec![0; 65536];
    let length = server.read(&mut values).unwrap();
    client.write_all(&[&expiries[..], &values[..length]].concat()).unwrap();
}
