//! Faults: what goes wrong, where, and how often.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{Answer, Framing};

/// Which requests a fault hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// `GET /v1/nodes`, with any query.
    List,
    /// The detail of this node, by name or ID.
    Node(String),
    /// All details.
    Nodes,
    Everything,
    /// Targets that begin so.
    Target(String),
}

impl Where {
    pub fn node(name: &str) -> Self {
        Self::Node(name.to_owned())
    }
}

/// How often a fault strikes: after `skip` matching requests, `count` times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    skip: usize,
    count: usize,
}

impl Times {
    pub const ALWAYS: Self = Self { skip: 0, count: usize::MAX };
    pub const ONCE: Self = Self { skip: 0, count: 1 };

    pub fn next(count: usize) -> Self {
        Self { skip: 0, count }
    }

    /// Not before `skip` matching requests went well.
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }
}

type Change = Arc<dyn Fn(&mut Answer) + Send + Sync>;

/// What goes wrong. Several faults of one request work together.
#[derive(Clone)]
pub enum Fault {
    /// Waits, then answers with what is true by then.
    Delay(Duration),
    /// Answers with what is true now, but late.
    Late(Duration),
    /// As `Delay`, until the gate is opened.
    Hold(Gate),
    /// As `Late`, until the gate is opened.
    HoldAnswer(Gate),
    /// Reads the request and never answers.
    Never,
    /// Closes without an answer.
    Close,
    /// Resets the connection (RST) without an answer.
    Reset,
    /// These bytes in place of an answer, then closes.
    Raw(Vec<u8>),
    /// This answer, whatever was asked.
    Answer(Answer),
    /// Changes the true answer: any header, any part of the body.
    Change(Change),
    /// Sends at most this many bytes a second, in small pieces.
    Drip(u64),
    /// Closes after this many bytes of the body, in the middle of what the framing promised.
    Cut(usize),
    /// Resets after this many bytes of the body.
    CutReset(usize),
    /// A body of this many bytes: a list of stubs that never seems to end.
    Huge(u64),
    /// Answers well, then closes the idle connection once it has served this many requests,
    /// without having said so.
    CloseIdle(usize),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(time) => write!(f, "Delay({time:?})"),
            Self::Late(time) => write!(f, "Late({time:?})"),
            Self::Hold(_) => f.write_str("Hold"),
            Self::HoldAnswer(_) => f.write_str("HoldAnswer"),
            Self::Never => f.write_str("Never"),
            Self::Close => f.write_str("Close"),
            Self::Reset => f.write_str("Reset"),
            Self::Raw(bytes) => write!(f, "Raw({} bytes)", bytes.len()),
            Self::Answer(answer) => write!(f, "Answer({})", answer.status),
            Self::Change(_) => f.write_str("Change"),
            Self::Drip(speed) => write!(f, "Drip({speed})"),
            Self::Cut(at) => write!(f, "Cut({at})"),
            Self::CutReset(at) => write!(f, "CutReset({at})"),
            Self::Huge(size) => write!(f, "Huge({size})"),
            Self::CloseIdle(count) => write!(f, "CloseIdle({count})"),
        }
    }
}

impl Fault {
    pub fn change(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(change))
    }

    /// A status with a plain text, as Nomad answers errors.
    pub fn status(status: u16, text: &str) -> Self {
        Self::Answer(Answer::text(status, text))
    }

    /// A status with any headers and body.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(Answer::new(status, headers, body))
    }

    /// A page as load balancers send it.
    pub fn html(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
        );
        Self::answer(status, &[("Content-Type", "text/html; charset=utf-8")], body)
    }

    pub fn redirect(status: u16, location: &str) -> Self {
        let headers = [("Content-Type", "text/html; charset=utf-8"), ("Location", location)];
        Self::answer(status, &headers, format!("<a href=\"{location}\">Moved</a>.\n\n"))
    }

    pub fn too_many_requests(retry_after: Option<&str>) -> Self {
        let mut answer = Answer::text(429, "too many requests");
        answer.set_header("Retry-After", retry_after);
        Self::Answer(answer)
    }

    /// Sets or, with `None`, removes a header of the true answer: `Content-Type`,
    /// `X-Nomad-Index`, `X-Nomad-Knownleader`, `Content-Encoding` …
    pub fn header(name: &str, value: Option<&str>) -> Self {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        Self::change(move |answer| answer.set_header(&name, value.as_deref()))
    }

    /// Another body under the true headers.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self::change(move |answer| answer.body.clone_from(&body))
    }

    /// Another value for a key of the true answer: of the detail, or of each stub of a list.
    pub fn field(key: &str, value: serde_json::Value) -> Self {
        let key = key.to_owned();
        Self::change(move |answer| {
            let Ok(mut body) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
                return;
            };
            match &mut body {
                serde_json::Value::Array(stubs) => {
                    stubs.iter_mut().for_each(|stub| stub[&key] = value.clone());
                }
                detail => detail[&key] = value.clone(),
            }
            answer.body = body.to_string().into_bytes();
        })
    }

    pub fn framing(framing: Framing) -> Self {
        Self::change(move |answer| answer.framing = framing)
    }

    /// A gzip body of a few hundred KB that unpacks to this many MiB, asked for or not.
    pub fn bomb(megabytes: u32) -> Self {
        let body = crate::codec::bomb(megabytes);
        Self::change(move |answer| {
            answer.body.clone_from(&body);
            answer.set_header("Content-Encoding", Some("gzip"));
        })
    }
}

/// Holds answers back until the test lets them go. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    waiting: usize,
}

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets all go that wait, and all that come.
    pub fn open(&self) {
        self.state().open = true;
        self.0.1.notify_all();
    }

    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Waits until `count` requests are held; false if that took too long.
    pub fn await_waiting(&self, count: usize, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.state();
        while state.waiting < count {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(crate) fn pass(&self, stopped: impl Fn() -> bool) {
        let mut state = self.state();
        state.waiting += 1;
        self.0.1.notify_all();
        while !state.open && !stopped() {
            let pause = Duration::from_millis(20);
            state = self.0.1.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting -= 1;
        self.0.1.notify_all();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules in force, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Knobs {
    rules: Vec<(Where, Times, Fault)>,
}

impl Knobs {
    pub(crate) fn add(&mut self, place: Where, times: Times, fault: Fault) {
        self.rules.push((place, times, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The faults of this request; each match is counted.
    pub(crate) fn strike(&mut self, asked: &Asked<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (place, times, fault) in &mut self.rules {
            if !asked.fits(place) {
                continue;
            }
            if times.skip > 0 {
                times.skip -= 1;
            } else if times.count > 0 {
                times.count = if times.count == usize::MAX { usize::MAX } else { times.count - 1 };
                faults.push(fault.clone());
            }
        }
        faults
    }
}

/// What a request asks for, as far as the rules care.
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a str,
    pub(crate) list: bool,
    /// ID and name of the node whose detail is asked for; the name is the ID if unknown.
    pub(crate) node: Option<(String, String)>,
}

impl Asked<'_> {
    fn fits(&self, place: &Where) -> bool {
        match place {
            Where::List => self.list,
            Where::Nodes => self.node.is_some(),
            Where::Node(wanted) => {
                self.node.as_ref().is_some_and(|(id, name)| wanted == id || wanted == name)
            }
            Where::Everything => true,
            Where::Target(start) => self.target.starts_with(start.as_str()),
        }
    }
}
