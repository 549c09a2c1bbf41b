//! What a real Redis is asked, word for word, as its MONITOR shows it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::bench::scope;
use crate::support::redis_server::RedisServer;

/// The clusters of these tests: the first one has the literal names.
pub(super) const SCOPES: [&str; 2] = ["a0", "b0"];

/// One command that Redis was sent, or that a script runs.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) in_script: bool,
    pub(super) words: Vec<String>,
}

/// Everything that is sent until `act` has returned.
pub(super) fn watched(server: &RedisServer, act: impl FnOnce()) -> Vec<Command> {
    let mut socket = UnixStream::connect(server.socket()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(b"MONITOR\r\n").unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "+OK");
    act();
    server.cli(&["ECHO", "end"]);
    let commands = lines.map(|line| command(&line));
    commands.take_while(|command| command.words[0] != "ECHO").collect()
}

/// `+1795900000.123 [0 lua] "GET" "key"`
fn command(line: &str) -> Command {
    let (client, text) = line.split_once("] ").unwrap();
    Command { in_script: client.ends_with(" lua"), words: words(text) }
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_open, mut is_escaped) = (vec![], String::new(), false, false);
    for character in text.chars() {
        match character {
            _ if is_escaped => {
                word.push(if character == 'n' { '\n' } else { character });
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => {
                if is_open {
                    words.push(std::mem::take(&mut word));
                }
                is_open = !is_open;
            }
            character if is_open => word.push(character),
            _ => {}
        }
    }
    words
}

/// The short name of a key; `None` if it is none of this cache.
pub(super) fn short(key: &str) -> Option<String> {
    let name = key.strip_prefix("nomad:clients:")?;
    for scope in SCOPES.map(|name| scope(name).to_string()) {
        if let Some(own) = name.strip_prefix(&format!("{scope}:")) {
            return Some(format!("own:{own}"));
        }
        if let Some((kind, rest)) = name.split_once(&format!(":{scope}")) {
            let minute = rest.strip_prefix(':').unwrap_or_default();
            let is_key = rest.is_empty() || (kind == "stats" && minute.parse::<u64>().is_ok());
            return is_key.then(|| kind.to_owned());
        }
    }
    (!name.contains(':')).then(|| name.to_owned())
}

impl Command {
    pub(super) fn name(&self) -> &str {
        &self.words[0]
    }

    /// The name, the keys and the arguments of a script.
    pub(super) fn script(&self) -> Option<(String, Vec<String>, &[String])> {
        let [eval, text, count, rest @ ..] = &self.words[..] else { return None };
        let name = text.strip_prefix("-- ").filter(|_| eval == "EVAL")?;
        let name = name.split([' ', ':', ',']).next().unwrap().to_lowercase();
        let (keys, arguments) = rest.split_at(count.parse().unwrap());
        Some((name, keys.iter().map(|key| short(key).unwrap()).collect(), arguments))
    }

    /// As the table of steps shows it.
    pub(super) fn text(&self) -> String {
        if let Some((name, keys, _)) = self.script() {
            return format!("EVAL {name} {}", keys.len());
        }
        let mut words: Vec<String> =
            self.words.iter().map(|word| short(word).unwrap_or_else(|| word.clone())).collect();
        match &*words[0] {
            "HINCRBY" => words.truncate(3),
            "SET" => words[2] = "<name>".to_owned(),
            "HMGET" if words[1] == "hash" => words[2] = "<id>".to_owned(),
            _ => {}
        }
        words.join(" ")
    }

    /// The key whose expiry this sets, what type it has as far as this tells, and the milliseconds.
    pub(super) fn expiry(&self) -> Option<(String, Option<&'static str>, u64)> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (key, kind, ms) = match words[..] {
            ["SET", key, .., "PX", ms] => (key, Some("string"), ms.parse().unwrap()),
            ["PEXPIRE", key, ms] => (key, None, ms.parse().unwrap()),
            ["EXPIRE", key, seconds] => (key, None, seconds.parse::<u64>().unwrap() * 1000),
            _ => return None,
        };
        Some((short(key).unwrap_or_else(|| panic!("{key} is no key of the page")), kind, ms))
    }
}
