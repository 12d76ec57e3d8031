//! Endpoints that lie, fail or die: what is retried, what moves on, what is refused.

use super::NODE;
use crate::{Done, TAGS, chain, nowhere, run, supply, words};
use alloy::primitives::{B256, U256};
use base::{Code, Error};
use evm::At;
use poolctl_testkit::abi::{Asset, Vault};
use poolctl_testkit::{Fault, Node, NodeOptions, Proxy, Rule, World};
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::{Duration, Instant};

#[test]
fn an_endpoint_on_another_chain_is_refused_loudly() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    proxy.fault(Rule::new(Fault::ChainId(1)).on_method("eth_chainId"));
    let dead = nowhere()?;
    for urls in [vec![proxy.url()], vec![proxy.url(), world.node.url().to_owned()], vec![dead, proxy.url()]] {
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let name = if urls.len() == 2 && urls[1] == proxy.url() { "backup" } else { "alchemy" };
        let error =
            run(chain(&urls)?.view(At::Safe, async |view| supply(view, world.six.vault).await)).unwrap_err();
        assert_eq!(error.code(), Code::WrongNetwork);
        assert_eq!(
            error.message(),
            format!("endpoint \"{name}\" is on chain 1, profile \"testnet\" pins 31337")
        );
        assert_eq!(error.exit() as i32, 4);
    }
    assert!(!proxy.methods().contains(&"eth_call".to_owned()), "{:?}", proxy.methods());
    Ok(())
}

#[test]
fn the_next_endpoint_takes_over_when_one_cannot_be_reached() -> Done {
    let world = World::small(NODE)?;
    let dead = nowhere()?;
    let chain = chain(&[&dead, world.node.url()])?;
    let want = world.node.call(world.six.vault, &Vault::totalSupplyCall {})?;
    for _ in 0..2 {
        let (name, got) = run(chain.view(At::Latest, async |view| {
            Ok((view.endpoint().to_owned(), supply(view, world.six.vault).await?))
        }))?;
        assert_eq!((name.as_str(), got), ("backup", want));
    }
    let warnings = chain.take_warnings();
    assert_eq!(warnings.len(), 1, "the dead endpoint rests: {warnings:?}");
    assert!(warnings[0].starts_with("endpoint \"alchemy\": cannot connect"), "{warnings:?}");
    assert!(warnings[0].ends_with("\"backup\" took over"), "{warnings:?}");
    assert!(chain.take_warnings().is_empty());
    Ok(())
}

#[test]
fn no_endpoint_left_names_each_and_no_secret() -> Done {
    let (one, two) = (nowhere()?, nowhere()?);
    let chain = chain(&[&one, &two])?;
    let error = run(chain.view(At::Safe, async |_| Ok(()))).unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::Unreachable, 75));
    let text = format!("{error:?} {:?} {:?}", chain.take_warnings(), chain);
    assert!(
        error.message().starts_with("no endpoint could serve the view: \"alchemy\": cannot connect"),
        "{error}"
    );
    assert!(error.message().contains("\"backup\": cannot connect"), "{error}");
    assert!(!text.contains("SeCrEt") && !text.contains("/v2"), "{text}");
    assert_eq!(chain.requests(), 6, "three tries each");
    Ok(())
}

#[test]
fn passing_faults_are_made_good_at_the_same_endpoint() -> Done {
    let world = World::small(NODE)?;
    let want = world.node.call(world.six.vault, &Vault::totalSupplyCall {})?;
    for fault in [
        Fault::Refuse,
        Fault::Html,
        Fault::Truncated,
        Fault::CutJson,
        Fault::Status(500, None),
        Fault::Status(502, None),
        Fault::Status(503, Some(0)),
        Fault::Status(429, None),
        Fault::RpcError { code: -32005, message: "rate limit exceeded".into(), data: Value::Null },
        Fault::Custom(|_, mut response| {
            response["id"] = json!(999_999);
            response
        }),
    ] {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(Rule::new(fault.clone()).on_method("eth_call").times(1));
        let chain = chain(&[&proxy.url()])?;
        let mut runs = 0;
        let got = run(chain.view(At::Safe, async |view| {
            runs += 1;
            supply(view, world.six.vault).await
        }))?;
        assert_eq!((got, runs, chain.requests()), (want, 1, 3), "{fault:?}");
        proxy.heal();
        proxy.fault(Rule::new(fault.clone()).times(1));
        run(chain.view(At::Safe, async |_| Ok(())))?;
    }
    Ok(())
}

#[test]
fn lasting_faults_move_the_view_on() -> Done {
    let world = World::small(NODE)?;
    for (fault, code, text) in [
        (Fault::Refuse, Code::Unreachable, "connection"),
        (Fault::Html, Code::Unreachable, "an HTML page instead of JSON: <!doctype html>"),
        (Fault::Truncated, Code::Unreachable, "the connection broke before the whole answer was there"),
        (Fault::CutJson, Code::Unreachable, "the answer is cut off after"),
        (Fault::Status(503, None), Code::Unreachable, "HTTP 503 Service Unavailable"),
        (Fault::Status(429, Some(3600)), Code::RateLimited, "(it asks to wait 1h)"),
        (Fault::Status(401, None), Code::Rpc, "HTTP 401 Unauthorized"),
        (
            Fault::RpcError { code: -32601, message: "the method does not exist".into(), data: Value::Null },
            Code::Rpc,
            "eth_call: the method does not exist (code -32601)",
        ),
        (Fault::ResultNull, Code::BadReply, "bad answer to eth_call"),
    ] {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(Rule::new(fault.clone()).on_method("eth_call"));
        let error =
            run(chain(&[&proxy.url()])?.view(At::Safe, async |view| supply(view, world.six.vault).await))
                .unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        assert!(error.message().starts_with("endpoint \"alchemy\": "), "{error}");
        assert!(error.message().contains(text), "{fault:?}: {error}");

        let chain = chain(&[&proxy.url(), world.node.url()])?;
        let name = run(chain.view(At::Safe, async |view| {
            supply(view, world.six.vault).await?;
            Ok(view.endpoint().to_owned())
        }))?;
        assert_eq!(name, "backup", "{fault:?}");
    }
    Ok(())
}

#[test]
fn retry_after_is_waited_for() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    proxy.fault(Rule::new(Fault::Status(429, Some(1))).on_method("eth_call").times(1));
    let start = Instant::now();
    run(chain(&[&proxy.url()])?.view(At::Safe, async |view| supply(view, world.six.vault).await))?;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn a_view_that_dies_half_way_starts_anew_elsewhere_at_the_same_hash() -> Done {
    let world = World::small(NODE)?;
    let (one, two) = (Proxy::start(world.node.url())?, Proxy::start(world.node.url())?);
    let chain = chain(&[&one.url(), &two.url()])?;
    let seen = Cell::new(Vec::new());
    let got = run(chain.view(At::Latest, async |view| {
        let mut runs = seen.take();
        runs.push((view.endpoint().to_owned(), view.block().hash));
        seen.set(runs);
        let first = supply(view, world.six.vault).await?;
        if view.endpoint() == "alchemy" {
            one.die();
            // The head moves on: the view must not.
            world.node.mine(2).map_err(|e| Error::new(Code::Bug, e.to_string()))?;
        }
        Ok((first, supply(view, world.eighteen.vault).await?))
    }))?;
    let runs = seen.take();
    assert_eq!(runs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["alchemy", "backup"]);
    assert_eq!(runs[0].1, runs[1].1);
    assert_eq!(got.0, world.node.call(world.six.vault, &Vault::totalSupplyCall {})?);
    let asked = words(&two.calls());
    assert!(TAGS.iter().all(|tag| !asked.contains(tag)), "{asked}");
    assert_eq!(two.methods()[..3], ["eth_chainId", "eth_getBlockByHash", "eth_getBlockByNumber"]);
    Ok(())
}

#[test]
fn a_body_that_hides_an_endpoints_failure_does_not_keep_the_view() -> Done {
    let world = World::small(NODE)?;
    let one = Proxy::start(world.node.url())?;
    let chain = chain(&[&one.url(), world.node.url()])?;
    let got = run(chain.view(At::Safe, async |view| {
        if view.endpoint() == "alchemy" {
            one.die();
        }
        Ok(supply(view, world.six.vault).await.ok())
    }))?;
    assert!(got.is_some());
    Ok(())
}

#[test]
fn an_endpoint_that_does_not_know_the_block_is_skipped() -> Done {
    let world = World::small(NODE)?;
    let other = Node::start(NODE, &NodeOptions { timestamp: 1_600_000_000, ..NodeOptions::default() })?;
    // Has the block, but beside its chain.
    let forked = Proxy::start(world.node.url())?;
    let fork = Fault::Custom(|_, mut response| {
        response["result"]["hash"] = json!(B256::ZERO);
        response
    });
    forked.fault(Rule::new(fork).on_method("eth_getBlockByNumber"));
    for backup in [other.url(), &forked.url()] {
        let one = Proxy::start(world.node.url())?;
        let chain = chain(&[&one.url(), backup, world.node.url()])?;
        let name = run(chain.view(At::Latest, async |view| {
            if view.endpoint() == "alchemy" {
                one.die();
            }
            supply(view, world.six.vault).await?;
            Ok(view.endpoint().to_owned())
        }))?;
        assert_eq!(name, "third");
        let warnings = chain.take_warnings().join("\n");
        assert!(warnings.contains("\"backup\": does not know the view's block"), "{warnings}");
    }
    Ok(())
}

#[test]
fn a_revert_is_final_and_asked_of_nobody_else() -> Done {
    let world = World::small(NODE)?;
    let (one, two) = (Proxy::start(world.node.url())?, Proxy::start(world.node.url())?);
    let chain = chain(&[&one.url(), &two.url()])?;
    let error = run(chain.view(At::Safe, async |view| {
        let call = Asset::transferCall { to: world.bob, amount: U256::MAX };
        view.call(world.six.asset, &call).await
    }))
    .unwrap_err();
    assert_eq!(error.code(), Code::Reverted);
    assert!(error.message().contains("function transfer(address,uint256) reverted at block"), "{error}");
    assert_eq!((one.methods().iter().filter(|m| *m == "eth_call").count(), two.http_count()), (1, 0));
    Ok(())
}
