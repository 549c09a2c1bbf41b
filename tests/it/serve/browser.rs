//! The page in a real browser.

mod outage;

use nomad_sim::{Fleet, Options, Sim};

use super::Room;
use crate::support::browser::Browser;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::served::Served;

/// A node that would like to be more than text.
const HOSTILE: &str = "</script><img src=x onerror=\"document.title='owned'\">";

fn page(room: &Room) -> Browser {
    let browser = Browser::start();
    browser.looks([1280, 900], false);
    browser.goto(&room.served.url("/"));
    browser.until("document.querySelectorAll('[data-id]').length >= 5");
    browser
}

/// Nothing went wrong, and nobody else was asked.
#[track_caller]
fn check(browser: &Browser, room: &Room) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let own = room.served.url("/");
    let foreign: Vec<String> =
        browser.requests().into_iter().filter(|url| !url.starts_with(&own)).collect();
    assert_eq!(foreign, Vec::<String>::new());
}

fn row(room: &Room, name: &str) -> String {
    format!("document.querySelector('[data-id=\"{}\"]')", room.sim.cluster().id(name))
}

#[test]
fn a_drain_shows_within_a_second_without_a_reload() {
    let room = Room::following();
    let browser = page(&room);
    browser.until("document.querySelector('#badge').innerText.toLowerCase().includes('live')");
    let row = row(&room, "worker-3");
    assert_eq!(browser.eval(&format!("{row}.innerText.includes('draining')")), false);
    browser.eval("window.notReloaded = true");
    let began = std::time::Instant::now();
    room.sim.cluster().drain("worker-3", 3_600_000_000_000, serde_json::Value::Null);
    browser.until(&format!("{row}.innerText.includes('draining')"));
    assert!(began.elapsed().as_millis() < 1000, "{:?}", began.elapsed());
    assert_eq!(browser.eval("window.notReloaded"), true);
    room.sim.cluster().register("worker-9");
    browser.until("document.querySelectorAll('[data-id]').length >= 6");
    room.sim.cluster().purge("worker-9");
    browser.until("document.querySelectorAll('[data-id]').length == 5");
    check(&browser, &room);
}

#[test]
fn refresh_and_clear_do_what_they_say() {
    let room = Room::new();
    let browser = page(&room);
    room.sim.cluster().set_eligible("worker-3", false);
    browser.click("#refresh");
    browser.until("document.querySelector('#message').innerText.includes('1 changed')");
    browser.until(&format!("{}.innerText.includes('ineligible')", row(&room, "worker-3")));
    room.sim.asked();
    browser.click("#clear");
    browser.until("document.querySelector('dialog').open");
    assert!(room.redis.bytes(&["GET", "nomad:clients:all"]).is_some(), "nobody has confirmed yet");
    let told = browser.eval("document.querySelector('#clear-text').textContent");
    assert!(told.as_str().unwrap().contains("every cluster and every token"), "{told}");
    browser.press("Escape");
    browser.until("!document.querySelector('dialog').open");
    assert_eq!(room.sim.asked(), Vec::<String>::new());
    browser.click("#clear");
    browser.until("document.querySelector('dialog').open");
    browser.click("#clear-confirm");
    browser.until("document.querySelector('#message').innerText.toLowerCase().includes('cleared')");
    let began = std::time::Instant::now();
    while !room.sim.asked().contains(&"list".to_owned()) {
        assert!(began.elapsed().as_secs() < 10, "the cache is filled again for who looks on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    check(&browser, &room);
}

#[test]
fn s2_a_name_that_is_markup_is_shown_as_text() {
    let room = Room::following();
    room.sim.cluster().write("worker-2", |node| node.name = HOSTILE.into());
    let browser = Browser::start();
    browser.looks([1280, 900], false);
    browser.goto(&room.served.url("/"));
    browser.until("document.body.innerText.includes('onerror=')");
    let id = room.sim.cluster().id(HOSTILE);
    let cell = format!("document.querySelector('[data-id=\"{id}\"]')");
    assert_eq!(browser.eval(&format!("{cell}.innerText.includes({HOSTILE:?})")), true);
    browser.eval(&format!("{cell}.click()"));
    browser.until("document.querySelector('#detail').innerText.includes('onerror=')");
    assert_eq!(browser.eval("document.querySelectorAll('img[src=x], [onerror]').length"), 0);
    assert_ne!(browser.eval("document.title"), "owned");
    check(&browser, &room);
}

#[test]
fn what_is_seen_stands_in_the_address() {
    let room = Room::new();
    let browser = page(&room);
    browser.press("/");
    browser.type_text("worker-4");
    browser.until("document.querySelectorAll('[data-id]').length == 1");
    browser.until("new URL(location).searchParams.get('q') == 'worker-4'");
    browser.until("document.querySelector('#count').innerText.includes('1 of 5')");
    browser.press("Escape");
    browser.until("document.querySelectorAll('[data-id]').length == 5");
    browser.goto(&room.served.url("/?datacenter=dc2&sort=-name&columns=name,meta.rack"));
    browser.until("document.querySelectorAll('[data-id]').length == 2");
    let names = browser.eval(
        "[...document.querySelectorAll('[data-id]')].map(row => row.innerText.trim().split(/\\s+/)[0])",
    );
    assert_eq!(names, serde_json::json!(["worker-5", "worker-4"]));
    browser.goto(&room.served.url(&format!("/?node={}", room.sim.cluster().id("worker-1"))));
    browser.until("document.querySelector('#detail').innerText.includes('kernel.name')");
    browser.press("Escape");
    browser.until("!new URL(location).searchParams.has('node')");
    check(&browser, &room);
}

/// Ten thousand nodes, of which only those on the screen are in the document.
#[test]
fn ten_thousand_nodes_scroll() {
    let options = Options { fleet: Fleet::generated(10_000), ..Options::default() };
    let (sim, redis) = (Sim::start(options), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
    // A busy machine takes its time for so many details.
    let served = Served::start(&sandbox, "--no-follow --timeout 2m --ttl 10m");
    sandbox.stdout("refresh --timeout 5m --ttl 10m");
    let room = Room { sim, redis, sandbox, served };
    let browser = page(&room);
    browser.until("document.querySelector('#count').innerText.includes('10,000')");
    let rows = browser.eval("document.querySelectorAll('[data-id]').length").as_u64().unwrap();
    assert!(rows < 200, "{rows} rows");
    let first = "document.querySelector('[data-id]').dataset.id";
    let before = browser.eval(first);
    browser.eval("document.querySelector('[data-id]').focus()");
    browser.press("End");
    browser.until(&format!("{first} != {before}"));
    check(&browser, &room);
}

#[test]
fn beyond_this_machine_the_page_asks_for_the_token() {
    let room = Room::new();
    let token = "0123456789abcdef0123456789abcdef";
    let file = room.sandbox.write("token", token);
    let args = format!("--no-follow --access-token-file {}", file.display());
    let served = Served::start(&room.sandbox, &args);
    let browser = Browser::start();
    browser.looks([1280, 900], false);
    browser.goto(&served.url("/"));
    browser.until("location.pathname == '/login' && document.querySelector('[name=token]')");
    browser.eval("document.querySelector('[name=token]').focus()");
    browser.type_text(token);
    browser.press("Enter");
    browser.until("location.pathname == '/' && document.querySelectorAll('[data-id]').length == 5");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // A look at the pages: SCREENSHOTS=FOLDER keeps them.
    let Some(folder) = std::env::var_os("SCREENSHOTS") else { return };
    for width in [360, 1280, 2560] {
        for dark in [false, true] {
            browser.looks([width, 900], dark);
            std::thread::sleep(std::time::Duration::from_millis(300));
            let name = format!("{width}-{}.png", if dark { "dark" } else { "light" });
            browser.screenshot(&std::path::Path::new(&folder).join(name));
        }
    }
}
