//! Transactions as the network takes them: every status and refusal, fees, fee-bumps, reserves, sponsorship, signers.

mod kit;

use kit::{Bench, Key, decode, encode, payment, result};
use poolctl_testkit::once::{post, request};
use serde_json::json;
use stellar_xdr::*;

const XLM: i64 = 10_000_000;

fn create(to: &Key, starting_balance: i64) -> Operation {
    let op = CreateAccountOp { destination: to.id(), starting_balance };
    Operation { source_account: None, body: OperationBody::CreateAccount(op) }
}

fn begin_sponsoring(source: &Key, sponsored: &Key) -> Operation {
    let op = BeginSponsoringFutureReservesOp { sponsored_id: sponsored.id() };
    Operation { source_account: Some(source.muxed()), body: OperationBody::BeginSponsoringFutureReserves(op) }
}

fn end_sponsoring(source: &Key) -> Operation {
    Operation { source_account: Some(source.muxed()), body: OperationBody::EndSponsoringFutureReserves }
}

fn options() -> SetOptionsOp {
    SetOptionsOp {
        inflation_dest: None,
        clear_flags: None,
        set_flags: None,
        master_weight: None,
        low_threshold: None,
        med_threshold: None,
        high_threshold: None,
        home_domain: None,
        signer: None,
    }
}

fn set_options(op: SetOptionsOp) -> Operation {
    Operation { source_account: None, body: OperationBody::SetOptions(op) }
}

fn until(max_time: u64) -> Preconditions {
    Preconditions::Time(TimeBounds { min_time: TimePoint(0), max_time: TimePoint(max_time) })
}

#[test]
fn each_status_of_a_submission() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let pay = bench.classic(&ada, vec![payment(&bob, Asset::Native, XLM)]);
    let sent = bench.send(&pay);
    assert_eq!(sent["status"], "PENDING");
    assert_eq!(sent["hash"], bench.hash(&pay));
    assert_eq!(bench.get(&pay)["status"], "NOT_FOUND");
    assert_eq!(bench.send(&pay)["status"], "DUPLICATE");
    let another = bench.classic(&ada, vec![payment(&bob, Asset::Native, 2 * XLM)]);
    assert_eq!(bench.send(&another)["status"], "TRY_AGAIN_LATER", "one waiting transaction an account");
    bench.network.advance(1).unwrap();
    let landed = bench.get(&pay);
    assert_eq!(landed["status"], "SUCCESS");
    assert_eq!(landed["applicationOrder"], 1);
    let again = bench.send(&pay);
    assert_eq!(again["status"], "ERROR");
    assert_eq!(result(&again).result, TransactionResultResult::TxBadSeq);
}

#[test]
fn each_refusal_has_its_result() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let nobody = Key::named("nobody");
    let (_, now) = bench.network.latest().unwrap();
    let plain = || bench.bare(&ada, vec![payment(&bob, Asset::Native, XLM)]);
    let refusal = |transaction: Transaction, keys: &[&Key]| {
        let sent = bench.send(&bench.signed(transaction, keys));
        assert_eq!(sent["status"], "ERROR", "{sent}");
        result(&sent).result
    };
    let mut late = plain();
    late.cond = until(now - 1);
    assert_eq!(refusal(late, &[&ada]), TransactionResultResult::TxTooLate);
    let mut early = plain();
    early.cond = Preconditions::Time(TimeBounds { min_time: TimePoint(now + 100), max_time: TimePoint(0) });
    assert_eq!(refusal(early, &[&ada]), TransactionResultResult::TxTooEarly);
    let mut cheap = plain();
    cheap.fee = 99;
    assert_eq!(refusal(cheap, &[&ada]), TransactionResultResult::TxInsufficientFee);
    let mut skipping = plain();
    skipping.seq_num.0 += 1;
    assert_eq!(refusal(skipping, &[&ada]), TransactionResultResult::TxBadSeq);
    assert_eq!(refusal(plain(), &[]), TransactionResultResult::TxBadAuth);
    assert_eq!(refusal(plain(), &[&bob]), TransactionResultResult::TxBadAuth);
    assert_eq!(refusal(plain(), &[&ada, &bob]), TransactionResultResult::TxBadAuthExtra);
    let unknown = bench.bare(&nobody, vec![payment(&bob, Asset::Native, XLM)]);
    assert_eq!(refusal(unknown, &[&nobody]), TransactionResultResult::TxNoAccount);
    let empty = bench.bare(&ada, vec![]);
    assert_eq!(refusal(empty, &[&ada]), TransactionResultResult::TxMissingOperation);
    let malformed = bench.bare(&ada, vec![payment(&bob, Asset::Native, -1)]);
    let TransactionResultResult::TxFailed(results) = refusal(malformed, &[&ada]) else { panic!() };
    let expected = OperationResult::OpInner(OperationResultTr::Payment(PaymentResult::Malformed));
    assert_eq!(results.as_slice(), [expected]);

    // An account with no lumens above its reserve cannot pay a fee.
    let poor = Key::named("poor");
    bench.network.fund(&poor.address(), XLM).unwrap();
    let broke = bench.bare(&poor, vec![payment(&bob, Asset::Native, 1)]);
    assert_eq!(refusal(broke, &[&poor]), TransactionResultResult::TxInsufficientBalance);

    // A contract call that declares too little for what it is.
    let invocation = bench.invocation(&ada, "plant", vec![ada.sc(), kit::amount(0)]);
    assert_eq!(refusal(invocation.clone(), &[&ada]), TransactionResultResult::TxSorobanInvalid);

    let reply = kit::reply(&bench.url, "sendTransaction", &json!({ "transaction": "AAAA" }));
    assert_eq!(reply["error"]["code"], -32602);
    assert_eq!(reply["error"]["message"], "invalid_xdr");
}

#[test]
fn what_becomes_invalid_while_it_waits_is_dropped() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let (_, now) = bench.network.latest().unwrap();
    let mut transaction = bench.bare(&ada, vec![payment(&bob, Asset::Native, XLM)]);
    transaction.cond = until(now + 3);
    let envelope = bench.signed(transaction, &[&ada]);
    let (balance, sequence) = (bench.balance(&ada), bench.sequence(&ada));
    assert_eq!(bench.send(&envelope)["status"], "PENDING");
    bench.network.advance(1).unwrap();
    assert_eq!(bench.get(&envelope)["status"], "NOT_FOUND");
    assert_eq!((bench.balance(&ada), bench.sequence(&ada)), (balance, sequence));
}

#[test]
fn payments_and_their_failures() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.farmer("bob", 500));
    let kale = bench.asset();
    let before = (bench.balance(&ada), bench.balance(&bob));
    let landed = bench.land(&bench.classic(&ada, vec![payment(&bob, Asset::Native, 7 * XLM)]));
    assert_eq!(bench.balance(&ada), before.0 - 7 * XLM - 100);
    assert_eq!(bench.balance(&bob), before.1 + 7 * XLM);
    let TransactionMeta::V4(meta) = decode(&landed["resultMetaXdr"]) else { panic!() };
    assert_eq!(meta.operations[0].changes.len(), 4, "two states, two updates");
    let ContractEventBody::V0(event) = &meta.operations[0].events[0].body;
    assert_eq!(event.topics[0], kit::symbol("transfer"));

    let failure = |envelope: &TransactionEnvelope| {
        let settled = bench.settle(envelope);
        assert_eq!(settled["status"], "FAILED");
        match result(&settled).result {
            TransactionResultResult::TxFailed(results) => match results[0].clone() {
                OperationResult::OpInner(OperationResultTr::Payment(result)) => result,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let nobody = Key::named("nobody");
    let too_much = bench.classic(&ada, vec![payment(&bob, Asset::Native, 20_000 * XLM)]);
    assert_eq!(failure(&too_much), PaymentResult::Underfunded);
    let astray = bench.classic(&ada, vec![payment(&nobody, Asset::Native, XLM)]);
    assert_eq!(failure(&astray), PaymentResult::NoDestination);
    let untrusted = bench.classic(&bob, vec![payment(&ada, kale.clone(), 1)]);
    assert_eq!(failure(&untrusted), PaymentResult::NoTrust);
    let short = bench.farmer("carol", 0);
    let none = bench.classic(&short, vec![payment(&bob, kale.clone(), 1)]);
    assert_eq!(failure(&none), PaymentResult::Underfunded);
    // All operations of a transaction or none.
    let two =
        bench.classic(&ada, vec![payment(&bob, Asset::Native, XLM), payment(&nobody, Asset::Native, XLM)]);
    let held = bench.balance(&bob);
    assert_eq!(bench.settle(&two)["status"], "FAILED");
    assert_eq!(bench.balance(&bob), held);
    bench.land(&bench.classic(&bob, vec![payment(&short, kale, 200)]));
    assert_eq!((bench.kale(&bob), bench.kale(&short)), (Some(300), Some(200)));
}

#[test]
fn fee_bump_pays_for_another() {
    let bench = Bench::new();
    let (farmer, sponsor) = (bench.farmer("ada", 0), bench.account("sponsor"));
    let TransactionEnvelope::Tx(inner) = bench.plant(&farmer, 0) else { panic!() };
    let bump = |fee: i64, key: &Key| {
        let tx = FeeBumpTransaction {
            fee_source: sponsor.muxed(),
            fee,
            inner_tx: FeeBumpTransactionInnerTx::Tx(inner.clone()),
            ext: FeeBumpTransactionExt::V0,
        };
        let hash = tx.hash(bench.network_id).unwrap();
        let signatures = vec![key.sign(&hash)].try_into().unwrap();
        TransactionEnvelope::TxFeeBump(FeeBumpTransactionEnvelope { tx, signatures })
    };
    let fee = i64::from(inner.tx.fee) + 100;
    let low = bench.send(&bump(fee - 1, &sponsor));
    assert_eq!(result(&low).result, TransactionResultResult::TxInsufficientFee);
    let unsigned = bench.send(&bump(fee, &farmer));
    assert_eq!(result(&unsigned).result, TransactionResultResult::TxBadAuth);

    let (farmers, sponsors) = (bench.balance(&farmer), bench.balance(&sponsor));
    let envelope = bump(fee, &sponsor);
    let landed = bench.land(&envelope);
    assert_eq!(landed["feeBump"], true);
    let result = result(&landed);
    let TransactionResultResult::TxFeeBumpInnerSuccess(pair) = &result.result else { panic!("{result:?}") };
    assert_eq!(pair.transaction_hash.0, inner.tx.hash(bench.network_id).unwrap());
    assert_eq!(bench.balance(&farmer), farmers, "the farmer pays nothing");
    assert_eq!(bench.balance(&sponsor), sponsors - result.fee_charged);
    // It is found by either hash.
    let by_inner = bench.get(&TransactionEnvelope::Tx(inner));
    assert_eq!(by_inner["envelopeXdr"], landed["envelopeXdr"]);
}

#[test]
fn failing_inner_transaction_of_a_fee_bump() {
    let bench = Bench::new();
    let (ada, sponsor) = (bench.account("ada"), bench.account("sponsor"));
    let nobody = Key::named("nobody");
    let TransactionEnvelope::Tx(mut inner) = bench.classic(&ada, vec![payment(&nobody, Asset::Native, XLM)])
    else {
        panic!()
    };
    inner.tx.fee = 0;
    let TransactionEnvelope::Tx(inner) = bench.signed(inner.tx, &[&ada]) else { panic!() };
    let tx = FeeBumpTransaction {
        fee_source: sponsor.muxed(),
        fee: 200,
        inner_tx: FeeBumpTransactionInnerTx::Tx(inner),
        ext: FeeBumpTransactionExt::V0,
    };
    let signatures = vec![sponsor.sign(&tx.hash(bench.network_id).unwrap())].try_into().unwrap();
    let before = bench.balance(&sponsor);
    let settled =
        bench.settle(&TransactionEnvelope::TxFeeBump(FeeBumpTransactionEnvelope { tx, signatures }));
    assert_eq!(settled["status"], "FAILED");
    assert!(matches!(result(&settled).result, TransactionResultResult::TxFeeBumpInnerFailed(_)));
    assert_eq!(bench.balance(&sponsor), before - 200);
}

#[test]
fn contract_fees_are_refunded_to_what_was_used() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    let before = bench.balance(&farmer);
    let envelope = bench.plant(&farmer, 0);
    let TransactionEnvelope::Tx(TransactionV1Envelope { tx, .. }) = &envelope else { panic!() };
    let offered = i64::from(tx.fee);
    let landed = bench.land(&envelope);
    let TransactionMeta::V4(meta) = decode(&landed["resultMetaXdr"]) else { panic!() };
    let Some(SorobanTransactionMetaV2 { ext: SorobanTransactionMetaExt::V1(fees), .. }) = meta.soroban_meta
    else {
        panic!()
    };
    let used = fees.total_non_refundable_resource_fee_charged + fees.total_refundable_resource_fee_charged;
    let charged = result(&landed).fee_charged;
    assert_eq!(charged, used + 100);
    assert!(charged < offered && fees.rent_fee_charged > 0, "{charged} of {offered}, {fees:?}");
    assert_eq!(bench.balance(&farmer), before - charged);
}

#[test]
fn operator_sponsors_the_trustline_of_a_farmer_without_lumens() {
    let bench = Bench::new();
    let (operator, farmer) = (bench.account("operator"), Key::named("farmer"));
    // Account and trustline in one transaction: the new account's key signs for its own operations.
    let operations = vec![
        begin_sponsoring(&operator, &farmer),
        create(&farmer, 0),
        bench.trust(Some(&farmer)),
        end_sponsoring(&farmer),
    ];
    bench.land(&bench.signed(bench.bare(&operator, operations), &[&operator, &farmer]));
    assert_eq!((bench.balance(&farmer), bench.kale(&farmer)), (0, Some(0)));
    let counts = |key: &Key| {
        let account = bench.ledger_account(&key.id()).unwrap();
        let AccountEntryExt::V1(ext) = account.ext else { panic!() };
        let AccountEntryExtensionV1Ext::V2(ext) = ext.ext else { panic!() };
        (account.num_sub_entries, ext.num_sponsored, ext.num_sponsoring)
    };
    assert_eq!(counts(&farmer), (1, 3, 0));
    assert_eq!(counts(&operator), (0, 0, 3));
    // The farmer removes its trustline: the operator's reserve is free again.
    let Asset::CreditAlphanum4(asset) = bench.asset() else { panic!() };
    let op = ChangeTrustOp { line: ChangeTrustAsset::CreditAlphanum4(asset), limit: 0 };
    let remove = Operation { source_account: Some(farmer.muxed()), body: OperationBody::ChangeTrust(op) };
    bench.land(&bench.signed(bench.bare(&operator, vec![remove]), &[&operator, &farmer]));
    assert_eq!(bench.kale(&farmer), None);
    assert_eq!(counts(&farmer), (0, 2, 0));
    assert_eq!(counts(&operator), (0, 0, 2));
}

#[test]
fn sponsorship_must_be_closed_and_reserves_covered() {
    let bench = Bench::new();
    let (operator, farmer) = (bench.account("operator"), Key::named("farmer"));
    let open = vec![begin_sponsoring(&operator, &farmer), create(&farmer, 0)];
    let settled = bench.settle(&bench.classic(&operator, open));
    assert_eq!(result(&settled).result, TransactionResultResult::TxBadSponsorship);
    assert!(bench.ledger_account(&farmer.id()).is_none());
    let bare = bench.settle(&bench.classic(&operator, vec![create(&farmer, XLM - 1)]));
    let TransactionResultResult::TxFailed(results) = result(&bare).result else { panic!("{bare}") };
    let low = OperationResult::OpInner(OperationResultTr::CreateAccount(CreateAccountResult::LowReserve));
    assert_eq!(results.as_slice(), [low]);
    bench.land(&bench.classic(&operator, vec![create(&farmer, XLM + 200)]));
    let trust = bench.settle(&bench.classic(&farmer, vec![bench.trust(None)]));
    let TransactionResultResult::TxFailed(results) = result(&trust).result else { panic!("{trust}") };
    let low = OperationResult::OpInner(OperationResultTr::ChangeTrust(ChangeTrustResult::LowReserve));
    assert_eq!(results.as_slice(), [low]);
}

#[test]
fn signers_and_thresholds_are_enforced() {
    let bench = Bench::new();
    let (ada, bob, carol) = (bench.account("ada"), bench.account("bob"), bench.account("carol"));
    let signer = Signer { key: SignerKey::Ed25519(Uint256(bob.0.verifying_key().to_bytes())), weight: 1 };
    let two_of_two = SetOptionsOp {
        signer: Some(signer),
        master_weight: Some(1),
        low_threshold: Some(1),
        med_threshold: Some(2),
        high_threshold: Some(2),
        home_domain: Some(String32("example.org".try_into().unwrap())),
        ..options()
    };
    bench.land(&bench.classic(&ada, vec![set_options(two_of_two)]));
    let account = bench.ledger_account(&ada.id()).unwrap();
    assert_eq!(account.thresholds.0, [1, 1, 2, 2]);
    assert_eq!((account.signers.len(), account.num_sub_entries), (1, 1));

    let pay = bench.bare(&ada, vec![payment(&carol, Asset::Native, XLM)]);
    let alone = bench.send(&bench.signed(pay.clone(), &[&ada]));
    let TransactionResultResult::TxFailed(results) = result(&alone).result else { panic!("{alone}") };
    assert_eq!(results.as_slice(), [OperationResult::OpBadAuth]);
    bench.land(&bench.signed(pay, &[&ada, &bob]));
    let remove = SetOptionsOp {
        signer: Some(Signer {
            key: SignerKey::Ed25519(Uint256(bob.0.verifying_key().to_bytes())),
            weight: 0,
        }),
        med_threshold: Some(0),
        high_threshold: Some(0),
        ..options()
    };
    bench.land(&bench.signed(bench.bare(&ada, vec![set_options(remove)]), &[&ada, &bob]));
    assert_eq!(bench.ledger_account(&ada.id()).unwrap().num_sub_entries, 0);
    bench.land(&bench.classic(&ada, vec![payment(&carol, Asset::Native, XLM)]));
}

#[test]
fn transactions_are_listed_by_pages() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let (start, _) = bench.network.latest().unwrap();
    for _ in 0..2 {
        for (from, to) in [(&ada, &bob), (&bob, &ada)] {
            assert_eq!(
                bench.send(&bench.classic(from, vec![payment(to, Asset::Native, XLM)]))["status"],
                "PENDING"
            );
        }
        bench.network.advance(2).unwrap();
    }
    let first =
        bench.call("getTransactions", &json!({ "startLedger": start + 1, "pagination": { "limit": 3 } }));
    let listed = first["transactions"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[1]["applicationOrder"], 2);
    let rest =
        bench.call("getTransactions", &json!({ "pagination": { "cursor": first["cursor"], "limit": 3 } }));
    assert_eq!(rest["transactions"].as_array().unwrap().len(), 1);
    let fees = bench.call("getFeeStats", &serde_json::Value::Null);
    assert_eq!(fees["inclusionFee"]["p50"], "100");
    assert_eq!(fees["inclusionFee"]["transactionCount"], "4");
}

#[test]
fn ledgers_are_listed_by_pages() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    bench.land(&bench.classic(&ada, vec![payment(&bob, Asset::Native, XLM)]));
    let (landed, closed) = bench.network.latest().unwrap();
    bench.network.advance(210).unwrap();
    let (latest, newest) = bench.network.latest().unwrap();
    let oldest = bench.call("getHealth", &json!({}))["oldestLedger"].as_u64().unwrap();
    let page = |params: serde_json::Value| bench.call("getLedgers", &params);
    let numbers = |page: &serde_json::Value| {
        let ledgers = page["ledgers"].as_array().unwrap();
        ledgers.iter().map(|ledger| ledger["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let from = u64::from(landed);
    let first = page(json!({ "startLedger": landed, "pagination": { "limit": 2 }, "xdrFormat": "base64" }));
    assert_eq!(numbers(&first), [from, from + 1]);
    assert_eq!(first["cursor"], (from + 1).to_string());
    assert_eq!((&first["latestLedger"], &first["latestLedgerCloseTime"]), (&json!(latest), &json!(newest)));
    assert_eq!(first["oldestLedger"], oldest);
    // A ledger is whole: its header, and what its transactions did.
    let ledger = &first["ledgers"][0];
    assert_eq!(ledger["ledgerCloseTime"], closed.to_string());
    let header: LedgerHeaderHistoryEntry = decode(&ledger["headerXdr"]);
    assert_eq!((header.header.ledger_seq, ledger["hash"].clone()), (landed, json!(header.hash.to_string())));
    let LedgerCloseMeta::V2(meta) = decode(&ledger["metadataXdr"]) else { panic!() };
    assert_eq!((meta.ledger_header, meta.tx_processing.len()), (header.clone(), 1));
    let next: LedgerHeaderHistoryEntry = decode(&first["ledgers"][1]["headerXdr"]);
    assert_eq!(next.header.previous_ledger_hash, header.hash);

    let rest = page(json!({ "pagination": { "cursor": first["cursor"], "limit": 200 } }));
    assert_eq!(numbers(&rest), (from + 2..from + 202).collect::<Vec<_>>());
    let end = page(json!({ "pagination": { "cursor": rest["cursor"], "limit": 200 } }));
    assert_eq!(numbers(&end).last(), Some(&u64::from(latest)));
    assert_eq!(page(json!({ "startLedger": landed }))["ledgers"].as_array().unwrap().len(), 50);

    let refused = |params: serde_json::Value| {
        let error = kit::reply(&bench.url, "getLedgers", &params)["error"].clone();
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    };
    let kept = format!(
        "must be between the oldest ledger: {oldest} and the latest ledger: {latest} for this rpc instance"
    );
    let late = latest + 1;
    for (params, code, message) in [
        (json!({}), -32600, format!("start ledger (0) {kept}")),
        (json!({ "startLedger": late }), -32600, format!("start ledger ({late}) {kept}")),
        (json!({ "startLedger": oldest - 1 }), -32600, format!("start ledger ({}) {kept}", oldest - 1)),
        (
            json!({ "startLedger": landed, "pagination": { "cursor": "7" } }),
            -32600,
            format!("startLedger ({landed}) and cursor (7) cannot both be set"),
        ),
        (
            json!({ "startLedger": landed, "pagination": { "limit": 201 } }),
            -32600,
            "limit must not exceed 200".to_owned(),
        ),
        // Nothing has come after the newest yet.
        (
            json!({ "pagination": { "cursor": latest.to_string() } }),
            -32602,
            format!("cursor ('{latest}') {kept}"),
        ),
        (json!({ "pagination": { "cursor": "x" } }), -32602, "cursor is not a number: x".to_owned()),
        (json!({ "startLedger": "1" }), -32602, "invalid parameters".to_owned()),
    ] {
        assert_eq!(refused(params.clone()), (code, message), "{params}");
    }
    assert_eq!(refused(json!({ "startLedger": landed, "xdrFormat": "json" })).0, -32602);
}

#[test]
fn null_params_and_unknown_methods() {
    let bench = Bench::new();
    for method in ["getHealth", "getNetwork", "getVersionInfo", "getLatestLedger", "getFeeStats"] {
        bench.call(method, &serde_json::Value::Null);
    }
    let latest = bench.call("getLatestLedger", &json!({}));
    let header: LedgerHeader = decode(&latest["headerXdr"]);
    assert_eq!(json!(header.ledger_seq), latest["sequence"]);
    let LedgerCloseMeta::V2(meta) = decode(&latest["metadataXdr"]) else { panic!() };
    assert_eq!(meta.ledger_header.header, header);
    assert_eq!(kit::reply(&bench.url, "getNothing", &json!({}))["error"]["code"], -32601);
    let answer = post(&bench.url, "{").unwrap();
    assert!(answer.body.contains("-32700"), "{}", answer.body);
    let batch = format!("[{},{}]", request("getHealth", &json!({})), request("getNetwork", &json!({})));
    let answer: serde_json::Value = serde_json::from_str(&post(&bench.url, &batch).unwrap().body).unwrap();
    assert_eq!(answer.as_array().unwrap().len(), 2);
    let many: Vec<String> = (0..201).map(|_| encode(&bench.instance_key())).collect();
    assert_eq!(kit::reply(&bench.url, "getLedgerEntries", &json!({ "keys": many }))["error"]["code"], -32602);
}

#[test]
fn a_busy_network_wants_more() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    bench.call("sandbox_baseFee", &json!({ "stroops": 5000 }));
    bench.network.advance(60).unwrap();
    assert_eq!(bench.call("getFeeStats", &json!({}))["inclusionFee"]["p50"], "5000");
    let mut transaction = bench.bare(&ada, vec![payment(&bob, Asset::Native, XLM)]);
    transaction.fee = 4999;
    let refused = bench.send(&bench.signed(transaction.clone(), &[&ada]));
    assert_eq!(
        result(&refused),
        TransactionResult {
            fee_charged: 5000,
            result: TransactionResultResult::TxInsufficientFee,
            ext: TransactionResultExt::V0,
        }
    );
    transaction.fee = 6000;
    assert_eq!(result(&bench.land(&bench.signed(transaction, &[&ada]))).fee_charged, 5000);
}

#[test]
fn further_preconditions_hold() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    bench.land(&bench.classic(&ada, vec![payment(&bob, Asset::Native, XLM)]));
    let plain = || bench.bare(&ada, vec![payment(&bob, Asset::Native, XLM)]);
    let cond = PreconditionsV2 {
        time_bounds: None,
        ledger_bounds: None,
        min_seq_num: None,
        min_seq_age: Duration(0),
        min_seq_ledger_gap: 0,
        extra_signers: VecM::default(),
    };
    let refusal = |cond: PreconditionsV2, keys: &[&Key]| {
        let mut transaction = plain();
        transaction.cond = Preconditions::V2(cond);
        let sent = bench.send(&bench.signed(transaction, keys));
        sent.get("errorResultXdr").map(|_| result(&sent).result)
    };
    let (latest, _) = bench.network.latest().unwrap();
    let bounds = |min_ledger, max_ledger| Some(LedgerBounds { min_ledger, max_ledger });
    let late = PreconditionsV2 { ledger_bounds: bounds(0, latest + 1), ..cond.clone() };
    assert_eq!(refusal(late, &[&ada]), Some(TransactionResultResult::TxTooLate));
    let early = PreconditionsV2 { ledger_bounds: bounds(latest + 2, 0), ..cond.clone() };
    assert_eq!(refusal(early, &[&ada]), Some(TransactionResultResult::TxTooEarly));
    let young = PreconditionsV2 { min_seq_ledger_gap: 2, ..cond.clone() };
    assert_eq!(refusal(young, &[&ada]), Some(TransactionResultResult::TxBadMinSeqAgeOrGap));
    let extra = SignerKey::Ed25519(Uint256(bob.0.verifying_key().to_bytes()));
    let extra = PreconditionsV2 { extra_signers: vec![extra].try_into().unwrap(), ..cond };
    assert_eq!(refusal(extra.clone(), &[&ada]), Some(TransactionResultResult::TxBadAuth));
    assert_eq!(refusal(extra, &[&ada, &bob]), None);
}
