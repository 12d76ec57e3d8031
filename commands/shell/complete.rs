//! What the shells' completion scripts ask: `poolctl __complete INDEX WORD…` writes what the word with that index may
//! be, a line each with a tab and a word of help. It never locks, waits or writes, and says nothing on an error.
//!
//! The scripts in `completions/` speak only this, and so fit every version of poolctl.

use crate::shell::cli::{self, Cli};
use crate::shell::session::Session;
use app::Host;
use base::Result;
use clap::{Arg, Command, CommandFactory};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, complete};
use config::file::{self, ConfigFile};
use config::{Config, keys, profile};
use state::{Named, State};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// How a script asks.
const ASK: &str = "__complete";

/// What a script asks, if one does.
pub fn asked(args: &[OsString]) -> Option<&[OsString]> {
    match args {
        [_, ask, question @ ..] if ask == ASK => Some(question),
        _ => None,
    }
}

/// The answer: a line for each word that may stand there; nothing where none is known.
pub fn answer(question: &[OsString], env: BTreeMap<String, String>) -> String {
    candidates(question, env).unwrap_or_default().iter().fold(String::new(), |text, candidate| {
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        // One that would look like two lines or two fields is left out.
        if value.contains(char::is_control) { text } else { format!("{text}{value}\t{help}\n") }
    })
}

fn candidates(question: &[OsString], env: BTreeMap<String, String>) -> Option<Vec<CompletionCandidate>> {
    let (index, words) = question.split_first()?;
    let index: usize = index.to_str()?.parse().ok()?;
    // What stands behind the cursor does not matter; a word that is only to begin may be missing.
    let mut words: Vec<OsString> = words.iter().take(index.checked_add(1)?).cloned().collect();
    if words.len() == index {
        words.push(OsString::new());
    }
    let blank = words.get(index)?.is_empty();
    let names = Arc::new(Names { words: words.clone(), env });
    let folder = std::env::current_dir().ok();
    let mut command = with_names(Cli::command(), &names);
    let mut found = complete(&mut command, words, index, folder.as_deref()).ok()?;
    let is_flag =
        |candidate: &CompletionCandidate| candidate.get_value().as_encoded_bytes().starts_with(b"-");
    // Flags are offered once a dash is typed, or where there is nothing else.
    if blank && !found.iter().all(is_flag) {
        found.retain(|candidate| !is_flag(candidate));
    }
    Some(found)
}

/// What there is a list of.
#[derive(Debug, Clone, Copy)]
enum Listed {
    State(Named),
    Profile,
    Key,
}

impl Listed {
    /// By the name of the argument's value, as it stands in the help.
    fn of(arg: &Arg) -> Option<Self> {
        if arg.get_id() == "profile" {
            return Some(Self::Profile);
        }
        let [name] = arg.get_value_names()? else { return None };
        Some(match name.as_str() {
            "POOL" => Self::State(Named::Pool),
            "MEMBER" => Self::State(Named::Member),
            "FEED" => Self::State(Named::Feed),
            "POOLER" => Self::State(Named::Pooler),
            "FARMER" => Self::State(Named::Farmer),
            "KEY" => Self::Key,
            _ => return None,
        })
    }
}

fn with_names(command: Command, names: &Arc<Names>) -> Command {
    let command = command.mut_args(|arg| match Listed::of(&arg) {
        Some(listed) => {
            let names = Arc::clone(names);
            arg.add(ArgValueCompleter::new(move |current: &OsStr| names.like(listed, current)))
        }
        None => arg,
    });
    command.mut_subcommands(|inner| with_names(inner, names))
}

/// Where names come from: the state that the words so far mean.
struct Names {
    words: Vec<OsString>,
    env: BTreeMap<String, String>,
}

impl Names {
    fn like(&self, listed: Listed, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(begin) = current.to_str() else { return Vec::new() };
        let found = match listed {
            Listed::State(named) => self.of_state(named, begin).unwrap_or_default(),
            Listed::Profile => self.profiles(),
            Listed::Key => keys::KEYS.iter().map(|key| (key.name.to_owned(), key.help.to_owned())).collect(),
        };
        let begun = found.into_iter().filter(|(name, _)| name.starts_with(begin));
        begun.map(|(name, help)| CompletionCandidate::new(name).help(Some(help.into()))).collect()
    }

    fn session(&self) -> Session {
        Session::new(cli::files_of(&self.words), String::new(), self.env.clone())
    }

    fn of_state(&self, named: Named, begin: &str) -> Result<Vec<(String, String)>> {
        let session = self.session();
        let path = Config::resolve(&session.sources()?)?.state_path()?;
        let state = State::glance(&path, session.call.run.clone())?;
        state::names_like(state.conn(), named, begin)
    }

    fn profiles(&self) -> Vec<(String, String)> {
        let built_in = profile::BUILT_IN.iter().map(|profile| profile.name.to_owned());
        let found = self.session().config_path().and_then(|(path, _)| file::read(&path));
        let own = found.unwrap_or_else(|_| ConfigFile::default()).profiles;
        let own = own.into_keys().filter(|name| profile::built_in(name).is_none());
        built_in.chain(own).map(|name| (name, String::new())).collect()
    }
}
