//! The command tree, and what becomes of arguments that do not fit it.

use crate::farming::{block, farm, farmer, grind, harvest, plant, pooler, work};
use crate::pools::{member, oracle, pool, reward, risk, sync, withdrawal};
use crate::records::{events, operations, state};
use crate::schedule;
#[cfg(feature = "serve")]
use crate::serving::{serve, token};
use crate::setup::{completions, config, help, info, init, man, schema, version};
use crate::shell::options::{Options, When};
use crate::shell::registry::commands;
use crate::watch::{doctor, health, metrics, notify, report, status};
#[cfg(feature = "sandbox")]
use crate::{demo, sandbox};
use app::api;
use base::{Code, Error, Result};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use kale::address::without_secrets;
use std::error::Error as _;
use std::ffi::OsString;

/// The back office of a pool in one binary: sync, rewards, oracles, risk, and KALE farming.
#[derive(Debug, Parser)]
#[command(
    name = "poolctl",
    version,
    before_help = "Example: poolctl init --profile testnet",
    max_term_width = 100,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Command,
}

commands! {
    /// Every command.
    Command {
        Init(init::Init) = "init": init::InitOutput;
        #[cfg(feature = "sandbox")]
        Demo(demo::Demo) = "demo": demo::DemoOutput => demo::stage::Line<'static>;
        Run(schedule::Run) = "run": app::schedule::views::ScheduleOutput => schedule::Line<'static>;
        Status(status::Status) = "status": app::watching::status::StatusOutput | status::WatchOutput => status::Line<'static> = api::get("/status", api::READER).live();
        Sync(sync::Sync) = "sync": app::pools::sync::SyncOutput = api::post("/sync", api::OPERATOR);
        #[command(subcommand)] Pool(pool::Command) in pool;
        #[command(subcommand)] Member(member::Command) in member;
        #[command(subcommand)] Withdrawal(withdrawal::Command) in withdrawal;
        #[command(subcommand)] Reward(reward::Command) in reward;
        #[command(subcommand)] Oracle(oracle::Command) in oracle;
        #[command(subcommand)] Risk(risk::Command) in risk;
        #[command(subcommand)] Pooler(pooler::Command) in pooler;
        #[command(subcommand)] Farmer(farmer::Command) in farmer;
        Block(block::Block) = "block": app::farming::block::BlockOutput = api::get("/block", api::ALL).live();
        Plant(plant::Plant) = "plant": app::farming::plant::PlantOutput = api::post("/plantings", api::POOLER_FARMERS);
        Work(Box<work::Work>) = "work": app::farming::work::WorkOutput, "work submit": app::farming::work::SubmitOutput;
        Harvest(harvest::Harvest) = "harvest": app::farming::harvest::HarvestOutput | app::farming::harvest::DecisionOutput = api::post("/harvests", api::OPERATOR);
        #[command(subcommand)] Farm(farm::Command) in farm;
        #[command(subcommand)] Operations(operations::Command) in operations;
        Grind(Box<grind::Grind>) = "grind": grind::single::GrindOutput | grind::bench::BenchOutput | grind::jobs::JobsOutput => ::grind::jobs::Answer;
        #[command(subcommand)] Config(config::Command) in config;
        #[command(subcommand)] State(state::Command) in state;
        Events(events::Events) = "events": events::EventsOutput | events::FollowOutput => events::Line<'static> = api::get("/events", api::READER);
        #[cfg(feature = "serve")]
        Serve(serve::Serve) = "serve": serve::ServeOutput => serve::Line | app::farming::lines::Line;
        #[cfg(feature = "serve")]
        #[command(subcommand)] Token(token::Command) in token;
        Doctor(doctor::Doctor) = "doctor": app::watching::DoctorOutput;
        Health(health::Health) = "health": app::watching::health::HealthOutput = api::get("/health", api::READER).live();
        #[command(subcommand)] Notify(notify::Command) in notify;
        Metrics(metrics::Metrics) = "metrics": app::watching::MetricsOutput = api::get("/metrics", api::READER).live();
        Report(report::Report) = "report": app::watching::ReportOutput;
        Info(info::Info) = "info": app::watching::InfoOutput;
        Version(version::Version) = "version": app::watching::VersionOutput = api::get("/version", api::ALL).live();
        Help(help::Help) = "help": help::HelpOutput;
        Schema(schema::Schema) = "schema": schema::SchemaOutput;
        Completions(completions::Completions) = "completions": completions::CompletionsOutput;
        Man(man::Man) = "man": man::ManOutput;
        #[cfg(feature = "sandbox")]
        #[command(subcommand)] Sandbox(sandbox::Command) in sandbox;
    }
}

/// What the arguments come to.
pub enum Parsed {
    /// A command, with its words.
    Run(Box<Cli>, String),
    /// A text that was asked for: help or version.
    Text(Options, StyledStr),
    /// They do not fit. For a bare command group there is a help text to show instead of the error.
    Wrong(Options, String, Error, Option<StyledStr>),
}

/// Reads the arguments, the program's name first.
pub fn parse(args: &[OsString]) -> Parsed {
    let matches = Cli::command().try_get_matches_from(args);
    let cli = matches.and_then(|matches| {
        let words = words(&matches);
        Cli::from_arg_matches(&matches).map(|cli| (cli, words))
    });
    match cli {
        Ok((cli, words)) => match after_equals(args) {
            Some(error) => Parsed::Wrong(guess(args), words, error, None),
            None => Parsed::Run(Box::new(cli), words),
        },
        Err(e) => match e.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Parsed::Text(guess(args), e.render()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let words = guess_words(args);
                let shown = format!("poolctl {words}");
                let error = Error::new(Code::Usage, format!("\"{}\" needs a command", shown.trim()))
                    .hint(format!("see: {} --help", shown.trim()));
                Parsed::Wrong(guess(args), words, error, Some(e.render()))
            }
            _ => {
                let words = guess_words(args);
                let error = after_equals(args).unwrap_or_else(|| wrong(&e, &words));
                Parsed::Wrong(guess(args), words, error, None)
            }
        },
    }
}

/// The command of these words, or a group of commands, with what is derived from its place in the tree; without words, poolctl.
pub fn find(words: &[String]) -> Result<clap::Command> {
    let mut root = Cli::command();
    root.build();
    let found = words.iter().try_fold(&root, |command, word| command.find_subcommand(word));
    found.cloned().ok_or_else(|| {
        Error::new(Code::Usage, format!("there is no command \"{}\"", words.join(" ")))
            .hint("see all with: poolctl --help")
    })
}

fn words(matches: &clap::ArgMatches) -> String {
    let mut words = Vec::new();
    let mut at = matches;
    while let Some((name, inner)) = at.subcommand() {
        words.push(name);
        at = inner;
    }
    words.join(" ")
}

/// The error of poolctl's own kind: a value parser's own, or the usage error that clap describes.
fn wrong(e: &clap::Error, words: &str) -> Error {
    if let Some(own) = e.source().and_then(|source| source.downcast_ref::<Error>()) {
        return match e.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(arg)) => own.clone().context(arg),
            _ => own.clone(),
        };
    }
    // It quotes what was typed, and that may have been a secret key in the wrong place.
    let text = without_secrets(&e.render().to_string());
    let mut message = String::new();
    let mut hints = Vec::new();
    for paragraph in text.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" ")) {
        if let Some(first) = paragraph.strip_prefix("error: ") {
            first.clone_into(&mut message);
        } else if let Some(tip) = paragraph.strip_prefix("tip: ") {
            hints.push(tip.replace(" tip: ", "; "));
        } else if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            hints.push(format!("usage: {usage}"));
        }
    }
    hints.push(format!("see: {} --help", format!("poolctl {words}").trim_end()));
    Error::new(Code::Usage, message).hint(hints.join("; "))
}

/// A value beside a flag that takes it only after `=`; the parser would take it for the next argument.
fn after_equals(args: &[OsString]) -> Option<Error> {
    // The tree of commands takes time to build: only where such a value stands alone.
    args.iter().find(|arg| matches!(arg.to_str(), Some("true" | "false" | "none")))?;
    let words: Vec<String> = guess_words(args).split_whitespace().map(str::to_owned).collect();
    let command = find(&words).ok()?;
    args.windows(2).take_while(|pair| pair[0] != "--").find_map(|pair| {
        let (flag, value) = (pair[0].to_str()?, pair[1].to_str()?);
        let known = command.get_arguments().find(|known| {
            known.is_require_equals_set() && known.get_long().is_some_and(|long| flag == format!("--{long}"))
        })?;
        known.get_possible_values().iter().find(|known| known.matches(value, false))?;
        let why = format!("{flag}: its value goes after \"=\", not after a space");
        Some(Error::new(Code::Usage, why).hint(format!("write: {flag}={value}")))
    })
}

/// How to answer where the flags could not be parsed: they are looked for as they stand.
fn guess(args: &[OsString]) -> Options {
    let mut options = Options::default();
    let mut args = args.iter().skip(1).map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
    while let Some(arg) = args.next() {
        match arg.as_ref() {
            "--json" => options.json = true,
            "--color" => {
                let when = args.next().and_then(|when| When::from_str(&when, false).ok());
                options.color = when.unwrap_or_default();
            }
            other => {
                if let Some(when) = other.strip_prefix("--color=") {
                    options.color = When::from_str(when, false).unwrap_or_default();
                }
            }
        }
    }
    options
}

/// The files that words mean in which nothing else need be right: `--config`, `--profile` and `--state`.
pub fn files_of(words: &[OsString]) -> Options {
    let mut options = Options::default();
    let mut words = words.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { continue };
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.into())),
            None => (word, None),
        };
        if !matches!(flag, "--config" | "--profile" | "--state") {
            continue;
        }
        let Some(value) = value.or_else(|| words.next().cloned()) else { break };
        match flag {
            "--config" => options.config = Some(value.into()),
            "--state" => options.state = Some(value.into()),
            _ => options.profile = value.into_string().ok(),
        }
    }
    options
}

/// The command's words as far as they are known ones; values of global flags are passed over.
fn guess_words(args: &[OsString]) -> String {
    let root = Cli::command();
    let mut at = &root;
    let mut words: Vec<&str> = Vec::new();
    let mut args = args.iter().skip(1).map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
    while let Some(arg) = args.next() {
        if let Some(flag) = arg.strip_prefix("--") {
            let takes_value = root
                .get_arguments()
                .any(|known| known.get_long() == Some(flag) && known.get_action().takes_values());
            if takes_value {
                args.next();
            }
        } else if let Some(found) = at.find_subcommand(arg.as_ref()) {
            words.push(found.get_name());
            at = found;
        } else if !arg.starts_with('-') {
            break;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    /// Each command's help starts with an example, and the example is one that poolctl takes.
    #[test]
    fn examples_stand_first_and_parse() {
        fn walk(command: &clap::Command, path: &str) {
            let example = command.get_before_help().map(ToString::to_string).unwrap_or_default();
            let line = example.lines().next().unwrap_or_default();
            let line = line.strip_prefix("Example: ").unwrap_or_else(|| panic!("{path}: no example"));
            assert!(line.starts_with(path), "{path}: {line}");
            // What follows is what the shell, or a reader, makes of it.
            let line = line
                .split(" |")
                .flat_map(|part| part.split(" > "))
                .flat_map(|part| part.split("  "))
                .next()
                .unwrap_or_default();
            assert!(matches!(parse(&args(line)), Parsed::Run(..)), "{path}: {line}");
            assert!(command.get_about().is_some(), "{path}: no about");
            for inner in command.get_subcommands() {
                walk(inner, &format!("{path} {}", inner.get_name()));
            }
        }
        let mut root = Cli::command();
        root.build();
        walk(&root, "poolctl");
        Cli::command().debug_assert();
    }

    /// A command of which it is not said what it writes would have no schema.
    #[test]
    fn every_command_has_a_contract() {
        fn walk(command: &clap::Command, path: &[&str], leaves: &mut Vec<String>) {
            if !command.is_subcommand_required_set() {
                leaves.push(path.join(" "));
            }
            for inner in command.get_subcommands() {
                walk(inner, &[path, &[inner.get_name()]].concat(), leaves);
            }
        }
        let mut leaves = Vec::new();
        for command in Cli::command().get_subcommands() {
            walk(command, &[command.get_name()], &mut leaves);
        }
        let contracts: Vec<&str> = contracts().iter().map(|contract| contract.command).collect();
        assert_eq!(leaves, contracts);
    }

    #[test]
    fn words_and_flags_are_guessed_where_parsing_failed() {
        for (line, words, json) in [
            ("poolctl --profile state config set --json --no-such", "config set", true),
            ("poolctl config --color never unset a b c", "config unset", false),
            ("poolctl nonsense config", "", false),
            ("poolctl state backup -- --json", "state backup", false),
        ] {
            assert_eq!(guess_words(&args(line)), words, "{line}");
            assert_eq!(guess(&args(line)).json, json, "{line}");
        }
        assert_eq!(guess(&args("poolctl --color=always x")).color, When::Always);
    }

    #[test]
    fn a_value_beside_its_flag_is_named() {
        for line in [
            "poolctl farmer set --harvest-only false GABC",
            "poolctl farmer set GABC --harvest-only false",
            "poolctl farmer set --harvest-only false",
        ] {
            let Parsed::Wrong(_, words, e, None) = parse(&args(line)) else { panic!("{line}") };
            assert_eq!((words.as_str(), e.code()), ("farmer set", Code::Usage), "{line}");
            assert_eq!(e.remedy().unwrap().to_string(), "write: --harvest-only=false", "{line}");
        }
        assert!(matches!(parse(&args("poolctl farmer set --harvest-only GABC")), Parsed::Run(..)));
    }

    #[test]
    fn a_value_parser_keeps_its_own_code() {
        let Parsed::Wrong(_, words, e, None) = parse(&args("poolctl info --wait 30")) else {
            panic!("30 has no unit");
        };
        assert_eq!((words.as_str(), e.code()), ("info", Code::InvalidValue));
        assert!(e.message().starts_with("--wait <DURATION>: invalid duration: \"30\""), "{e}");
    }
}
