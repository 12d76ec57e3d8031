use super::*;
use rustix::fs::{CWD, Mode, mkfifoat};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::thread;

fn put(path: &Path, text: &str) -> io::Result<()> {
    write(path, Access::Shared, |out| out.write_all(text.as_bytes()))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_is_replaced_whole_and_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    put(&path, "one").unwrap();
    for bits in [0o600, 0o640, 0o664, 0o444] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        put(&path, "two").unwrap();
        assert_eq!((text(&path), mode(&path)), ("two".into(), bits));
        assert_ne!(fs::metadata(&path).unwrap().ino(), before);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write(&path, Access::Owner, |out| out.write_all(b"secret")).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn what_fails_half_way_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    put(&path, "old").unwrap();
    let failed = write(&path, Access::Shared, |out| {
        out.write_all(&vec![b'x'; 100_000])?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((text(&path).as_str(), names(folder.path())), ("old", vec!["out".to_owned()]));
}

#[test]
fn a_link_stays_and_its_target_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("deep")).unwrap();
    fs::write(at("deep/real"), "old").unwrap();
    symlink("deep/real", at("link")).unwrap();
    symlink(at("link"), at("twice")).unwrap();
    symlink("deep/none", at("dangling")).unwrap();
    symlink("missing/none", at("nowhere")).unwrap();
    symlink("round", at("round")).unwrap();
    put(&at("twice"), "new").unwrap();
    put(&at("dangling"), "made").unwrap();
    assert_eq!((text(&at("deep/real")), text(&at("deep/none"))), ("new".into(), "made".into()));
    assert_eq!(put(&at("nowhere"), "x").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(put(&at("round"), "x").is_err());
    for link in ["link", "twice", "dangling", "nowhere", "round"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
    assert_eq!(names(&at("deep")), ["none", "real"]);
}

#[test]
fn what_is_no_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for (name, why) in [
        ("folder", "it is a folder"),
        ("socket", "it is a socket"),
        ("new/", "the path names no file"),
        ("folder/..", "it is a folder"),
        ("", "it is a folder"),
    ] {
        let e = put(&at(name), "x").unwrap_err();
        assert_eq!(e.to_string(), why, "{name}");
        assert!(Draft::beside(&at(name), Access::Shared).is_err(), "{name}");
    }
    assert_eq!(names(folder.path()), ["folder", "socket"]);
}

#[test]
fn a_pipe_is_written_in_place_whoever_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    fifo(&path);
    // More than a pipe holds, so that the writer has to wait for its reader.
    let long = "x".repeat(1 << 20);
    for _ in 0..2 {
        let reader = thread::spawn({
            let path = path.clone();
            move || text(&path)
        });
        put(&path, &long).unwrap();
        assert_eq!(reader.join().unwrap().len(), long.len());
    }
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(names(folder.path()), ["pipe"]);
    assert!(Draft::beside(&path, Access::Shared).unwrap_err().to_string().contains("it is a pipe"));
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    fifo(&path);
    let e = put(&path, "x").unwrap_err();
    assert_eq!((e.kind(), e.to_string().as_str()), (io::ErrorKind::TimedOut, "nobody reads it; waited 1s"));
    // One that is open and not read.
    let _reader = read::open(&path).unwrap();
    let e = put(&path, &"x".repeat(1 << 20)).unwrap_err();
    assert_eq!(e.to_string(), "its reader has stopped reading; waited 1s");
}

#[test]
fn devices_are_written_in_place() {
    put(Path::new("/dev/null"), "x").unwrap();
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    if Path::new("/dev/full").exists() {
        assert_eq!(put(Path::new("/dev/full"), "x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn an_open_file_is_written_in_place() {
    use std::os::fd::AsRawFd;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let open = File::options().append(true).open(&path).unwrap();
    let ino = fs::metadata(&path).unwrap().ino();
    put(Path::new(&format!("/proc/self/fd/{}", open.as_raw_fd())), "after\n").unwrap();
    assert_eq!((text(&path).as_str(), fs::metadata(&path).unwrap().ino()), ("before\nafter\n", ino));
}

#[test]
fn what_killed_runs_left_is_removed_and_what_is_in_the_making_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let left = ".out.0123456789abcdef.draft";
    let others = [".out.draft", ".out.4711.new", ".other.draft", ".0123456789abcdef.draft", "out.draft"];
    let lost = ".gone.0123456789abcdef.draft-shm";
    let dead = [left, &format!("{left}-wal"), ".other.0123456789abcdef.draft", lost];
    for name in dead.iter().chain(&others) {
        fs::write(at(name), "x").unwrap();
    }
    let living = Draft::beside(&at("out"), Access::Shared).unwrap();
    let mut others = others.to_vec();
    let own = living.path().file_name().unwrap().to_str().unwrap().to_owned();
    put(&at("out"), "new").unwrap();
    assert!(living.path().exists(), "another's draft is none of ours");
    fs::write(at(&format!("{own}-journal")), "x").unwrap();
    drop(living);
    others.push("out");
    others.sort_unstable();
    assert_eq!(names(folder.path()), others);
}

#[test]
fn what_sqlite_left_beside_a_draft_goes_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, publish) in
        [("a", Draft::replace as fn(Draft) -> _), ("b", |draft| draft.publish_new().map(|_| ()))]
    {
        let draft = Draft::beside(&at(name), Access::Shared).unwrap();
        let beside = draft.path().file_name().unwrap().to_str().unwrap().to_owned();
        for side in ["-wal", "-shm", "-journal"] {
            fs::write(at(&format!("{beside}{side}")), "x").unwrap();
        }
        publish(draft).unwrap();
    }
    assert_eq!(names(folder.path()), ["a", "b"]);
    // What cannot be removed is no reason to lose sight of it.
    let draft = Draft::beside(&at("a"), Access::Shared).unwrap();
    let beside = draft.path().to_owned();
    fs::create_dir(beside.with_extension("draft-wal")).unwrap();
    assert!(draft.replace().is_err());
    assert!(beside.exists());
}

#[test]
fn many_writers_of_one_file_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    thread::scope(|scope| {
        for n in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..50 {
                    put(path, &n.to_string().repeat(1000)).unwrap();
                }
            });
        }
    });
    let text = text(&path);
    assert!(text.len() == 1000 && text.bytes().all(|b| b == text.as_bytes()[0]));
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn a_new_file_is_never_put_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    assert!(create(&path, Access::Owner, b"one").unwrap());
    assert!(!create(&path, Access::Owner, b"two").unwrap());
    assert_eq!((text(&path).as_str(), mode(&path)), ("one", 0o600));
    assert!(!create(folder.path(), Access::Owner, b"x").unwrap());
    let draft = Draft::beside(&folder.path().join("late"), Access::Shared).unwrap();
    fs::write(folder.path().join("late"), "other").unwrap();
    assert!(!draft.publish_new().unwrap());
    assert_eq!(names(folder.path()), ["late", "new"]);
}

#[test]
fn a_long_name_has_drafts_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n".repeat(255));
    put(&path, "x").unwrap();
    assert_eq!(text(&path), "x");
}

#[test]
fn reading_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
    fifo(&pipe);
    for size in [0, 1, 99, 100] {
        fs::write(&path, vec![b'x'; size]).unwrap();
        assert_eq!(read(&path, 100).unwrap().len(), size);
        assert_eq!(read_file(&path, 100).unwrap().len(), size);
    }
    fs::write(&path, vec![b'x'; 101]).unwrap();
    for e in [read(&path, 100).unwrap_err(), read(Path::new("/dev/zero"), 100).unwrap_err()] {
        assert_eq!(
            (e.kind(), e.to_string().as_str()),
            (io::ErrorKind::FileTooLarge, "it is larger than 100 bytes")
        );
    }
    assert!(read(Path::new("/dev/null"), 100).unwrap().is_empty());
    assert_eq!(read_file(&pipe, 100).unwrap_err().to_string(), "it is a pipe");
    assert_eq!(read_file(folder.path(), 100).unwrap_err().to_string(), "it is a folder");
    assert!(read(folder.path(), 100).is_err());
    // What comes through a pipe, whoever opens it first, and one that is closed without a word.
    for said in ["", "some words"] {
        let writer = thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut out = File::options().write(true).open(pipe).unwrap();
                out.write_all(said.as_bytes()).unwrap();
            }
        });
        assert_eq!(read(&pipe, 100).unwrap(), said.as_bytes());
        writer.join().unwrap();
    }
    let mut both = File::options().read(true).write(true).open(&pipe).unwrap();
    both.write_all(&[b'x'; 101]).unwrap();
    assert_eq!(read(&pipe, 100).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}
