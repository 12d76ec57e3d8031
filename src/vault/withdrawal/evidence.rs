//! What shows that a withdrawal happened: a final transaction that moves exactly its shares away from the member.

use super::store::Withdrawal;
use super::subject;
use crate::pool::abi::sol::IERC20::Transfer;
use crate::pool::{Pool, newest_known};
use alloy::primitives::B256;
use alloy::sol_types::SolEvent;
use base::amount::Base;
use base::{Code, Error, Result, say};
use evm::{At, Chain, Mined, PinnedView, Receipt, ViewStamp};
use rusqlite::Connection;
use serde_json::Value;
use state::{ValuePermit, rows};

/// On what a withdrawal is ended.
#[derive(Debug, Clone, Copy)]
pub enum Evidence<'a> {
    /// What the chain shows of its transaction.
    Chain,
    /// The operator's word, which the audit log keeps as such.
    Word(ValuePermit<'a>),
}

/// What the chain shows of a transaction, held against a withdrawal.
#[derive(Debug)]
pub(super) enum Sight {
    /// In a final block, and it moved the shares.
    Moved(Receipt),
    /// It moved the shares in a block that is not final yet; says which.
    NotFinal(String),
    /// No block has it, and it waits to be taken into one.
    Waiting,
    /// The node has not heard of it.
    Unknown,
    /// It failed, or moved something else; for good where its block is final.
    Refuted { for_good: bool, why: Error },
}

/// Looks at a withdrawal's transaction at the newest block of an endpoint that is not behind the state.
pub(super) async fn look(
    chain: &Chain,
    conn: &Connection,
    pool: &Pool,
    withdrawal: &Withdrawal,
    tx: B256,
) -> Result<(Sight, ViewStamp)> {
    let counted = counted_at(conn, withdrawal)?;
    let known = newest_known(std::slice::from_ref(pool));
    let looked = chain.view_above(At::Latest, known, async |view| {
        Ok((see(view, pool, withdrawal, tx, counted).await?, ViewStamp::of(view)))
    });
    looked.await
}

async fn see(view: &PinnedView, pool: &Pool, of: &Withdrawal, tx: B256, counted: u64) -> Result<Sight> {
    let receipt = match view.receipt(tx).await? {
        Mined::Included(receipt) => receipt,
        Mined::Later { number } => {
            return Ok(Sight::NotFinal(format!("is in block {number}, which is not final yet")));
        }
        Mined::Unknown if view.knows(tx).await? => return Ok(Sight::Waiting),
        Mined::Unknown => return Ok(Sight::Unknown),
    };
    let (number, last) = (receipt.block_number, view.final_block().number);
    if !view.is_canonical(number, receipt.block_hash).await? {
        // The node's receipts lag behind its blocks: what it said of this one is of a block that is gone.
        return Ok(Sight::Waiting);
    }
    let for_good = number <= last;
    let judged = moves(&receipt, pool, of).and_then(|()| is_younger(tx, number, of, counted));
    if let Err(why) = judged {
        return Ok(Sight::Refuted { for_good, why });
    }
    if for_good {
        return Ok(Sight::Moved(receipt));
    }
    Ok(Sight::NotFinal(format!("is in block {number}, the last final one is {last}")))
}

/// Whether a receipt shows that exactly the withdrawal's shares left the member: one Transfer log of the pool's
/// share token (EIP-20; a burn is one to the zero address) of that amount, and no shares that came back.
fn moves(receipt: &Receipt, pool: &Pool, of: &Withdrawal) -> Result<()> {
    let tx = receipt.tx_hash;
    if !receipt.succeeded {
        let why = format!("transaction {tx} failed in block {}", receipt.block_number);
        let hint = say("name the transaction that took its place, or give the withdrawal up: ");
        return Err(Error::new(Code::TransactionFailed, why).hint(hint.run("withdrawal fail").of("ID")));
    }
    let member = of.member.address;
    let token = receipt.logs.iter().filter(|log| log.inner.address == pool.address);
    let transfers: Vec<Transfer> =
        token.filter_map(|log| Transfer::decode_log(&log.inner).ok().map(|log| log.data)).collect();
    let sum = |found: &mut dyn Iterator<Item = &Transfer>| {
        found.fold(Base::ZERO, |sum, transfer| sum.saturating_add(transfer.value))
    };
    let left: Vec<&Transfer> = transfers.iter().filter(|t| t.from == member && t.to != member).collect();
    let out = sum(&mut left.iter().copied());
    let back = sum(&mut transfers.iter().filter(|t| t.to == member && t.from != member));
    let exact = left.iter().any(|transfer| transfer.value == of.shares);
    let why = if transfers.is_empty() {
        format!("moves no shares of pool \"{}\" ({})", pool.name, pool.address)
    } else if left.is_empty() {
        format!("takes no shares of pool \"{}\" from {}", pool.name, of.member.shown())
    } else if !exact {
        format!("takes {} from {}", pool.shares(out), of.member.shown())
    } else if out.saturating_sub(back) < of.shares {
        format!("gives {} back to {}", pool.shares(back), of.member.shown())
    } else {
        return Ok(());
    };
    let (id, shares) = (of.id, pool.shares(of.shares));
    Err(mismatch(of, format!("transaction {tx} {why}; withdrawal {id} is of {shares}")))
}

/// A transaction that was replayed before the request moved shares that the request did not count any more.
fn is_younger(tx: B256, number: u64, of: &Withdrawal, counted: u64) -> Result<()> {
    if number > counted {
        return Ok(());
    }
    let id = of.id;
    let why = format!(
        "transaction {tx} is older than withdrawal {id}: it is in block {number}, and the shares were counted at \
         block {counted}"
    );
    Err(mismatch(of, why))
}

/// As far as the state knows the transaction, it is younger than the request.
pub(super) fn is_not_replayed_before(conn: &Connection, of: &Withdrawal, tx: B256) -> Result<()> {
    let sql = "SELECT block_number FROM share_transfers WHERE tx_hash = ?1 LIMIT 1";
    let replayed: Option<u64> = rows::value(conn, sql, [tx.as_slice()])?;
    replayed.map_or(Ok(()), |number| is_younger(tx, number, of, counted_at(conn, of)?))
}

fn mismatch(of: &Withdrawal, why: String) -> Error {
    let hint =
        say("check the hash; nothing was changed. What the chain cannot show is taken on your word with ");
    Error::new(Code::TransactionMismatch, why).hint(hint.with("unverified")).detail("withdrawal", of.id)
}

/// The block at which the member's shares were counted when the withdrawal was asked for.
fn counted_at(conn: &Connection, withdrawal: &Withdrawal) -> Result<u64> {
    let sql = "SELECT payload FROM events WHERE subject = ?1 AND kind = 'withdrawal.requested'";
    let payload: Option<String> = rows::value(conn, sql, [subject(withdrawal.id)])?;
    let payload: Option<Value> = payload.and_then(|text| serde_json::from_str(&text).ok());
    payload.and_then(|payload| payload["shares_at_block"].as_u64()).ok_or_else(|| {
        let why = format!("the audit log does not say how withdrawal {} was asked for", withdrawal.id);
        Error::corrupt(why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Asset, Member, abi::Abi};
    use crate::withdrawal::Status;
    use alloy::primitives::{Address, Log, U256};
    use evm::EventLog;

    const VAULT: Address = Address::repeat_byte(1);
    const OTHER_VAULT: Address = Address::repeat_byte(2);
    const ALICE: Address = Address::repeat_byte(3);
    const ROUTER: Address = Address::repeat_byte(4);
    const NOBODY: Address = Address::ZERO;

    fn pool() -> Pool {
        let asset = Asset { address: Address::ZERO, symbol: "USD".into(), decimals: 0 };
        Pool::new("main", VAULT, Abi::Erc4626, asset, ("sUSD", 0), 0)
    }

    /// Alice withdraws ten shares.
    fn ten() -> Withdrawal {
        Withdrawal {
            id: 7,
            pool_id: 1,
            member: Member { id: 1, address: ALICE, name: Some("alice".into()) },
            shares: U256::from(10),
            assets: U256::from(10),
            status: Status::Pending,
            key: None,
            requested_at: 0,
            processing_at: None,
            ended_at: None,
            tx: None,
            verified: None,
            error: None,
            reserves: true,
        }
    }

    /// A transfer: token, from, to, shares.
    type Move = (Address, Address, Address, u64);

    /// A receipt with these transfers.
    fn receipt(transfers: &[Move]) -> Receipt {
        let (block_hash, tx_hash) = (B256::repeat_byte(5), B256::repeat_byte(9));
        let log = |(index, &(token, from, to, shares)): (usize, &Move)| EventLog {
            inner: Log {
                address: token,
                data: Transfer { from, to, value: U256::from(shares) }.encode_log_data(),
            },
            block_number: 5,
            block_hash,
            tx_hash,
            tx_index: 0,
            log_index: index as u64,
        };
        Receipt {
            tx_hash,
            block_number: 5,
            block_hash,
            succeeded: true,
            cost: None,
            from: ALICE,
            to: Some(VAULT),
            logs: transfers.iter().enumerate().map(log).collect(),
        }
    }

    #[test]
    fn exactly_the_shares_leave_the_member_for_good() {
        let good: [&[Move]; 5] = [
            &[(VAULT, ALICE, NOBODY, 10)],
            &[(VAULT, ALICE, ROUTER, 10)],
            // A router takes them and burns them.
            &[(VAULT, ALICE, ROUTER, 10), (VAULT, ROUTER, NOBODY, 10)],
            // Several withdrawals in one transaction: this one is among them.
            &[(VAULT, ROUTER, NOBODY, 3), (VAULT, ALICE, NOBODY, 4), (VAULT, ALICE, NOBODY, 10)],
            // What other tokens do is of no interest.
            &[(OTHER_VAULT, NOBODY, ALICE, 10), (VAULT, ALICE, NOBODY, 10)],
        ];
        for transfers in good {
            assert!(moves(&receipt(transfers), &pool(), &ten()).is_ok(), "{transfers:?}");
        }
        let bad: [(&[Move], &str); 10] = [
            (&[], "moves no shares of pool \"main\""),
            (&[(OTHER_VAULT, ALICE, NOBODY, 10)], "moves no shares of pool \"main\""),
            (&[(VAULT, ROUTER, NOBODY, 10)], "takes no shares of pool \"main\" from alice"),
            (&[(VAULT, NOBODY, ALICE, 10)], "takes no shares"),
            (&[(VAULT, ALICE, ALICE, 10)], "takes no shares"),
            (&[(VAULT, ALICE, NOBODY, 9)], "takes 9 sUSD from alice; withdrawal 7 is of 10 sUSD"),
            (&[(VAULT, ALICE, NOBODY, 11)], "takes 11 sUSD from alice"),
            (&[(VAULT, ALICE, NOBODY, 5), (VAULT, ALICE, ROUTER, 5)], "takes 10 sUSD from alice"),
            (&[(VAULT, ALICE, ROUTER, 10), (VAULT, ROUTER, ALICE, 1)], "gives 1 sUSD back to alice"),
            (&[(VAULT, NOBODY, ALICE, 10), (VAULT, ALICE, NOBODY, 10)], "gives 10 sUSD back to alice"),
        ];
        for (transfers, why) in bad {
            let e = moves(&receipt(transfers), &pool(), &ten()).unwrap_err();
            assert_eq!(e.code(), Code::TransactionMismatch, "{transfers:?}");
            assert!(e.message().contains(why), "{}", e.message());
        }
        let mut failed = receipt(&[(VAULT, ALICE, NOBODY, 10)]);
        failed.succeeded = false;
        assert_eq!(moves(&failed, &pool(), &ten()).unwrap_err().code(), Code::TransactionFailed);
    }

    #[test]
    fn a_transaction_is_younger_than_the_count_of_the_shares() {
        let tx = B256::repeat_byte(9);
        assert!(is_younger(tx, 6, &ten(), 5).is_ok());
        for number in [5, 4] {
            assert_eq!(is_younger(tx, number, &ten(), 5).unwrap_err().code(), Code::TransactionMismatch);
        }
    }
}
