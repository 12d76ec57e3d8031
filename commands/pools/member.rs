//! `poolctl member …`: the members there are, and what each has.

use crate::pools::table;
use crate::shell::prelude::*;
use app::pools::member::{AddOutput, Balance, ListOutput, MemberView, RenameOutput, Shares, ShowOutput};
use base::amount::Quantity;
use config::value::address;
use vault::pool;

commands! {
    /// Name, list and show members: addresses that hold shares
    #[command(before_help = "Example: poolctl member list")]
    Command {
        Add(Add) = "member add": AddOutput = api::post("/members", api::OPERATOR).made();
        Rename(Rename) = "member rename": RenameOutput = api::post("/members/{member}/rename", api::OPERATOR);
        List(List) = "member list": ListOutput = api::get("/members", api::READER);
        Show(Show) = "member show": ShowOutput = api::get("/members/{member}", api::MEMBER_READS);
    }
}

/// Add a member, or name one that a sync found
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl member add 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --name alice"
)]
pub struct Add {
    /// The member's address
    address: String,
    /// A name of your own
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Add {
    fn run(self, session: &Session) -> Result<Outcome> {
        let address = address("ADDRESS", &self.address)?;
        let app = App::open(session)?;
        let (member, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| pool::add_member(tx, address, self.name.as_deref()))
        })?;
        Ok(Outcome::of(AddOutput { changed, member: member.into() }))
    }
}

impl Present for AddOutput {
    fn present(&self, page: &mut Page) {
        let name = self.member.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let what = if self.changed { "added" } else { "exists already:" };
        page.line(format!("member{name} {what} {}", self.member.address));
    }
}

/// Give a member another name, or its first one
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl member rename alice carol")]
pub struct Rename {
    /// Name or address
    member: String,
    /// Its new name
    name: String,
    #[command(flatten)]
    dry: DryRun,
}

impl Rename {
    fn run(self, session: &Session) -> Result<Outcome> {
        state::check_words("NAME", &self.name)?;
        let app = App::open(session)?;
        let found = pool::find_member(app.read()?.conn(), &self.member)?;
        let (member, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| pool::rename_member(tx, &found, &self.name))
        })?;
        Ok(Outcome::of(RenameOutput { changed, member: member.into() }))
    }
}

impl Present for RenameOutput {
    fn present(&self, page: &mut Page) {
        let (name, address) = (self.member.name.as_deref().unwrap_or_default(), &self.member.address);
        let how = if self.changed { "is called" } else { "is already called" };
        page.line(format!("member {address} {how} \"{name}\""));
    }
}

/// List members in the order in which they appeared
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl member list --limit 20")]
pub struct List {
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let (look, window) = (state.look()?, self.paging.window());
        let after = window.after()?.unwrap_or_default();
        let members = pool::list_members(look.conn(), after, window.reach())?;
        let total = pool::member_count(look.conn())?;
        let (members, end) = window.page(members, total, |member| member.id.to_string());
        let members = members.into_iter().map(MemberView::from).collect();
        let output = ListOutput { members, end };
        Outcome::list(output, |output| (&output.members, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.members.iter().map(|m| cells![m.address, m.name]);
        if !table(page, ["ADDRESS", "NAME"], rows) {
            page.line("no members; they appear with: poolctl sync");
        }
    }
}

/// Show a member: shares in every pool, and balances
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl member show alice")]
pub struct Show {
    /// Name or address
    member: String,
}

impl Show {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let opened = app.read()?;
        let look = opened.look()?;
        let conn = look.conn();
        let member = pool::find_member(conn, &self.member)?;
        let pools = pool::list(conn)?;
        let held = pool::member_pools(conn, &member, &pools)?.into_iter().filter_map(|(id, held)| {
            let pool = pools.iter().find(|pool| pool.id == id)?;
            Some(Shares { pool: pool.name.clone(), shares: pool.shares(held) })
        });
        let shares = held.collect();
        let mut balances = Vec::new();
        for (purpose, asset, balance) in state::member_balances(conn, &member.address.to_string())? {
            let token = asset.parse().ok().map(|address| pool::asset(conn, address)).transpose()?.flatten();
            let amount = token.map_or_else(
                || Quantity::new(balance.magnitude(), 0, ""),
                |token| token.quantity(balance.magnitude()),
            );
            balances.push(Balance { purpose, asset, symbol: amount.symbol.clone(), amount });
        }
        Ok(Outcome::of(ShowOutput { member: member.into(), shares, balances }))
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        let name = self.member.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        page.line(format!("{name}{}", self.member.address));
        let shares = self.shares.iter().map(|held| cells![format!("pool {}", held.pool), held.shares]);
        let balances = self.balances.iter().map(|b| cells![format!("balance, {}", b.purpose), b.amount]);
        if !table(page, ["WHERE", ">AMOUNT"], shares.chain(balances)) {
            page.line("nothing yet");
        }
    }
}
