//! Which syscalls on files and sockets a run makes, and the same run disturbed at one of them.

use poolctl_testkit::{tools, watch};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::{fmt, fs};

/// What can change something outside of the process.
const WRITING: &[&str] = &[
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "connect",
    "sendto",
    "sendmsg",
    "copy_file_range",
    "sendfile",
];

/// What finds out how things are; opening may also make a file. Not `fcntl`: where the unlocking of a record fails, SQLite
/// waits for itself, in steps that add up to a minute, before it fails.
const READING: &[&str] = &[
    "open",
    "openat",
    "read",
    "readv",
    "pread64",
    "flock",
    "access",
    "faccessat",
    "faccessat2",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "readlink",
    "getdents64",
    "socket",
    "getsockopt",
    "recvfrom",
    "recvmsg",
];

/// Those of [`WRITING`] that take up no room on a disk.
const ROOMLESS: &[&str] =
    &["unlink", "unlinkat", "chmod", "fchmod", "fchmodat", "fchown", "connect", "sendto", "sendmsg"];

/// What happens in place of a syscall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Kill,
    Eio,
    Enospc,
}

/// A syscall by its number among those of the same name in its thread, and what happens in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub syscall: &'static str,
    pub nth: usize,
    pub fault: Fault,
    /// As strace shows it.
    pub call: String,
}

impl fmt::Display for Point {
    /// What strace takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::Kill => "signal=SIGKILL",
            Fault::Eio => "error=EIO",
            Fault::Enospc => "error=ENOSPC",
        };
        write!(f, "inject={}:{what}:when={}", self.syscall, self.nth)
    }
}

/// A disturbed run that ended.
pub struct Disturbed {
    pub output: Output,
    /// Whether it came to the point at all.
    pub reached: bool,
    /// What was disturbed by an error is writing to stdout.
    pub stdout: bool,
}

/// Runs `command` to its end and gives every point of it: all that touches files below `folder`, sockets, or stdout.
pub fn points(command: impl FnOnce(&[OsString]) -> Command, folder: &Path) -> (Output, Vec<Point>) {
    let names =
        [WRITING, READING].concat().into_iter().map(|name| format!("?{name}")).collect::<Vec<_>>().join(",");
    let (output, log) = traced(command, &[format!("trace={names}")], true);
    assert!(!log.is_empty(), "strace cannot trace here: {output:?}\n{ALLOWED}");
    (output, points_of(&log, folder))
}

const ALLOWED: &str = "where ptrace is forbidden it has to be allowed: docker run --cap-add=SYS_PTRACE …, or \
                       sysctl kernel.yama.ptrace_scope=1";

/// Runs `command` disturbed at `point`.
pub fn disturb(command: impl FnOnce(&[OsString]) -> Command, point: &Point) -> Disturbed {
    let filtered = point.fault != Fault::Kill;
    let (output, log) = traced(command, &[format!("trace={}", point.syscall), point.to_string()], filtered);
    let reached = log.contains("(INJECTED)") || output.status.signal() == Some(9);
    let stdout = log.lines().any(|line| line.contains("(INJECTED)") && line.contains(" write(1<"));
    Disturbed { output, reached, stdout }
}

/// Runs a command under strace, as whose arguments it is made; gives strace's log. Where it is `filtered`, other syscalls do
/// not stop the command, which is quick; but no signal can be injected then.
fn traced(
    command: impl FnOnce(&[OsString]) -> Command,
    expressions: &[String],
    filtered: bool,
) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut strace: Vec<OsString> = vec![tools::debian("strace").unwrap().into()];
    if filtered {
        strace.push("--seccomp-bpf".into());
    }
    // Without what strace itself needs to be found.
    strace.extend(["-f", "-qq", "-y", "-s", "0", "-E", "LD_LIBRARY_PATH", "-o"].map(OsString::from));
    strace.push(log.clone().into());
    for expression in expressions {
        strace.extend([OsString::from("-e"), expression.into()]);
    }
    let output = watch::output(&mut command(&strace)).unwrap();
    (output, fs::read_to_string(log).unwrap_or_default())
}

/// The points of a log. A number that another thread uses up for something else (a library that is loaded) is left out.
fn points_of(log: &str, folder: &Path) -> Vec<Point> {
    let folder = folder.to_str().unwrap();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut calls: BTreeMap<(&'static str, usize), Option<(usize, &str)>> = BTreeMap::new();
    for (at, line) in log.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let Some(name) = WRITING.iter().chain(READING).find(|known| **known == name) else { continue };
        let nth = counts.entry((thread, name)).and_modify(|n| *n += 1).or_insert(1);
        let ours = concerns(arguments, folder).then_some((at, rest));
        let call = calls.entry((name, *nth)).or_insert(ours);
        if ours.is_none() {
            *call = None;
        }
    }
    let mut found: Vec<_> = calls.into_iter().filter_map(|(key, call)| Some((call?, key))).collect();
    found.sort_unstable();
    found
        .into_iter()
        .flat_map(|((_, call), (syscall, nth))| {
            let makes = syscall == "openat" && call.contains("O_CREAT");
            let room = makes || WRITING.contains(&syscall) && !ROOMLESS.contains(&syscall);
            let faults = [Some(Fault::Kill), Some(Fault::Eio), room.then_some(Fault::Enospc)];
            let call = call.replace(folder, "~");
            faults.into_iter().flatten().map(move |fault| Point { syscall, nth, fault, call: call.clone() })
        })
        .collect()
}

/// Whether a call is about a file below `folder`, a socket, or stdout.
fn concerns(arguments: &str, folder: &str) -> bool {
    // The working folder stands in every call that takes a path.
    let arguments = match arguments.strip_prefix("AT_FDCWD<") {
        Some(rest) => rest.split_once(">, ").map_or(rest, |(_, rest)| rest),
        None => arguments,
    };
    let relative =
        arguments.starts_with('"') && !arguments.starts_with("\"/") && !arguments.starts_with("\"\"");
    relative || arguments.contains(folder) || arguments.contains("<socket:") || arguments.starts_with("1<")
}

/// Whether a point is among those that are worth a look in every run: a kill before a mere look at something leaves what
/// the kill before the next change leaves.
pub fn tells(point: &Point) -> bool {
    point.fault != Fault::Kill || WRITING.contains(&point.syscall) || point.call.contains("O_CREAT")
}

#[test]
fn a_log_is_read_as_points() {
    let log = "\
7 openat(AT_FDCWD</h>, \"/etc/ld.so.cache\", O_RDONLY) = 3</etc/ld.so.cache>
7 openat(AT_FDCWD</h>, \"/h/a\", O_RDWR|O_CREAT, 0644) = 3</h/a>
7 pwrite64(3</h/a>, \"\"..., 9, 0 <unfinished ...>
8 pwrite64(9</proc/x>, \"\"..., 9, 0) = 9
7 <... pwrite64 resumed>) = 9
7 pwrite64(3</h/a>, \"\"..., 9, 9) = 9
8 sendto(4<socket:[1]>, \"\"..., 9, 0, NULL, 0) = 9
7 unlink(\"b\") = 0
7 write(1<pipe:[2]>, \"\"..., 9) = 9
7 +++ exited with 0 +++
";
    let points = points_of(log, Path::new("/h"));
    let shown: Vec<_> = points.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "inject=openat:signal=SIGKILL:when=2",
            "inject=openat:error=EIO:when=2",
            "inject=openat:error=ENOSPC:when=2",
            "inject=pwrite64:signal=SIGKILL:when=2",
            "inject=pwrite64:error=EIO:when=2",
            "inject=pwrite64:error=ENOSPC:when=2",
            "inject=sendto:signal=SIGKILL:when=1",
            "inject=sendto:error=EIO:when=1",
            "inject=unlink:signal=SIGKILL:when=1",
            "inject=unlink:error=EIO:when=1",
            "inject=write:signal=SIGKILL:when=1",
            "inject=write:error=EIO:when=1",
            "inject=write:error=ENOSPC:when=1",
        ]
    );
}
