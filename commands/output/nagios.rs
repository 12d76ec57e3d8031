//! `--nagios`: one line with performance data, and the exit status of a monitoring plugin.
//!
//! Source: <https://nagios-plugins.org/doc/guidelines.html>

use base::Error;
use std::fmt::Write;

/// The exit status of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// Worth a look.
    Warning = 1,
    /// Something is wrong.
    Critical = 2,
    /// It cannot be told.
    Unknown = 3,
}

impl Status {
    /// The word at the head of the line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One figure of the performance data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Perf {
    label: String,
    value: String,
    warning: Option<u64>,
    critical: Option<u64>,
}

impl Perf {
    /// A figure with its unit, if it has one: `12`, `12s`.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), warning: None, critical: None }
    }

    /// The figure above which it is worth a look.
    #[must_use]
    pub const fn warning(mut self, above: u64) -> Self {
        self.warning = Some(above);
        self
    }

    /// The figure above which something is wrong.
    #[must_use]
    pub const fn critical(mut self, above: u64) -> Self {
        self.critical = Some(above);
        self
    }

    fn write(&self, line: &mut String) {
        // Quotes are doubled; an equals sign ends a label even within them.
        let label = plain(&self.label).replace('=', "_").replace('\'', "''");
        let _ = write!(line, "'{label}'={}", self.value);
        let limit = |limit: Option<u64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        if self.warning.is_some() || self.critical.is_some() {
            let _ = write!(line, ";{};{}", limit(self.warning), limit(self.critical));
        }
    }
}

/// What a monitoring system is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How it stands.
    pub status: Status,
    service: &'static str,
    text: String,
    perf: Vec<Perf>,
}

impl Probe {
    /// A finding on `service` ("RISK") in words.
    pub fn new(service: &'static str, status: Status, text: impl Into<String>, perf: Vec<Perf>) -> Self {
        Self { status, service, text: text.into(), perf }
    }

    /// The check itself failed: nothing can be told.
    pub fn failed(service: &'static str, e: &Error) -> Self {
        Self::new(service, Status::Unknown, format!("{}: {e}", e.code().as_str()), Vec::new())
    }

    /// The line, with its newline.
    pub fn line(&self) -> String {
        let mut line = format!("{} {} - {}", self.service, self.status.as_str(), plain(&self.text));
        for (i, perf) in self.perf.iter().enumerate() {
            line.push_str(if i == 0 { " | " } else { " " });
            perf.write(&mut line);
        }
        line.push('\n');
        line
    }
}

/// What would end the line or the text, or steer a terminal, is replaced.
fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '|' => '/',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Code;

    #[test]
    fn it_is_one_line_that_a_plugin_parser_takes_apart() {
        let perf = vec![Perf::new("findings", "2").critical(0), Perf::new("a 'b'=c|d", "12s").warning(5)];
        let probe = Probe::new("RISK", Status::Critical, "main: a|b\nc", perf);
        assert_eq!(probe.line(), "RISK CRITICAL - main: a/b c | 'findings'=2;;0 'a ''b''_c/d'=12s;5;\n");
        let e = Error::new(Code::Unreachable, "nobody answers");
        assert_eq!(Probe::failed("ORACLE", &e).line(), "ORACLE UNKNOWN - unreachable: nobody answers\n");
        assert_eq!(
            [Status::Ok as u8, Status::Warning as u8, Status::Critical as u8, Status::Unknown as u8],
            [0, 1, 2, 3]
        );
    }
}
