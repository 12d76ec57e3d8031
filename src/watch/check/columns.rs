//! Every column reads as the commands read it: what none of them could read is found before one of them needs it.

use crate::notify;
use alloy::primitives::{Address, B256};
use base::amount::{Base, Delta};
use base::{Code, Error, Result};
use evm::Evm;
use kale::plan::Plan;
use outbox::Chain;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use state::can_go_on;
use state::columns::{only, stored};
use state::rows::{self, Row};
use stellar::submit::Stellar;
use vault::{pool, reward};

/// What stands in a column, as far as more is asked of it than its type and its CHECK say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Base units, at most 2^256-1.
    Amount,
    /// The same with a sign.
    Balance,
    /// An address of an EVM.
    Address,
    /// A hash of an EVM.
    Hash,
    /// An account of Stellar.
    Account,
    /// 64 bits, as text.
    Nonce,
    /// Not below zero, and at most this.
    Number(i64),
}

/// Seconds since 1970, before the year 10000: what can be shown as a time.
const TIME: Form = Form::Number(253_402_300_799);

const U32: Form = Form::Number(u32::MAX as i64);

/// The columns that are parsed, by table and name. An INTEGER that is not named here is not below zero, and a time where it is
/// called so; any other text is taken as it is.
const FORMS: &[(Form, &str)] = &[
    (
        Form::Amount,
        "operation_attempts.max_fee pools.reward_carry pool_snapshots.total_assets \
         pool_snapshots.total_shares pool_snapshots.rate_e18 pool_snapshots.min_deposit \
         pool_snapshots.max_deposit user_pool_shares.shares share_transfers.shares staged_transfers.shares \
         pool_withdrawals.shares pool_withdrawals.assets reward_schedule.block_reward \
         reward_emissions.emission reward_emissions.carry_in reward_emissions.carry_out \
         pool_reward_epochs.part pool_reward_epochs.carry_in pool_reward_epochs.distributed \
         pool_reward_epochs.carry_out pool_rewards.amount reward_exports.total oracle_feeds.fixed_price_e18 \
         oracle_feeds.min_e18 oracle_feeds.max_e18 oracle_price_cache.price_e18 pool_risk_parameters.max_tvl \
         pool_risk_parameters.max_user_deposit pool_risk_parameters.daily_withdrawal_cap \
         pool_risk_parameters.user_daily_cap farmer_strategies.min_stake farmer_strategies.max_stake \
         farm_baselines.held plantings.stake harvests.stake harvests.reward harvests.forecast \
         block_operations.staked block_operations.rewarded pooler_compensations.amount open_pails.stake \
         open_pails.forecast",
    ),
    (Form::Balance, "ledger_accounts.balance ledger_entries.amount"),
    (
        Form::Address,
        "assets.address pools.address pools.asset pool_contracts.implementation \
         pool_contracts.found_implementation members.address reward_schedule.asset pool_reward_epochs.asset \
         oracle_feeds.address pool_risk_parameters.engine_address",
    ),
    (
        Form::Hash,
        "pools.cursor_hash pool_snapshots.block_hash pool_contracts.code_hash pool_contracts.found_code_hash \
         pool_replays.through_hash pool_withdrawals.tx_hash pool_reward_epochs.last_hash reward_exports.root \
         oracle_price_cache.block_hash pool_risk_parameters.block_hash",
    ),
    (Form::Account, "farmers.address"),
    (Form::Nonce, "works.nonce nonces.next_nonce nonces.best_nonce"),
    (
        U32,
        "operation_attempts.attempt pool_reward_epochs.weight_ppm oracle_feeds.max_deviation_ppm \
         poolers.capacity farm_baselines.ledger farm_baselines.block_index farm_baselines.looks \
         plantings.block_index plantings.ledger works.block_index works.gap works.ledger \
         harvests.block_index harvests.ledger block_operations.block_index pooler_compensations.block_index \
         nonces.block_index nonces.best_zeros open_pails.block_index open_pails.planted_ledger \
         open_pails.gap open_pails.live_until foreign_mints.block_index",
    ),
    (Form::Number(16), "farmer_strategies.target_zeros"),
    (Form::Number(299), "farmer_strategies.min_work_sec"),
];

/// How a column is read, where more is asked of it.
fn form(table: &str, column: &str) -> Option<Form> {
    let is_it = |name: &str| name.split_once('.') == Some((table, column));
    let named = FORMS.iter().find(|(_, names)| names.split(' ').any(is_it)).map(|(form, _)| *form);
    // That of an event stands as text.
    let is_time =
        table != "events" && (column == "at" || column.ends_with("_at") || column.ends_with("_seen"));
    named.or(is_time.then_some(TIME))
}

/// What stands in a column that no command can read.
pub(super) fn columns(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut tables =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let tables: Vec<String> = tables.query_map([], only)?.collect::<Result<_, _>>()?;
    for table in tables {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
        let columns: Vec<(String, Option<Form>)> =
            statement.column_names().map(|name| (name.to_owned(), form(&table, name))).collect();
        let mut rows = rows::of(&mut statement, [])?;
        while let Some(row) = &rows.next()? {
            for (i, (column, form)) in columns.iter().enumerate() {
                if let Some(odd) = oddity(row, i, *form) {
                    found.push(format!("{table} ({}), {column}: {odd}", shown(row, columns.len())));
                }
            }
        }
    }
    // What only holds together is read as the commands read it, where nothing is wrong with its parts.
    if found.is_empty() {
        found.extend(WHOLE.iter().filter_map(|read| read(conn).err()).map(|e| e.to_string()));
    }
    Ok(found)
}

/// Readers of what has a form only as a whole.
const WHOLE: &[fn(&Connection) -> Result<()>] = &[
    |conn| vault::feed::every(conn).map(drop),
    |conn| pool::list(conn)?.iter().try_for_each(|of| pool::snapshot(conn, of).map(drop)),
    |conn| reward::schedule(conn).map(drop),
    |conn| notify::list(conn, None, u32::MAX).map(drop),
    can_go_on,
    // What may still be sent or recorded.
    |conn| {
        outbox::open(conn)?.iter().try_for_each(|operation| match operation.network.as_str() {
            Stellar::NAME => Plan::of(operation).map(drop),
            Evm::NAME => Ok(()),
            other => Err(Error::corrupt(format!("operation {}: unknown network \"{other}\"", operation.key))),
        })
    },
    |conn| {
        let sql = "SELECT t.operation_id, t.attempt, t.envelope, o.network FROM operation_attempts t
                   JOIN operations o ON o.id = t.operation_id WHERE t.outcome IS NULL";
        super::each(conn, sql, |row| {
            let envelope: String = row.get("envelope")?;
            let read = match row.get::<_, String>("network")?.as_str() {
                Stellar::NAME => Stellar::stored(&envelope).map(drop),
                Evm::NAME => Evm::stored(&envelope).map(drop),
                other => Err(Error::corrupt(format!("invalid network: \"{other}\""))),
            };
            read.map_err(|e| e.context(format!("operation_attempts ({})", shown(row, 2))))
        })
    },
];

/// The first columns of a row, which tell it from others.
fn shown(row: &Row<'_>, columns: usize) -> String {
    let value = |i: usize| match row.get_ref(i) {
        Ok(ValueRef::Integer(n)) => n.to_string(),
        Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => "…".to_owned(),
    };
    (0..columns.min(3)).map(value).collect::<Vec<_>>().join(", ")
}

/// Why a value is not what its column says; `None` where it is, or where there is none.
fn oddity(row: &Row<'_>, column: usize, form: Option<Form>) -> Option<String> {
    let value = match row.get_ref(column) {
        Err(e) => return Some(e.to_string()),
        Ok(ValueRef::Null) => return None,
        Ok(value) => value,
    };
    match (form, value) {
        (None, ValueRef::Integer(n)) => (n < 0).then(|| format!("{n} is below zero")),
        (Some(Form::Number(most)), ValueRef::Integer(n)) => {
            (!(0..=most).contains(&n)).then(|| format!("{n} is out of range"))
        }
        (form, ValueRef::Text(text)) => match std::str::from_utf8(text) {
            Ok(text) => parse(form?, text).err().map(|e| e.to_string()),
            Err(_) => Some("the text is not UTF-8".to_owned()),
        },
        (None, _) => None,
        (Some(_), other) => Some(format!("found {}", other.data_type())),
    }
}

fn parse(form: Form, text: &str) -> Result<()> {
    match form {
        Form::Amount => stored::<Base>(text).map(drop),
        Form::Balance => stored::<Delta>(text).map(drop),
        Form::Address => stored::<Address>(text).map(drop),
        Form::Hash => stored::<B256>(text).map(drop),
        Form::Account => stellar::account("the address", text).map(drop),
        Form::Nonce => text.parse::<u64>().map(drop).map_err(|_| odd(text)),
        Form::Number(_) => Err(odd(text)),
    }
}

fn odd(text: &str) -> Error {
    Error::new(Code::StateCorrupt, format!("\"{text}\" is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use state::SCHEMA;

    /// Text that the commands take as it is, or whose words the schema itself names.
    const FREE: &str = "
        meta.key meta.value system_config.key system_config.value
        events.at events.run_id events.actor events.kind events.subject events.payload events.prev_hash events.hash
        pruned_events.prev_hash pruned_events.hash
        ledger_accounts.owner_kind ledger_accounts.owner ledger_accounts.purpose ledger_accounts.asset
        operations.network operations.key operations.kind operations.subject operations.state operations.plan operations.error
        operation_attempts.hash operation_attempts.envelope operation_attempts.endpoint operation_attempts.outcome operation_attempts.error
        runs.command notified.area notified.subject notified.kind notified.topic notified.severity
        notifications.key notifications.channel notifications.content notifications.error assets.symbol pools.name pools.abi pools.share_symbol pool_snapshots.endpoint members.name
        share_transfers.tx_hash staged_transfers.tx_hash staged_transfers.from_address staged_transfers.to_address
        pool_withdrawals.status pool_withdrawals.idempotency_key pool_withdrawals.error reward_schedule.basis
        pool_reward_epochs.origin pool_reward_epochs.basis pool_reward_epochs.carry_reason pool_reward_epochs.status
        oracle_feeds.name oracle_feeds.asset oracle_feeds.kind oracle_feeds.description
        oracle_price_cache.asset oracle_price_cache.round_id oracle_price_cache.endpoint
        oracle_alerts.kind oracle_alerts.message
        pool_risk_parameters.engine pool_risk_parameters.window pool_risk_parameters.engine_breaker_reason
        pool_risk_parameters.local_pause_reason pool_risk_parameters.endpoint
        circuit_breaker_status.rule circuit_breaker_status.reason circuit_breaker_status.reset_reason
        risk_violations.rule risk_violations.message
        poolers.id poolers.name farmers.id farmers.name farmers.pooler_id farmers.status farmers.payout_address
        plantings.farmer_id plantings.outcome plantings.reason
        works.farmer_id works.outcome works.hash works.reason
        harvests.farmer_id harvests.outcome harvests.reason
        block_operations.pooler_id pooler_compensations.pooler_id pooler_compensations.farmer_id
        pooler_compensations.fault pooler_compensations.reason nonces.farmer_id nonces.entropy nonces.best_hash
        open_pails.farmer_id open_pails.held farm_alerts.subject farm_alerts.kind farm_alerts.message
        foreign_mints.event_id foreign_mints.farmer_id farm_baselines.farmer_id farmer_strategies.farmer_id evm_tags.tag evm_endpoints.name
        tokens.id tokens.name tokens.role tokens.subject tokens.hash answers.token_id answers.key answers.request
        answers.run_id answers.body";

    #[test]
    fn every_column_is_parsed_or_known_to_be_free() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        let mut statement = conn
            .prepare(
                "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND c.type <> 'INTEGER'",
            )
            .unwrap();
        let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
        for (table, column) in &columns {
            let name = format!("{table}.{column}");
            let is_parsed = FORMS.iter().any(|(_, names)| names.split(' ').any(|one| one == name));
            let is_free = FREE.split_whitespace().any(|one| one == name);
            assert!(is_parsed != is_free, "{name}: say how it is read, in FORMS or in FREE");
        }
    }

    #[test]
    fn what_no_command_can_read_is_not_taken() {
        for (form, good, bad) in [
            (Form::Amount, "10", "1e1"),
            (Form::Amount, "0", &"9".repeat(78)),
            (Form::Balance, "-7", "--7"),
            (Form::Address, "0xcA11bde05977b3631167028862bE2a173976CA11", "0xcA11"),
            (Form::Hash, &format!("0x{}", "ab".repeat(32)), "0xab"),
            (Form::Account, "GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7", "GAAZ"),
            (Form::Nonce, "18446744073709551615", "18446744073709551616"),
        ] {
            assert!(parse(form, good).is_ok(), "{good}");
            assert!(parse(form, bad).is_err(), "{bad}");
        }
    }
}
