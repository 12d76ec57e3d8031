//! The text of `--metrics-file`, as Prometheus reads it.
//!
//! One file belongs to one command: each run replaces it. Format:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use base::Exit;
use std::fmt::{Display, Write};
use std::time::Duration;

/// A figure for `--metrics-file`, a Prometheus gauge; where its name ends in `_total`, a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauge {
    /// Full metric name with unit: `poolctl_pool_exchange_rate_ratio`.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Labels in order.
    pub labels: Vec<(&'static str, String)>,
    /// An exact decimal.
    pub value: String,
}

impl Gauge {
    /// A figure without labels.
    pub fn new(name: &'static str, help: &'static str, value: impl Display + Copy) -> Self {
        Self { name, help, labels: Vec::new(), value: value.to_string() }
    }
}

/// The facts of a run that every command has.
#[derive(Debug, Clone)]
pub struct RunFacts<'a> {
    /// The command's words: `pool list`.
    pub command: &'a str,
    /// When it ended, seconds since 1970.
    pub ended: i64,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub exit: Exit,
}

/// When the last run of a command ended: name and help, as all of these.
pub const LAST_RUN: (&str, &str) =
    ("poolctl_run_last_timestamp_seconds", "When the last run of this command ended.");
/// When a command last succeeded.
pub const LAST_SUCCESS: (&str, &str) =
    ("poolctl_run_last_success_timestamp_seconds", "When this command last ended with exit code 0.");
/// How the last run ended.
pub const EXIT_CODE: (&str, &str) = ("poolctl_run_exit_code", "Exit code of the last run of this command.");

/// The file's text; `before` is what stood there, from which a run that failed takes over when the same command last
/// succeeded.
pub fn text(facts: &RunFacts<'_>, gauges: &[Gauge], before: &str) -> String {
    let label = vec![("command", facts.command.to_owned())];
    let shown = labels(&label);
    let success = match facts.exit {
        Exit::Done => Some(facts.ended.to_string()),
        _ => before
            .lines()
            .find_map(|line| {
                line.strip_prefix(LAST_SUCCESS.0)?.strip_prefix(&shown)?.split_whitespace().next()
            })
            .map(str::to_owned),
    };
    let took = format!("{}.{:03}", facts.took.as_secs(), facts.took.subsec_millis());
    let of_run = [
        (LAST_RUN, Some(facts.ended.to_string())),
        (LAST_SUCCESS, success),
        (("poolctl_run_duration_seconds", "How long the last run of this command took."), Some(took)),
        (EXIT_CODE, Some(facts.exit.code().to_string())),
    ];
    let of_run = of_run
        .into_iter()
        .filter_map(|((name, help), value)| Some(Gauge { name, help, labels: label.clone(), value: value? }));
    // The command's own may be samples of the same names, for other commands; of this one, this run is the last.
    let mut all: Vec<Gauge> = of_run.collect();
    let of_others =
        gauges.iter().filter(|own| !all.iter().any(|of| (of.name, &of.labels) == (own.name, &own.labels)));
    let of_others: Vec<Gauge> = of_others.cloned().collect();
    all.extend(of_others);
    render(&all)
}

/// Gauges as text.
pub fn render(gauges: &[Gauge]) -> String {
    let mut out = String::new();
    // All samples of a name stand together under one head, in the order of first mention.
    for (at, first) in gauges.iter().enumerate() {
        if gauges.iter().take(at).any(|g| g.name == first.name) {
            continue;
        }
        head(&mut out, first.name, first.help);
        for gauge in gauges.iter().filter(|g| g.name == first.name) {
            let _ = writeln!(out, "{}{} {}", gauge.name, self::labels(&gauge.labels), gauge.value);
        }
    }
    out
}

fn head(out: &mut String, name: &str, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn labels(pairs: &[(&str, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(command: &str, ended: i64, exit: Exit) -> RunFacts<'_> {
        RunFacts { command, ended, took: Duration::from_millis(1_250), exit }
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let gauge = |pool: &str, value: &str| Gauge {
            name: "poolctl_pool_paused",
            help: "Whether it is paused.",
            labels: vec![("pool", pool.to_owned())],
            value: value.to_owned(),
        };
        let got = text(&facts("sync", 100, Exit::Done), &[gauge("a\"\\\nb", "0"), gauge("c", "1")], "");
        let want = "# HELP poolctl_run_last_timestamp_seconds When the last run of this command ended.\n\
            # TYPE poolctl_run_last_timestamp_seconds gauge\n\
            poolctl_run_last_timestamp_seconds{command=\"sync\"} 100\n\
            # HELP poolctl_run_last_success_timestamp_seconds When this command last ended with exit code 0.\n\
            # TYPE poolctl_run_last_success_timestamp_seconds gauge\n\
            poolctl_run_last_success_timestamp_seconds{command=\"sync\"} 100\n\
            # HELP poolctl_run_duration_seconds How long the last run of this command took.\n\
            # TYPE poolctl_run_duration_seconds gauge\n\
            poolctl_run_duration_seconds{command=\"sync\"} 1.250\n\
            # HELP poolctl_run_exit_code Exit code of the last run of this command.\n\
            # TYPE poolctl_run_exit_code gauge\n\
            poolctl_run_exit_code{command=\"sync\"} 0\n\
            # HELP poolctl_pool_paused Whether it is paused.\n\
            # TYPE poolctl_pool_paused gauge\n\
            poolctl_pool_paused{pool=\"a\\\"\\\\\\nb\"} 0\n\
            poolctl_pool_paused{pool=\"c\"} 1\n";
        assert_eq!(got, want);
    }

    #[test]
    fn each_sample_stands_there_once() {
        let run = |command: &str, name, value: &str| Gauge {
            labels: vec![("command", command.to_owned())],
            ..Gauge::new(name, "", value)
        };
        let own = [
            run("metrics", LAST_RUN.0, "40"),
            run("metrics", LAST_SUCCESS.0, "30"),
            run("metrics", EXIT_CODE.0, "1"),
            run("sync", LAST_RUN.0, "50"),
        ];
        for (exit, want) in [
            (Exit::Done, ["60", "60", "0"]),
            // When it last succeeded is known from the state.
            (Exit::Transient, ["60", "30", "75"]),
        ] {
            let got = text(&facts("metrics", 60, exit), &own, "");
            let mut samples: Vec<&str> = got.lines().filter(|line| !line.starts_with('#')).collect();
            for ((name, _), value) in [LAST_RUN, LAST_SUCCESS, EXIT_CODE].into_iter().zip(want) {
                assert!(
                    samples.contains(&format!("{name}{{command=\"metrics\"}} {value}").as_str()),
                    "{got}"
                );
            }
            samples.retain(|sample| !sample.contains("duration"));
            assert_eq!(samples.len(), 4, "{got}");
        }
    }

    #[test]
    fn a_failure_keeps_the_last_success_of_the_same_command() {
        let good = text(&facts("sync", 100, Exit::Done), &[], "");
        let bad = text(&facts("sync", 200, Exit::Transient), &[], &good);
        assert!(bad.contains("last_success_timestamp_seconds{command=\"sync\"} 100\n"), "{bad}");
        assert!(bad.contains("poolctl_run_exit_code{command=\"sync\"} 75\n"), "{bad}");
        let other = text(&facts("risk check", 300, Exit::Found), &[], &bad);
        assert!(!other.contains("last_success"), "{other}");
    }
}
