//! A stderr that nobody reads, as of a log collector that hangs: it stops no answer.

use std::io::{Read as _, Write as _};

use crate::support::sandbox::Sandbox;
use crate::support::served::Served;

/// Far more than a pipe holds, and what waits for it.
const REQUESTS: usize = 6000;

#[test]
fn nobody_waits_for_it_and_what_was_dropped_is_counted() {
    let served = Served::start(&Sandbox::local(), "--no-follow -vv");
    let path = format!("/{}", "x".repeat(190));
    let one = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", served.at);
    let mut stream = served.connect();
    let (mut answers, mut said) = (0, Vec::new());
    while answers < REQUESTS {
        stream.write_all(one.repeat(20).as_bytes()).unwrap();
        answers += 20;
        let told = |said: &[u8]| said.windows(9).filter(|nine| nine == b"HTTP/1.1 ").count();
        while told(&said) < 20 {
            let mut part = [0; 16 << 10];
            let read = stream.read(&mut part).unwrap();
            assert!(read > 0, "after {answers} requests");
            said.extend_from_slice(&part[..read]);
        }
        said.clear();
    }
    assert_eq!(served.get("/healthz").status, 200);
    let (code, said) = served.end();
    assert_eq!(code, 0);
    let count = |line: &str| -> Option<usize> {
        let rest = line.strip_prefix("warning: ")?;
        rest.strip_suffix(" messages were dropped because stderr was not read")?.parse().ok()
    };
    let dropped: usize = said.lines().filter_map(count).sum();
    let told = said.lines().filter(|line| line.starts_with(&format!("GET {path} "))).count();
    assert!(told > 0 && dropped > 0, "{told} told, {dropped} dropped");
    // The last is that of /healthz.
    assert!(
        (REQUESTS..=REQUESTS + 1).contains(&(told + dropped)),
        "{told} told, {dropped} dropped"
    );
}
