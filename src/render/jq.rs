//! The built-in jq: a filter over what `--json` would print.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use jaq_core::data::JustLut;
use jaq_core::load::{Arena, Error as LoadError, File, Loader, span};
use jaq_core::{Compiler, Ctx, Vars, unwrap_valr};
use jaq_json::{Val, read};

use crate::model::json::escaped;
use crate::model::text::sanitised;

/// More than any answer is, in bytes: a filter may go on for ever.
const LONGEST: usize = 256 << 20;
/// As much as a program's first thread usually has, in bytes: filters call themselves.
const STACK: usize = 8 << 20;

/// A filter that was understood.
pub(crate) struct Jq {
    filter: jaq_core::compile::Filter<jaq_core::Native<JustLut<Val>>>,
}

impl Jq {
    /// # Errors
    /// What can't be understood, and where: the place is marked in a line of its own.
    pub(crate) fn parse(code: &str) -> Result<Self, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code, path: () })
            .map_err(|errors| first(errors.into_iter().map(|(_, error)| loading(code, error))))?;
        let compiled = Compiler::default().with_funs(funs).compile(modules);
        let filter = compiled.map_err(|errors| {
            let undefined = errors.into_iter().flat_map(|(_, errors)| errors);
            first(undefined.map(|(name, kind)| {
                marked(code, name, &format!("there is no {} {name}", kind.as_str()))
            }))
        })?;
        Ok(Self { filter })
    }

    /// What the filter makes of `json`: one compact value a line; with `raw` texts without quotes,
    /// and on a terminal without control characters.
    ///
    /// A filter that is not done in `time` is left behind: it runs until the process ends, which is
    /// soon, because nothing ends it from outside.
    ///
    /// # Errors
    /// The filter's own error, more than 256 MB, or no end in `time`.
    pub(crate) fn run(
        self: &Arc<Self>,
        json: Vec<u8>,
        raw: bool,
        terminal: bool,
        time: Duration,
    ) -> Result<Vec<u8>, String> {
        let (sender, made) = mpsc::channel();
        let this = Arc::clone(self);
        let run = move || sender.send(this.made(&json, raw, terminal));
        let thread = thread::Builder::new().stack_size(STACK).spawn(run);
        thread.map_err(|error| format!("no thread to run it in: {error}"))?;
        made.recv_timeout(time).unwrap_or_else(|why| match why {
            mpsc::RecvTimeoutError::Timeout => Err("timed out: does it ever end?".to_owned()),
            mpsc::RecvTimeoutError::Disconnected => Err("it broke down".to_owned()),
        })
    }

    fn made(&self, json: &[u8], raw: bool, terminal: bool) -> Result<Vec<u8>, String> {
        let input = read::parse_single(json).map_err(|error| error.to_string())?;
        let context = Ctx::<JustLut<Val>>::new(&self.filter.lut, Vars::new([]));
        let mut out = Vec::new();
        for value in self.filter.id.run((context, input)).map(unwrap_valr) {
            let value = value.map_err(|error| sanitised(&error.to_string()).into_owned())?;
            match &value {
                Val::TStr(text) if raw && terminal => {
                    out.extend_from_slice(visible(&String::from_utf8_lossy(text)).as_bytes());
                }
                Val::TStr(text) if raw => out.extend_from_slice(text),
                value => out.extend_from_slice(escaped(&value.to_string()).as_bytes()),
            }
            out.push(b'\n');
            if out.len() > LONGEST {
                return Err("it gives more than 256 MB: does it ever end?".to_owned());
            }
        }
        Ok(out)
    }
}

/// Line breaks stay.
fn visible(text: &str) -> String {
    text.split('\n').map(sanitised).collect::<Vec<_>>().join("\n")
}

fn first(mut errors: impl Iterator<Item = String>) -> String {
    errors.next().unwrap_or_else(|| "is no filter".to_owned())
}

fn loading(code: &str, error: LoadError<&str>) -> String {
    match error {
        LoadError::Io(errors) => first(errors.into_iter().map(|(at, why)| marked(code, at, &why))),
        LoadError::Lex(errors) => first(
            errors
                .into_iter()
                .map(|(expected, at)| marked(code, at, &format!("{} expected", expected.as_str()))),
        ),
        LoadError::Parse(errors) => first(
            errors
                .into_iter()
                .map(|(expected, at)| marked(code, at, &format!("{} expected", expected.as_str()))),
        ),
    }
}

/// `why`, the place, and what stands before it.
fn marked(code: &str, at: &str, why: &str) -> String {
    let at = span(code, at).start.min(code.len());
    let before = &code[..at];
    let place = before.chars().count() + 1;
    let near: String = before.chars().skip(place.saturating_sub(41)).collect();
    let after = if near.is_empty() { String::new() } else { format!(", after {near:?}") };
    format!("{why} at character {place}{after}")
}
