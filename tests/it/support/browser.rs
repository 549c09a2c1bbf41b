//! Headless Chromium, driven through its debugging pipe.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing that a test waits for may take longer.
const LIMIT: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Without those about the background its own services look for hosts that are not there.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-pipe",
];

/// A browser with one page, or several of which one is seen.
pub(crate) struct Browser {
    child: Child,
    to: Mutex<ChildStdin>,
    heard: Arc<Heard>,
    /// Of the tab that is seen.
    session: String,
    /// Each tab's name and session.
    tabs: Vec<(Value, String)>,
    _folder: TempDir,
}

/// What the browser has said.
#[derive(Default)]
struct Heard {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    asked: u64,
    replies: HashMap<u64, Value>,
    events: Vec<Value>,
}

impl Browser {
    /// # Panics
    /// There is no Chromium, or it does not start.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let program = program();
        // Its pipe is on the descriptors 3 and 4, which only a shell can give it.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null"]);
        command
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.path().display()));
        command.arg("about:blank").env("HOME", folder.path()).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let heard = Arc::<Heard>::default();
        let listener = Arc::clone(&heard);
        std::thread::spawn(move || listen(from, &listener));
        let to = Mutex::new(to);
        let mut browser =
            Self { child, to, heard, session: String::new(), tabs: Vec::new(), _folder: folder };
        browser.open();
        browser
    }

    /// Opens a tab, which hides those before it.
    pub(crate) fn open(&mut self) {
        self.session.clear();
        let target = self.ask("Target.createTarget", json!({"url": "about:blank"}));
        let target = target["targetId"].clone();
        let session =
            self.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        self.session = session["sessionId"].as_str().unwrap().to_owned();
        self.tabs.push((target, self.session.clone()));
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.ask(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Shows the tab that was opened as the `at`th, from 0.
    pub(crate) fn show(&mut self, at: usize) {
        let (target, session) = self.tabs[at].clone();
        self.session.clear();
        self.ask("Target.activateTarget", json!({"targetId": target}));
        self.session = session;
    }

    /// Sends one command and gives its result.
    #[track_caller]
    fn ask(&self, method: &str, params: Value) -> Value {
        self.reply(method, params).unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    /// What the browser refuses is told as text.
    #[track_caller]
    fn reply(&self, method: &str, params: Value) -> Result<Value, String> {
        let mut said = self.heard.said.lock().unwrap();
        said.asked += 1;
        let id = said.asked;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut to = self.to.lock().unwrap();
        to.write_all(message.to_string().as_bytes()).unwrap();
        to.write_all(&[0]).unwrap();
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(mut reply) = said.replies.remove(&id) {
                let refused = reply["error"]["message"].as_str().map(str::to_owned);
                return refused.map_or_else(|| Ok(reply["result"].take()), Err);
            }
            let left = until.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("{method} was not answered"));
            said = self.heard.more.wait_timeout(said, left).unwrap().0;
        }
    }

    pub(crate) fn goto(&self, url: &str) {
        self.ask("Page.navigate", json!({"url": url}));
    }

    /// The value of an expression, promises awaited.
    #[track_caller]
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.value(expression).unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    fn value(&self, expression: &str) -> Result<Value, String> {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut result = self.reply("Runtime.evaluate", params)?;
        match &result["exceptionDetails"] {
            Value::Null => Ok(result["result"]["value"].take()),
            exception => Err(exception.to_string()),
        }
    }

    /// Waits until the expression is true, and says what the page showed if that never comes.
    #[track_caller]
    pub(crate) fn until(&self, condition: &str) {
        self.until_within(LIMIT, condition);
    }

    /// The same for what comes late by itself.
    #[track_caller]
    pub(crate) fn until_within(&self, limit: Duration, condition: &str) {
        let until = Instant::now() + limit;
        loop {
            // A page that is left or not yet whole can't answer.
            let value = self.value(&format!("Boolean({condition})"));
            if value == Ok(json!(true)) {
                return;
            }
            if Instant::now() > until {
                let text = self.value("document.body.innerText.slice(0, 2000)");
                panic!("{condition}: {value:?}\n{text:?}\n{:?}", self.complaints());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Clicks with the mouse into the middle of an element.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let place = self.middle(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", params);
        }
    }

    /// Moves the mouse into the middle of an element.
    #[track_caller]
    pub(crate) fn hover(&self, selector: &str) {
        let place = self.middle(selector);
        let params = json!({"type": "mouseMoved", "x": place[0], "y": place[1]});
        self.ask("Input.dispatchMouseEvent", params);
    }

    #[track_caller]
    fn middle(&self, selector: &str) -> Value {
        let place = format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        );
        self.eval(&place)
    }

    /// A key by its name: `Escape`, `ArrowDown`, `/`.
    pub(crate) fn press(&self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowDown" => 40,
            _ => 0,
        };
        // A form is sent by the character, not by the key.
        let text = match key {
            "Enter" => "\r",
            _ if key.len() == 1 => key,
            _ => "",
        };
        let down = json!({"type": "keyDown", "key": key, "code": key, "text": text,
            "windowsVirtualKeyCode": code});
        self.ask("Input.dispatchKeyEvent", down);
        self.ask("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key, "code": key}));
    }

    pub(crate) fn type_text(&self, text: &str) {
        self.ask("Input.insertText", json!({"text": text}));
    }

    /// The window in CSS pixels, and the colours that its user prefers.
    pub(crate) fn looks(&self, [width, height]: [u32; 2], dark: bool) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme =
            json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        self.ask("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
    }

    pub(crate) fn screenshot(&self, path: &Path) {
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Everything that must not happen: exceptions, errors and warnings on the console, what the
    /// content security policy has stopped, requests that failed.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let said = self.heard.said.lock().unwrap();
        let is_bad = |level: &Value| ["error", "warning"].contains(&level.as_str().unwrap_or(""));
        let complaint = |event: &&Value| {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" | "Inspector.targetCrashed" => true,
                "Runtime.consoleAPICalled" => is_bad(&params["type"]),
                "Log.entryAdded" => is_bad(&params["entry"]["level"]),
                "Network.loadingFailed" => params["canceled"] != json!(true),
                _ => false,
            }
        };
        said.events.iter().filter(complaint).map(Value::to_string).collect()
    }

    /// The addresses of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let said = self.heard.said.lock().unwrap();
        let sent =
            said.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn listen(from: ChildStdout, heard: &Heard) {
    for message in BufReader::new(from).split(0).map_while(Result::ok) {
        let message: Value = serde_json::from_slice(&message).unwrap();
        let mut said = heard.said.lock().unwrap();
        match message["id"].as_u64() {
            Some(id) => drop(said.replies.insert(id, message)),
            None => said.events.push(message),
        }
        heard.more.notify_all();
    }
}

fn program() -> PathBuf {
    let folders = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&folders).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let found = all.into_iter().find(|path| path.is_file());
    found.expect("the tests need Chromium in PATH: install the package 'chromium'")
}
