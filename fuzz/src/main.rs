//! Tries targets: `cargo run -p poolctl-fuzz -- [TARGET…] [--seconds N] [--seed S]`.

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use poolctl_fuzz::decoders::{ALL, Decoder};
use poolctl_fuzz::{Ended, Found, LONGEST_TIME, Trial, guard, pool, repeat};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a value that is too large for its field.
const TOO_MUCH: usize = 128 << 10;
/// Without a step for so long, a trial is stuck. Longer than an input may take, since the machine may be busy.
const STUCK: Duration = Duration::from_secs(10 * LONGEST_TIME.as_secs());

/// Reads a kept corpus, and inputs made of it, with every decoder of poolctl: none may panic, hang, or take more memory than
/// a reply is worth. An input that does is kept in fuzz/corpus/TARGET, and the command that repeats it is printed.
#[derive(Parser)]
#[command(name = "poolctl-fuzz")]
struct Args {
    /// Targets to try; all where none is named.
    #[arg(value_name = "TARGET", value_parser = target)]
    targets: Vec<Decoder>,
    /// How long each is tried; 0 reads the kept inputs alone.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// The changes that are made follow from it.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Targets at a time; as many as there are processors where it is not given.
    #[arg(long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// Lists the targets.
    #[arg(long)]
    list: bool,
    /// Tries one target in this process, which may end by it; each input is first written here.
    #[arg(long, hide = true, value_name = "FILE")]
    current: Option<PathBuf>,
}

fn target(name: &str) -> Result<Decoder, String> {
    let found = ALL.iter().find(|decoder| decoder.name == name).copied();
    found.ok_or_else(|| "no such target; --list names them".to_owned())
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if args.list {
        for decoder in ALL {
            writeln!(io::stdout(), "{}", decoder.name)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let targets = if args.targets.is_empty() { ALL.to_vec() } else { args.targets.clone() };
    let well = match (&args.current, targets.as_slice()) {
        (Some(current), [decoder]) => alone(*decoder, current, &args)?,
        (Some(_), _) => bail!("--current takes one target"),
        (None, _) => side_by_side(&targets, &args)?,
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries one target here, and says what came of it.
fn alone(decoder: Decoder, current: &Path, args: &Args) -> Result<bool> {
    let kept = pool::load(Path::new(pool::CORPUS), decoder.name)?;
    let file = File::create(current).with_context(|| format!("cannot write {}", current.display()))?;
    let mut note = |input: &[u8]| {
        // What is there is the input, whole, or the trial ends here for another reason.
        let _ = file.set_len(0).and_then(|()| file.write_all_at(input, 0));
    };
    std::panic::set_hook(Box::new(|_| {}));
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut trial = Trial::new(decoder, &mut note);
    let run = trial.run(&kept, TOO_MUCH, args.seed, |_| Instant::now() < end);
    let tally = trial.tally;
    let count = trial.count();
    let mut out = io::stdout().lock();
    if let Err(Found { input, fault }) = run {
        writeln!(out, "{}", kept_as(decoder, &input, &fault.to_string())?)?;
        return Ok(false);
    }
    let name = decoder.name;
    let share = tally.taken * 100 / count.max(1);
    let (ms, kib) = (tally.longest.as_millis(), tally.most >> 10);
    writeln!(out, "{name:20} {count:>9} inputs, {share:>2} % taken, at most {ms} ms and {kib} KiB")?;
    Ok(true)
}

fn kept_as(decoder: Decoder, input: &[u8], why: &str) -> Result<String> {
    let path = pool::keep(Path::new(pool::CORPUS), decoder.name, input)?;
    let (name, path) = (decoder.name, path.display());
    Ok(format!("{name}: {why}\n  the input ({} bytes) is {path}\n  again: {}", input.len(), repeat(decoder)))
}

/// Tries each target in a process of its own. True where none was found wanting.
fn side_by_side(targets: &[Decoder], args: &Args) -> Result<bool> {
    let jobs = args.jobs.map_or_else(thread::available_parallelism, Ok)?;
    let (next, well) = (AtomicUsize::new(0), AtomicBool::new(true));
    let work = || -> Result<()> {
        while let Some(decoder) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (good, said) = watched(*decoder, args).with_context(|| decoder.name)?;
            well.fetch_and(good, Ordering::Relaxed);
            writeln!(io::stdout(), "{said}")?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.get()).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    Ok(well.into_inner())
}

fn watched(decoder: Decoder, args: &Args) -> Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    let current = folder.path().join("input");
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(decoder.name).args([
        "--seconds",
        &args.seconds.to_string(),
        "--seed",
        &args.seed.to_string(),
    ]);
    command.arg("--current").arg(&current).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start the trial")?;
    match guard(&mut child, &current, STUCK)? {
        Ended::Said(good, said) => Ok((good, said)),
        Ended::Within(input, why) => Ok((false, kept_as(decoder, &input, &why)?)),
    }
}
