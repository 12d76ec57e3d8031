//! The harness: a home of its own for each test, with the real binary.

pub use poolctl_testkit::cli::{Ran, Run, until};

use poolctl_testkit::cli::{copy_all, files};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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
        Run::of(command)
    }

    /// A home with a copy of everything in this one; what its config file says of this folder it says of the new one.
    #[allow(dead_code, reason = "it serves other binaries")]
    pub fn fork(&self) -> Self {
        let copy = Self::empty();
        copy_all(self.path(), copy.path());
        if let Ok(text) = std::fs::read_to_string(copy.config()) {
            let [old, new] = [self, &copy].map(|home| home.path().to_str().unwrap());
            copy.write_config(&text.replace(old, new));
        }
        copy
    }

    /// Where the sandbox profile's key store is.
    pub fn keys(&self) -> PathBuf {
        self.state().with_extension("keys.age")
    }

    /// A home with the pooler "north" and an age identity, which [`Home::farm`] uses.
    pub fn farming() -> Self {
        let home = Self::ready();
        home.make_farming();
        home
    }

    /// Makes of a ready home what [`Home::farming`] is.
    pub fn make_farming(&self) {
        let identity = age::x25519::Identity::generate();
        self.write_private(
            "identity.txt",
            &format!("# made by a test\n{}\n", identity.to_string().expose_secret()),
        );
        self.run("pooler add north --reward-split 0.2 --platform-fee 0.05").ok();
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
        for path in files(self.path()).into_iter().filter(|path| *path != self.config()) {
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let found = secrets.iter().any(|secret| text.contains(secret.as_ref()));
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

/// Waits for the binary, or something that runs it.
#[track_caller]
pub fn ended(child: Child) -> Ran {
    Ran::of(BINARY, child.wait_with_output().unwrap())
}

/// A text that nothing may ever show.
pub fn canary() -> String {
    format!("CaNaRy{}x", uuid::Uuid::new_v4().simple())
}

/// SHA-256 of a file, to see that nothing changed.
pub fn digest(path: &Path) -> Vec<u8> {
    Sha256::digest(std::fs::read(path).unwrap()).to_vec()
}
