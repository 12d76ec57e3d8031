//! Log replay in adaptive ranges.

use super::NODE;
use crate::{Done, chain, config, run};
use alloy::primitives::{Address, U256};
use alloy::sol_types::SolEvent;
use base::{Code, Error};
use evm::{At, Chain, LogLimits, LogRange, replay};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::{Fault, Matcher, Proxy, Rule, World};
use serde_json::{Value, json};

fn collect(chain: &Chain, vault: Address, from: u64) -> base::Result<(Vec<LogRange>, u64)> {
    run(chain.view(At::Latest, async |view| {
        let mut ranges = Vec::new();
        let to = view.block().number;
        replay(view, &[vault], Vault::Transfer::SIGNATURE_HASH, from, to, |range| {
            ranges.push(range);
            Ok(())
        })
        .await?;
        Ok((ranges, to))
    }))
}

#[test]
fn log_ranges_are_halved_and_grow_again() -> Done {
    let world = World::small(NODE)?;
    let vault = world.eighteen.vault;
    let (whole, head) = collect(&chain(&[world.node.url()])?, vault, 0)?;
    assert_eq!(whole.len(), 1);
    let all: Vec<_> = whole.into_iter().flat_map(|range| range.logs).collect();
    assert_eq!(all.len(), 4, "two deposits, a transfer, a withdrawal");
    let supply = all.iter().try_fold(U256::ZERO, |sum, log| {
        let event = Vault::Transfer::decode_log(&log.inner)?.data;
        let sum = if event.from == Address::ZERO { sum + event.value } else { sum };
        anyhow::Ok(if event.to == Address::ZERO { sum - event.value } else { sum })
    })?;
    assert_eq!(supply, world.node.call(vault, &Vault::totalSupplyCall {})?);

    let wide: fn(&Value) -> bool = |call| {
        let block = |key: &str| {
            let text = call["params"][0][key].as_str().unwrap_or_default();
            u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
        };
        call["method"] == "eth_getLogs" && block("toBlock") - block("fromBlock") >= 5
    };
    for fault in [
        Fault::RpcError {
            code: -32005,
            message: "query returned more than 10000 results".into(),
            data: Value::Null,
        },
        Fault::RpcError { code: -32600, message: "block range is too wide".into(), data: Value::Null },
        Fault::Status(504, None),
    ] {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(Rule::new(fault).on(Matcher::Where(wide)));
        let mut config = config(&[&proxy.url()])?;
        config.logs = LogLimits { start: 32, most: 64, ..config.logs };
        let (ranges, to) = collect(&Chain::new(config)?, vault, 0)?;
        assert_eq!(to, head);
        let mut next = 0;
        for range in &ranges {
            assert_eq!(range.from, next);
            assert_eq!(range.end.hash, world.node.block_hash(range.end.number)?);
            assert!(range.end.number - range.from < 5);
            next = range.end.number + 1;
        }
        assert_eq!(next, head + 1);
        assert_eq!(ranges.into_iter().flat_map(|range| range.logs).collect::<Vec<_>>(), all);
    }
    Ok(())
}

#[test]
fn one_block_with_too_many_logs_names_block_and_endpoint() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    let fault = Fault::RpcError { code: -32005, message: "too many results".into(), data: Value::Null };
    proxy.fault(Rule::new(fault).on_method("eth_getLogs"));
    let error = collect(&chain(&[&proxy.url()])?, world.six.vault, 3).unwrap_err();
    assert_eq!(error.code(), Code::Rpc);
    assert_eq!(
        error.message(),
        "endpoint \"alchemy\": cannot answer with the logs of block 3 alone: too many results (code -32005)"
    );
    let (ranges, _) = collect(&chain(&[&proxy.url(), world.node.url()])?, world.six.vault, 3)?;
    assert_eq!(ranges.len(), 1);
    Ok(())
}

#[test]
fn logs_that_were_not_asked_for_are_a_bad_reply() -> Done {
    let world = World::small(NODE)?;
    for spoil in [
        (|_, mut r: Value| {
            r["result"][0]["removed"] = json!(true);
            r
        }) as fn(&Value, Value) -> Value,
        |_, mut r| {
            r["result"][0]["blockNumber"] = json!("0xffff");
            r
        },
        |_, mut r| {
            r["result"][0]["address"] = json!(Address::ZERO);
            r
        },
        |_, mut r| {
            r["result"][0]["transactionHash"] = Value::Null;
            r
        },
    ] {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(Rule::new(Fault::Custom(spoil)).on_method("eth_getLogs"));
        let error = collect(&chain(&[&proxy.url()])?, world.six.vault, 0).unwrap_err();
        assert_eq!(error.code(), Code::BadReply, "{error}");
        assert!(error.message().contains("bad answer to eth_getLogs"), "{error}");
    }
    Ok(())
}

#[test]
fn a_replay_goes_on_from_its_cursor_when_the_view_moves() -> Done {
    let world = World::small(NODE)?;
    let one = Proxy::start(world.node.url())?;
    one.fault(Rule::new(Fault::DieForever).on_method("eth_getLogs").after(3));
    let mut config = config(&[&one.url(), world.node.url()])?;
    config.logs = LogLimits { start: 4, most: 4, ..config.logs };
    let chain = Chain::new(config)?;
    let (mut next, mut seen) = (0, Vec::new());
    run(chain.view(At::Latest, async |view| {
        let to = view.block().number;
        let vault = [world.eighteen.vault];
        replay(view, &vault, Vault::Transfer::SIGNATURE_HASH, next, to, |range| {
            assert_eq!(range.from, next);
            next = range.end.number + 1;
            seen.extend(range.logs);
            Ok(())
        })
        .await
    }))?;
    assert_eq!((next, seen.len()), (world.node.block_number()? + 1, 4));
    let error = run(chain.view(At::Latest, async |view| {
        let vault = [world.eighteen.vault];
        let refuse = |_| Err(Error::new(Code::Interrupted, "stop"));
        replay(view, &vault, Vault::Transfer::SIGNATURE_HASH, 0, 3, refuse).await
    }))
    .unwrap_err();
    assert_eq!(error.code(), Code::Interrupted);
    Ok(())
}
