//! `poolctl withdrawal …`: asked for, listed, completed by what the chain shows, or given up.

use crate::pools::{seen, table};
use crate::shell::options::{REASON, one_line};
use crate::shell::prelude::*;
use crate::shell::views::show_verdict;
use app::paging::cursor;
use app::pools::views::age;
use app::pools::withdrawal::{CompleteOutput, FailOutput, ListOutput, RequestOutput, WithdrawalView, what};
use base::clock;
use config::value::tx_hash;
use state::WriteContext;
use vault::pool;
use vault::risk::verdict::{Verdict, parse_amount};
use vault::withdrawal::{
    Completed, Evidence, Filter, Request, Requested, Status, Withdrawal, complete, count, earlier, fail,
    find, list, request, verdict,
};

commands! {
    /// Ask for withdrawals, list them, complete them by their transaction, or give them up
    #[command(before_help = "Example: poolctl withdrawal list --status pending")]
    Command {
        Request(RequestCommand) = "withdrawal request": RequestOutput = api::post("/pools/{pool}/withdrawals", api::MEMBER).made();
        List(List) = "withdrawal list": ListOutput = api::get("/withdrawals", api::MEMBER_READS);
        Complete(CompleteCommand) = "withdrawal complete": CompleteOutput = api::post("/withdrawals/{id}/complete", api::OPERATOR);
        Fail(Fail) = "withdrawal fail": FailOutput = api::post("/withdrawals/{id}/fail", api::OPERATOR);
    }
}

/// Most characters of an idempotency key.
const KEY: usize = 200;

/// Ask for a withdrawal: it is validated, and its shares are reserved
///
/// With a key of your own, asking again gives the answer of the first time. Without one, it is another withdrawal.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl withdrawal request main alice 12.5 --idempotency-key order-7")]
pub struct RequestCommand {
    /// Name or address of the pool
    pool: String,
    /// Name or address of the member
    member: String,
    /// Shares in whole units
    #[arg(allow_negative_numbers = true)]
    shares: String,
    /// A key of your own, by which this is asked for once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl RequestCommand {
    fn run(self, session: &Session) -> Result<Outcome> {
        let key = self.idempotency_key.as_deref();
        let key = key.map(|key| one_line("--idempotency-key", key, KEY)).transpose()?;
        let app = App::open(session)?;
        let (pool, member, shares, before) = {
            let state = app.read()?;
            let conn = state.conn();
            let pool = pool::find(conn, &self.pool)?;
            let member = pool::find_member(conn, &self.member)?;
            let shares = parse_amount("SHARES", &self.shares, Some(pool.share_decimals))
                .map_err(|reason| Error::new(Code::InvalidAmount, reason.message).detail("flag", "SHARES"))?;
            // What was asked for before needs no lock and no consent.
            let before = earlier(conn, &Request { pool: &pool, member: &member, shares, key })?;
            (pool, member, shares, before)
        };
        let what = what(&pool, &member, &pool.shares(shares));
        let ask = Request { pool: &pool, member: &member, shares, key };
        let done = match before {
            Some(withdrawal) => Requested::Already(withdrawal),
            None => app.write(self.dry.dry_run, |work| {
                let now = work.state.run().clock.now();
                // What is refused anyway is not asked for.
                let (verdict, _) = verdict(work.state.conn(), work.config, &pool, &member, shares, now)?;
                if !verdict.valid && earlier(work.state.conn(), &ask)?.is_none() {
                    return Ok(Requested::Refused(verdict));
                }
                let agreed = app.value_permit(work.permit, &format!("reserve a {what}"))?;
                request(work, &agreed, &ask)
            })?,
        };
        let valid = Verdict::of(Vec::new());
        let (requested, withdrawal, verdict, opened) = match done {
            Requested::New { withdrawal, opened_breaker } => (true, Some(withdrawal), valid, opened_breaker),
            Requested::Already(withdrawal) => (false, Some(withdrawal), valid, false),
            Requested::Refused(verdict) => (false, None, verdict, false),
        };
        let warning = opened
            .then(|| format!("withdrawals of 24 h opened the circuit breaker of pool \"{}\"", pool.name));
        let withdrawal = withdrawal.map(|withdrawal| WithdrawalView::of(&pool, withdrawal));
        let output = RequestOutput { requested, withdrawal, verdict, what };
        let refused = output.verdict.error(Code::NotValid, &output.what);
        let refused = refused.map(|e| {
            e.hint(format!("nothing was written; see: poolctl pool validate-withdrawal {} …", pool.name))
        });
        Ok(Outcome::of(output).warn(warning).but(refused))
    }
}

impl Present for RequestOutput {
    fn present(&self, page: &mut Page) {
        match &self.withdrawal {
            None => show_verdict(&self.verdict, &self.what, page),
            Some(withdrawal) => {
                if !self.requested {
                    page.line("already requested");
                }
                page.line(withdrawal.line());
            }
        }
    }
}

/// The chain's, or the operator's word where it is not to be asked.
fn evidence<'a>(
    app: &App<'_>,
    work: &WriteContext<'a>,
    unverified: bool,
    what: &str,
) -> Result<Evidence<'a>> {
    Ok(if unverified { Evidence::Word(app.value_permit(work.permit, what)?) } else { Evidence::Chain })
}

/// Complete a withdrawal by the transaction that moved its shares
///
/// The transaction must have succeeded in a final block, and must burn or transfer exactly the withdrawal's shares of
/// that pool from that member. While its block is not final the withdrawal is processing, exit 76: run it again.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl withdrawal complete 7 --tx 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
)]
pub struct CompleteCommand {
    /// The withdrawal, by its id
    #[arg(allow_negative_numbers = true)]
    id: i64,
    /// The transaction; not needed where the withdrawal names it already
    #[arg(long, value_name = "HASH")]
    tx: Option<String>,
    /// Do not look at the chain: it is complete on your word, and marked so
    #[arg(long)]
    unverified: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl CompleteCommand {
    fn run(self, session: &Session) -> Result<Outcome> {
        let tx = self.tx.as_deref().map(|text| tx_hash("tx", text)).transpose()?;
        let app = App::open(session)?;
        // Who does not exist is told before the lock is taken.
        find(app.read()?.conn(), self.id)?;
        let (done, pools) = app.write_async(self.dry.dry_run, async |work| {
            let what = format!("complete withdrawal {} without looking at the chain", self.id);
            let evidence = evidence(&app, work, self.unverified, &what)?;
            let done = complete(work, || app.chain(), self.id, tx, evidence).await?;
            Ok((done, pool::list(work.state.conn())?))
        })?;
        let Completed { withdrawal, changed, open, view } = done;
        let withdrawal = WithdrawalView::in_pools(&pools, withdrawal)?;
        Ok(Outcome::of(CompleteOutput { changed, withdrawal, view }).but(open))
    }
}

impl Present for CompleteOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line("nothing to change");
        }
        page.line(self.withdrawal.line());
        if let Some(tx) = &self.withdrawal.tx_hash {
            page.line(format!("transaction {tx}"));
        }
        seen(page, self.view.as_ref());
    }
}

/// Give a withdrawal up: its shares are free again
///
/// One whose transaction is known must have failed for good: it is looked up on the chain first.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl withdrawal fail 7 --reason withdrawn")]
pub struct Fail {
    /// The withdrawal, by its id
    #[arg(allow_negative_numbers = true)]
    id: i64,
    /// Reason, for the list and the audit log
    #[arg(long)]
    reason: String,
    /// Do not look at the chain: on your word, its transaction never moves the shares
    #[arg(long)]
    unverified: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl Fail {
    fn run(self, session: &Session) -> Result<Outcome> {
        let reason = one_line("--reason", &self.reason, REASON)?;
        let app = App::open(session)?;
        // Who does not exist is told before the lock is taken.
        find(app.read()?.conn(), self.id)?;
        let (failed, pools) = app.write_async(self.dry.dry_run, async |work| {
            let what = format!("free the shares of withdrawal {} without looking at the chain", self.id);
            let evidence = evidence(&app, work, self.unverified, &what)?;
            let failed = fail(work, || app.chain(), self.id, reason, evidence).await?;
            Ok((failed, pool::list(work.state.conn())?))
        })?;
        let withdrawal = WithdrawalView::in_pools(&pools, failed.withdrawal)?;
        Ok(Outcome::of(FailOutput { changed: failed.changed, withdrawal }))
    }
}

impl Present for FailOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line("nothing to change");
        }
        page.line(self.withdrawal.line());
        page.line(format!("reason: {}", self.withdrawal.error.as_deref().unwrap_or("–")));
    }
}

/// List withdrawals, the newest first
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl withdrawal list --status pending --pool main")]
pub struct List {
    /// Only those: pending, processing, completed or failed
    #[arg(long)]
    status: Option<String>,
    /// Only of this member, by name or address
    #[arg(long)]
    member: Option<String>,
    /// Only from this pool, by name or address
    #[arg(long)]
    pool: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let status = self.status.as_deref().map(|word| Status::parse("--status", word)).transpose()?;
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let member = self.member.as_deref().map(|name| pool::find_member(conn, name));
        let filter = Filter {
            pool: self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?.map(|pool| pool.id),
            member: member.transpose()?.map(|member| member.id),
            status,
        };
        let window = self.paging.window();
        let found = list(conn, &filter, window.after_both()?, window.reach())?;
        let key = |one: &Withdrawal| cursor(one.requested_at, one.id);
        let (found, end) = window.page(found, count(conn, &filter)?, key);
        let pools = pool::list(conn)?;
        let now = session.call.run.clock.now();
        let ages = found.iter().map(|withdrawal| age(withdrawal.requested_at, now)).collect();
        let views = found.into_iter().map(|withdrawal| WithdrawalView::in_pools(&pools, withdrawal));
        let output = ListOutput { withdrawals: views.collect::<Result<_>>()?, end, ages };
        Outcome::list(output, |output| (&output.withdrawals, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.withdrawals.iter().zip(&self.ages).map(|(it, age)| {
            let member = it.member_name.as_ref().unwrap_or(&it.member);
            let (since, why) =
                (format!("{} ago", clock::span(*age)), it.error.as_ref().or(it.tx_hash.as_ref()));
            cells![it.id, it.pool, member, it.shares, it.assets, it.standing(), since, why]
        });
        let heads = [">ID", "POOL", "MEMBER", ">SHARES", ">ASSETS", "STATUS", "REQUESTED", "TX OR ERROR"];
        if !table(page, heads, rows) {
            page.line("no withdrawals");
        }
    }
}
