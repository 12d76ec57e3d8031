//! Times, taken in turns, and the table of what was found.
#![allow(dead_code, reason = "each bench takes what it needs")]

use anyhow::{Context as _, Result, bail, ensure};
use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a command to its end, its output thrown away by the system.
pub fn quiet(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// One new connection, and over it one POST of each body after the other, each with its answer.
pub fn round_trips(url: &str, bodies: &[&str]) -> Result<()> {
    let authority = url.strip_prefix("http://").context("not http")?.trim_end_matches('/');
    let mut stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for body in bodies {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let (mut head, mut line) = (String::new(), String::new());
        while answers.read_line(&mut line)? > 2 {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        if !head.starts_with("http/1.1 200") {
            bail!("the node answered: {head}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("an answer of unknown length")?.trim().parse()?;
        answers.read_exact(&mut vec![0; length])?;
    }
    Ok(())
}

/// Times two things in turn, A B A B …, after one of each that does not count.
pub fn interleaved(
    runs: usize,
    mut a: impl FnMut() -> Result<()>,
    mut b: impl FnMut() -> Result<()>,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    a()?;
    b()?;
    let (mut of_a, mut of_b) = (Vec::with_capacity(runs), Vec::with_capacity(runs));
    for _ in 0..runs {
        let begun = Instant::now();
        a()?;
        of_a.push(begun.elapsed());
        let begun = Instant::now();
        b()?;
        of_b.push(begun.elapsed());
    }
    of_a.sort_unstable();
    of_b.sort_unstable();
    Ok((of_a, of_b))
}

/// Of sorted times.
pub fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Median, fastest and slowest of sorted times.
pub fn spread(times: &[Duration]) -> String {
    let ms = |time: Option<&Duration>| {
        let micros = time.map_or(0, Duration::as_micros);
        format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
    };
    format!("{} ms ({} – {})", ms(times.get(times.len() / 2)), ms(times.first()), ms(times.last()))
}

/// What was found, with the limits that there are.
#[derive(Default)]
pub struct Table {
    rows: Vec<(String, String)>,
    broken: Vec<String>,
}

impl Table {
    pub fn note(&mut self, what: String, found: String) {
        self.rows.push((what, found));
    }

    fn judge(&mut self, what: String, found: &str, holds: bool) {
        if !holds {
            self.broken.push(format!("{what}: {found}"));
        }
        self.rows.push((what, format!("{found}{}", if holds { "" } else { "  BROKEN" })));
    }

    pub fn row(&mut self, what: String, found: usize, limit: usize) {
        self.judge(what, &format!("{found} (limit {limit})"), found <= limit);
    }

    pub fn ratio(&mut self, what: String, a: Duration, b: Duration, limit: f64) {
        let ratio = a.div_duration_f64(b);
        self.judge(what, &format!("{ratio:.2} (limit {limit})"), ratio <= limit);
    }

    /// A time that is to be no longer than so many times another and a little more.
    pub fn within(&mut self, what: String, a: Duration, b: Duration, (times, more): (f64, Duration)) {
        let limit = b.mul_f64(times) + more;
        let [a_ms, limit_ms] = [a, limit].map(|time| time.as_millis());
        let ratio = a.div_duration_f64(b);
        self.judge(what, &format!("{ratio:.2} times, {a_ms} ms (limit {limit_ms} ms)"), a <= limit);
    }

    /// A share in percent that is to be no less than a limit.
    pub fn at_least(&mut self, what: String, share: f64, limit: f64) {
        self.judge(what, &format!("{share:.1} % (at least {limit:.0} %)"), share >= limit);
    }

    /// Fails where a limit is broken.
    pub fn verdict(&self) -> Result<()> {
        ensure!(self.broken.is_empty(), "limits that do not hold:\n{}", self.broken.join("\n"));
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(what, _)| what.chars().count()).max().unwrap_or_default();
        self.rows.iter().try_for_each(|(what, found)| writeln!(f, "{what:<width$}  {found}"))
    }
}
