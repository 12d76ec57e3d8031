//! `poolctl withdrawal request`: validate and reserve, at once.

use crate::output::{Outcome, Page, Present};
use crate::shell::options::{DryRun, one_line};
use crate::shell::session::Session;
use crate::shell::views::show_verdict;
use app::App;
use app::pools::withdrawal::WithdrawalView;
use app::pools::withdrawal::{RequestOutput, what};
use base::{Code, Error, Result};
use clap::Args;
use vault::pool;
use vault::risk::verdict::{Verdict, parse_amount};
use vault::withdrawal::{Request, Requested, earlier, request, verdict};

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
    /// # Errors
    /// `not_valid` with every reason; `invalid_amount`, `unknown_pool`, `unknown_member`, `conflict`,
    /// `needs_confirmation`; those of the state.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let key = self.idempotency_key.as_deref();
        let key = key.map(|key| one_line("--idempotency-key", key, KEY)).transpose()?;
        let app = App::open(session)?;
        let (pool, member, shares, before) = {
            let state = app.read()?;
            let conn = state.conn();
            let pool = pool::find(conn, &self.pool)?;
            let member = pool::find_member(conn, &self.member)?;
            let shares = parse_amount("SHARES", &self.shares, Some(pool.share_decimals))
                .map_err(|reason| invalid_amount(&reason.message))?;
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
                if !verdict.valid() && earlier(work.state.conn(), &ask)?.is_none() {
                    return Ok(Requested::Refused(verdict));
                }
                let agreed = app.value_permit(work.permit, &format!("reserve a {what}"))?;
                request(work, &agreed, &ask)
            })?,
        };
        let view = |withdrawal| Some(WithdrawalView::of(&pool, withdrawal));
        let valid = || Verdict::of(Vec::new());
        let (output, warning) = match done {
            Requested::New { withdrawal, opened_breaker } => (
                RequestOutput { requested: true, withdrawal: view(withdrawal), verdict: valid(), what },
                opened_breaker.then(|| {
                    format!("withdrawals of 24 h opened the circuit breaker of pool \"{}\"", pool.name)
                }),
            ),
            Requested::Already(withdrawal) => (
                RequestOutput { requested: false, withdrawal: view(withdrawal), verdict: valid(), what },
                None,
            ),
            Requested::Refused(verdict) => {
                (RequestOutput { requested: false, withdrawal: None, verdict, what }, None)
            }
        };
        let refused = output.verdict.error(Code::NotValid, &output.what);
        let refused = refused.map(|e| {
            e.hint(format!("nothing was written; see: poolctl pool validate-withdrawal {} …", pool.name))
        });
        Ok(Outcome::of(&output)?.warn(warning).but(refused))
    }
}

/// The amount itself is bad input.
fn invalid_amount(why: &str) -> Error {
    Error::new(Code::InvalidAmount, why).detail("flag", "SHARES")
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
