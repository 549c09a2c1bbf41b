//! What the page shows when Nomad or the server does not answer, and in several tabs.

use std::path::Path;
use std::time::Duration;

use nomad_sim::{Fault, Times, Where};
use rustix::process::Signal;

use super::{Room, page, row};
use crate::support::browser::Browser;

fn badge(words: &str) -> String {
    format!("document.querySelector('#badge').textContent.includes('{words}')")
}

/// A look at the page: SCREENSHOTS=FOLDER keeps it.
fn kept(browser: &Browser, name: &str) {
    let Some(folder) = std::env::var_os("SCREENSHOTS") else { return };
    for width in [360, 1280] {
        for dark in [false, true] {
            browser.looks([width, 900], dark);
            std::thread::sleep(Duration::from_millis(300));
            let colours = if dark { "dark" } else { "light" };
            browser.screenshot(&Path::new(&folder).join(format!("{name}-{width}-{colours}.png")));
        }
    }
    browser.looks([1280, 900], false);
}

/// The cache is cold soon, so nothing can be had while Nomad is away.
#[test]
fn an_outage_shows_and_its_traces_go_with_it() {
    let room = Room::with("--follow-interval 0s --ttl 2s");
    let browser = page(&room);
    browser.until(&badge("live"));
    kept(&browser, "live");
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "No cluster leader"));
    room.sim.close_connections();
    browser.until(&badge("Nomad unreachable since "));
    browser.until(&badge(", showing the list from "));
    browser.click("#refresh");
    let complains = "!document.querySelector('#problem').hidden";
    browser.until(complains);
    room.served.until("/api/clients", |answer| answer.status == 503);
    browser.eval(&format!("{}.click()", row(&room, "worker-1")));
    let attributes = "document.querySelector('#detail-attributes').textContent";
    browser.until(&format!("{attributes} == 'not loaded'"));
    let told =
        "['#detail-resources', '#detail-host'].map(id => document.querySelector(id).textContent)";
    let told = browser.eval(told).to_string();
    assert!(told.contains("not loaded") && !told.contains("none"), "{told}");
    kept(&browser, "refused");
    room.sim.heal();
    browser.until(&badge("live"));
    browser.until("document.querySelector('#problem').hidden");
    browser.until(&format!("{attributes}.includes('kernel.name')"));
    assert_eq!(browser.eval("document.querySelector('#detail-note').textContent"), "");
    let resources = browser.eval("document.querySelector('#detail-resources').innerText");
    assert!(resources.as_str().unwrap().contains("Allocatable"), "{resources}");
    assert!(resources.as_str().unwrap().contains("4,500 MHz"), "{resources}");
    kept(&browser, "recovered");
}

#[test]
fn a_page_that_was_opened_in_an_outage_gets_its_list_when_it_is_over() {
    let room = Room::new();
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "No cluster leader"));
    let browser = Browser::start();
    browser.looks([1280, 900], false);
    browser.goto(&room.served.url("/"));
    browser.until("!document.querySelector('#problem').hidden");
    browser.until(&badge("Nomad unreachable since "));
    assert_eq!(browser.eval(&badge("showing")), false);
    kept(&browser, "never-loaded");
    room.sim.heal();
    browser.until("document.querySelectorAll('[data-id]').length == 5");
    browser.until("document.querySelector('#problem').hidden");
    browser.until(&badge("cached "));
}

#[test]
fn silence_of_nomad_is_not_live() {
    let room = Room::following();
    let browser = page(&room);
    browser.until(&badge("live"));
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::Never);
    browser.until_within(Duration::from_secs(60), &badge("Nomad unreachable since "));
    kept(&browser, "hanging");
    room.sim.heal();
    browser.until_within(Duration::from_secs(60), &badge("live"));
}

#[test]
fn a_server_that_is_gone_is_reported() {
    let room = Room::following();
    let browser = page(&room);
    browser.until(&badge("live"));
    room.served.signal(Signal::STOP);
    browser.until_within(Duration::from_secs(60), &badge("no contact for "));
    room.served.signal(Signal::CONT);
    browser.until(&badge("live"));
    room.served.signal(Signal::KILL);
    browser.until(&badge("no contact for "));
    kept(&browser, "no-contact");
}

/// A browser has six connections for one server: a stream of events in each tab takes them all.
#[test]
fn seven_tabs_work() {
    let room = Room::following();
    let mut browser = page(&room);
    for _ in 1..7 {
        browser.open();
        browser.goto(&room.served.url("/"));
        browser.until("document.querySelectorAll('[data-id]').length == 5");
        browser.until(&badge("live"));
    }
    let metrics = room.served.get("/metrics");
    assert!(metrics.text().contains("\nnomad_clients_event_readers 1\n"), "{}", metrics.text());
    room.sim.cluster().set_eligible("worker-3", false);
    for at in 0..7 {
        browser.show(at);
        browser.until(&format!("{}.innerText.includes('ineligible')", row(&room, "worker-3")));
        browser.until(&badge("live"));
    }
    browser.click("#refresh");
    browser.until("document.querySelector('#message').innerText.includes('cached')");
}

/// The contrast of a label and what is behind it, under the mouse.
const CONTRAST: &str = "(() => {
    const style = getComputedStyle(document.querySelector('SELECTOR'));
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    const light = colour => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [a, b] = [style.color, style.backgroundColor].map(light).sort((a, b) => b - a);
    return (a + 0.05) / (b + 0.05);
})()";

#[test]
fn labels_can_be_read_under_the_mouse() {
    let room = Room::new();
    let browser = page(&room);
    for dark in [false, true] {
        browser.looks([1280, 900], dark);
        for button in ["#refresh", "#clear", "#clear-confirm"] {
            if button == "#clear-confirm" {
                browser.eval("document.querySelector('dialog').showModal()");
            }
            browser.hover(button);
            browser.until(&format!("document.querySelector('{button}:hover')"));
            let contrast = browser.eval(&CONTRAST.replace("SELECTOR", button));
            assert!(contrast.as_f64().unwrap() >= 4.5, "{button}, dark {dark}: {contrast}");
        }
        browser.eval("document.querySelector('dialog').close()");
    }
    browser.hover("#refresh");
    kept(&browser, "mouse");
}
