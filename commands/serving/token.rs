//! `poolctl token …`: who may use the server.

use crate::pools::table;
use crate::shell::options::duration;
use crate::shell::prelude::*;
use app::api::Role;
use base::{clock, forms};
use kale::farmers;
use poolctl_serve::tokens::{self, NewToken, Token};
use rusqlite::Connection;
use std::str::FromStr;
use std::time::Duration;
use vault::pool;

commands! {
    /// Give others access to the server, and take it back
    #[command(before_help = "Example: poolctl token create --role reader --name dashboard --expires 90d")]
    Command {
        Create(Create) = "token create": CreateOutput;
        List(List) = "token list": ListOutput;
        Revoke(Revoke) = "token revoke": RevokeOutput;
    }
}

/// A token; never its text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Whose it is: id of a pooler or farmer, address of a member, name of a miner; null for operators and readers.
    pub subject: Option<String>,
    /// When it was made, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub created_at: String,
    /// When it ends, RFC 3339; null = never.
    #[schemars(with = "Option<forms::Time>")]
    pub expires_at: Option<String>,
    /// When it was revoked, RFC 3339; null = it was not.
    #[schemars(with = "Option<forms::Time>")]
    pub revoked_at: Option<String>,
    /// When it was last used, to the minute, RFC 3339; null = never.
    #[schemars(with = "Option<forms::Time>")]
    pub used_at: Option<String>,
    /// Whether it is worth anything now.
    pub in_force: bool,
}

impl TokenView {
    fn of(token: Token, now: i64) -> Self {
        Self {
            in_force: token.fault(now).is_none(),
            id: token.id,
            name: token.name,
            role: token.role,
            subject: token.subject,
            created_at: clock::rfc3339(token.created_at),
            expires_at: token.expires_at.map(clock::rfc3339),
            revoked_at: token.revoked_at.map(clock::rfc3339),
            used_at: token.used_at.map(clock::rfc3339),
        }
    }

    fn whose(&self) -> String {
        let subject = self.subject.as_ref().map(|subject| format!(":{subject}")).unwrap_or_default();
        format!("{}{subject}", self.role.as_str())
    }
}

/// A role, and whose: `reader`, `member:alice`.
#[derive(Debug, Clone)]
struct Wanted {
    role: Role,
    whose: Option<String>,
}

impl FromStr for Wanted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, whose) = text.split_once(':').map_or((text, None), |(word, whose)| (word, Some(whose)));
        let forms = "operator, reader, pooler:NAME, farmer:FARMER, member:MEMBER or miner:NAME";
        let wrong = |why: String| Error::new(Code::InvalidValue, why).hint(format!("write {forms}"));
        let role = Role::from_str(word).map_err(|_| wrong(format!("\"{word}\" is not a role")))?;
        match (role.has_subject(), whose.filter(|whose| !whose.is_empty())) {
            (true, None) => Err(wrong(format!("a token of the role {word} is somebody's"))),
            (false, Some(_)) => Err(wrong(format!("a token of the role {word} is nobody's"))),
            (_, whose) => Ok(Self { role, whose: whose.map(str::to_owned) }),
        }
    }
}

impl Wanted {
    /// Whose it is, as the state names them.
    fn subject(&self, conn: &Connection) -> Result<Option<String>> {
        let Some(whose) = &self.whose else { return Ok(None) };
        Ok(Some(match self.role {
            Role::Pooler => farmers::poolers::find(conn, whose)?.id,
            Role::Farmer => farmers::find(conn, whose)?.id,
            Role::Member => pool::find_member(conn, whose)?.address.to_string(),
            Role::Miner => {
                state::check_words("miner", whose)?;
                whose.clone()
            }
            Role::Operator | Role::Reader => whose.clone(),
        }))
    }
}

/// Make a token; it is shown once
///
/// Whoever has it may do what its role may, until it expires or is revoked. What it does is in the audit log under its id
/// and name.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl token create --role member:alice --expires 90d\n         poolctl token create --role operator --name ops --json | jq -r .data.token"
)]
pub struct Create {
    /// What it may do: operator, reader, pooler:NAME, farmer:FARMER, member:MEMBER or miner:NAME
    #[arg(long, value_name = "ROLE")]
    role: Wanted,
    /// A name of your own, for lists and the audit log
    #[arg(long)]
    name: Option<String>,
    /// How long it is good; without it, until it is revoked
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires: Option<Duration>,
    #[command(flatten)]
    dry: DryRun,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreateOutput {
    /// The token itself, this once; null in a dry run.
    token: Option<String>,
    /// What is known of it from now on.
    #[serde(flatten)]
    view: TokenView,
}

impl Create {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let subject = self.role.subject(app.read()?.conn())?;
        let lifetime = self.expires.map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        let wanted = NewToken { name: self.name, role: self.role.role, subject, lifetime };
        let (token, text) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| tokens::create(tx, &wanted))
        })?;
        let token = TokenView::of(token, session.call.run.clock.now());
        Ok(Outcome::of(CreateOutput { token: (!self.dry.dry_run).then_some(text), view: token }))
    }
}

impl Present for CreateOutput {
    fn present(&self, page: &mut Page) {
        match &self.token {
            Some(token) => page.line(token),
            None => page.line(format!("would make a token of the role {}", self.view.whose())),
        };
    }
}

/// List tokens, those that are worth nothing any more too
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl token list")]
pub struct List {
    #[command(flatten)]
    paging: Paging,
}

/// A page of tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The oldest first.
    tokens: Vec<TokenView>,
    /// Where the page ends.
    #[serde(flatten)]
    end: app::paging::PageEnd,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let now = session.call.run.clock.now();
        let tokens = tokens::list(app.read()?.conn())?;
        let (tokens, end) = self.paging.window().of_whole(tokens, |token| token.id.clone())?;
        let tokens = tokens.into_iter().map(|token| TokenView::of(token, now)).collect();
        let output = ListOutput { tokens, end };
        Outcome::list(output, |output| (&output.tokens, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.tokens.iter().map(|token| {
            let end = match (&token.revoked_at, &token.expires_at) {
                (Some(at), _) => format!("revoked {at}"),
                (None, Some(at)) if token.in_force => format!("until {at}"),
                (None, Some(at)) => format!("expired {at}"),
                (None, None) => "until revoked".to_owned(),
            };
            let used = token.used_at.clone().unwrap_or_else(|| "never".to_owned());
            cells![token.id, token.name, token.whose(), end, used]
        });
        if !table(page, ["ID", "NAME", "ROLE", "GOOD", "USED"], rows) {
            page.line("no tokens; make one with: poolctl token create --role reader");
        }
    }
}

/// Revoke a token: from now on it is worth nothing, everywhere
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl token revoke dashboard")]
pub struct Revoke {
    /// Its id or name
    token: String,
    #[command(flatten)]
    dry: DryRun,
}

/// What was revoked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokeOutput {
    /// False where it was revoked before.
    changed: bool,
    /// The token now.
    #[serde(flatten)]
    view: TokenView,
}

impl Revoke {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let found = tokens::find(app.read()?.conn(), &self.token)?;
        let (token, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| {
                let changed = tokens::revoke(tx, &found.id)?;
                Ok((tokens::find(tx.conn(), &found.id)?, changed))
            })
        })?;
        Ok(Outcome::of(RevokeOutput { changed, view: TokenView::of(token, session.call.run.clock.now()) }))
    }
}

impl Present for RevokeOutput {
    fn present(&self, page: &mut Page) {
        let how = if self.changed { "is revoked" } else { "was revoked before" };
        let name = self.view.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        page.line(format!("token {}{name} {how}", self.view.id));
    }
}
