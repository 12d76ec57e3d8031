//! The choice of the block, reads by its hash alone, and reorgs.

use super::NODE;
use crate::{Done, TAGS, chain, config, run, supply, words};
use alloy::primitives::{B256, U256};
use alloy::sol_types::SolEvent;
use base::{Code, Error};
use evm::{At, Chain, ChainConfig, ChosenBy, Learned, Mined, common_ancestor, replay};
use poolctl_testkit::abi::{Asset, Vault};
use poolctl_testkit::{Fault, Matcher, Node, NodeOptions, Proxy, Rule, World};
use serde_json::{Value, json};

#[test]
fn after_the_choice_everything_goes_by_hash() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    for at in [At::Finalized, At::Safe, At::Latest, At::Number(5)] {
        proxy.clear();
        let chain = chain(&[&proxy.url()])?;
        let (block, last) = run(chain.view(at, async |view| {
            let block = view.block();
            supply(view, world.six.vault).await.ok();
            let mut batch = view.batch();
            batch.add(world.six.vault, &Vault::totalSupplyCall {});
            batch.add(world.six.vault, &Vault::totalAssetsCall {});
            batch.send().await?;
            view.code(world.six.vault).await?;
            view.balance(world.alice).await?;
            view.blocks_by_number(&[0, block.number]).await?;
            view.code_at(world.six.vault, 1).await?;
            view.is_canonical(1, B256::ZERO).await?;
            view.receipt(B256::ZERO).await?;
            let vault = [world.six.vault];
            replay(view, &vault, Vault::Transfer::SIGNATURE_HASH, 0, block.number, |_| Ok(())).await?;
            common_ancestor(view, &[(3, B256::ZERO), (2, B256::ZERO)]).await?;
            Ok((block, view.final_block()))
        }))?;
        assert_eq!(block.hash, world.node.block_hash(block.number)?);
        let want = match at {
            At::Number(n) => n,
            tag => world.node.block_of_tag(&tag.to_string())?,
        };
        assert_eq!(block.number, want, "{at}");
        assert_eq!(last.number, want.min(world.node.block_of_tag("finalized")?), "{at}");
        assert_eq!(last.hash, world.node.block_hash(last.number)?);
        let requests = proxy.requests();
        assert!(words(&requests[..1]).contains("\"finalized\""), "{}", words(&requests[..1]));
        let after = words(&requests[1..]);
        assert!(TAGS.iter().all(|tag| !after.contains(tag)), "{after}");
        for call in proxy.calls() {
            let method = call["method"].as_str().unwrap_or_default();
            if method == "eth_call" || method == "eth_getBalance" {
                let pin = json!({ "blockHash": block.hash, "requireCanonical": true });
                assert_eq!(call["params"][1], pin, "{call}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_chain_without_tags_counts_confirmations() -> Done {
    let world = World::small(NODE)?;
    let head = world.node.block_number()?;
    let tagged: fn(&Value) -> bool = |call| call["params"][0] == "safe" || call["params"][0] == "finalized";
    for fault in [
        Fault::ResultNull,
        Fault::RpcError { code: -32000, message: "safe block not found".into(), data: Value::Null },
    ] {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(Rule::new(fault).on(Matcher::Where(tagged)));
        for (at, number) in [(At::Safe, head - 3), (At::Finalized, head - 3), (At::Latest, head)] {
            let chain = chain(&[&proxy.url()])?;
            run(chain.view(at, async |view| {
                assert_eq!(view.block().number, number);
                assert_eq!(view.final_block().number, head - 3);
                assert_eq!(view.final_by(), ChosenBy::Confirmations(3));
                assert_eq!(view.chosen_by() == ChosenBy::Chain, at == At::Latest);
                Ok(())
            }))?;
        }
    }
    Ok(())
}

#[test]
fn a_rate_limit_on_a_tag_is_not_taken_for_a_chain_without_it() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    let limit = Fault::RpcError { code: -32005, message: "limit exceeded".into(), data: Value::Null };
    proxy.fault(Rule::new(limit).on(Matcher::Where(|call| call["params"][0] == "finalized")).times(1));
    let by = run(chain(&[&proxy.url()])?.view(At::Finalized, async |view| Ok(view.chosen_by())))?;
    assert_eq!(by, ChosenBy::Chain);
    Ok(())
}

/// What is said of a tag, and whether a chain may lack it by that.
const TAG_FAULTS: &[(Option<(i64, &str)>, bool)] = &[
    (None, true),
    (Some((-32000, "safe block not found")), true),
    (Some((-32000, "finalized block not found")), true),
    (Some((-32602, "invalid argument 0: hex string without 0x prefix")), true),
    (Some((-39001, "Unknown block")), true),
    (Some((-32000, "something went wrong")), false),
    (Some((-32601, "no")), false),
    (Some((-32603, "Internal error")), false),
    (Some((-32000, "backend not healthy")), false),
];

#[test]
fn a_chain_that_has_shown_a_tag_has_it() -> Done {
    let world = World::small(NODE)?;
    let tagged: fn(&Value) -> bool = |call| call["params"][0] == "safe" || call["params"][0] == "finalized";
    let whole = chain(&[world.node.url()])?;
    let block = run(whole.view(At::Finalized, async |view| Ok(view.block())))?;
    run(whole.view(At::Safe, async |_| Ok(())))?;
    let learned = whole.learned();
    assert_eq!(learned.tags.iter().map(String::as_str).collect::<Vec<_>>(), ["finalized", "safe"]);
    for (said, absent) in TAG_FAULTS {
        let fault = match said {
            None => Fault::ResultNull,
            Some((code, message)) => {
                Fault::RpcError { code: *code, message: (*message).into(), data: Value::Null }
            }
        };
        let (proxy, twin) = (Proxy::start(world.node.url())?, Proxy::start(world.node.url())?);
        proxy.fault(Rule::new(fault.clone()).on(Matcher::Where(tagged)));
        twin.fault(Rule::new(fault).on(Matcher::Where(tagged)));
        let view = |urls: &[&str], learned: &Learned| -> anyhow::Result<_> {
            let chain = Chain::new(ChainConfig { learned: learned.clone(), ..config(urls)? })?;
            Ok(run(chain.view(At::Finalized, async |view| Ok((view.block(), view.final_by())))))
        };
        // Known to have it: transient, and never head minus confirmations.
        let error = view(&[&proxy.url()], &learned)?.unwrap_err();
        assert_eq!((error.code(), error.exit() as i32), (Code::Unreachable, 75), "{said:?}: {error}");
        // The next endpoint is asked first, whether the chain is known or not.
        for learned in [&learned, &Learned::default()] {
            let found = view(&[&proxy.url(), world.node.url()], learned)?;
            assert_eq!(found.unwrap(), (block, ChosenBy::Chain), "{said:?}");
        }
        // A chain that nobody has seen it of: counted where it is absent, and not where it failed.
        let found = view(&[&proxy.url()], &Learned::default())?.map(|(_, by)| by);
        match found {
            Ok(by) => assert!(*absent && by == ChosenBy::Confirmations(3), "{said:?}"),
            Err(error) => assert!(!absent && error.exit() as i32 == 75, "{said:?}: {error}"),
        }
        let found = view(&[&proxy.url(), &twin.url()], &Learned::default())?;
        assert_eq!(found.is_ok(), *absent, "{said:?}: both lack it");
    }
    Ok(())
}

#[test]
fn a_block_that_does_not_exist_yet_is_named() -> Done {
    let node = Node::start(NODE, &NodeOptions::default())?;
    let error = run(chain(&[node.url()])?.view(At::Number(500), async |_| Ok(()))).unwrap_err();
    assert_eq!(error.code(), Code::InvalidValue);
    assert_eq!(error.message(), "endpoint \"alchemy\": has no block 500 yet, its latest is 0");
    // Beyond what nodes read as a height.
    for number in [i64::MAX as u64, u64::MAX] {
        let error = run(chain(&[node.url()])?.view(At::Number(number), async |_| Ok(()))).unwrap_err();
        assert_eq!((error.code(), error.exit() as i32), (Code::InvalidValue, 2), "{error}");
    }
    Ok(())
}

#[test]
fn a_reorg_under_the_view_begins_it_anew() -> Done {
    let world = World::small(NODE)?;
    let chain = chain(&[world.node.url()])?;
    let broken = |e: anyhow::Error| Error::new(Code::Bug, e.to_string());
    for read in 0..4 {
        let mut hashes = Vec::new();
        run(chain.view(At::Latest, async |view| {
            hashes.push(view.block().hash);
            if hashes.len() == 1 {
                world.node.reorg(1).map_err(broken)?;
            }
            let number = view.block().number;
            match read {
                0 => supply(view, world.six.vault).await.map(drop),
                1 => view.blocks_by_number(&[1]).await.map(drop),
                2 => view.codes(&[world.six.vault]).await.map(drop),
                _ => {
                    let vault = [world.six.vault];
                    replay(view, &vault, Vault::Transfer::SIGNATURE_HASH, 0, number, |_| Ok(())).await
                }
            }
        }))?;
        assert_eq!(hashes.len(), 2, "read {read}");
        assert_ne!(hashes[0], hashes[1]);
        assert!(chain.take_warnings().join("").contains("was reorganised away"));
    }
    let mut runs = 0;
    let error = run(chain.view(At::Latest, async |view| {
        runs += 1;
        world.node.reorg(1).map_err(broken)?;
        supply(view, world.six.vault).await
    }))
    .unwrap_err();
    assert_eq!((error.code(), error.exit() as i32, runs), (Code::Reorged, 75, 3), "{error}");
    Ok(())
}

#[test]
fn the_common_ancestor_is_the_newest_block_that_survived() -> Done {
    let world = World::small(NODE)?;
    let head = world.node.block_number()?;
    let mut checkpoints = Vec::new();
    for number in (0..=head).rev() {
        checkpoints.push((number, world.node.block_hash(number)?));
    }
    let chain = chain(&[world.node.url()])?;
    let find = || run(chain.view(At::Latest, async |view| common_ancestor(view, &checkpoints).await));
    assert_eq!(find()?, Some(0));
    world.node.reorg(4)?;
    assert_eq!(find()?, Some(4));
    world.node.rollback(7)?;
    assert_eq!(find()?, Some(7));
    let none = run(chain.view(At::Latest, async |view| {
        let gone = checkpoints[0];
        assert!(!view.is_canonical(gone.0, gone.1).await?);
        assert!(view.is_canonical(checkpoints[9].0, checkpoints[9].1).await?);
        assert_eq!(view.blocks_by_number(&[head]).await.unwrap_err().code(), Code::InvalidValue);
        common_ancestor(view, &[(1, B256::ZERO), (0, B256::ZERO)]).await
    }))?;
    assert_eq!(none, None);
    Ok(())
}

#[test]
fn code_receipts_and_old_blocks() -> Done {
    let world = World::small(NODE)?;
    let mined = world.deposit(world.six.vault, world.dave, U256::from(5))?;
    let reverted = world.node.send_with_gas(
        world.dave,
        world.six.asset,
        &Asset::transferCall { to: world.bob, amount: U256::MAX },
        200_000,
    )?;
    let chain = chain(&[world.node.url()])?;
    run(chain.view(At::Latest, async |view| {
        let pool = world.six;
        assert!(view.code_at(pool.vault, pool.deploy_block - 1).await?.is_empty());
        assert!(!view.code_at(pool.vault, pool.deploy_block).await?.is_empty());
        let codes = view.codes(&[pool.vault, world.alice]).await?;
        assert!(!codes[0].is_empty() && codes[1].is_empty());
        assert!(view.balance(world.alice).await? > U256::ZERO);
        let Mined::Included(receipt) = view.receipt(mined.tx).await? else { panic!("not included") };
        assert!(receipt.succeeded);
        assert_eq!((receipt.block_number, receipt.block_hash), (mined.block, mined.block_hash));
        assert!(receipt.logs.iter().any(|log| log.inner.address == pool.vault));
        let Mined::Included(receipt) = view.receipt(reverted.tx).await? else { panic!("not included") };
        assert!(!receipt.succeeded);
        assert_eq!(view.receipt(B256::ZERO).await?, Mined::Unknown);
        assert!(view.knows(mined.tx).await? && !view.knows(B256::ZERO).await?);
        // One that waits is known, and no block has it.
        world.node.set_automine(false).unwrap();
        let call = Asset::transferCall { to: world.bob, amount: U256::ONE };
        let waiting = world.node.submit(world.dave, world.six.asset, &call).unwrap();
        assert!(view.knows(waiting).await?);
        assert_eq!(view.receipt(waiting).await?, Mined::Unknown);
        let blocks = view.blocks_by_number(&[7, 2]).await?;
        assert_eq!((blocks[0].number, blocks[1].number), (7, 2));
        assert!(blocks[0].timestamp > blocks[1].timestamp);
        Ok(())
    }))?;
    let before = At::Number(mined.block - 1);
    let later = run(chain.view(before, async |view| view.receipt(mined.tx).await))?;
    assert_eq!(later, Mined::Later { number: mined.block });
    Ok(())
}
