//! A command as a route: what it takes, and who may.

use crate::tokens::Token;
use app::api::{Role, Route, Who};
use base::{Code, Error, Result};
use schemars::Schema;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The form of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// True or false.
    Switch,
    /// Text, or a whole number.
    Text,
    /// Several of these.
    List,
}

/// An argument of a command, as a client gives it: in the path, in the query of a GET, in the JSON object of a POST.
#[derive(Debug, Clone)]
pub struct Param {
    /// The client's name for it.
    pub name: String,
    /// The command's.
    pub arg: String,
    /// Its form.
    pub form: Form,
    /// Nothing goes without it.
    pub required: bool,
    /// What it is.
    pub help: String,
}

/// A command that is a route.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Method, path and access.
    pub route: Route,
    /// The command's words: `pool list`.
    pub words: &'static str,
    /// What it does.
    pub about: String,
    /// What it takes.
    pub params: Vec<Param>,
    /// What it answers.
    pub output: Schema,
}

/// The audit log as it grows: the one route that is no command.
pub const STREAM: &str = "/api/v1/events/stream";

/// Rows of a page at most.
const MOST_ROWS: u64 = 200;

/// What a command is given, by its own names; lists have several.
pub type Arguments = BTreeMap<String, Vec<String>>;

impl Endpoint {
    /// The whole path: `/api/v1/pools/{pool}`.
    pub fn path(&self) -> String {
        format!("/api/v1{}", self.route.path)
    }

    /// Whether an argument stands in the path.
    pub fn is_in_path(&self, param: &Param) -> bool {
        self.route.path.split('/').any(|part| {
            part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(param.name.as_str())
        })
    }

    /// What a client has given, as the command takes it. `usage` for what the command does not take, `invalid_value` for
    /// what it takes in another form.
    pub fn arguments(&self, given: &[(String, Value)]) -> Result<Arguments> {
        let mut arguments = Arguments::new();
        for (name, value) in given {
            let Some(param) = self.params.iter().find(|param| param.name == *name) else {
                let names: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
                let takes = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                let why = format!("\"{}\" is not known here", base::redact::shown(name));
                return Err(Error::new(Code::Usage, why).hint(format!("it takes {takes}")));
            };
            let values = param.values(value)?;
            if param.name == "limit"
                && values.iter().any(|limit| limit.parse().is_ok_and(|n: u64| n > MOST_ROWS))
            {
                return Err(Error::field(
                    Code::InvalidValue,
                    "limit",
                    format!("at most {MOST_ROWS} rows a page"),
                )
                .hint("go on with the cursor of each page"));
            }
            if !values.is_empty() && arguments.insert(param.arg.clone(), values).is_some() {
                return Err(Error::field(Code::Usage, &param.name, "given twice"));
            }
        }
        for param in self.params.iter().filter(|param| param.required) {
            if !arguments.contains_key(&param.arg) {
                return Err(Error::field(Code::Usage, &param.name, "is missing"));
            }
        }
        Ok(arguments)
    }

    /// Whether every client must give an argument: where none is given, some mean their own.
    pub fn must_have(&self, param: &Param) -> bool {
        param.required && !self.route.access.iter().any(|who| who.own.first() == Some(&param.arg.as_str()))
    }

    /// How a role gets in; operators need nothing.
    pub fn who(&self, role: Role) -> Option<Who> {
        self.route.access.iter().find(|who| who.role == role).copied()
    }
}

impl Param {
    fn values(&self, value: &Value) -> Result<Vec<String>> {
        let wrong = |wanted| Error::field(Code::InvalidValue, &self.name, format!("{wanted} is wanted"));
        match (self.form, value) {
            (_, Value::Null) => Ok(Vec::new()),
            (Form::Switch, value) => match value {
                Value::Bool(true) => Ok(vec![String::new()]),
                Value::Bool(false) => Ok(Vec::new()),
                Value::String(word) if word == "true" => Ok(vec![String::new()]),
                Value::String(word) if word == "false" => Ok(Vec::new()),
                _ => Err(wrong("true or false")),
            },
            (Form::List, Value::Array(items)) => {
                items.iter().map(|item| text(item).ok_or_else(|| wrong("a list of texts"))).collect()
            }
            // In a query, by commas.
            (Form::List, Value::String(items)) => {
                Ok(items.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            (Form::List, _) => Err(wrong("a list of texts")),
            (Form::Text, value) => Ok(vec![text(value).ok_or_else(|| wrong("a text or a whole number"))?]),
        }
    }

    /// Its JSON Schema.
    pub fn schema(&self) -> Value {
        match self.form {
            _ if self.name == "limit" => {
                json!({ "type": "integer", "minimum": 1, "maximum": MOST_ROWS, "description": self.help })
            }
            Form::Switch => json!({ "type": "boolean", "description": self.help }),
            Form::Text => json!({ "type": ["string", "integer"], "description": self.help }),
            Form::List => json!({
                "type": "array", "description": self.help, "items": { "type": ["string", "integer"] }
            }),
        }
    }
}

/// A text, or a number as it was written; amounts are exact, so nothing else is a number here.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// What says whose something is.
pub trait Owners {
    /// Whether who is named by an argument of this name is the token's own.
    fn is_own(&self, token: &Token, arg: &str, named: &str) -> Result<bool>;
    /// Whom an argument of this name means where a token gives none.
    fn own(&self, token: &Token, arg: &str) -> Result<Vec<String>>;
}

/// Whether a token may run this with these arguments; where it names nobody, its own are filled in.
pub fn admit(
    endpoint: &Endpoint,
    token: &Token,
    given: &mut Map<String, Value>,
    owners: &dyn Owners,
) -> Result<()> {
    if token.role == Role::Operator {
        return Ok(());
    }
    let no = || {
        let role = token.role.as_str();
        Error::new(Code::Forbidden, format!("a token of the role {role} may not do this"))
    };
    let who = endpoint.who(token.role).ok_or_else(no)?;
    if let Some(arg) = who.not.iter().find(|arg| given.get(**arg).is_some_and(|value| !value.is_null())) {
        return Err(Error::new(Code::Forbidden, format!("{arg}: the operator's alone")));
    }
    let mut names_any = false;
    for arg in who.own {
        let Some(param) = endpoint.params.iter().find(|param| param.arg == **arg) else { continue };
        let Some(value) = given.get(&param.name).filter(|value| !value.is_null()) else { continue };
        for named in param.values(value)? {
            names_any = true;
            // Whoever is not its own might as well not exist.
            if !owners.is_own(token, arg, &named)? {
                return Err(Error::new(Code::Forbidden, format!("{}: not the token's own", param.name)));
            }
        }
    }
    if let (Some(arg), false) = (who.own.first(), names_any) {
        let param = endpoint.params.iter().find(|param| param.arg == **arg).ok_or_else(no)?;
        let own = owners.own(token, arg)?;
        let value = match param.form {
            Form::List => json!(own),
            _ => json!(own.first().ok_or_else(no)?),
        };
        if own.is_empty() {
            return Err(Error::new(Code::UnknownFarmer, "the pooler has no farmers"));
        }
        given.insert(param.name.clone(), value);
    }
    Ok(())
}
