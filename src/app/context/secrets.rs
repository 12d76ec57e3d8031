//! Secrets that are named by where they are: a private file, a credential of the service manager, what a command prints.

use super::App;
use base::{Code, Error, Result, files};
use config::channels::Secret;
use keys::read_private;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// What a command prints is never longer, bytes.
const MOST_PRINTED: u64 = 4096;
/// A credential is never larger, bytes.
const MOST: u64 = 64 << 10;

/// What stands in a file which only its owner may read, or in a credential: the service manager guards these, and its access
/// lists show as group bits. `missing` is the code where there is none.
pub fn private_text(
    what: &str,
    path: &Path,
    credentials: Option<&Path>,
    missing: Code,
) -> Result<Zeroizing<Vec<u8>>> {
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return files::read(path, MOST).map(Zeroizing::new).map_err(|e| {
            Error::new(Code::Io, format!("cannot read the credential {}: {e}", path.display()))
        });
    }
    read_private(what, path, missing)
}

/// The one line of a text that says something: others are empty, or begin with `#`.
///
/// # Errors
/// What is wrong with the text, never the text itself.
pub fn one_line(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "no UTF-8 text")?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => Err("it is empty"),
        (Some(_), Some(_)) => Err("more than one line"),
    }
}

/// What the shell command of a setting prints, which `wanted` names; `code` is that of its failures.
pub(super) fn printed(setting: &str, wanted: &str, command: &str, code: Code) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |why: String| {
        Error::new(code, format!("{setting} {why}"))
            .hint(format!("try it in a shell; it must print {wanted} and exit with 0"))
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot be started: {e}")))?;
    let mut printed = Zeroizing::new(Vec::with_capacity(8192));
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = stdout.take(MOST_PRINTED);
        stdout.read_to_end(&mut printed).map_err(|e| failed(format!("cannot be read: {e}")))?;
    }
    let status = child.wait().map_err(|e| failed(format!("was lost: {e}")))?;
    if status.success() { Ok(printed) } else { Err(failed(format!("failed: {status}"))) }
}

impl App<'_> {
    /// The secret `what` of a channel.
    pub(crate) fn channel_secret(
        &self,
        channel: &str,
        what: &str,
        secret: &Secret,
    ) -> Result<Zeroizing<String>> {
        let bad = |why: &str| Error::new(Code::InvalidValue, format!("channel \"{channel}\": {what}: {why}"));
        let bytes = match secret {
            Secret::Value(text) => return Ok(Zeroizing::new(text.clone())),
            Secret::File(path) => {
                let credentials = self.sources.env.get("CREDENTIALS_DIRECTORY").map(Path::new);
                private_text(&format!("{what} file of channel \"{channel}\""), path, credentials, Code::Io)?
            }
            Secret::Command(command) => {
                let setting = format!("{what}_command of channel \"{channel}\"");
                printed(&setting, "the secret", command, Code::InvalidValue)?
            }
        };
        one_line(&bytes).map(|line| Zeroizing::new(line.to_owned())).map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line() {
        for (text, want) in [
            ("KEY", Ok("KEY")),
            ("# of ops\n\n KEY \r\n", Ok("KEY")),
            ("", Err("it is empty")),
            ("# KEY\n", Err("it is empty")),
            ("KEY\nKEY", Err("more than one line")),
        ] {
            assert_eq!(one_line(text.as_bytes()), want, "{text:?}");
        }
        assert_eq!(one_line(b"\xff"), Err("no UTF-8 text"));
    }
}
