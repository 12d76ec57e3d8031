//! The EVM transport against a real node behind a faulty wire: pins, failover, reorgs, batches and log replay.
#![allow(clippy::expect_used, reason = "in a test, what was not expected is to end it")]

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolEvent;
use poolctl::evm::{
    At, CallFault, Chain, ChainConfig, ChosenBy, Endpoint, LogLimits, LogRange, Mined, PinnedView,
    RetryPolicy, common_ancestor, replay,
};
use poolctl::{Code, Error};
use poolctl_testkit::abi::{Asset, Vault};
use poolctl_testkit::{Anvil, AnvilOptions, Fault, Matcher, Proxy, Rule, World};
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::{Duration, Instant};

type Done = anyhow::Result<()>;

const ID: u64 = 31337;

fn config(urls: &[&str]) -> anyhow::Result<ChainConfig> {
    let names = ["alchemy", "backup", "third"];
    let entries: Vec<String> = names.iter().zip(urls).map(|(name, url)| format!("{name}={url}")).collect();
    let mut config = ChainConfig::new("testnet", ID, Endpoint::parse_list(&entries)?);
    config.retry = RetryPolicy { attempts: 3, base: Duration::from_millis(5), ..RetryPolicy::default() };
    config.confirmations = 3;
    Ok(config)
}

fn chain(urls: &[&str]) -> anyhow::Result<Chain> {
    Ok(Chain::new(config(urls)?)?)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A port where nobody listens.
fn nowhere() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}/v2/SeCrEtKeY123", listener.local_addr()?))
}

async fn supply(view: &PinnedView, vault: Address) -> poolctl::Result<U256> {
    view.call(vault, &Vault::totalSupplyCall {}).await
}

fn words(calls: &[Value]) -> String {
    serde_json::to_string(calls).expect("JSON")
}

const TAGS: [&str; 5] = ["\"latest\"", "\"pending\"", "\"safe\"", "\"finalized\"", "\"earliest\""];

#[test]
fn an_endpoint_on_another_chain_is_refused_loudly() -> Done {
    let world = World::small()?;
    let proxy = Proxy::start(world.anvil.url())?;
    proxy.fault(Rule::new(Fault::ChainId(1)).on_method("eth_chainId"));
    let dead = nowhere()?;
    for urls in [vec![proxy.url()], vec![proxy.url(), world.anvil.url().to_owned()], vec![dead, proxy.url()]]
    {
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
    let world = World::small()?;
    let dead = nowhere()?;
    let chain = chain(&[&dead, world.anvil.url()])?;
    let want = world.anvil.call(world.six.vault, &Vault::totalSupplyCall {})?;
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
    let world = World::small()?;
    let want = world.anvil.call(world.six.vault, &Vault::totalSupplyCall {})?;
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
        let proxy = Proxy::start(world.anvil.url())?;
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
    let world = World::small()?;
    for (fault, code, text) in [
        (Fault::Refuse, Code::Unreachable, "connection"),
        (Fault::Html, Code::Unreachable, "an HTML page instead of JSON: <!doctype html>"),
        (Fault::Truncated, Code::Unreachable, "the connection broke before the whole answer was there"),
        (Fault::CutJson, Code::Unreachable, "the answer is cut off after"),
        (Fault::Status(503, None), Code::Unreachable, "HTTP 503 Service Unavailable"),
        (Fault::Status(429, Some(3600)), Code::RateLimited, "(it asks to wait 3600 s)"),
        (Fault::Status(401, None), Code::Rpc, "HTTP 401 Unauthorized"),
        (
            Fault::RpcError { code: -32601, message: "the method does not exist".into(), data: Value::Null },
            Code::Rpc,
            "eth_call: the method does not exist (code -32601)",
        ),
        (Fault::ResultNull, Code::BadReply, "bad answer to eth_call"),
    ] {
        let proxy = Proxy::start(world.anvil.url())?;
        proxy.fault(Rule::new(fault.clone()).on_method("eth_call"));
        let error =
            run(chain(&[&proxy.url()])?.view(At::Safe, async |view| supply(view, world.six.vault).await))
                .unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        assert!(error.message().starts_with("endpoint \"alchemy\": "), "{error}");
        assert!(error.message().contains(text), "{fault:?}: {error}");

        let chain = chain(&[&proxy.url(), world.anvil.url()])?;
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
    let world = World::small()?;
    let proxy = Proxy::start(world.anvil.url())?;
    proxy.fault(Rule::new(Fault::Status(429, Some(1))).on_method("eth_call").times(1));
    let start = Instant::now();
    run(chain(&[&proxy.url()])?.view(At::Safe, async |view| supply(view, world.six.vault).await))?;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn a_view_that_dies_half_way_starts_anew_elsewhere_at_the_same_hash() -> Done {
    let world = World::small()?;
    let (one, two) = (Proxy::start(world.anvil.url())?, Proxy::start(world.anvil.url())?);
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
            world.anvil.mine(2).map_err(|e| Error::new(Code::Bug, e.to_string()))?;
        }
        Ok((first, supply(view, world.eighteen.vault).await?))
    }))?;
    let runs = seen.take();
    assert_eq!(runs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["alchemy", "backup"]);
    assert_eq!(runs[0].1, runs[1].1);
    assert_eq!(got.0, world.anvil.call(world.six.vault, &Vault::totalSupplyCall {})?);
    let asked = words(&two.calls());
    assert!(TAGS.iter().all(|tag| !asked.contains(tag)), "{asked}");
    assert_eq!(two.methods()[..3], ["eth_chainId", "eth_getBlockByHash", "eth_getBlockByNumber"]);
    Ok(())
}

#[test]
fn a_body_that_hides_an_endpoints_failure_does_not_keep_the_view() -> Done {
    let world = World::small()?;
    let one = Proxy::start(world.anvil.url())?;
    let chain = chain(&[&one.url(), world.anvil.url()])?;
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
    let world = World::small()?;
    let other = Anvil::start(&AnvilOptions { timestamp: 1_600_000_000, ..AnvilOptions::default() })?;
    let one = Proxy::start(world.anvil.url())?;
    let chain = chain(&[&one.url(), other.url(), world.anvil.url()])?;
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
    Ok(())
}

#[test]
fn after_the_choice_everything_goes_by_hash() -> Done {
    let world = World::small()?;
    let proxy = Proxy::start(world.anvil.url())?;
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
        assert_eq!(block.hash, world.anvil.block_hash(block.number)?);
        let want = match at {
            At::Number(n) => n,
            tag => world.anvil.block_of_tag(&tag.to_string())?,
        };
        assert_eq!(block.number, want, "{at}");
        assert_eq!(last.number, want.min(world.anvil.block_of_tag("finalized")?), "{at}");
        assert_eq!(last.hash, world.anvil.block_hash(last.number)?);
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
    let world = World::small()?;
    let head = world.anvil.block_number()?;
    let tagged: fn(&Value) -> bool = |call| call["params"][0] == "safe" || call["params"][0] == "finalized";
    for fault in [
        Fault::ResultNull,
        Fault::RpcError { code: -32000, message: "safe block not found".into(), data: Value::Null },
    ] {
        let proxy = Proxy::start(world.anvil.url())?;
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
    let world = World::small()?;
    let proxy = Proxy::start(world.anvil.url())?;
    let limit = Fault::RpcError { code: -32005, message: "limit exceeded".into(), data: Value::Null };
    proxy.fault(Rule::new(limit).on(Matcher::Where(|call| call["params"][0] == "finalized")).times(1));
    let by = run(chain(&[&proxy.url()])?.view(At::Finalized, async |view| Ok(view.chosen_by())))?;
    assert_eq!(by, ChosenBy::Chain);
    Ok(())
}

#[test]
fn a_block_that_does_not_exist_yet_is_named() -> Done {
    let anvil = Anvil::start(&AnvilOptions::default())?;
    let error = run(chain(&[anvil.url()])?.view(At::Number(500), async |_| Ok(()))).unwrap_err();
    assert_eq!(error.code(), Code::InvalidValue);
    assert_eq!(error.message(), "endpoint \"alchemy\": has no block 500 yet, its latest is 0");
    Ok(())
}

#[test]
fn empty_answers_and_missing_code_name_contract_function_and_block() -> Done {
    let world = World::small()?;
    let proxy = Proxy::start(world.anvil.url())?;
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
fn a_revert_is_final_and_asked_of_nobody_else() -> Done {
    let world = World::small()?;
    let (one, two) = (Proxy::start(world.anvil.url())?, Proxy::start(world.anvil.url())?);
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

#[test]
fn a_reorg_under_the_view_begins_it_anew() -> Done {
    let world = World::small()?;
    let chain = chain(&[world.anvil.url()])?;
    let broken = |e: anyhow::Error| Error::new(Code::Bug, e.to_string());
    for read in 0..4 {
        let mut hashes = Vec::new();
        run(chain.view(At::Latest, async |view| {
            hashes.push(view.block().hash);
            if hashes.len() == 1 {
                world.anvil.reorg(1).map_err(broken)?;
            }
            let number = view.block().number;
            match read {
                0 => supply(view, world.six.vault).await.map(drop),
                1 => view.block_by_number(1).await.map(drop),
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
        world.anvil.reorg(1).map_err(broken)?;
        supply(view, world.six.vault).await
    }))
    .unwrap_err();
    assert_eq!((error.code(), error.exit() as i32, runs), (Code::Reorged, 75, 3), "{error}");
    Ok(())
}

#[test]
fn the_common_ancestor_is_the_newest_block_that_survived() -> Done {
    let world = World::small()?;
    let head = world.anvil.block_number()?;
    let mut checkpoints = Vec::new();
    for number in (0..=head).rev() {
        checkpoints.push((number, world.anvil.block_hash(number)?));
    }
    let chain = chain(&[world.anvil.url()])?;
    let find = || run(chain.view(At::Latest, async |view| common_ancestor(view, &checkpoints).await));
    assert_eq!(find()?, Some(0));
    world.anvil.reorg(4)?;
    assert_eq!(find()?, Some(4));
    world.anvil.rollback(7)?;
    assert_eq!(find()?, Some(7));
    let none = run(chain.view(At::Latest, async |view| {
        let gone = checkpoints[0];
        assert!(!view.is_canonical(gone.0, gone.1).await?);
        assert!(view.is_canonical(checkpoints[9].0, checkpoints[9].1).await?);
        assert_eq!(view.block_by_number(head).await.unwrap_err().code(), Code::InvalidValue);
        common_ancestor(view, &[(1, B256::ZERO), (0, B256::ZERO)]).await
    }))?;
    assert_eq!(none, None);
    Ok(())
}

#[test]
fn many_calls_are_few_requests() -> Done {
    let many = World::many_vaults(200)?;
    let proxy = Proxy::start(many.anvil.url())?;
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
        handles.into_iter().map(|handle| Ok(reply.get(handle)?)).collect::<poolctl::Result<Vec<U256>>>()
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
    let world = World::small()?;
    let burner = Address::repeat_byte(0xbb);
    world.anvil.set_code(burner, &Bytes::from_static(&[0xfe]))?;
    let chain = chain(&[world.anvil.url()])?;
    let want = world.anvil.call(world.six.vault, &Vault::totalAssetsCall {})?;
    run(chain.view(At::Latest, async |view| {
        let mut batch = view.batch();
        let bad: Vec<_> = (0..5).map(|_| batch.add(burner, &Vault::totalAssetsCall {})).collect();
        let good: Vec<_> = (0..50).map(|_| batch.add(world.six.vault, &Vault::totalAssetsCall {})).collect();
        let reply = batch.send().await?;
        for handle in good {
            assert_eq!(reply.get(handle), Ok(want));
        }
        for handle in bad {
            let error = reply.get(handle).unwrap_err();
            assert!(matches!(*error.fault, CallFault::Reverted { .. }), "{error}");
        }
        Ok(())
    }))?;
    Ok(())
}

fn collect(chain: &Chain, vault: Address, from: u64) -> poolctl::Result<(Vec<LogRange>, u64)> {
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
    let world = World::small()?;
    let vault = world.eighteen.vault;
    let (whole, head) = collect(&chain(&[world.anvil.url()])?, vault, 0)?;
    assert_eq!(whole.len(), 1);
    let all: Vec<_> = whole.into_iter().flat_map(|range| range.logs).collect();
    assert_eq!(all.len(), 4, "two deposits, a transfer, a withdrawal");
    let supply = all.iter().try_fold(U256::ZERO, |sum, log| {
        let event = Vault::Transfer::decode_log(&log.inner)?.data;
        let sum = if event.from == Address::ZERO { sum + event.value } else { sum };
        anyhow::Ok(if event.to == Address::ZERO { sum - event.value } else { sum })
    })?;
    assert_eq!(supply, world.anvil.call(vault, &Vault::totalSupplyCall {})?);

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
        let proxy = Proxy::start(world.anvil.url())?;
        proxy.fault(Rule::new(fault).on(Matcher::Where(wide)));
        let mut config = config(&[&proxy.url()])?;
        config.logs = LogLimits { start: 32, most: 64 };
        let (ranges, to) = collect(&Chain::new(config)?, vault, 0)?;
        assert_eq!(to, head);
        let mut next = 0;
        for range in &ranges {
            assert_eq!(range.from, next);
            assert_eq!(range.end.hash, world.anvil.block_hash(range.end.number)?);
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
    let world = World::small()?;
    let proxy = Proxy::start(world.anvil.url())?;
    let fault = Fault::RpcError { code: -32005, message: "too many results".into(), data: Value::Null };
    proxy.fault(Rule::new(fault).on_method("eth_getLogs"));
    let error = collect(&chain(&[&proxy.url()])?, world.six.vault, 3).unwrap_err();
    assert_eq!(error.code(), Code::Rpc);
    assert_eq!(
        error.message(),
        "endpoint \"alchemy\": cannot answer with the logs of block 3 alone: too many results (code -32005)"
    );
    let (ranges, _) = collect(&chain(&[&proxy.url(), world.anvil.url()])?, world.six.vault, 3)?;
    assert_eq!(ranges.len(), 1);
    Ok(())
}

#[test]
fn logs_that_were_not_asked_for_are_a_bad_reply() -> Done {
    let world = World::small()?;
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
        let proxy = Proxy::start(world.anvil.url())?;
        proxy.fault(Rule::new(Fault::Custom(spoil)).on_method("eth_getLogs"));
        let error = collect(&chain(&[&proxy.url()])?, world.six.vault, 0).unwrap_err();
        assert_eq!(error.code(), Code::BadReply, "{error}");
        assert!(error.message().contains("bad answer to eth_getLogs"), "{error}");
    }
    Ok(())
}

#[test]
fn a_replay_goes_on_from_its_cursor_when_the_view_moves() -> Done {
    let world = World::small()?;
    let one = Proxy::start(world.anvil.url())?;
    one.fault(Rule::new(Fault::DieForever).on_method("eth_getLogs").after(3));
    let mut config = config(&[&one.url(), world.anvil.url()])?;
    config.logs = LogLimits { start: 4, most: 4 };
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
    assert_eq!((next, seen.len()), (world.anvil.block_number()? + 1, 4));
    let error = run(chain.view(At::Latest, async |view| {
        let vault = [world.eighteen.vault];
        let refuse = |_| Err(Error::new(Code::Interrupted, "stop"));
        replay(view, &vault, Vault::Transfer::SIGNATURE_HASH, 0, 3, refuse).await
    }))
    .unwrap_err();
    assert_eq!(error.code(), Code::Interrupted);
    Ok(())
}

#[test]
fn code_receipts_and_old_blocks() -> Done {
    let world = World::small()?;
    let mined = world.deposit(world.six.vault, world.dave, U256::from(5))?;
    let reverted = world.anvil.send_with_gas(
        world.dave,
        world.six.asset,
        &Asset::transferCall { to: world.bob, amount: U256::MAX },
        200_000,
    )?;
    let chain = chain(&[world.anvil.url()])?;
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
