//! What the resources of a contract call may cost: the operator's cap, and what the same call has cost before.

use super::{Intent, SubmitOptions};
use crate::transaction::Action;
use crate::xdr::{Transaction, TransactionExt};
use base::amount::{Base, to_units};
use base::{Code, Error, Result};
use outbox::Past;

/// So many times the highest fee of late is no price any more.
const SURGE: i64 = 10;
/// A fee below this part of the cap is never held against earlier ones.
const DUST: i64 = 10;

/// Why a fee is not offered. Amounts in stroops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    /// It is above the cap.
    Cap,
    /// It is far above what the same call cost before.
    Usual(i64),
}

/// The rule.
fn excess(fee: i64, cap: i64, usual: Option<i64>) -> Option<Excess> {
    if fee > cap {
        return Some(Excess::Cap);
    }
    let usual = usual.filter(|usual| fee > cap / DUST && fee > usual.saturating_mul(SURGE))?;
    Some(Excess::Usual(usual))
}

/// Refuses a transaction whose resources cost more than they may. One that costs far more than usual is returned in words: once
/// in a while the caller pays the rent of the contract itself, so another endpoint is asked, and where that asks for as much
/// it is offered.
pub(super) fn check(
    intent: &Intent,
    transaction: &Transaction,
    options: &SubmitOptions,
    usual: &Past,
) -> Result<Option<Error>> {
    let TransactionExt::V1(data) = &transaction.ext else { return Ok(None) };
    // Only a call is the same call again; the lives of few entries cost less than those of many.
    let usual = usual.get(intent.kind).filter(|_| matches!(intent.action, Action::Invoke { .. }));
    let usual = usual.map(|fee| i64::try_from(*fee).unwrap_or(i64::MAX));
    let cap = options.max_resource_fee;
    let Some(excess) = excess(data.resource_fee, cap, usual) else { return Ok(None) };
    let fee = lumens(data.resource_fee);
    let why = match excess {
        Excess::Cap => format!("more than kale.max_resource_fee allows ({} XLM)", lumens(cap)),
        Excess::Usual(usual) => format!("and the last ones cost at most {} XLM", lumens(usual)),
    };
    let key = &intent.key;
    let error = Error::new(Code::FeeCapped, format!("operation \"{key}\": its resources would cost {fee} XLM, {why}"))
        .hint("if the network asks for as much, raise kale.max_resource_fee; if not, use another endpoint in stellar.rpc_urls")
        .detail("resource_fee", data.resource_fee.to_string());
    if excess == Excess::Cap { Err(error) } else { Ok(Some(error)) }
}

fn lumens(stroops: i64) -> String {
    to_units(Base::from(u64::try_from(stroops).unwrap_or_default()), 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_have_a_cap_and_a_past() {
        const CAP: i64 = 10_000_000;
        for (fee, usual, want) in [
            (0, None, None),
            (CAP, None, None),
            (CAP + 1, None, Some(Excess::Cap)),
            (i64::MAX, Some(1), Some(Excess::Cap)),
            (200_000, Some(20_000), None),
            // Ten times of little is little.
            (1_000_000, Some(20_000), None),
            (1_000_001, Some(20_000), Some(Excess::Usual(20_000))),
            (1_000_001, Some(100_000), Some(Excess::Usual(100_000))),
            (1_000_001, Some(100_001), None),
            (CAP, Some(i64::MAX), None),
        ] {
            assert_eq!(excess(fee, CAP, usual), want, "{fee} after {usual:?}");
        }
    }
}
