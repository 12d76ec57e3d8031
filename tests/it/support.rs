//! The harness: a home of its own for each test, the real binary, exact exit codes, the parsed envelope.

use poolctl_testkit::watch;
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_poolctl");

/// A temp folder that is the run's home and working folder.
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// An empty home.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A home after `poolctl init`: profile sandbox.
    pub fn ready() -> Self {
        let home = Self::empty();
        home.run("init").ok();
        home
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the sandbox profile's state is.
    pub fn state(&self) -> PathBuf {
        self.path().join(".local/share/poolctl/sandbox.sqlite")
    }

    /// Where the config file is.
    pub fn config(&self) -> PathBuf {
        self.path().join(".config/poolctl/config.toml")
    }

    /// Replaces the config file.
    pub fn write_config(&self, text: &str) {
        std::fs::create_dir_all(self.config().parent().unwrap()).unwrap();
        std::fs::write(self.config(), text).unwrap();
    }

    /// A run with these arguments, separated by spaces.
    pub fn run(&self, line: &str) -> Run {
        self.args(line.split_whitespace())
    }

    /// A run with these arguments.
    pub fn args<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.path()).env_clear();
        command.env("HOME", self.path()).env("USER", "tester").stdin(Stdio::null());
        Run { command }
    }

    /// Where the sandbox profile's key store is.
    pub fn keys(&self) -> PathBuf {
        self.state().with_extension("keys.age")
    }

    /// A home with the pooler "north" and an age identity, which [`Home::farm`] uses.
    pub fn farming() -> Self {
        let home = Self::ready();
        let identity = age::x25519::Identity::generate();
        home.write_private(
            "identity.txt",
            &format!("# made by a test\n{}\n", identity.to_string().expose_secret()),
        );
        home.run("pooler add north --reward-split 0.2 --platform-fee 0.05").ok();
        home
    }

    /// A run that can unlock the key store of [`Home::farming`].
    pub fn farm(&self, line: &str) -> Run {
        self.run(line).env("POOLCTL_KEYS_IDENTITY_FILE", "identity.txt")
    }

    /// Writes a file that only its owner may read; returns its path.
    pub fn write_private(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// State and key store as they are, to see that nothing changed.
    pub fn snapshot(&self) -> (String, Option<Vec<u8>>) {
        let version = "SELECT value FROM meta WHERE key = 'data_version'";
        let version = self.sqlite().query_row(version, [], |row| row.get(0)).unwrap();
        (version, std::fs::read(self.keys()).ok())
    }

    /// Opens the state as an outsider would.
    pub fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.state()).unwrap()
    }

    /// Panics if a file below this home, the config file aside, holds the secret.
    pub fn hides(&self, secret: &str) {
        self.hide(&[secret]);
    }

    /// The same for each of these.
    pub fn hide<S: AsRef<str>>(&self, secrets: &[S]) {
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path != self.config() {
                    let bytes = std::fs::read(&path).unwrap();
                    let text = String::from_utf8_lossy(&bytes);
                    let found = secrets.iter().any(|secret| text.contains(secret.as_ref()));
                    assert!(!found, "{} holds the secret", path.display());
                }
            }
        }
    }
}

/// A run that is being prepared.
pub struct Run {
    pub command: Command,
}

impl Run {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Feeds this to its stdin.
    pub fn input(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.seek(std::io::SeekFrom::Start(0)).unwrap();
        self.command.stdin(file);
        self
    }

    /// Runs it and demands this exit code.
    #[track_caller]
    pub fn exits(mut self, code: i32) -> Ran {
        let ran = Ran::from(watch::output(&mut self.command).unwrap());
        assert_eq!(ran.code, Some(code), "{:?}\n{}\n{}", self.command, ran.stdout, ran.stderr);
        ran
    }

    /// Runs it and demands one of these exit codes.
    #[track_caller]
    pub fn exits_one_of(mut self, codes: &[i32]) -> Ran {
        let ran = Ran::from(watch::output(&mut self.command).unwrap());
        assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{:?}\n{ran:?}", self.command);
        ran
    }

    /// Runs it and demands success in silence; returns stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        let ran = self.exits(0);
        assert_eq!(ran.stderr, "");
        ran.stdout
    }

    /// Runs it with `--json`, demands success in silence, and returns the data.
    #[track_caller]
    pub fn json(self) -> Value {
        let envelope = self.arg("--json").exits(0).envelope();
        assert_eq!(envelope["warnings"], Value::Array(Vec::new()), "{envelope}");
        envelope["data"].clone()
    }

    /// Runs it with `--json`, demands this exit code and this error code, and returns the envelope.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str) -> Value {
        let envelope = self.arg("--json").exits(exit).envelope();
        assert_eq!(envelope["error"]["code"], code, "{envelope}");
        envelope
    }

    pub fn spawn(mut self) -> Child {
        watch::spawn(self.command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap()
    }
}

/// A run that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let ran = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        poolctl_testkit::contract::check(Path::new(BINARY), &ran.stdout).unwrap();
        ran
    }
}

impl Ran {
    /// The one JSON document on stdout, checked against the contract.
    #[track_caller]
    pub fn envelope(&self) -> Value {
        assert_eq!(self.stderr, "", "with --json everything is in the envelope");
        assert_eq!(self.stdout.lines().count(), 1, "one line in a pipe: {}", self.stdout);
        let envelope: Value = serde_json::from_str(&self.stdout).unwrap();
        let mut names: Vec<&str> = envelope.as_object().unwrap().keys().map(String::as_str).collect();
        names.retain(|name| *name != "dry_run");
        assert_eq!(names, ["schema_version", "command", "ok", "data", "warnings", "error"]);
        assert_eq!(envelope["schema_version"], 1);
        assert_eq!(envelope["ok"], self.code == Some(0), "ok says what the exit code says");
        assert_eq!(envelope["ok"], envelope["error"].is_null());
        if !envelope["error"].is_null() {
            let names: Vec<&str> =
                envelope["error"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, ["code", "message", "hint", "details"]);
        }
        envelope
    }

    /// Panics if the secret was said anywhere.
    #[track_caller]
    pub fn hides(&self, secret: &str) {
        assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "the secret was said");
    }
}

/// A text that nothing may ever show.
pub fn canary() -> String {
    format!("CaNaRy{}x", uuid::Uuid::new_v4().simple())
}

/// SHA-256 of a file, to see that nothing changed.
pub fn digest(path: &Path) -> Vec<u8> {
    Sha256::digest(std::fs::read(path).unwrap()).to_vec()
}

/// Polls until `what` holds; there is a limit, so that a fault is seen.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
