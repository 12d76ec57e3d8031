//! The farm over HTTP: a day of it, the block boundary, the lives of its entries, archiving and restoring.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests, too.

mod kit;

use kit::{Bench, amount, decode, encode, result};
use poolctl_sandbox::stellar::StellarOptions;
use serde_json::json;
use stellar_xdr::*;

#[test]
fn plant_work_harvest() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 1_000_000_000);
    let planted = bench.land(&bench.plant(&farmer, 400_000_000));
    assert_eq!(bench.kale(&farmer), Some(600_000_000));
    assert_eq!(planted["events"]["contractEventsXdr"][0].as_array().unwrap().len(), 1, "the stake is burnt");

    // In the very ledger of the plant there is no gap yet, and the simulation says so.
    bench.network.advance(2).unwrap();
    let worked = bench.land(&bench.work(&farmer, 0, 12_345));
    assert_eq!(Bench::return_value(&worked), ScVal::U32(3));

    let early = bench.simulate(&bench.invocation(&farmer, "harvest", vec![farmer.sc(), ScVal::U32(0)]));
    assert!(early["error"].as_str().unwrap().contains("Error(Contract, #14)"), "{early}");
    bench.network.advance_over(1, 300).unwrap();
    bench.land(&bench.plant(&farmer, 0));
    let harvested = bench.land(&bench.prepared(&farmer, "harvest", vec![farmer.sc(), ScVal::U32(0)]));
    assert_eq!(Bench::return_value(&harvested), amount(25_050_000_000));
    assert_eq!(bench.kale(&farmer), Some(1_000_000_000 + 25_050_000_000));
    assert!(bench.entry(&bench.pail_key(&farmer, 0)).is_none());
}

#[test]
fn work_in_the_ledger_of_the_plant_has_no_gap() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    bench.land(&bench.plant(&farmer, 0));
    let hash = ScVal::Bytes(ScBytes(vec![0; 32].try_into().unwrap()));
    let simulated =
        bench.simulate(&bench.invocation(&farmer, "work", vec![farmer.sc(), hash, ScVal::U64(0)]));
    assert!(simulated["error"].as_str().unwrap().contains("Error(Contract, #15)"), "{simulated}");
}

#[test]
fn plant_simulated_before_the_boundary_fails_after_it_and_costs_its_fee() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 1_000_000);
    let other = bench.farmer("bob", 1_000_000);
    bench.land(&bench.plant(&other, 0));
    let envelope = bench.plant(&farmer, 1_000);
    let (balance, sequence) = (bench.balance(&farmer), bench.sequence(&farmer));
    assert_eq!(bench.send(&envelope)["status"], "PENDING");
    bench.network.advance_over(1, 300).unwrap();
    let settled = bench.get(&envelope);
    assert_eq!(settled["status"], "FAILED");
    let TransactionResult { fee_charged, result: TransactionResultResult::TxFailed(results), .. } =
        result(&settled)
    else {
        panic!("{settled}")
    };
    assert_eq!(
        results.as_slice(),
        [OperationResult::OpInner(OperationResultTr::InvokeHostFunction(InvokeHostFunctionResult::Trapped))]
    );
    let TransactionMeta::V4(meta) = decode(&settled["resultMetaXdr"]) else { panic!() };
    let diagnostics = format!("{:?}", meta.diagnostic_events);
    assert!(diagnostics.contains("Storage(ExceededLimit)"), "{diagnostics}");
    assert!(fee_charged > 10_000, "{fee_charged}");
    assert_eq!(bench.balance(&farmer), balance - fee_charged);
    assert_eq!(bench.sequence(&farmer), sequence + 1);
    assert_eq!(bench.kale(&farmer), Some(1_000_000), "the stake is not burnt");
    // Simulated anew it goes through, and so does another in the same ledger: the first rolls the block for both.
    let (first, second) = (bench.plant(&farmer, 1_000), bench.plant(&other, 1_000));
    assert_eq!(bench.send(&first)["status"], "PENDING");
    assert_eq!(bench.send(&second)["status"], "PENDING");
    bench.network.advance(1).unwrap();
    assert_eq!(bench.get(&first)["status"], "SUCCESS");
    assert_eq!(bench.get(&second)["status"], "SUCCESS");
    assert!(bench.entry(&bench.pail_key(&other, 1)).is_some());
}

#[test]
fn pail_lives_to_the_last_ledger_and_not_beyond() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 1_000_000);
    let planted = bench.land(&bench.plant(&farmer, 1_000));
    bench.network.advance(1).unwrap();
    bench.land(&bench.work(&farmer, 0, 1));
    let created = u32::try_from(planted["ledger"].as_u64().unwrap()).unwrap();
    let (_, live_until) = bench.entry(&bench.pail_key(&farmer, 0)).unwrap();
    assert_eq!(live_until, Some(created + 17_280 - 1));
    bench.network.advance_over(1, 300).unwrap();
    bench.land(&bench.plant(&farmer, 0));

    // A second pail of another farmer, two ledgers younger, is extended and outlives the first.
    let (latest, _) = bench.network.latest().unwrap();
    let last = live_until.unwrap();
    bench.network.advance_over(last - latest, 10).unwrap();
    assert_eq!(bench.network.latest().unwrap().0, last);
    assert!(bench.entry(&bench.pail_key(&farmer, 0)).is_some(), "live in its last ledger");
    let harvest = bench.invocation(&farmer, "harvest", vec![farmer.sc(), ScVal::U32(0)]);
    let simulated = bench.simulate(&harvest);
    assert!(simulated.get("error").is_none(), "{simulated}");
    // The transaction lands in the next ledger, where the pail is gone: block and pail are read as absent.
    let settled = bench.settle(&bench.signed(Bench::assemble(harvest.clone(), &simulated), &[&farmer]));
    assert_eq!(settled["status"], "FAILED");
    assert_eq!(bench.network.latest().unwrap().0, last + 1);
    assert!(bench.entry(&bench.pail_key(&farmer, 0)).is_none(), "gone at the ledger after");
    let simulated = bench.simulate(&bench.invocation(&farmer, "harvest", vec![farmer.sc(), ScVal::U32(0)]));
    assert!(simulated["error"].as_str().unwrap().contains("Error(Contract, #11)"), "{simulated}");
}

/// A transaction that extends or restores the keys of its footprint.
fn footprint_transaction(
    bench: &Bench,
    source: &kit::Key,
    body: OperationBody,
    data: SorobanTransactionData,
) -> Transaction {
    let mut transaction = bench.bare(source, vec![Operation { source_account: None, body }]);
    transaction.ext = TransactionExt::V1(data);
    transaction
}

fn data_for(read_only: Vec<LedgerKey>, read_write: Vec<LedgerKey>) -> SorobanTransactionData {
    SorobanTransactionData {
        ext: SorobanTransactionDataExt::V0,
        resources: SorobanResources {
            footprint: LedgerFootprint {
                read_only: read_only.try_into().unwrap(),
                read_write: read_write.try_into().unwrap(),
            },
            instructions: 0,
            disk_read_bytes: 0,
            write_bytes: 0,
        },
        resource_fee: 0,
    }
}

#[test]
fn anyone_extends_a_pail() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    let helper = bench.account("helper");
    bench.land(&bench.plant(&farmer, 0));
    let key = bench.pail_key(&farmer, 0);
    let op = OperationBody::ExtendFootprintTtl(ExtendFootprintTtlOp {
        ext: ExtensionPoint::V0,
        extend_to: 50_000,
    });
    let transaction = footprint_transaction(&bench, &helper, op, data_for(vec![key.clone()], vec![]));
    let simulated = bench.simulate(&transaction);
    let landed = bench.land(&bench.signed(Bench::assemble(transaction, &simulated), &[&helper]));
    let ledger = u32::try_from(landed["ledger"].as_u64().unwrap()).unwrap();
    assert_eq!(bench.entry(&key).unwrap().1, Some(ledger + 50_000));
}

#[test]
fn a_call_keeps_the_farm_alive_and_pays_for_it() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    let live_until = || bench.entry(&bench.instance_key()).unwrap().1.unwrap();
    let deployed = live_until();
    let usual = result(&bench.land(&bench.plant(&farmer, 0))).fee_charged;
    assert_eq!(live_until(), deployed, "less than a week has gone of its half year");
    bench.network.advance(120_961).unwrap();
    let landed = bench.land(&bench.plant(&farmer, 0));
    let ledger = u32::try_from(landed["ledger"].as_u64().unwrap()).unwrap();
    assert_eq!(live_until(), ledger + 3_110_400 - 1);
    let fee = result(&landed).fee_charged;
    assert!(fee > 100 * usual, "a week's rent of contract and code is {fee}, and a plant costs {usual}");
}

/// What the farm itself is to sign, its administrator signs.
#[test]
fn the_farm_signs_by_its_administrator() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    let homesteader = kit::Key::from_pair(&bench.farm.homesteader);
    let call = |contract: &str, function: &str, args: Vec<ScVal>| InvokeContractArgs {
        contract_address: ScAddress::Contract(contract.parse().unwrap()),
        function_name: ScSymbol(function.try_into().unwrap()),
        args: args.try_into().unwrap(),
    };
    let farm = ScVal::Address(ScAddress::Contract(bench.contract()));
    let transfer = call(&bench.farm.asset_contract, "transfer", vec![farm, farmer.sc(), amount(0)]);
    let authorised = |call: InvokeContractArgs| SorobanAuthorizedInvocation {
        function: SorobanAuthorizedFunction::ContractFn(call),
        sub_invocations: VecM::default(),
    };
    let (latest, _) = bench.network.latest().unwrap();
    let (nonce, expiration) = (7, latest + 100);
    let preimage = HashIdPreimage::SorobanAuthorization(HashIdPreimageSorobanAuthorization {
        network_id: Hash(bench.network_id),
        nonce,
        signature_expiration_ledger: expiration,
        invocation: authorised(transfer.clone()),
    });
    let payload: [u8; 32] =
        <sha2::Sha256 as sha2::Digest>::digest(preimage.to_xdr(Limits::none()).unwrap()).into();
    let of_farm = SorobanAuthorizationEntry {
        credentials: SorobanCredentials::Address(SorobanAddressCredentials {
            address: ScAddress::Contract(bench.contract()),
            nonce,
            signature_expiration_ledger: expiration,
            signature: ScVal::Void,
        }),
        root_invocation: authorised(transfer.clone()),
    };
    let of_homesteader = |payload: [u8; 32]| SorobanAuthorizationEntry {
        credentials: SorobanCredentials::SourceAccount,
        root_invocation: authorised(call(
            &bench.farm.contract,
            "__check_auth",
            vec![ScVal::Bytes(ScBytes(payload.to_vec().try_into().unwrap()))],
        )),
    };
    let tried = |source: &kit::Key, auth: Vec<SorobanAuthorizationEntry>| {
        let op = InvokeHostFunctionOp {
            host_function: HostFunction::InvokeContract(transfer.clone()),
            auth: auth.try_into().unwrap(),
        };
        let body = OperationBody::InvokeHostFunction(op);
        bench.simulate(&bench.bare(source, vec![Operation { source_account: None, body }]))
    };
    let signed = tried(&homesteader, vec![of_farm.clone(), of_homesteader(payload)]);
    assert!(signed.get("error").is_none(), "{signed}");
    for (source, auth) in [
        (&homesteader, vec![of_farm.clone()]),
        (&homesteader, vec![of_farm.clone(), of_homesteader([0; 32])]),
        (&farmer, vec![of_farm.clone(), of_homesteader(payload)]),
    ] {
        let refused = tried(source, auth);
        assert!(refused["error"].as_str().unwrap().contains("Error(Auth"), "{refused}");
    }
}

#[test]
fn archived_contract_is_restored_first() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    bench.network.archive_farm().unwrap();
    bench.network.advance(1).unwrap();

    let plant = bench.invocation(&farmer, "plant", vec![farmer.sc(), amount(0)]);
    let simulated = bench.simulate(&plant);
    let preamble = &simulated["restorePreamble"];
    assert!(preamble["minResourceFee"].as_str().unwrap().parse::<i64>().unwrap() > 0, "{simulated}");
    // Without the restoring, the call finds the entry archived.
    let envelope = bench.signed(Bench::assemble(plant, &simulated), &[&farmer]);
    let settled = bench.settle(&envelope);
    let TransactionResultResult::TxFailed(results) = result(&settled).result else { panic!("{settled}") };
    assert_eq!(
        results.as_slice(),
        [OperationResult::OpInner(OperationResultTr::InvokeHostFunction(
            InvokeHostFunctionResult::EntryArchived
        ))]
    );

    let op = OperationBody::RestoreFootprint(RestoreFootprintOp { ext: ExtensionPoint::V0 });
    let data: SorobanTransactionData = decode(&preamble["transactionData"]);
    let mut restore = footprint_transaction(&bench, &farmer, op, data.clone());
    restore.fee = 100 + u32::try_from(data.resource_fee).unwrap();
    let landed = bench.land(&bench.signed(restore, &[&farmer]));
    let ledger = u32::try_from(landed["ledger"].as_u64().unwrap()).unwrap();
    assert_eq!(bench.entry(&bench.instance_key()).unwrap().1, Some(ledger + 120_960 - 1));
    let TransactionMeta::V4(meta) = decode(&landed["resultMetaXdr"]) else { panic!() };
    assert!(meta.operations[0].changes.iter().any(|change| matches!(change, LedgerEntryChange::Restored(_))));
    let again = bench.simulate(&bench.invocation(&farmer, "plant", vec![farmer.sc(), amount(0)]));
    assert!(again.get("restorePreamble").is_none(), "{again}");
    bench.land(&bench.plant(&farmer, 0));
}

#[test]
fn archived_contract_restores_itself_when_allowed() {
    let bench = Bench::with(&StellarOptions { auto_restore: true, ..StellarOptions::default() });
    let farmer = bench.farmer("ada", 0);
    bench.network.archive_farm().unwrap();
    bench.network.advance(1).unwrap();
    let plant = bench.invocation(&farmer, "plant", vec![farmer.sc(), amount(0)]);
    let simulated = bench.simulate(&plant);
    assert!(simulated.get("restorePreamble").is_none());
    let landed = bench.land(&bench.signed(Bench::assemble(plant, &simulated), &[&farmer]));
    let ledger = u32::try_from(landed["ledger"].as_u64().unwrap()).unwrap();
    assert_eq!(
        bench.entry(&bench.instance_key()).unwrap().1,
        Some(ledger + 3_110_400 - 1),
        "as long as can be"
    );
}

#[test]
fn events_come_by_pages_and_filters() {
    let bench = Bench::new();
    let (start, _) = bench.network.latest().unwrap();
    let farmer = bench.farmer("ada", 1_000_000);
    for round in 0..3 {
        bench.land(&bench.plant(&farmer, 100 + round));
        bench.network.advance_over(1, 300).unwrap();
    }
    let burn = encode(&kit::symbol("burn"));
    let filter = json!({ "type": "contract", "contractIds": [bench.farm.asset_contract], "topics": [[burn, "*", "*"]] });
    let all = bench.call("getEvents", &json!({ "startLedger": start, "filters": [filter] }));
    assert_eq!(all["events"].as_array().unwrap().len(), 3, "{all}");
    let page = bench.call(
        "getEvents",
        &json!({ "startLedger": start, "filters": [filter], "pagination": { "limit": 2 } }),
    );
    assert_eq!(page["events"].as_array().unwrap().len(), 2);
    let rest = bench.call(
        "getEvents",
        &json!({ "filters": [filter], "pagination": { "cursor": page["cursor"], "limit": 2 } }),
    );
    assert_eq!(rest["events"], json!([all["events"][2]]));
    let none = json!({ "topics": [[burn]] });
    let none = bench.call("getEvents", &json!({ "startLedger": start, "filters": [none] }));
    assert_eq!(none["events"], json!([]), "a topic filter without ** is as long as the topics");
    let late = kit::reply(&bench.url, "getEvents", &json!({ "startLedger": 9_999_999 }));
    assert_eq!(late["error"]["code"], -32600, "{late}");
}

#[test]
fn a_call_is_held_to_what_it_declares() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 1_000_000);
    let invocation = bench.invocation(&farmer, "plant", vec![farmer.sc(), amount(10)]);
    let simulated = bench.simulate(&invocation);
    let assembled = Bench::assemble(invocation, &simulated);
    let failure = |change: &dyn Fn(&mut SorobanTransactionData)| {
        let mut transaction = assembled.clone();
        let TransactionExt::V1(data) = &mut transaction.ext else { panic!() };
        change(data);
        transaction.seq_num = SequenceNumber(bench.sequence(&farmer) + 1);
        let settled = bench.settle(&bench.signed(transaction, &[&farmer]));
        let TransactionResultResult::TxFailed(results) = result(&settled).result else { panic!("{settled}") };
        match results[0].clone() {
            OperationResult::OpInner(OperationResultTr::InvokeHostFunction(result)) => result,
            other => panic!("{other:?}"),
        }
    };
    let over = InvokeHostFunctionResult::ResourceLimitExceeded;
    assert_eq!(failure(&|data| data.resources.instructions = 100_000), over);
    assert_eq!(failure(&|data| data.resources.write_bytes = 10), over);
    assert_eq!(failure(&|data| data.resources.disk_read_bytes = 10), over);
    // What is left for rent after the resources is too little.
    let poor = failure(&|data| data.resource_fee -= 20_000);
    assert_eq!(poor, InvokeHostFunctionResult::InsufficientRefundableFee);
    let narrow = failure(&|data| {
        let keys = data.resources.footprint.read_write.to_vec();
        data.resources.footprint.read_write = keys[1..].to_vec().try_into().unwrap();
    });
    assert_eq!(narrow, InvokeHostFunctionResult::Trapped);
    assert_eq!(bench.kale(&farmer), Some(1_000_000));
}

#[test]
fn authorisation_is_signed_for_one_use() {
    let bench = Bench::new();
    let (farmer, sender) = (bench.farmer("ada", 1_000_000), bench.account("sender"));
    let invocation = bench.invocation(&sender, "plant", vec![farmer.sc(), amount(10)]);
    let simulated = bench.simulate(&invocation);
    let assembled = Bench::assemble(invocation, &simulated);
    let (latest, _) = bench.network.latest().unwrap();
    let sign = |key: &kit::Key, expiration: u32| {
        let mut transaction = assembled.clone();
        let mut operations = transaction.operations.to_vec();
        let OperationBody::InvokeHostFunction(op) = &mut operations[0].body else { panic!() };
        let mut auth = op.auth.to_vec();
        let invocation = auth[0].root_invocation.clone();
        let SorobanCredentials::Address(credentials) = &mut auth[0].credentials else { panic!("{auth:?}") };
        let preimage = HashIdPreimage::SorobanAuthorization(HashIdPreimageSorobanAuthorization {
            network_id: Hash(bench.network_id),
            nonce: credentials.nonce,
            signature_expiration_ledger: expiration,
            invocation,
        });
        let hash: [u8; 32] =
            <sha2::Sha256 as sha2::Digest>::digest(preimage.to_xdr(Limits::none()).unwrap()).into();
        let bytes = |bytes: &[u8]| ScVal::Bytes(ScBytes(bytes.to_vec().try_into().unwrap()));
        let fields = [
            ("public_key", bytes(&key.0.verifying_key().to_bytes())),
            ("signature", bytes(key.sign(&hash).signature.as_slice())),
        ];
        let items: Vec<_> =
            fields.into_iter().map(|(name, val)| ScMapEntry { key: kit::symbol(name), val }).collect();
        let map = ScVal::Map(Some(ScMap(items.try_into().unwrap())));
        credentials.signature_expiration_ledger = expiration;
        credentials.signature = ScVal::Vec(Some(ScVec(vec![map].try_into().unwrap())));
        op.auth = auth.try_into().unwrap();
        transaction.operations = operations.try_into().unwrap();
        transaction.seq_num = SequenceNumber(bench.sequence(&sender) + 1);
        transaction
    };
    let forged = bench.simulate(&sign(&sender, latest + 100));
    assert!(forged["error"].as_str().unwrap().contains("Auth"), "{forged}");
    let expired = bench.simulate(&sign(&farmer, latest - 1));
    assert!(expired["error"].as_str().unwrap().contains("Auth"), "{expired}");
    // Simulated with the signature, in enforcing mode, the costs of checking it are in.
    let signed = sign(&farmer, latest + 100);
    let enforced = bench.simulate(&signed);
    bench.land(&bench.signed(Bench::assemble(signed, &enforced), &[&sender]));
    assert_eq!(bench.kale(&farmer), Some(1_000_000 - 10));
    let again = bench.simulate(&sign(&farmer, latest + 100));
    assert!(again["error"].as_str().unwrap().contains("Error(Auth, ExistingValue)"), "{again}");
}

#[test]
fn many_farmers_plant_at_once() {
    let bench = Bench::new();
    let farmers: Vec<_> = (0..20).map(|number| bench.farmer(&format!("farmer {number}"), 1_000)).collect();
    bench.network.advance_over(1, 300).unwrap();
    // All are simulated as the one that rolls the block over; the first one does, and the others still fit.
    let envelopes: Vec<_> = std::thread::scope(|scope| {
        let plant = |farmer| {
            let bench = &bench;
            scope.spawn(move || {
                let envelope = bench.plant(farmer, 500);
                assert_eq!(bench.send(&envelope)["status"], "PENDING");
                envelope
            })
        };
        let threads: Vec<_> = farmers.iter().map(plant).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    bench.network.advance(1).unwrap();
    let mut orders: Vec<u64> = envelopes
        .iter()
        .map(|envelope| {
            let landed = bench.get(envelope);
            assert_eq!(landed["status"], "SUCCESS", "{landed}");
            landed["applicationOrder"].as_u64().unwrap()
        })
        .collect();
    orders.sort_unstable();
    assert_eq!(orders, (1..=20).collect::<Vec<_>>());
}
