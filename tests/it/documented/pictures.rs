//! The pictures of the README, made from real runs: `docs/pictures/make` makes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nomad_sim::{Fleet, Sim};
use serde_json::Value;

use super::ROOT;
use super::blocks::is_shown;
use super::room::Room;
use crate::support::browser::Browser;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::served::Served;

const TYPED: [&str; 5] = [
    "nomad-clients list",
    "nomad-clients list --driver 'docker!=healthy' -c name,dc,address,drivers.docker,meta.owner",
    "nomad node drain -enable -yes web-2",
    "nomad-clients refresh",
    "nomad-clients list --drain",
];

/// Characters that a line of the terminal holds.
const COLUMNS: usize = 96;
/// Pixels of a character at 14 px, of a line, of the border, of the title bar.
const WIDTH: f64 = 8.43;
const HEIGHT: f64 = 20.0;
const BORDER: f64 = 20.0;
const BAR: f64 = 36.0;
const PAGE: [u32; 2] = [1280, 720];
const PAGE_BYTES_MAX: u64 = 300_000;

fn picture(name: &str) -> PathBuf {
    Path::new(ROOT).join("docs/pictures").join(name)
}

fn is_to_be_made() -> bool {
    std::env::var_os("PICTURES").is_some()
}

/// Characters of one look, in a row.
#[derive(Clone, PartialEq)]
struct Span {
    text: String,
    look: &'static str,
}

/// The lines that are left on a screen, which knows colours, carriage return and "clear the line".
fn screen(output: &str) -> Vec<Vec<Span>> {
    let mut lines = vec![Vec::<Span>::new()];
    let mut look = "";
    let mut rest = output;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match (first, rest.strip_prefix('[')) {
            ('\u{1b}', Some(control)) => {
                let end = control.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (parameters, kind) = (&control[..end], control.as_bytes()[end]);
                match kind {
                    b'm' => look = named(parameters),
                    b'K' => lines.last_mut().unwrap().clear(),
                    _ => panic!("a terminal that knows {:?} is needed", &control[..=end]),
                }
                rest = &control[end + 1..];
            }
            ('\r', _) => {}
            ('\n', _) => lines.push(Vec::new()),
            _ => {
                let line = lines.last_mut().unwrap();
                match line.last_mut().filter(|span| span.look == look) {
                    Some(span) => span.text.push(first),
                    None => line.push(Span { text: first.to_string(), look }),
                }
            }
        }
    }
    lines
}

/// The class of what "select graphic rendition" says.
fn named(parameters: &str) -> &'static str {
    match parameters {
        "" | "0" => "",
        "1" => "bold",
        "2" => "dim",
        "31" => "red",
        "32" => "green",
        "33" => "yellow",
        "36" => "cyan",
        other => panic!("no colour for {other:?}"),
    }
}

/// What is typed and what comes of it, as somebody sees it at a terminal.
fn run(room: &Room) -> Vec<Vec<Span>> {
    let mut lines = Vec::new();
    for typed in TYPED {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        let prompt = Span { text: "$ ".to_owned(), look: "dim" };
        lines.push(vec![prompt, Span { text: typed.to_owned(), look: "bold" }]);
        let mut shown = screen(&room.terminal(typed, COLUMNS));
        shown.truncate(shown.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1));
        lines.extend(shown);
    }
    lines
}

fn plain(lines: &[Vec<Span>]) -> Vec<String> {
    let text = |line: &Vec<Span>| line.iter().map(|span| span.text.as_str()).collect::<String>();
    lines.iter().map(|line| text(line).trim_end().to_owned()).collect()
}

/// Spans have their width said, so that columns stay columns in any font.
fn svg(lines: &[Vec<Span>]) -> String {
    let width = COLUMNS as f64 * WIDTH + 2.0 * BORDER;
    let height = lines.len() as f64 * HEIGHT + BAR + BORDER;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" role="img" xml:space="preserve">
<style>text {{ font: 14px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #e6edf3; white-space: pre }}
.bold {{ font-weight: bold }} .dim {{ fill: #8b949e }} .red {{ fill: #ff7b72 }} .green {{ fill: #3fb950 }} .yellow {{ fill: #d29922 }} .cyan {{ fill: #39c5cf }}</style>
<rect width="100%" height="100%" rx="10" fill="#0d1117"/>
<circle cx="22" cy="18" r="6" fill="#ff5f57"/><circle cx="42" cy="18" r="6" fill="#febc2e"/><circle cx="62" cy="18" r="6" fill="#28c840"/>
"##
    );
    for (row, line) in lines.iter().enumerate() {
        let y = BAR + (row as f64 + 0.8) * HEIGHT;
        let mut column = 0;
        let _ = write!(svg, r#"<text y="{y:.0}">"#);
        for Span { text, look } in line {
            let (x, count) = (BORDER + column as f64 * WIDTH, text.chars().count());
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let class = if look.is_empty() { String::new() } else { format!(r#" class="{look}""#) };
            let _ = write!(
                svg,
                r#"<tspan x="{x:.1}" textLength="{:.1}" lengthAdjust="spacingAndGlyphs"{class}>{text}</tspan>"#,
                count as f64 * WIDTH
            );
            column += count;
        }
        svg.push_str("</text>\n");
    }
    svg + "</svg>\n"
}

/// The lines of text in a picture.
fn text(svg: &str) -> Vec<String> {
    let lines = svg.lines().filter(|line| line.starts_with("<text "));
    let bare = |line: &str| {
        let spans = line.split('>').map(|part| part.split('<').next().unwrap_or_default());
        let text: String = spans.collect();
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").trim_end().to_owned()
    };
    lines.map(bare).collect()
}

#[test]
fn the_terminal_in_the_pictures_shows_what_is_printed() {
    let lines = run(&Room::new());
    let path = picture("terminal.svg");
    if is_to_be_made() {
        fs::write(&path, svg(&lines)).unwrap();
    }
    let shown = text(&fs::read_to_string(path).unwrap());
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let printed = plain(&lines).join("\n");
    assert!(is_shown(&printed, &shown), "docs/pictures/make makes it anew:\n{printed}\n{shown:#?}");
}

#[test]
fn the_page_in_the_pictures() {
    let path = picture("page.png");
    if is_to_be_made() {
        take(&path);
    }
    let png = fs::read(&path).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..20], PAGE[0].to_be_bytes(), "its width");
    assert!(fs::metadata(&path).unwrap().len() <= PAGE_BYTES_MAX);
}

fn take(path: &Path) {
    let (sim, redis) = (Sim::start(Fleet::generated(24)), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
    let served = Served::start(&sandbox, "");
    (0..40).for_each(|_| drop(sandbox.stdout("list -o id")));
    sim.cluster().drain("queue-1", 3_600_000_000_000, Value::Null);
    sim.cluster().set_status("gpu-3", "down");
    let browser = Browser::start();
    browser.looks(PAGE, false);
    browser.goto(&served.url("/?sort=status"));
    browser.until("document.querySelectorAll('[data-id]').length == 24");
    browser.until(
        "document.body.innerText.includes('draining') && document.body.innerText.includes('down')",
    );
    browser.until("document.querySelector('#badge').innerText.toLowerCase().includes('live')");
    browser.screenshot(path);
}

#[test]
fn a_screen_keeps_what_is_left_on_it() {
    let lines = screen("bar\r\u{1b}[2Ka\u{1b}[32mb\u{1b}[0mc\r\n<d>");
    assert_eq!(plain(&lines), ["abc", "<d>"]);
    assert_eq!(lines[0][1].look, "green");
    assert_eq!(text(&svg(&lines)), ["abc", "<d>"]);
}
