//! Where files go that a command writes: links, pipes and devices stay what they are, and an unwritten file is told.

use crate::support::Home;
use std::os::unix::fs::symlink;

#[test]
fn a_link_stays_and_its_target_is_written() {
    let home = Home::ready();
    let (link, real) = (home.path().join("link.prom"), home.path().join("real.prom"));
    symlink("real.prom", &link).unwrap();
    home.run("metrics --metrics-file link.prom").exits(0);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        std::fs::read_to_string(real).unwrap().contains("poolctl_run_exit_code{command=\"metrics\"} 0\n")
    );
}

#[test]
fn an_unwritten_metrics_file_is_the_result_of_metrics_and_a_warning_elsewhere() {
    let home = Home::ready();
    home.run("metrics --metrics-file nowhere/poolctl.prom").fails(1, "io_error");
    home.run("metrics --metrics-file .").fails(2, "invalid_value");
    assert!(
        home.run("state path --metrics-file nowhere/poolctl.prom")
            .exits(0)
            .stderr
            .contains("warning: cannot write")
    );
}

#[test]
fn stdout_is_no_place_for_two_documents() {
    let home = Home::ready();
    for path in ["-", "/dev/stdout"] {
        home.run(&format!("metrics --metrics-file {path}")).fails(2, "usage");
        home.run(&format!("report --html {path}")).fails(2, "usage");
        assert!(home.run(&format!("report --html {path}")).ok().starts_with("<!DOCTYPE html>"));
        assert!(
            home.run(&format!("state path --metrics-file {path}")).ok().contains("poolctl_run_exit_code")
        );
    }
    assert!(std::fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
}

#[test]
fn a_duration_has_a_limit() {
    let home = Home::ready();
    for line in ["state path --wait 18446744073709551615s", "events --since 18446744073709551615s"] {
        let envelope = home.run(line).fails(2, "invalid_value");
        assert!(envelope["error"]["message"].as_str().unwrap().contains("longer than 5300w"), "{envelope}");
    }
}

#[test]
fn a_pipe_as_config_is_refused() {
    let home = Home::ready();
    rustix::fs::mkfifoat(rustix::fs::CWD, home.path().join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    home.run("config show --config pipe").fails(2, "invalid_config");
}

#[test]
fn a_metrics_file_tells_that_the_result_was_not_written() {
    let home = Home::ready();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = home.run("state path --metrics-file run.prom").command.stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let told = std::fs::read_to_string(home.path().join("run.prom")).unwrap();
    assert!(told.contains("poolctl_run_exit_code{command=\"state path\"} 1\n"), "{told}");
}
