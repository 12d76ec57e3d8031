//! The commands as the server runs them: nobody sits at a terminal, and what is said goes into the envelope.

use crate::output::{Ended, render};
use crate::shell::cli::{self, Parsed};
use crate::shell::options::Options;
use crate::shell::panics;
use crate::shell::session::Session;
use app::api::Role;
use base::{Code, Error, Exit, Result};
use kale::farmers;
use poolctl_serve::tokens::Token;
use poolctl_serve::{Arguments, Endpoint, Face, Form, Owners, Param, Ran};
use rusqlite::Connection;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use state::{Lock, Permit, Run, State, Tx};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use vault::pool;

/// The commands of a server.
pub struct Commands {
    /// The server's own flags, of which requests have config, profile and state.
    pub options: Options,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its run.
    pub run: Run,
    /// Where the state is.
    pub state: PathBuf,
    /// Value may be moved where the profile asks.
    pub agreed: bool,
    /// How arguments are written.
    pub written: Written,
}

/// How an argument is written on a command line.
#[derive(Debug, Clone)]
pub enum How {
    /// `--flag`
    Switch(String),
    /// `--flag=value`
    Flag(String),
    /// The value alone, in this place.
    Place(usize),
}

/// By command and argument.
pub type Written = HashMap<(&'static str, String), How>;

/// How long the server waits for the state, to write what is its own.
const WAIT: Duration = Duration::from_secs(10);

impl Commands {
    /// The command line that says the same.
    fn args(&self, words: &'static str, arguments: &Arguments) -> Vec<OsString> {
        let mut args: Vec<String> =
            ["poolctl"].into_iter().chain(words.split(' ')).map(str::to_owned).collect();
        let mut placed = Vec::new();
        for (name, values) in arguments {
            match self.written.get(&(words, name.clone())) {
                Some(How::Switch(flag)) => args.push(format!("--{flag}")),
                Some(How::Flag(flag)) => args.extend(values.iter().map(|value| format!("--{flag}={value}"))),
                Some(How::Place(place)) => placed.push((*place, values)),
                None => {}
            }
        }
        placed.sort_unstable_by_key(|(place, _)| *place);
        args.push("--".to_owned());
        args.extend(placed.into_iter().flat_map(|(_, values)| values.iter().cloned()));
        args.into_iter().map(OsString::from).collect()
    }

    fn session(&self, words: &str, token: &Token) -> Session {
        let options = Options { json: true, ..self.options.clone() };
        Session::remote(options, words.to_owned(), self.env.clone(), token.actor(), self.agreed)
    }

    fn writing<T>(&self, body: impl FnOnce(&mut State, Permit<'_>) -> Result<T>) -> Result<T> {
        let stop = base::Stop::default();
        let holder = state::Holder {
            pid: std::process::id(),
            command: "serve".to_owned(),
            since: self.run.clock.now(),
        };
        let lock = Lock::acquire(&self.state, &holder, WAIT, &stop)?;
        let mut state = State::write_access(&self.state, self.run.clone(), &lock)?;
        body(&mut state, Permit::of(&lock))
    }

    fn read<T>(&self, body: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        body(&State::read(&self.state, self.run.clone())?)
    }
}

impl Owners for Commands {
    fn is_own(&self, token: &Token, arg: &str, named: &str) -> Result<bool> {
        let Some(subject) = &token.subject else { return Ok(false) };
        self.read(|state| {
            let conn = state.conn();
            // Whom nobody knows is nobody's.
            let found = match (token.role, arg) {
                (Role::Member, "member") => {
                    pool::find_member(conn, named).map(|found| found.address.to_string())
                }
                (Role::Pooler, "pooler") => farmers::poolers::find(conn, named).map(|found| found.id),
                (Role::Pooler, "farmer" | "farmers") => {
                    farmers::find(conn, named).map(|found| found.pooler_id)
                }
                (Role::Farmer, "farmer" | "farmers") => farmers::find(conn, named).map(|found| found.id),
                _ => return Ok(false),
            };
            match found {
                Ok(found) => Ok(found == *subject),
                Err(e) if e.exit() == Exit::Usage => Ok(false),
                Err(e) => Err(e),
            }
        })
    }

    fn own(&self, token: &Token, arg: &str) -> Result<Vec<String>> {
        let Some(subject) = &token.subject else { return Ok(Vec::new()) };
        match (token.role, arg) {
            (Role::Pooler, "farmer" | "farmers") => self.read(|state| {
                let all = farmers::list(state.conn(), None, None)?;
                Ok(all
                    .into_iter()
                    .filter(|farmer| farmer.pooler_id == *subject)
                    .map(|farmer| farmer.id)
                    .collect())
            }),
            _ => Ok(vec![subject.clone()]),
        }
    }
}

impl Face for Commands {
    fn run(&self, words: &'static str, arguments: &Arguments, token: &Token) -> Ran {
        let session = self.session(words, token);
        let result = panics::catch(|| match cli::parse(&self.args(words, arguments)) {
            Parsed::Run(cli, _) => cli.command.run(&session),
            Parsed::Wrong(_, _, e, _) => Err(e),
            Parsed::Text(..) => Err(Error::new(Code::Bug, "a request asked for help")),
        });
        let report = crate::end(&session, result);
        let written = render::json(&report, false).map(|text| (report, text)).or_else(|e| {
            let report = Ended::new(words, session.call.dry_run(), Err(e));
            render::json(&report, false).map(|text| (report, text))
        });
        let Ok((report, text)) = written else {
            return Ran { exit: Exit::Failed, code: Some(Code::Bug), envelope: b"{}".to_vec() };
        };
        let code = report.outcome.failure.as_ref().map(Error::code);
        Ran { exit: report.exit(), code, envelope: text.trim_end().as_bytes().to_vec() }
    }

    fn state(&self) -> Result<State> {
        State::read(&self.state, self.run.clone())
    }

    fn write(&self, body: &mut dyn FnMut(&Tx<'_>) -> Result<()>) -> Result<()> {
        self.writing(|state, permit| state.write(permit, |tx| body(tx)))
    }

    fn note(&self, body: &mut dyn FnMut(&Connection) -> Result<()>) -> Result<()> {
        self.writing(|state, permit| state.note(permit, |conn| body(conn)))
    }

    fn now(&self) -> i64 {
        self.run.clock.now()
    }
}

/// Arguments that no request has: those of files and terminals, and what the server's own answer is.
const OWN: &[&str] = &["help", "version", "csv", "json", "nagios", "watch", "interval", "follow"];

/// The commands that are routes, how their arguments are written, and the schemas that theirs refer to.
pub fn endpoints() -> Result<(Vec<Endpoint>, Written, Map<String, Value>)> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    let (mut endpoints, mut written) = (Vec::new(), Written::new());
    for contract in cli::contracts() {
        let Some(route) = contract.route else { continue };
        let words = contract.command;
        let command = cli::find(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())?;
        let is_list = command.get_arguments().any(|arg| arg.get_id() == "limit");
        let mut params = Vec::new();
        for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
            let id = arg.get_id().as_str();
            let is_file =
                matches!(arg.get_value_hint(), clap::ValueHint::AnyPath | clap::ValueHint::FilePath);
            if OWN.contains(&id) || is_file || (is_list && id == "all") {
                continue;
            }
            let takes = arg.get_num_args().is_some_and(|range| range.takes_values());
            let several = arg.get_num_args().is_some_and(|range| range.max_values() > 1)
                || matches!(arg.get_action(), clap::ArgAction::Append);
            params.push(Param {
                name: if is_list && id == "after" { "cursor".to_owned() } else { id.to_owned() },
                arg: id.to_owned(),
                form: match (takes, several) {
                    (false, _) => Form::Switch,
                    (true, true) => Form::List,
                    (true, false) => Form::Text,
                },
                required: arg.is_required_set(),
                help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
            });
            let how = match (arg.get_long(), takes) {
                (Some(flag), false) => How::Switch(flag.to_owned()),
                (Some(flag), true) => How::Flag(flag.to_owned()),
                (None, _) => How::Place(arg.get_index().unwrap_or_default()),
            };
            written.insert((words, id.to_owned()), how);
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        endpoints.push(Endpoint { route, words, about, params, output: contract.envelope(&mut generator) });
    }
    Ok((endpoints, written, generator.take_definitions(true)))
}
