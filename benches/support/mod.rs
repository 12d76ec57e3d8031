//! Homes for the binary, whole-process timing in turns, and the table of what was found.

use alloy::primitives::Address;
use anyhow::{Context as _, Result, bail, ensure};
use poolctl::clock::Clock;
use poolctl::config::{Config, Sources};
use poolctl::context::{Silent, Stop, Work};
use poolctl::evm::{At, Chain, ChainConfig, Endpoint};
use poolctl::guard::Permit;
use poolctl::pool::{self, AddPool, abi::Abi};
use poolctl::state::{self, Holder, Lock, Run, State};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_poolctl");
const CHAIN_ID: u64 = 31_337;

/// A folder with a config file, where the binary runs.
pub struct Home {
    folder: TempDir,
    state: PathBuf,
}

impl Home {
    /// A home with an empty state.
    pub fn new(endpoints: &[(&str, &str)], asset: Address) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let home = Self { state: folder.path().join("state.sqlite"), folder };
        home.configure(endpoints, asset)?;
        home.run("init")?;
        Ok(home)
    }

    /// Another way to the same state.
    pub fn over(other: &Self, endpoints: &[(&str, &str)], asset: Address) -> Result<Self> {
        let home = Self { folder: tempfile::tempdir()?, state: other.state() };
        home.configure(endpoints, asset)?;
        Ok(home)
    }

    fn configure(&self, endpoints: &[(&str, &str)], asset: Address) -> Result<()> {
        let urls: Vec<String> = endpoints.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let text = format!(
            "profile = \"sandbox\"\n[profiles.sandbox]\nstate.path = {:?}\nevm.rpc_urls = {urls:?}\n\
             reward.asset = \"{asset}\"\nreward.block_reward = \"2\"\n",
            self.state.display().to_string()
        );
        Ok(std::fs::write(self.folder.path().join("config.toml"), text)?)
    }

    /// Where the state is.
    pub fn state(&self) -> PathBuf {
        self.state.clone()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.env_clear().env("POOLCTL_CONFIG", "config.toml").stdin(Stdio::null());
        command
    }

    /// Runs the binary and gives what it printed; anything but success is an error.
    pub fn run(&self, line: &str) -> Result<String> {
        let output = self.command(line).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "poolctl {line}: {}\n{said}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs the binary with its output thrown away.
    pub fn silent(&self, line: &str) -> Result<()> {
        quiet(&mut self.command(line))
    }

    /// Adds the vaults as `p0`, `p1`, … as `pool add` does, in one process: each contract is looked at.
    pub fn add_pools(&self, url: &str, vaults: &[Address], deploy_block: u64) -> Result<()> {
        let chain = Chain::new(ChainConfig::new(
            "sandbox",
            CHAIN_ID,
            Endpoint::parse_list(&[format!("anvil={url}")])?,
        ))?;
        let config = Config::resolve(&Sources { data_dir: "/".into(), ..Sources::default() })?;
        let lock = lock(&self.state)?;
        let mut state = State::write_access(&self.state, run(), &lock)?;
        let stop = Stop::default();
        let mut work = Work {
            config: &config,
            state: &mut state,
            permit: Permit::of(&lock),
            progress: &Silent,
            stop: &stop,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for (i, vault) in vaults.iter().enumerate() {
            let ask = AddPool {
                name: format!("p{i}"),
                address: *vault,
                abi: Abi::Erc4626,
                deploy_block: Some(deploy_block),
                max_rate_drop_ppm: None,
                default_rate_drop_ppm: 10_000,
                reward_genesis: None,
            };
            let added = runtime.block_on(pool::add(&mut work, &chain, &ask, At::Latest))?;
            ensure!(added.new, "{vault} was there already");
        }
        Ok(())
    }
}

/// A state of its own, open for writing.
pub struct Scratch {
    folder: TempDir,
    lock: Lock,
}

impl Scratch {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("state.sqlite");
        state::create(&path)?;
        Ok(Self { lock: lock(&path)?, folder })
    }

    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    pub fn writer(&self) -> Result<State> {
        Ok(State::write_access(&self.folder.path().join("state.sqlite"), run(), &self.lock)?)
    }
}

fn run() -> Run {
    Run { id: "bench".into(), actor: "bench".into(), clock: Clock::System }
}

fn lock(state: &std::path::Path) -> Result<Lock> {
    let holder = Holder { pid: std::process::id(), command: "bench".into(), since: 0 };
    Ok(Lock::acquire(state, &holder, Duration::ZERO, &Stop::default())?)
}

/// Runs a command to its end, its output thrown away by the system.
pub fn quiet(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// One new connection, one POST of what opens a view, one answer.
pub fn round_trip(url: &str) -> Result<()> {
    let authority = url.strip_prefix("http://").context("not http")?.trim_end_matches('/');
    let body = r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]},{"jsonrpc":"2.0","id":2,"method":"eth_getBlockByNumber","params":["finalized",false]},{"jsonrpc":"2.0","id":3,"method":"eth_getBlockByNumber","params":["latest",false]}]"#;
    let mut stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("the node answered: {answer}");
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
        self.judge(what, &format!("{ratio:.2} (limit {limit:.0})"), ratio <= limit);
    }

    pub fn above(&mut self, what: String, a: Duration, b: Duration, limit: Duration) {
        let more = a.saturating_sub(b);
        self.judge(what, &format!("{} (limit {} ms)", spread(&[more]), limit.as_millis()), more <= limit);
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
