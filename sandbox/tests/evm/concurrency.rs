//! Many clients at once, while blocks come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use poolctl_sandbox::evm::EvmOptions;
use serde_json::json;

use super::wire::{account, call, exchange, request, start_with};

#[test]
fn no_transaction_is_lost_or_doubled_among_many_clients() {
    let tick = Some(Duration::from_millis(5));
    for automine in [true, false] {
        let evm = start_with(EvmOptions { automine, tick, ..EvmOptions::default() });
        let url = evm.url();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..4)
                .map(|sender| {
                    let url = &url;
                    scope.spawn(move || {
                        for _ in 0..10 {
                            let tx = json!([{"from": account(sender), "to": account(9), "value": "0x1"}]);
                            let sent = exchange(url, &request("eth_sendTransactionSync", &tx));
                            assert_eq!(sent["result"]["status"], "0x1", "{sent}");
                        }
                    })
                })
                .collect();
            let reader = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // What one answer names, the next one knows.
                    let head = exchange(&url, &request("eth_getBlockByNumber", &json!(["latest", false])));
                    let pin = json!({"blockHash": head["result"]["hash"], "requireCanonical": true});
                    let balance = exchange(&url, &request("eth_getBalance", &json!([account(9), pin])));
                    assert!(balance["result"].is_string(), "{balance}");
                }
            });
            let done: Vec<_> = senders.into_iter().map(|sender| sender.join().is_ok()).collect();
            over.store(true, Ordering::Relaxed);
            assert!(reader.join().is_ok() && done.into_iter().all(|done| done));
        });
        assert_eq!(call(&evm, "eth_getBalance", json!([account(9)])), "0x21e19e0c9bab2400028");
        assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(0)])), "0xa");
    }
}

#[test]
fn senders_of_one_account_get_nonces_of_their_own() {
    let evm = start_with(EvmOptions { automine: false, ..EvmOptions::default() });
    let url = evm.url();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let tx = json!([{"from": account(1), "to": account(9), "value": "0x1"}]);
                    let sent = exchange(&url, &request("eth_sendTransaction", &tx));
                    assert!(sent["result"].is_string(), "{sent}");
                }
            });
        }
    });
    evm.mine(1).unwrap();
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(1)])), "0x14");
}
