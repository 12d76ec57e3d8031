//! Many calls in few requests, and calls that fail on their own.

use super::NODE;
use crate::{Done, chain, config, run};
use alloy::primitives::{Address, Bytes, U256};
use base::{Code, Error};
use evm::{At, CallFault, Chain, PinnedView};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::{Fault, Proxy, Rule, World};
use std::time::Duration;

#[test]
fn empty_answers_and_missing_code_name_contract_function_and_block() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    let nobody = Address::repeat_byte(0x77);
    let chain = chain(&[&proxy.url()])?;
    run(chain.view(At::Safe, async |view| {
        let block = view.block().number;
        let mut batch = view.batch();
        let good = batch.add(world.six.vault, &Vault::totalAssetsCall {});
        let none = batch.add(nobody, &Vault::totalAssetsCall {});
        let wrong = batch.add(world.not_a_vault, &Vault::totalAssetsCall {});
        let reverts = batch.add(world.six.asset, &Vault::totalAssetsCall {});
        let optional = batch.add(world.six.asset, &Vault::pausedCall {});
        let late = batch.add(world.six.vault, &Vault::decimalsCall {});
        let reply = batch.send().await?;
        assert!(reply.get(good).is_ok());
        assert_eq!(reply.get(late), Ok(6));
        assert_eq!(reply.get_optional(optional), Ok(None));
        assert!(matches!(*reply.get(reverts).unwrap_err().fault, CallFault::Reverted { reason: None, .. }));
        assert!(reply.get(wrong).is_err());
        let error = reply.get(none).unwrap_err().into_error("vault");
        assert_eq!(error.code(), Code::NotAContract);
        assert_eq!(
            error.message(),
            format!(
                "vault {nobody} function totalAssets() answered nothing at block {block}: no code there, or not a vault"
            )
        );
        Ok(())
    }))?;

    proxy.fault(Rule::new(Fault::EmptyCall).on_method("eth_call"));
    let error = run(chain.view(At::Safe, async |view| {
        let mut batch = view.batch();
        let handle = batch.add(world.six.vault, &Vault::totalAssetsCall {});
        batch.add(world.six.vault, &Vault::totalSupplyCall {});
        batch.send().await?.get(handle).map_err(Error::from)
    }))
    .unwrap_err();
    assert_eq!(error.code(), Code::NotAContract);
    assert!(error.message().contains("function totalAssets() answered nothing at block"), "{error}");
    Ok(())
}

#[test]
fn many_calls_are_few_requests() -> Done {
    let many = World::many_vaults(NODE, 200)?;
    let proxy = Proxy::start(many.node.url())?;
    let read = async |view: &PinnedView| {
        let mut batch = view.batch();
        let handles: Vec<_> = many
            .vaults
            .iter()
            .map(|&vault| {
                batch.add(vault, &Vault::assetCall {});
                batch.add(vault, &Vault::totalSupplyCall {});
                batch.add(vault, &Vault::convertToAssetsCall { shares: U256::from(10).pow(U256::from(18)) });
                batch.add(vault, &Vault::totalAssetsCall {})
            })
            .collect();
        let reply = batch.send().await?;
        handles.into_iter().map(|handle| Ok(reply.get(handle)?)).collect::<base::Result<Vec<U256>>>()
    };
    let want: Vec<U256> = (1..=200).map(|i| poolctl_testkit::units(i, 18)).collect();
    // With Multicall3: one request to begin, one for its code and all calls.
    let one = chain(&[&proxy.url()])?;
    assert_eq!(run(one.view(At::Latest, read))?, want);
    assert_eq!(one.requests(), 2);
    // Chunks.
    let mut small = config(&[&proxy.url()])?;
    small.multicall_chunk = 300;
    let small = Chain::new(small)?;
    assert_eq!(run(small.view(At::Latest, read))?, want);
    assert_eq!(small.requests(), 4);
    // A limit on the size of answers halves them.
    let mut narrow = config(&[&proxy.url()])?;
    narrow.http.max_body = 60_000;
    let narrow = Chain::new(narrow)?;
    assert_eq!(run(narrow.view(At::Latest, read))?, want);
    assert!((5..30).contains(&narrow.requests()), "{}", narrow.requests());
    // A server that is too slow for all at once.
    proxy.fault(Rule::new(Fault::Delay(Duration::from_millis(1500))).on_method("eth_call").times(1));
    let mut slow = config(&[&proxy.url()])?;
    slow.http.timeout = Duration::from_secs(1);
    let slow = Chain::new(slow)?;
    assert_eq!(run(slow.view(At::Latest, read))?, want);
    assert_eq!(slow.requests(), 4);
    // Without Multicall3: JSON-RPC batches.
    proxy.heal();
    let mut without = config(&[&proxy.url()])?;
    without.multicall = Address::repeat_byte(0x99);
    let without = Chain::new(without)?;
    assert_eq!(run(without.view(At::Latest, read))?, want);
    assert_eq!(without.requests(), 4);
    // Without batches: single calls.
    proxy.fault(Rule::new(Fault::Status(413, None)).times(1));
    let mut single = config(&[&proxy.url()])?;
    single.multicall = Address::repeat_byte(0x99);
    let single = Chain::new(single)?;
    assert_eq!(run(single.view(At::Latest, read))?, want);
    assert_eq!(single.requests(), 1 + 3 + 2 + 800);
    Ok(())
}

#[test]
fn a_call_that_burns_all_gas_does_not_starve_its_neighbours() -> Done {
    let world = World::small(NODE)?;
    let burner = Address::repeat_byte(0xbb);
    world.node.set_code(burner, &Bytes::from_static(&[0xfe]))?;
    // Counts down from 50,000, about 1.3 million gas, then answers 1: what a burner leaves over is too little.
    let eater = Address::repeat_byte(0xee);
    world.node.set_code(eater, &"0x6200c3505b6001900380600457600160005260206000f3".parse()?)?;
    let vault = world.six.vault;
    let total = world.node.call(vault, &Vault::totalAssetsCall {})?;
    let chain = chain(&[world.node.url()])?;
    for order in [
        vec![vault, burner, eater],
        vec![burner, burner, eater, vault, eater],
        [vec![burner; 5], vec![vault; 50]].concat(),
    ] {
        run(chain.view(At::Latest, async |view| {
            let mut batch = view.batch();
            let handles: Vec<_> = order.iter().map(|&to| batch.add(to, &Vault::totalAssetsCall {})).collect();
            let reply = batch.send().await?;
            for (&to, handle) in order.iter().zip(handles) {
                if to == burner {
                    let error = reply.get(handle).unwrap_err();
                    assert!(matches!(*error.fault, CallFault::Reverted { .. }), "{error}");
                } else {
                    let want = if to == eater { U256::ONE } else { total };
                    assert_eq!(reply.get(handle), Ok(want), "{to} of {order:?}");
                }
            }
            Ok(())
        }))?;
    }
    Ok(())
}
