//! Watches over the tests: names those that run for long while they do, and ends what does not end by itself.

use std::{
    io::{self, Write as _},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// A test that runs for so long is named, and again each time that this has passed.
const SLOW: Duration = Duration::from_secs(20);
/// A process of a test is ended after this. A run of the binary takes a second, on a busy machine some more.
const LIMIT: Duration = Duration::from_mins(3);
/// After this a test will not end: the whole test binary is.
const HOPELESS: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_millis(250);

static WATCHED: Mutex<Watched> = Mutex::new(Watched { tests: Vec::new(), children: Vec::new() });

struct Watched {
    tests: Vec<Test>,
    children: Vec<Ward>,
}

struct Test {
    name: String,
    since: Instant,
    /// How often it was named.
    named: u32,
}

/// A process that a test waits for.
struct Ward {
    pid: Pid,
    shown: String,
    test: Option<String>,
    until: Instant,
    limit: Duration,
    ended: bool,
}

/// Ends with the test's thread.
struct Registered(Option<String>);

thread_local! {
    static TEST: Registered = Registered::new();
}

/// Has the test of this thread named when it takes long. Whatever starts a process or a node does so by itself.
pub fn test() {
    TEST.with(|_| ());
}

/// Runs a program to its end and takes what it prints. Fails when it is not there, or had to be ended.
pub fn output(command: &mut Command) -> io::Result<Output> {
    output_within(command, LIMIT)
}

/// As [`output`], with its own limit.
pub fn output_within(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()), limit)?;
    let pid = Pid::from_child(&child);
    let output = child.wait_with_output()?;
    let mut watched = lock();
    let ended = watched.children.iter().any(|ward| ward.pid == pid && ward.ended);
    watched.children.retain(|ward| ward.pid != pid);
    if ended {
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let why = format!("{} did not end within {limit:?}; it said: {said:?}", shown(command));
        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
    }
    Ok(output)
}

/// Starts a program that is ended when it takes too long.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    start(command, LIMIT)
}

fn start(command: &mut Command, limit: Duration) -> io::Result<Child> {
    test();
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let mut watched = lock();
    // The number of one that is gone may come again.
    watched.children.retain(|ward| ward.pid != pid);
    watched.children.push(Ward {
        pid,
        shown: shown(command),
        test: TEST.with(|test| test.0.clone()),
        until: Instant::now() + limit,
        limit,
        ended: false,
    });
    drop(watched);
    watch();
    Ok(child)
}

fn lock() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    format!("`{}`", words.join(" "))
}

impl Registered {
    /// libtest gives each test a thread with its name.
    fn new() -> Self {
        let name = thread::current().name().filter(|name| *name != "main").map(str::to_owned);
        if let Some(name) = &name {
            lock().tests.push(Test { name: name.clone(), since: Instant::now(), named: 0 });
            watch();
        }
        Self(name)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            lock().tests.retain(|test| test.name != *name);
        }
    }
}

/// Starts the watch, once in a process.
fn watch() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(LOOK);
                let mut watched = lock();
                let mut said = watched.look(Instant::now());
                let hopeless = watched.tests.iter().any(|test| test.since.elapsed() >= HOPELESS);
                drop(watched);
                if hopeless {
                    said.push(format!("a test did not end within {HOPELESS:?}: the rest is given up"));
                }
                for line in said {
                    // Not by a macro, whose output libtest keeps back.
                    writeln!(io::stderr(), "watch: {line}").ok();
                }
                if hopeless {
                    std::process::abort();
                }
            }
        });
    });
}

impl Watched {
    /// What is to be said by now. Ends the processes whose time is over.
    fn look(&mut self, now: Instant) -> Vec<String> {
        let mut said = Vec::new();
        for test in &mut self.tests {
            let took = now.saturating_duration_since(test.since);
            if took >= SLOW * (test.named + 1) {
                test.named += 1;
                said.push(format!("{} has been running for {} s", test.name, took.as_secs()));
            }
        }
        self.children.retain(|ward| !ward.ended || is_ours(ward.pid));
        for ward in self.children.iter_mut().filter(|ward| !ward.ended && now >= ward.until) {
            ward.ended = true;
            if is_running(ward.pid) && kill_process(ward.pid, Signal::KILL).is_ok() {
                let test = ward.test.as_deref().unwrap_or("a test");
                said.push(format!("{} of {test} was ended after {:?}", ward.shown, ward.limit));
            }
        }
        said
    }
}

/// Whether it is a child that nobody has waited for yet.
fn is_ours(pid: Pid) -> bool {
    look_at(pid).is_ok()
}

/// Whether it is a child that has not ended.
fn is_running(pid: Pid) -> bool {
    look_at(pid).is_ok_and(|ended| !ended)
}

/// Whether a child has ended; an error where it is not one of ours (any more).
fn look_at(pid: Pid) -> rustix::io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_ended_and_said() {
        let mut command = Command::new("sh");
        let error =
            output_within(command.args(["-c", "echo here; exec sleep 60"]), Duration::from_millis(600));
        let error = error.map(drop).map_err(|e| e.to_string());
        assert_eq!(
            error.as_ref().map_err(String::as_str),
            Err("`sh -c echo here; exec sleep 60` did not end within 600ms; it said: [\"here\\n\", \"\"]")
        );
        let done = output(Command::new("sh").args(["-c", "echo done; exit 3"])).map(|o| o.status.code());
        assert_eq!(done.ok(), Some(Some(3)));
    }

    #[test]
    fn a_slow_test_is_named_each_time_that_the_span_has_passed() {
        let since = Instant::now();
        let slow = Test { name: "a::slow".to_owned(), since, named: 0 };
        let mut watched = Watched { tests: vec![slow], children: Vec::new() };
        let mut said = |seconds| watched.look(since + Duration::from_secs(seconds));
        assert!(said(19).is_empty());
        assert_eq!(said(20), ["a::slow has been running for 20 s"]);
        assert!(said(39).is_empty());
        assert_eq!(said(41), ["a::slow has been running for 41 s"]);
    }

    #[test]
    fn a_thread_of_a_test_is_known_while_it_lives() {
        let known = |name: &str| lock().tests.iter().any(|test| test.name == name);
        let thread = thread::Builder::new().name("some::test".to_owned());
        let inside = thread.spawn(move || {
            test();
            known("some::test")
        });
        assert_eq!(inside.map(|thread| thread.join().ok()).ok(), Some(Some(true)));
        assert!(!known("some::test"));
    }
}
