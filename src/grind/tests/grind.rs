//! The grinder from outside: vectors, properties of ranges, stops, ties, the scheduler, and jobs.

#![allow(clippy::unwrap_used, reason = "tests")]

use poolctl_grind::job::{ParseError, parse_entropy, parse_farmer, parse_nonce};
use poolctl_grind::jobs::{self, Answer};
use poolctl_grind::kernel::{self, Kernel, KernelRef};
use poolctl_grind::lines::Lines;
use poolctl_grind::scheduler::{Event, Farmer, SearchReport, raise};
use poolctl_grind::search::{End, LimitError, Limits, Outcome, Settings, Solution, search};
use poolctl_grind::{Job, block};
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Nonces tried by each kernel and by the reference.
const MANY: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 4_000_000 };

static GO: AtomicBool = AtomicBool::new(false);

fn settings(kernel: KernelRef, threads: usize) -> Settings<'static> {
    Settings {
        kernel,
        threads: NonZeroUsize::new(threads).unwrap(),
        pin: false,
        interval: Duration::from_millis(20),
        stop: &GO,
    }
}

fn fastest() -> KernelRef {
    kernel::available()[0]
}

fn job(index: u32) -> Job {
    Job { index, entropy: [7; 32], farmer: [9; 32] }
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests/kale.json")).unwrap()
}

fn vector_job(case: &serde_json::Value) -> Job {
    Job {
        index: case["index"].as_u64().unwrap().try_into().unwrap(),
        entropy: parse_entropy(case["entropy"].as_str().unwrap()).unwrap(),
        farmer: parse_farmer(case["farmer"].as_str().unwrap()).unwrap(),
    }
}

fn number(value: &serde_json::Value) -> u64 {
    value.as_u64().unwrap_or_else(|| parse_nonce(value.as_str().unwrap()).unwrap())
}

/// Every kernel reports every nonce of the range once, with the first eight bytes of its digest.
fn all_report(job: &Job, first: u64, last: u64) {
    let expected: Vec<(u64, [u8; 8])> =
        (first..=last).map(|nonce| (nonce, job.hash(nonce)[..8].try_into().unwrap())).collect();
    for kernel in kernel::available() {
        let mut all = Vec::new();
        (kernel.scan)(job, (first, last), 0, &mut |nonce, lane| {
            all.push((nonce, lane.to_le_bytes()));
            0
        });
        all.sort_unstable();
        assert_eq!(all, expected, "{}", kernel.name);
    }
}

fn run(job: &Job, limits: &Limits, kernel: KernelRef, threads: usize) -> Outcome {
    search(job, limits, &settings(kernel, threads), &mut |_| {}).unwrap()
}

fn some(start: u64, nonces: u64) -> Limits {
    Limits { start, nonces: Some(nonces), ..Limits::default() }
}

fn best_by_reference(job: &Job, first: u64, last: u64) -> Solution {
    let mut best = Solution::new(job, first);
    for nonce in first..=last {
        let solution = Solution::new(job, nonce);
        if solution.zeros > best.zeros {
            best = solution;
        }
    }
    best
}

#[test]
fn the_contracts_example() {
    let job = Job {
        index: 37,
        entropy: parse_entropy("AAAAAAn66y/43JP7M02rwTmONZoWOmu1OPYz/bmzJ8o=").unwrap(),
        farmer: parse_farmer("GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE").unwrap(),
    };
    let solution = Solution::new(&job, 20_495_217_910);
    assert_eq!(
        hex::encode(solution.hash),
        "0000000099be0037e5a48324959cb9dd10965ae59511cfd1996f9b917aad9980"
    );
    assert_eq!(solution.zeros, 8);
    for kernel in kernel::available() {
        let limits = Limits { zeros: Some(8), ..some(20_495_217_000, 2000) };
        let outcome = run(&job, &limits, kernel, 2);
        assert_eq!(outcome.best, Some(solution), "{}", kernel.name);
        assert_eq!(outcome.end, End::Zeros);
        assert_eq!(outcome.searched, Some(20_495_217_000..=20_495_217_910));
    }
}

#[test]
fn hashes_of_the_vectors() {
    let vectors = vectors();
    let cases = vectors["hashes"].as_array().unwrap();
    assert_eq!(cases.len(), 40);
    for case in cases {
        let (job, nonce) = (vector_job(case), number(&case["nonce"]));
        let solution = Solution::new(&job, nonce);
        assert_eq!(hex::encode(solution.hash), case["hash"].as_str().unwrap());
        assert_eq!(u64::from(solution.zeros), case["zeros"].as_u64().unwrap());
        all_report(&job, nonce, nonce);
    }
}

#[test]
fn best_of_the_vectors_ranges() {
    let vectors = vectors();
    let cases = vectors["best_of_range"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        for kernel in kernel::available() {
            for threads in [1, 2, 3] {
                let limits = some(number(&case["start"]), number(&case["nonces"]));
                let outcome = run(&vector_job(case), &limits, kernel, threads);
                let best = outcome.best.unwrap();
                assert_eq!(best.nonce, number(&case["best_nonce"]), "{}", kernel.name);
                assert_eq!(hex::encode(best.hash), case["hash"].as_str().unwrap());
                assert_eq!(u64::from(best.zeros), case["zeros"].as_u64().unwrap());
                assert_eq!(outcome.hashes, number(&case["nonces"]));
            }
        }
    }
}

#[test]
fn ends_of_ranges() {
    let job = job(3);
    for start in [0, 1, 5, 8191, (1 << 32) - 4, u64::MAX - 20_000, u64::MAX - 8192] {
        for count in [1, 2, 7, 8, 9, 17, 8192, 8193] {
            if u64::MAX - start >= count - 1 {
                all_report(&job, start, start + (count - 1));
            }
        }
    }
    for count in [1, 7, 8, 9, 8192] {
        all_report(&job, u64::MAX - (count - 1), u64::MAX);
    }
}

#[test]
fn whole_groups_of_tiles_up_to_the_last_nonce() {
    for first in [u64::MAX - (9 * 8192 + 5), (1 << 32) - 3 * 8192 - 1] {
        all_report(&job(4), first, first.saturating_add(10 * 8192));
    }
}

#[test]
fn kernels_agree_with_the_reference_on_many() {
    for kernel in kernel::available() {
        kernel::check(kernel, MANY, 1).unwrap();
        kernel::check(kernel, MANY / 4, 0xdead_beef).unwrap();
    }
}

#[test]
fn unknown_kernel_names_the_available_ones() {
    let error = kernel::by_name("quantum").unwrap_err();
    assert_eq!(error.available.last(), Some(&"portable"));
    assert!(error.to_string().contains("available: ") && error.to_string().contains("portable"));
    for kernel in kernel::available() {
        assert_eq!(kernel::by_name(kernel.name).unwrap().name, kernel.name);
    }
}

static BROKEN: Kernel = Kernel {
    name: "broken",
    lanes: 1,
    scan: |job, range, floor, report| {
        let wrong = Job { index: job.index ^ u32::from(range.0 % 64 == 5), ..*job };
        (kernel::by_name("portable").unwrap().scan)(&wrong, range, floor, report);
    },
};

/// A kernel that records what it is given.
static RECORDER: Kernel =
    Kernel { name: "recorder", lanes: 1, scan: |_, range, _, _| RECORDED.lock().unwrap().push(range) };

/// For one test alone.
static RECORDED: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

#[test]
fn a_kernel_that_disagrees_is_refused() {
    let (taken, refused) = kernel::checked(Some(&BROKEN), 20_000, 1);
    assert_eq!(taken.name, fastest().name);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].kernel, "broken");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every nonce of the range once, whatever the threads and places.
    #[test]
    fn each_nonce_is_tried_once(
        start in prop_oneof![any::<u64>(), 0..20_000u64, (u64::MAX - 200_000)..=u64::MAX, ((1u64 << 32) - 50_000)..(1 << 32)],
        count in prop_oneof![1..200u64, 1..200_000u64],
        threads in 1..9usize,
    ) {
        let outcome = run(&job(1), &some(start, count), &RECORDER, threads);
        let mut pieces = std::mem::take(&mut *RECORDED.lock().unwrap());
        pieces.sort_unstable();
        let last = start.saturating_add(count - 1);
        prop_assert_eq!(pieces[0].0, start);
        prop_assert_eq!(pieces[pieces.len() - 1].1, last);
        for pair in pieces.windows(2) {
            prop_assert_eq!(pair[0].1 + 1, pair[1].0);
        }
        prop_assert_eq!(outcome.hashes, last - start + 1);
        prop_assert_eq!(outcome.searched, Some(start..=last));
        prop_assert_eq!(outcome.end, End::Nonces);
    }

    #[test]
    fn kernels_try_each_nonce_of_a_range_once(start in any::<u64>(), count in 1..3000u64, index in any::<u32>(), farmer in any::<[u8; 32]>()) {
        let job = Job { index, farmer, entropy: [1; 32] };
        all_report(&job, start, start.saturating_add(count - 1));
    }

    #[test]
    fn best_is_the_true_best_and_the_lowest(start in any::<u64>(), count in 1..5000u64, threads in 1..4usize) {
        let best = best_by_reference(&job(2), start, start.saturating_add(count - 1));
        for kernel in kernel::available() {
            prop_assert_eq!(run(&job(2), &some(start, count), kernel, threads).best, Some(best));
        }
    }

    #[test]
    fn zeros_finds_the_lowest(start in any::<u64>(), zeros in 0..4u32) {
        let mut nonce = start.min(u64::MAX - 1_000_000);
        let first = nonce;
        while Solution::new(&job(5), nonce).zeros < zeros {
            nonce += 1;
        }
        for threads in [1, 3] {
            let limits = Limits { start: first, zeros: Some(zeros), ..Limits::default() };
            let outcome = run(&job(5), &limits, fastest(), threads);
            prop_assert_eq!(outcome.best.unwrap().nonce, nonce);
            prop_assert_eq!(outcome.searched, Some(first..=nonce));
            prop_assert_eq!(outcome.end, End::Zeros);
        }
    }

    #[test]
    fn any_text_is_an_error_or_32_bytes(text in ".{0,90}") {
        let _ = (parse_entropy(&text), parse_farmer(&text), parse_nonce(&text));
    }

    #[test]
    fn nonces_as_text(nonce in any::<u64>()) {
        prop_assert_eq!(parse_nonce(&nonce.to_string()), Ok(nonce));
    }
}

#[test]
fn ties_go_to_the_lowest_nonce_whatever_the_order() {
    let one = run(&job(8), &some(0, 300_000), fastest(), 1).best;
    for threads in [2, 5] {
        assert_eq!(run(&job(8), &some(0, 300_000), fastest(), threads).best, one);
    }
    assert_eq!(one, Some(best_by_reference(&job(8), 0, 299_999)));
}

#[test]
fn limits_are_checked() {
    let run = |limits: Limits| search(&job(1), &limits, &settings(fastest(), 1), &mut |_| {}).unwrap_err();
    assert_eq!(run(Limits { zeros: Some(65), ..Limits::default() }), LimitError::Zeros(65));
    assert_eq!(run(some(0, 0)), LimitError::Nonces);
    assert_eq!(some(5, u64::MAX).range(), Ok(5..=u64::MAX));
}

#[test]
fn deadline_and_stop_end_it_with_an_exact_range() {
    let deadline = Some(Instant::now() + Duration::from_millis(150));
    let limits = Limits { start: 77, deadline, ..Limits::default() };
    let mut ticks = 0;
    let outcome = search(&job(6), &limits, &settings(fastest(), 2), &mut |_| ticks += 1).unwrap();
    assert_eq!(outcome.end, End::Deadline);
    let range = outcome.searched.unwrap();
    assert_eq!((*range.start(), range.end() - range.start() + 1), (77, outcome.hashes));
    assert!(ticks >= 2 && outcome.elapsed < Duration::from_secs(5));

    let stop = AtomicBool::new(false);
    let settings = Settings { stop: &stop, ..settings(fastest(), 2) };
    let outcome =
        search(&job(6), &Limits::default(), &settings, &mut |_| stop.store(true, Ordering::Relaxed)).unwrap();
    assert_eq!(outcome.end, End::Stopped);
    assert_eq!(outcome.searched.unwrap(), 0..=outcome.hashes - 1);

    let outcome = search(&job(6), &Limits::default(), &settings, &mut |_| {}).unwrap();
    assert_eq!((outcome.best, outcome.hashes, outcome.searched), (None, 0, None));
}

fn raised(list: &[Farmer], threads: usize) -> SearchReport {
    raise(list, None, &settings(fastest(), threads), &mut |_| {}).unwrap()
}

fn farmers(count: u8, cap: u32) -> Vec<Farmer> {
    (0..count)
        .map(|number| Farmer {
            job: Job { farmer: [number; 32], ..job(11) },
            next: Some(u64::from(number) * 1000),
            best: None,
            cap,
        })
        .collect()
}

#[test]
fn the_scheduler_raises_all_to_the_cap() {
    let list = farmers(20, 3);
    let mut improvements = vec![None; 20];
    let report = raise(&list, None, &settings(fastest(), 3), &mut |event| {
        if let Event::Improved { number, farmer } = event {
            assert_eq!(farmer.job, list[number].job);
            improvements[number] = farmer.best;
        }
    })
    .unwrap();
    assert_eq!(report.end, End::Zeros);
    assert_eq!(report.hashes, report.shares.iter().map(|share| share.hashes).sum::<u64>());
    for (number, share) in report.shares.iter().enumerate() {
        let best = share.farmer.best.unwrap();
        assert!(best.zeros >= 3);
        assert_eq!(improvements[number], share.farmer.best);
        let first = list[number].next.unwrap();
        let next = share.farmer.next.unwrap();
        assert_eq!(share.hashes, next - first, "what was tried is one range");
        assert_eq!(best, best_by_reference(&share.farmer.job, first, next - 1), "the true best of it");
    }
    // Nothing is left to do, and nothing is done.
    let again: Vec<Farmer> = report.shares.iter().map(|share| share.farmer).collect();
    let report = raised(&again, 3);
    assert_eq!((report.hashes, report.end), (0, End::Zeros));
}

#[test]
fn the_scheduler_raises_the_lowest_first_and_stops() {
    let mut list = farmers(3, 64);
    list[1].best = Some(Solution::new(&list[1].job, 0));
    for (farmer, zeros) in list.iter_mut().zip([40, 2, 40]) {
        farmer.best = Some(Solution { nonce: 0, hash: [0; 32], zeros });
    }
    let deadline = Instant::now() + Duration::from_millis(100);
    let report = raise(&list, Some(deadline), &settings(fastest(), 2), &mut |_| {}).unwrap();
    assert_eq!(report.end, End::Deadline);
    assert_eq!((report.shares[0].hashes, report.shares[2].hashes), (0, 0));
    assert!(report.shares[1].hashes > 0);
    let refused = raise(&farmers(1, 65), None, &settings(fastest(), 1), &mut |_| {}).unwrap_err();
    assert_eq!(refused, LimitError::Zeros(65));
    let none = raised(&[], 2);
    assert_eq!((none.hashes, none.end), (0, End::Zeros));
}

#[test]
fn the_scheduler_resumes_and_ends_at_the_last_nonce() {
    let mut list = farmers(2, 64);
    list[0].next = Some(u64::MAX - 9);
    list[1].next = None;
    let report = raised(&list, 4);
    assert_eq!((report.end, report.hashes), (End::Nonces, 10));
    assert_eq!(report.shares[0].farmer.next, None);
    assert_eq!(report.shares[0].farmer.best, Some(best_by_reference(&list[0].job, u64::MAX - 9, u64::MAX)));
    assert_eq!(report.shares[1].farmer.best, None);
}

#[test]
fn saved_states_leave_no_gap() {
    let list = farmers(4, 4);
    let mut saved = list.clone();
    let report = raise(&list, None, &settings(fastest(), 4), &mut |event| {
        if let Event::Improved { number, farmer } = event {
            // A find in a later piece comes while nothing is behind a gapless beginning yet.
            let last = farmer.next.unwrap().checked_sub(1);
            if let Some((first, last)) = list[number].next.zip(last).filter(|(first, last)| first <= last) {
                let best = best_by_reference(&farmer.job, first, last.min(first + 20_000));
                assert!(farmer.best.unwrap().zeros >= best.zeros, "all before next counts in best");
            }
            saved[number] = *farmer;
        }
    })
    .unwrap();
    let again = raised(&saved, 4);
    for (one, two) in report.shares.iter().zip(&again.shares) {
        assert_eq!(one.farmer.best, two.farmer.best);
    }
}

const G: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";
const C: &str = "CDL74RF5BLYR2YBLCCI7F5FB6TPSCLKEJUBSD2RSVWZ4YHF3VMFAIGWA";

#[test]
fn entropy_and_farmers_are_parsed_strictly() {
    let hex = "00000000".to_owned() + &"ab".repeat(28);
    assert_eq!(parse_entropy(&hex), parse_entropy(&hex.to_uppercase()));
    assert_eq!(parse_farmer(&hex), parse_entropy(&hex));
    assert_eq!(hex::encode(parse_farmer(G).unwrap())[..22], *"6079c3ed9c947ace556788");
    assert_ne!(parse_farmer(C).unwrap(), parse_farmer(G).unwrap());
    for bad in [
        "",
        "abc",
        &hex[1..],
        &(hex.clone() + "0"),
        "AAAAAAn66y/43JP7M02rwTmONZoWOmu1OPYz/bmzJ8o",
        "AAAAAAn66y_43JP7M02rwTmONZoWOmu1OPYz_bmzJ8o=",
        "AAAA",
        " AAAAAAn66y/43JP7M02rwTmONZoWOmu1OPYz/bmzJ8o=",
    ] {
        let error = parse_entropy(bad).unwrap_err();
        assert!(matches!(error, ParseError::Entropy(..)), "{bad}");
        assert!(error.to_string().contains("allowed: 64 hex digits"), "{bad}");
    }
    let swapped = G.replace("BQ", "BR");
    let muxed = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ";
    let seed = "SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR";
    for bad in ["", &swapped, &G[1..], &G.to_lowercase(), "abcd", seed, muxed, &format!("{G} ")] {
        let error = parse_farmer(bad).unwrap_err();
        assert!(matches!(error, ParseError::Farmer(..)), "{bad}");
        assert!(error.to_string().contains("allowed: a G… or C… address"), "{bad}");
        assert!(!error.to_string().contains(&seed[5..]), "a seed is not repeated");
    }
}

#[test]
fn nonces_are_whole_numbers_up_to_the_last() {
    assert_eq!(parse_nonce("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(parse_nonce("007"), Ok(7));
    for (bad, reason) in [
        ("", "nothing there"),
        ("-1", "negative"),
        ("+1", "not a whole number"),
        ("1.0", "not a whole number"),
        ("1e3", "not a whole number"),
        ("18446744073709551616", "larger than a u64"),
        (" 1", "not a whole number"),
    ] {
        let error = parse_nonce(bad).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(error.contains("allowed: a whole number from 0 to 18446744073709551615"), "{error}");
    }
}

fn answers(text: impl AsRef<[u8]>, stream: bool, random: u64) -> (jobs::Summary, Vec<serde_json::Value>) {
    let mut all = Vec::new();
    let summary = jobs::run(
        Lines::new(text.as_ref(), 4096),
        &settings(fastest(), 2),
        stream,
        random,
        &mut || (SystemTime::now(), Instant::now()),
        &mut |answer: Answer| all.push(serde_json::to_value(answer).unwrap()),
    );
    (summary, all)
}

/// The code of each answer, or why it ended.
fn kinds(all: &[serde_json::Value]) -> Vec<&str> {
    all.iter().map(|answer| answer.get("code").unwrap_or(&answer["end"]).as_str().unwrap()).collect()
}

#[test]
fn jobs_are_answered_line_by_line() {
    let hex = "11".repeat(32);
    let text = format!(
        r#"{{"id":"a","index":37,"entropy":"AAAAAAn66y/43JP7M02rwTmONZoWOmu1OPYz/bmzJ8o=","farmer":"{G}","start":"20495217000","nonces":2000}}

not json
{{"id":2,"index":1,"entropy":"{hex}","farmer":"{C}","start":18446744073709551615,"nonces":"5"}}
{{"id":3,"index":1,"entropy":"{hex}","farmer":"{C}","nonces":-5}}
{{"id":4,"index":1,"entropy":"{hex}","farmer":"{C}","nonces":1.5}}
{{"id":5,"index":1,"entropy":"{hex}","farmer":"{C}","nonces":18446744073709551616}}
{{"id":6,"index":1,"entropy":"{hex}","farmer":"{C}"}}
{{"id":7,"index":1,"entropy":"11","farmer":"{C}","nonces":1}}
{{"id":8,"index":1,"entropy":"{hex}","farmer":"{C}A","nonces":1}}
{{"id":9,"index":1,"entropy":"{hex}","farmer":"{C}","zeros":65}}
{{"id":10,"index":1,"entropy":"{hex}","farmer":"{C}","nonces":0}}
{{"id":11,"index":1,"entropy":"{hex}","farmer":"{C}","nonces":1,"extra":true}}
{{"id":12,"index":1,"entropy":"{hex}","farmer":"{C}","until":1}}
{{"id":13,"index":4294967296,"entropy":"{hex}","farmer":"{C}","nonces":1}}
{{"id":14,"index":1,"entropy":"{hex}","farmer":"{C}","zeros":2}}"#
    );
    let (summary, all) = answers(&text, false, 7);
    assert_eq!((summary.solved, summary.failed), (4, 11));
    let lines = all.iter().map(|answer| answer["line"].as_u64().unwrap());
    let kinds: Vec<_> = lines.zip(kinds(&all)).collect();
    let expected = [
        (1, "nonces"),
        (3, "invalid_json"),
        (4, "nonces"),
        (5, "invalid_json"),
        (6, "invalid_json"),
        (7, "invalid_json"),
        (8, "endless_job"),
        (9, "invalid_entropy"),
        (10, "invalid_farmer"),
        (11, "invalid_limit"),
        (12, "invalid_limit"),
        (13, "invalid_json"),
        (14, "deadline"),
        (15, "invalid_json"),
        (16, "zeros"),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(all[0]["nonce"], "20495217910");
    assert_eq!(all[0]["hash"], "0000000099be0037e5a48324959cb9dd10965ae59511cfd1996f9b917aad9980");
    assert_eq!(
        (&all[0]["hashes"], &all[0]["first"], &all[0]["last"]),
        (&"2000".into(), &"20495217000".into(), &"20495218999".into())
    );
    assert_eq!((&all[2]["nonce"], &all[2]["hashes"]), (&"18446744073709551615".into(), &"1".into()));
    assert!(all[12].get("nonce").is_none(), "a job whose time has passed has no nonce");
}

#[test]
fn a_bad_line_fails_alone() {
    let job = |id: &str| {
        format!(r#"{{"id":"{id}","index":1,"entropy":"{0}","farmer":"{0}","nonces":1}}"#, "11".repeat(32))
    };
    let mut text = job("a").into_bytes();
    text.extend_from_slice(b"\n{\"id\":\"\xff\"}\n");
    text.extend_from_slice(&[b'x'; 5000]);
    text.extend_from_slice(format!("\n[1,1,\"11\",\"11\"]\n{}", job("b")).as_bytes());
    let (summary, all) = answers(text, false, 7);
    assert_eq!((summary.solved, summary.failed), (2, 3));
    assert_eq!(kinds(&all), ["nonces", "invalid_json", "invalid_json", "invalid_json", "nonces"]);
    assert_eq!(all[1]["message"], "the line is not UTF-8");
    assert_eq!(all[2]["message"], "the line is longer than 4096 bytes");
    assert!(all[3]["message"].as_str().unwrap().contains("expected an object"), "{}", all[3]);
    assert_eq!(all[4]["line"], 5);
}

#[test]
fn a_job_without_a_start_begins_at_a_random_place() {
    let line = format!(r#"{{"id":1,"index":1,"entropy":"{0}","farmer":"{0}","nonces":1}}"#, "11".repeat(32));
    let first = |random| {
        let (_, all) = answers(format!("{line}\n{line}"), false, random);
        [all[0]["first"].clone(), all[1]["first"].clone()]
    };
    let ([a, b], [c, d]) = (first(1), first(2));
    assert!(a != b && a != c && b != d && a != d, "{a} {b} {c} {d}");
    assert_eq!(first(1), [a, b]);
}

proptest! {
    #[test]
    fn a_random_start_has_room(random: u64, nonces in prop_oneof![Just(None), any::<u64>().prop_map(Some), (1_u64..9).prop_map(Some)]) {
        let start = Limits::random_start(random, nonces);
        let room = u64::MAX - start;
        prop_assert!(room >= nonces.unwrap_or(1 << 63).saturating_sub(1));
    }
}

#[test]
fn streams_improvements_before_the_solution() {
    let text =
        format!(r#"{{"id":1,"index":9,"entropy":"{}","farmer":"{G}","nonces":200000}}"#, "22".repeat(32));
    let (_, all) = answers(&text, true, 7);
    let (solution, progress) = all.split_last().unwrap();
    assert_eq!(solution["type"], "solution");
    assert!(!progress.is_empty());
    assert!(progress.iter().all(|answer| answer["type"] == "progress" && answer["id"] == 1));
    assert_eq!(progress.last().unwrap()["nonce"], solution["nonce"]);
}

#[test]
fn zeros_of_digests() {
    let mut digest = [0; 32];
    assert_eq!(block::zeros(&digest), 64);
    for (place, byte, zeros) in [(31, 1, 63), (9, 0x10, 18), (8, 0x0f, 17), (0, 0x0f, 1), (0, 0xf0, 0)] {
        digest[place] = byte;
        assert_eq!(block::zeros(&digest), zeros);
    }
}

#[test]
fn bench_measures_every_kernel() {
    let rows = poolctl_grind::bench::bench(Duration::from_millis(300), &settings(fastest(), 2)).unwrap();
    assert_eq!(rows[0].kernel, "tiny-keccak");
    assert_eq!(rows.len(), 1 + 2 * kernel::available().len());
    assert!(rows.iter().all(|row| row.best() >= row.median() && row.best() > 0.0));
}
