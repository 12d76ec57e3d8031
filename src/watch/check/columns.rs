//! Every column reads as the commands read it: what none of them could read is found before one of them needs it.

use alloy::primitives::{Address, B256};
use base::amount::{Base, Delta};
use base::{Code, Error, Result};
use kale::plan::Plan;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use state::columns::{only, stored};
use state::{can_go_on, operations};
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

/// The columns that are parsed. An INTEGER that is not named here is not below zero, and a time where it is called so; any
/// other text is taken as it is.
const FORMS: &[(&str, &[(&str, Form)])] = &[
    ("ledger_accounts", &[("balance", Form::Balance)]),
    ("ledger_entries", &[("amount", Form::Balance)]),
    ("operation_attempts", &[("attempt", U32), ("max_fee", Form::Amount)]),
    ("assets", &[("address", Form::Address)]),
    (
        "pools",
        &[
            ("address", Form::Address),
            ("asset", Form::Address),
            ("reward_carry", Form::Amount),
            ("cursor_hash", Form::Hash),
        ],
    ),
    (
        "pool_snapshots",
        &[
            ("block_hash", Form::Hash),
            ("total_assets", Form::Amount),
            ("total_shares", Form::Amount),
            ("rate_e18", Form::Amount),
            ("min_deposit", Form::Amount),
            ("max_deposit", Form::Amount),
        ],
    ),
    (
        "pool_contracts",
        &[
            ("code_hash", Form::Hash),
            ("implementation", Form::Address),
            ("found_code_hash", Form::Hash),
            ("found_implementation", Form::Address),
        ],
    ),
    ("members", &[("address", Form::Address)]),
    ("user_pool_shares", &[("shares", Form::Amount)]),
    ("share_transfers", &[("shares", Form::Amount)]),
    ("pool_replays", &[("through_hash", Form::Hash)]),
    ("staged_transfers", &[("shares", Form::Amount)]),
    ("pool_withdrawals", &[("shares", Form::Amount), ("assets", Form::Amount), ("tx_hash", Form::Hash)]),
    ("reward_schedule", &[("block_reward", Form::Amount), ("asset", Form::Address)]),
    (
        "reward_emissions",
        &[("emission", Form::Amount), ("carry_in", Form::Amount), ("carry_out", Form::Amount)],
    ),
    (
        "pool_reward_epochs",
        &[
            ("last_hash", Form::Hash),
            ("asset", Form::Address),
            ("weight_ppm", U32),
            ("part", Form::Amount),
            ("carry_in", Form::Amount),
            ("distributed", Form::Amount),
            ("carry_out", Form::Amount),
        ],
    ),
    ("pool_rewards", &[("amount", Form::Amount)]),
    ("reward_exports", &[("root", Form::Hash), ("total", Form::Amount)]),
    (
        "oracle_feeds",
        &[
            ("address", Form::Address),
            ("fixed_price_e18", Form::Amount),
            ("min_e18", Form::Amount),
            ("max_e18", Form::Amount),
            ("max_deviation_ppm", U32),
        ],
    ),
    ("oracle_price_cache", &[("price_e18", Form::Amount), ("block_hash", Form::Hash)]),
    (
        "pool_risk_parameters",
        &[
            ("engine_address", Form::Address),
            ("max_tvl", Form::Amount),
            ("max_user_deposit", Form::Amount),
            ("daily_withdrawal_cap", Form::Amount),
            ("user_daily_cap", Form::Amount),
            ("block_hash", Form::Hash),
        ],
    ),
    ("poolers", &[("capacity", U32)]),
    ("farmers", &[("address", Form::Account)]),
    (
        "farmer_strategies",
        &[
            ("target_zeros", Form::Number(16)),
            ("min_work_sec", Form::Number(299)),
            ("min_stake", Form::Amount),
            ("max_stake", Form::Amount),
        ],
    ),
    ("farm_baselines", &[("ledger", U32), ("block_index", U32), ("held", Form::Amount), ("looks", U32)]),
    ("plantings", &[("block_index", U32), ("stake", Form::Amount), ("ledger", U32)]),
    ("works", &[("block_index", U32), ("nonce", Form::Nonce), ("gap", U32), ("ledger", U32)]),
    (
        "harvests",
        &[
            ("block_index", U32),
            ("stake", Form::Amount),
            ("reward", Form::Amount),
            ("forecast", Form::Amount),
            ("ledger", U32),
        ],
    ),
    ("block_operations", &[("block_index", U32), ("staked", Form::Amount), ("rewarded", Form::Amount)]),
    ("pooler_compensations", &[("block_index", U32), ("amount", Form::Amount)]),
    (
        "nonces",
        &[
            ("block_index", U32),
            ("next_nonce", Form::Nonce),
            ("best_nonce", Form::Nonce),
            ("best_zeros", U32),
        ],
    ),
    (
        "open_pails",
        &[
            ("block_index", U32),
            ("stake", Form::Amount),
            ("planted_ledger", U32),
            ("gap", U32),
            ("forecast", Form::Amount),
            ("live_until", U32),
        ],
    ),
    ("foreign_mints", &[("block_index", U32)]),
];

/// What stands in a column that no command can read.
pub(super) fn columns(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut tables =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let tables: Vec<String> = tables.query_map([], only)?.collect::<Result<_, _>>()?;
    for table in tables {
        let forms = FORMS.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, forms)| forms);
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
        let form = |name: &str| {
            let named = forms.iter().find(|(column, _)| *column == name).map(|(_, form)| *form);
            named.or_else(|| is_time(&table, name).then_some(TIME))
        };
        let columns: Vec<(String, Option<Form>)> =
            statement.column_names().map(|name| (name.to_owned(), form(name))).collect();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
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

/// Whether a column holds the second at which something was done. That of an event stands as text.
fn is_time(table: &str, column: &str) -> bool {
    table != "events" && (column == "at" || column.ends_with("_at") || column.ends_with("_seen"))
}

/// Readers of what has a form only as a whole.
const WHOLE: &[fn(&Connection) -> Result<()>] = &[
    |conn| vault::feed::all(conn).map(drop),
    |conn| pool::list(conn)?.iter().try_for_each(|of| pool::snapshot(conn, of).map(drop)),
    |conn| reward::schedule(conn).map(drop),
    reward::marks,
    can_go_on,
    // What may still be sent or recorded.
    |conn| operations::open(conn)?.iter().try_for_each(|operation| Plan::of(operation).map(drop)),
    |conn| {
        let sql = "SELECT operation_id, attempt, envelope FROM operation_attempts WHERE outcome IS NULL";
        super::each(conn, sql, |row| {
            let read = stellar::stored_envelope(&row.get::<_, String>("envelope")?).map(drop);
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
            Err(_) => Some("the text is no UTF-8".to_owned()),
        },
        (None, _) => None,
        (Some(_), other) => Some(format!("{} stands there", other.data_type())),
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
    Error::new(Code::StateCorrupt, format!("\"{text}\" stands where a number belongs"))
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
        operations.key operations.kind operations.subject operations.state operations.plan operations.error
        operation_attempts.hash operation_attempts.envelope operation_attempts.endpoint operation_attempts.outcome operation_attempts.error
        runs.command assets.symbol pools.name pools.abi pools.share_symbol pool_snapshots.endpoint members.name
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
        poolers.id poolers.name farmers.id farmers.pooler_id farmers.status farmers.payout_address
        plantings.farmer_id plantings.outcome plantings.reason
        works.farmer_id works.outcome works.hash works.reason
        harvests.farmer_id harvests.outcome harvests.reason
        block_operations.pooler_id pooler_compensations.pooler_id pooler_compensations.farmer_id
        pooler_compensations.fault pooler_compensations.reason nonces.farmer_id nonces.entropy nonces.best_hash
        open_pails.farmer_id open_pails.held farm_alerts.subject farm_alerts.kind farm_alerts.message
        foreign_mints.event_id foreign_mints.farmer_id farm_baselines.farmer_id farmer_strategies.farmer_id evm_tags.tag evm_endpoints.name";

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
            let is_parsed = FORMS
                .iter()
                .any(|(name, forms)| name == table && forms.iter().any(|(name, _)| name == column));
            let is_free = FREE.split_whitespace().any(|name| name == format!("{table}.{column}"));
            assert!(is_parsed != is_free, "{table}.{column}: say how it is read, in FORMS or in FREE");
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
