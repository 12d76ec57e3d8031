//! `--metrics-file`: written on success and on failure, whole or not at all, and never the cause of a failure.

use crate::support::Home;

fn value(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)?.rsplit(' ').next().map(str::to_owned))
}

#[test]
fn success_and_failure_are_told() {
    let home = Home::ready();
    let file = home.path().join("poolctl.prom");
    let read = || std::fs::read_to_string(&file).unwrap();
    home.run("events --metrics-file poolctl.prom").ok();
    let good = read();
    for name in ["last_timestamp_seconds", "last_success_timestamp_seconds", "duration_seconds", "exit_code"]
    {
        assert!(good.contains(&format!("# TYPE poolctl_run_{name} gauge\n")), "{good}");
        assert!(value(&good, &format!("poolctl_run_{name}{{command=\"events\"}}")).is_some(), "{good}");
    }
    let success = "poolctl_run_last_success_timestamp_seconds{command=\"events\"}";
    let exit = "poolctl_run_exit_code{command=\"events\"}";
    assert_eq!(value(&good, exit).as_deref(), Some("0"));

    std::fs::write(&file, good.replace(&format!("{success} "), &format!("{success} 1234 was "))).unwrap();
    std::fs::remove_file(home.state()).unwrap();
    home.run("events --metrics-file poolctl.prom").fails(2, "state_missing");
    let bad = read();
    assert_eq!(value(&bad, exit).as_deref(), Some("2"));
    assert_eq!(value(&bad, success).as_deref(), Some("1234"), "kept: {bad}");
    let names: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("draft")), "{names:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning() {
    let home = Home::ready();
    let envelope = home.run("events --metrics-file nowhere/poolctl.prom --json").exits(0).envelope();
    assert!(envelope["warnings"][0].as_str().unwrap().contains("nowhere/poolctl.prom"), "{envelope}");
    let ran = home.run("events --metrics-file nowhere/poolctl.prom").exits(0);
    assert!(ran.stderr.starts_with("warning: cannot write the metrics file"), "{ran:?}");
    let ran = home.run("events --since never --metrics-file nowhere/poolctl.prom").exits(2);
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
}
