//! `grind` from outside: one job, many jobs, bad input, signals, the examples for many machines.

use crate::support::{BINARY, Home};
use poolctl_testkit::watch;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ENTROPY: &str = "AAAAAAn66y/43JP7M02rwTmONZoWOmu1OPYz/bmzJ8o=";
const FARMER: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";
const HASH: &str = "0000000099be0037e5a48324959cb9dd10965ae59511cfd1996f9b917aad9980";

fn job() -> String {
    format!("grind --index 37 --entropy {ENTROPY} --farmer {FARMER}")
}

fn line(id: u32, rest: &str) -> String {
    format!(r#"{{"id":{id},"index":37,"entropy":"{ENTROPY}","farmer":"{FARMER}",{rest}}}"#)
}

/// Feeds stdin and returns exit code, stdout lines as JSON, and stderr.
fn jobs(args: &str, input: &str) -> (Option<i32>, Vec<Value>, String) {
    let home = Home::empty();
    let mut run = home.run(args);
    let mut child =
        watch::spawn(run.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
            .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), lines, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_known_nonce_is_found_without_config_state_or_home() {
    let home = Home::empty();
    let mut run = home.run(&format!("{} --start 20495217000 --nonces 2000 --json", job()));
    run.command.env_remove("HOME");
    let envelope = run.exits(0).envelope();
    let data = &envelope["data"];
    assert_eq!(data["best"]["nonce"], "20495217910");
    assert_eq!(data["best"]["hash"], HASH);
    assert_eq!(data["best"]["zeros"], 8);
    assert_eq!((&data["hashes"], &data["end"]), (&Value::from("2000"), &Value::from("nonces")));
    assert_eq!((&data["first"], &data["last"]), (&Value::from("20495217000"), &Value::from("20495218999")));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn every_kernel_and_number_of_threads_finds_the_same() {
    let home = Home::empty();
    let found = |more: &str| {
        let data = home.run(&format!("{} --start 0 --zeros 4 {more}", job())).json();
        (data["best"].clone(), data["end"].clone())
    };
    let want = found("");
    assert_eq!(want.1, "zeros");
    for more in ["--threads 1", "--threads 3", "--kernel portable", "--kernel portable --threads 2"] {
        assert_eq!(found(more), want, "{more}");
    }
}

#[test]
fn bad_input_is_refused_by_name() {
    let home = Home::empty();
    let with = |entropy: &str, farmer: &str, rest: &str| {
        format!("grind --index 37 --entropy {entropy} --farmer {farmer} {rest}")
    };
    let wrong_checksum = FARMER.replace("GBQH", "GBQJ");
    for (line, code, needle) in [
        (with("aa", FARMER, "--zeros 5"), "invalid_value", "--entropy"),
        (with(&"z".repeat(64), FARMER, "--zeros 5"), "invalid_value", "--entropy"),
        (with(ENTROPY, "GABC", "--zeros 5"), "invalid_value", "--farmer"),
        (with(ENTROPY, &wrong_checksum, "--zeros 5"), "invalid_value", "--farmer"),
        (with(ENTROPY, FARMER, "--zeros 65"), "invalid_value", "64"),
        (with(ENTROPY, FARMER, "--nonces 0"), "invalid_value", "nonce"),
        (with(ENTROPY, FARMER, "--nonces 1.5"), "invalid_value", "--nonces"),
        (with(ENTROPY, FARMER, "--start 18446744073709551616 --zeros 1"), "invalid_value", "--start"),
        (with(ENTROPY, FARMER, "--zeros 5 --threads 0"), "invalid_value", "--threads"),
        (with(ENTROPY, FARMER, "--zeros 5 --kernel gpu"), "invalid_value", "available: "),
        (with(ENTROPY, FARMER, ""), "usage", "nothing would end"),
        (format!("grind --entropy {ENTROPY} --farmer {FARMER} --zeros 5"), "usage", "--index"),
        (format!("{} --zeros 5 --jobs -", job()), "usage", "--jobs"),
        ("grind --jobs nowhere.ndjson".to_owned(), "io_error", "nowhere.ndjson"),
    ] {
        let exit = if code == "io_error" { 1 } else { 2 };
        let envelope = home.run(&line).fails(exit, code);
        let said = envelope["error"]["message"].as_str().unwrap();
        assert!(said.contains(needle), "{line}: {said}");
    }
}

#[test]
fn jobs_are_answered_line_by_line_and_bad_ones_do_not_stop_the_others() {
    let input = format!(
        "{}\n\nnot json\n{}\n{}\n{}\n",
        line(1, r#""start":"20495217900","nonces":100"#),
        line(2, r#""nonces":-1"#),
        line(3, r#""nonces":10,"farmer2":1"#),
        line(4, r#""start":18446744073709551610,"nonces":6"#),
    );
    let (code, lines, stderr) = jobs("grind --jobs -", &input);
    assert_eq!(code, Some(3));
    let kinds: Vec<(&str, u64)> =
        lines.iter().map(|l| (l["type"].as_str().unwrap(), l["line"].as_u64().unwrap())).collect();
    assert_eq!(kinds, [("solution", 1), ("error", 3), ("error", 4), ("error", 5), ("solution", 6)]);
    assert_eq!(lines[0]["hash"], HASH);
    assert_eq!(lines[4]["last"], "18446744073709551615");
    assert!(stderr.contains("3 of 5 lines failed"), "{stderr}");
}

#[test]
fn a_line_that_is_no_text_or_has_no_end_fails_alone() {
    let home = Home::empty();
    let path = home.path().join("jobs.ndjson");
    let mut text = b"{\"id\":\"\xff\"}\n".to_vec();
    text.extend_from_slice(&vec![b'x'; 70 << 10]);
    text.extend_from_slice(format!("\n{}\n", line(3, r#""nonces":10"#)).as_bytes());
    std::fs::write(&path, text).unwrap();
    let mut run = home.run("grind --jobs jobs.ndjson");
    let output = run.command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(output.status.code(), Some(3));
    let said: Vec<_> = lines[..2].iter().map(|l| (&l["code"], l["message"].as_str().unwrap())).collect();
    assert_eq!(said[0], (&Value::from("invalid_json"), "the line is not UTF-8"));
    assert_eq!(said[1], (&Value::from("invalid_json"), "the line is longer than 65536 bytes"));
    assert_eq!((&lines[2]["type"], &lines[2]["line"]), (&Value::from("solution"), &Value::from(3)));
    // A source without any end of line is given up after 64 MiB.
    let output = home.run("grind --jobs /dev/zero").command.output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &answer["code"]), (Some(3), &Value::from("unreadable")));
}

#[test]
fn without_a_start_two_runs_search_different_nonces() {
    let home = Home::empty();
    let first = || home.run(&format!("{} --nonces 10", job())).json()["first"].as_str().unwrap().to_owned();
    assert_ne!(first(), first());
    let first = || jobs("grind --jobs -", &line(1, r#""nonces":10"#)).1[0]["first"].clone();
    let (one, two) = (first(), first());
    assert!(one.is_string() && one != two, "{one} {two}");
    // People are told too.
    let text = home.run(&format!("{} --nonces 10 --start 77", job())).ok();
    assert!(text.lines().any(|line| line.starts_with("start") && line.ends_with("77")), "{text}");
}

#[test]
fn with_json_the_stream_ends_with_a_result() {
    let input = line(1, r#""nonces":200000"#) + "\n";
    let (code, lines, stderr) = jobs("grind --jobs - --stream --json", &input);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let (result, answers) = lines.split_last().unwrap();
    assert_eq!(result["type"], "result");
    assert_eq!((&result["ok"], &result["data"]["solved"]), (&Value::from(true), &Value::from(1)));
    let (solution, progress) = answers.split_last().unwrap();
    assert_eq!(solution["type"], "solution");
    assert!(progress.iter().all(|line| line["type"] == "progress"));
    let zeros: Vec<u64> = progress.iter().map(|line| line["zeros"].as_u64().unwrap()).collect();
    assert!(zeros.is_sorted(), "each is at least as good as the one before: {zeros:?}");
}

#[test]
fn a_signal_ends_the_search_with_the_best_so_far() {
    let home = Home::empty();
    // Streaming tells when the search is under way.
    let mut run = home.run("grind --jobs - --stream");
    let mut child =
        watch::spawn(run.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
            .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", line(1, r#""zeros":64"#)).unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&stdout.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["type"], "progress");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let rest: Vec<Value> = stdout.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let last = rest.last().unwrap();
    assert_eq!((&last["type"], &last["end"]), (&Value::from("solution"), &Value::from("stopped")));
    assert!(last["zeros"].as_u64() >= first["zeros"].as_u64());
    assert_eq!(child.wait().unwrap().code(), Some(75));
}

#[test]
fn the_bench_measures_every_kernel_beside_the_reference() {
    let data = Home::empty().run("grind --bench --seconds 1 --threads 2").json();
    let rows = data["rows"].as_array().unwrap();
    assert_eq!(rows[0]["kernel"], "tiny-keccak");
    assert!(rows.iter().any(|row| row["kernel"] == "portable" && row["threads"] == 2));
    assert!(rows.iter().all(|row| row["median"].as_u64().unwrap() > 0));
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/grind").join(name)
}

#[test]
fn the_examples_cut_a_search_and_work_on_its_parts() {
    let home = Home::empty();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(BINARY, bin.join("poolctl")).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let sh = |script: &str, args: &[&str], env: &[(&str, &str)]| {
        let mut command = Command::new("sh");
        command.arg(example(script)).args(args).current_dir(home.path());
        command.env_clear().env("PATH", &path).envs(env.iter().copied());
        let output = watch::output(&mut command).unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // A deadline that has passed: every job answers at once.
    let lines = sh("split-jobs.sh", &["37", ENTROPY, "1", "3", FARMER], &[]);
    let starts: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["start"].clone()).collect();
    assert_eq!(starts, ["0", "1537228672809129301", "3074457345618258602"]);
    std::fs::write(home.path().join("jobs.ndjson"), lines).unwrap();
    for task in ["1", "2", "3"] {
        sh("slurm-array.sh", &["jobs.ndjson"], &[("SLURM_ARRAY_TASK_ID", task)]);
        let answer = std::fs::read_to_string(home.path().join(format!("solutions.{task}.ndjson"))).unwrap();
        let answer: Value = serde_json::from_str(answer.trim()).unwrap();
        assert_eq!((&answer["type"], &answer["id"]), (&Value::from("solution"), &Value::from(FARMER)));
    }
    // The shell line of the pods.
    let yaml = std::fs::read_to_string(example("kubernetes-job.yaml")).unwrap();
    let shell = yaml.lines().find_map(|line| line.trim().strip_prefix("- sed ")).unwrap();
    let shell = format!("sed {}", shell.replace("/jobs/", ""));
    let mut command = Command::new("sh");
    command.args(["-c", &shell]).current_dir(home.path());
    command.env_clear().env("PATH", &path).env("JOB_COMPLETION_INDEX", "2");
    let output = watch::output(&mut command).unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["type"], &answer["line"]), (&Value::from("solution"), &Value::from(1)));
}
