//! A headless Chromium, driven over Chrome's debugging protocol through two pipes: what a page becomes in a real browser.
//!
//! Source: <https://chromedevtools.github.io/devtools-protocol/>

use crate::tools;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Chromium reads commands from 3 and writes to 4; the shell moves stdin and stdout there.
const PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;

/// How long a reply may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one page. It can reach no network.
pub struct Browser {
    child: Child,
    input: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    events: RefCell<Vec<Value>>,
    last: RefCell<u64>,
    session: String,
    _profile: tempfile::TempDir,
}

/// What a page is shown on.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// CSS pixels.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
    /// Whether the reader prefers a dark page.
    pub dark: bool,
    /// Paper instead of a screen.
    pub print: bool,
}

impl Browser {
    /// Starts it with an empty page.
    pub fn start() -> Result<Self> {
        let chromium = tools::chromium()?;
        let profile = tempfile::tempdir()?;
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(PIPES)
            .arg(&chromium.program)
            .args(["--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--hide-scrollbars"])
            .args(["--remote-debugging-pipe", "--no-first-run", "--disable-background-networking"])
            // A name that a page asks for leads nowhere.
            .args(["--host-resolver-rules=MAP * 0.0.0.0", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .envs(chromium.libraries.map(|folder| ("LD_LIBRARY_PATH", folder)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", chromium.program.display()))?;
        let input = child.stdin.take().context("no stdin")?;
        let output = child.stdout.take().context("no stdout")?;
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { break };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            child,
            input: RefCell::new(input),
            messages,
            events: RefCell::default(),
            last: RefCell::default(),
            session: String::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attached)?;
        attached["sessionId"].as_str().context("no session")?.clone_into(&mut browser.session);
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Calls a method of the protocol.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value> {
        let id = *self.last.borrow() + 1;
        *self.last.borrow_mut() = id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.input.borrow_mut().write_all(format!("{message}\0").as_bytes())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut reply = self.next(deadline).with_context(|| format!("no reply to {method}"))?;
            if reply["id"] != id {
                self.events.borrow_mut().push(reply);
            } else if reply["error"].is_null() {
                return Ok(reply["result"].take());
            } else {
                bail!("{method}: {}", reply["error"]);
            }
        }
    }

    fn next(&self, deadline: Instant) -> Result<Value> {
        Ok(self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))?)
    }

    /// Shows a file on such a screen, and waits until it is loaded; forgets what was noticed of the page before.
    pub fn open(&self, file: &Path, screen: Screen) -> Result<()> {
        let Screen { width, height, dark, print } = screen;
        let phone = width < 600;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", &metrics)?;
        let scheme =
            json!([{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }]);
        let media = json!({ "media": if print { "print" } else { "screen" }, "features": scheme });
        self.call("Emulation.setEmulatedMedia", &media)?;
        self.events.borrow_mut().clear();
        self.call("Page.navigate", &json!({ "url": format!("file://{}", file.display()) }))?;
        let deadline = Instant::now() + PATIENCE;
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.borrow().iter().any(loaded) {
            let event = self.next(deadline).context("the page does not load")?;
            self.events.borrow_mut().push(event);
        }
        Ok(())
    }

    /// The value of a JavaScript expression on the page.
    pub fn value(&self, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut found = self.call("Runtime.evaluate", &params)?;
        if !found["exceptionDetails"].is_null() {
            bail!("{expression}: {}", found["exceptionDetails"]);
        }
        Ok(found["result"]["value"].take())
    }

    /// The URLs that the page asked for, its own first.
    pub fn requests(&self) -> Vec<String> {
        let url = |event: &Value| {
            let asked = event["method"] == "Network.requestWillBeSent";
            asked.then(|| event["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
        };
        self.events.borrow().iter().filter_map(url).collect()
    }

    /// What the browser's console has to say of the page: errors, warnings, blocked requests.
    pub fn complaints(&self) -> Vec<Value> {
        const KINDS: [&str; 3] = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
        let complains = |event: &&Value| KINDS.iter().any(|kind| event["method"] == *kind);
        self.events.borrow().iter().filter(complains).cloned().collect()
    }

    /// A picture of the whole page, as PNG in base64.
    pub fn picture(&self) -> Result<String> {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", &params)?;
        Ok(shot["data"].as_str().context("no picture")?.to_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own children.
        self.session.clear();
        let _ = self.call("Browser.close", &json!({}));
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
