//! Every kernel against the scalar crates, and against Keccak-p libraries if there are any: one thread, the KALE message.
//!
//! `cargo bench`; with `GRIND_BENCH_X8` and `GRIND_BENCH_X4` set to the paths of shared libraries that export
//! `KeccakP1600times8_PermuteAll_24rounds` and `KeccakP1600times4_PermuteAll_24rounds` (`void f(void *states)`, lane `l` of
//! instance `i` is the 64-bit word `8 * l + i` or `4 * l + i`, aligned to 64 bytes), those are measured beside. They are fed
//! the same 76-byte messages in the cheapest way, as whole lanes, and only the first lane of the digest is looked at.
#![allow(unsafe_code, reason = "foreign functions, and loads and stores of whole vectors")]
#![allow(clippy::expect_used, clippy::cast_ptr_alignment, reason = "a bench may panic; `States` is aligned")]
#![allow(missing_docs, reason = "what criterion's macros make")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "rates, for people to read")]
#![allow(clippy::print_stderr, reason = "a bench says what it found")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use poolctl_grind::scheduler::{Farmer, raise};
use poolctl_grind::search::all_cores;
use poolctl_grind::{Job, Limits, Settings, kernel, search};
use sha3::Digest;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long one turn of a comparison takes.
const TURN: Duration = Duration::from_secs(1);

/// Nonces per iteration: nine tiles, what a thread takes at once.
const NONCES: u64 = 9 * 8192;

fn job() -> Job {
    Job { index: 37, entropy: [0x5a; 32], farmer: [0xc3; 32] }
}

/// The padded message as lanes, for those who bring a bare permutation.
fn lanes(nonce: u64) -> [u64; 25] {
    let mut block = [0; 200];
    block[..76].copy_from_slice(&job().message(nonce));
    block[76] = 0x01;
    block[135] = 0x80;
    std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| block[8 * i + j])))
}

/// The first four digits of the digest are zero.
const MASK: u64 = 0xffff;

fn scalar(c: &mut Criterion) {
    let mut group = c.benchmark_group("kale");
    let nonces = 4096;
    group.throughput(Throughput::Elements(nonces));
    group.bench_function("tiny-keccak", |b| {
        b.iter(|| (0..nonces).filter(|nonce| job().hash(*nonce)[..2] == [0, 0]).count());
    });
    group.bench_function("sha3", |b| {
        b.iter(|| {
            (0..nonces).filter(|nonce| sha3::Keccak256::digest(job().message(*nonce))[..2] == [0, 0]).count()
        });
    });
    group.bench_function("keccak-asm", |b| {
        b.iter(|| {
            (0..nonces)
                .filter(|nonce| keccak_asm::Keccak256::digest(job().message(*nonce))[..2] == [0, 0])
                .count()
        });
    });
    group.bench_function("keccak", |b| {
        let template = lanes(0);
        b.iter(|| {
            let mut hits = 0;
            keccak::Keccak::new().with_f1600(|f1600| {
                for nonce in 0..nonces {
                    let mut state = template;
                    state[1] |= u64::from(u32::try_from(nonce).unwrap_or(0).swap_bytes());
                    f1600(&mut state);
                    hits += u64::from(state[0] & MASK == 0);
                }
            });
            hits
        });
    });
    group.finish();
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("kale");
    group.throughput(Throughput::Elements(NONCES));
    for kernel in kernel::available() {
        let mut start = 0;
        group.bench_function(kernel.name, |b| {
            b.iter(|| {
                let mut hits = 0;
                (kernel.scan)(&job(), (start, start + NONCES - 1), 4, &mut |_, _| {
                    hits += 1;
                    4
                });
                start += NONCES;
                hits
            });
        });
    }
    group.finish();
}

#[cfg(target_arch = "x86_64")]
mod permutations {
    use super::{Criterion, MASK, NONCES, Throughput, black_box, lanes};
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_load_si256, _mm256_or_si256, _mm256_set1_epi64x, _mm256_setr_epi64x,
        _mm256_store_si256, _mm256_testz_si256, _mm512_load_si512, _mm512_or_si512, _mm512_set1_epi64,
        _mm512_setr_epi64, _mm512_store_si512, _mm512_testn_epi64_mask,
    };

    type Permutation = unsafe extern "C" fn(*mut u64);

    #[repr(align(64))]
    struct States([u64; 200]);

    fn low(nonce: u64) -> i64 {
        i64::from(u32::try_from(nonce).unwrap_or(0).swap_bytes())
    }

    #[target_feature(enable = "avx512f")]
    fn eight(permute: Permutation, states: &mut States) -> u32 {
        let constant: [__m512i; 25] = black_box(lanes(0).map(|lane| _mm512_set1_epi64(lane.cast_signed())));
        let mut hits = 0;
        for n in (0..NONCES).step_by(8) {
            let nonces = _mm512_setr_epi64(
                low(n),
                low(n + 1),
                low(n + 2),
                low(n + 3),
                low(n + 4),
                low(n + 5),
                low(n + 6),
                low(n + 7),
            );
            // SAFETY: 25 aligned vectors of 64 bytes are what `States` is, and what the library's function works on.
            unsafe {
                let at = states.0.as_mut_ptr().cast::<__m512i>();
                for (lane, constant) in constant.iter().enumerate() {
                    _mm512_store_si512(at.add(lane), *constant);
                }
                _mm512_store_si512(at.add(1), _mm512_or_si512(constant[1], nonces));
                permute(at.cast());
                hits += _mm512_testn_epi64_mask(_mm512_load_si512(at), _mm512_set1_epi64(MASK.cast_signed()))
                    .count_ones();
            }
        }
        hits
    }

    #[target_feature(enable = "avx2")]
    fn four(permute: Permutation, states: &mut States) -> u32 {
        let constant: [__m256i; 25] = black_box(lanes(0).map(|lane| _mm256_set1_epi64x(lane.cast_signed())));
        let mut hits = 0;
        for n in (0..NONCES).step_by(4) {
            let nonces = _mm256_setr_epi64x(low(n), low(n + 1), low(n + 2), low(n + 3));
            // SAFETY: `States` has room for 25 aligned vectors of 32 bytes, which the library's function works on.
            unsafe {
                let at = states.0.as_mut_ptr().cast::<__m256i>();
                for (lane, constant) in constant.iter().enumerate() {
                    _mm256_store_si256(at.add(lane), *constant);
                }
                _mm256_store_si256(at.add(1), _mm256_or_si256(constant[1], nonces));
                permute(at.cast());
                hits += _mm256_testz_si256(_mm256_load_si256(at), _mm256_set1_epi64x(MASK.cast_signed()))
                    .unsigned_abs();
            }
        }
        hits
    }

    pub(super) fn bench(c: &mut Criterion) {
        for (variable, symbol, name) in [
            ("GRIND_BENCH_X8", "KeccakP1600times8_PermuteAll_24rounds", "library-x8"),
            ("GRIND_BENCH_X4", "KeccakP1600times4_PermuteAll_24rounds", "library-x4"),
        ] {
            let Some(path) = std::env::var_os(variable) else { continue };
            // SAFETY: whoever sets the variable vouches for the library and its function's type.
            let library =
                unsafe { libloading::Library::new(&path) }.expect("the library named in the environment");
            let permute =
                *unsafe { library.get::<Permutation>(symbol.as_bytes()) }.expect("the function in it");
            let mut states = States([0; 200]);
            let mut group = c.benchmark_group("kale");
            group.throughput(Throughput::Elements(NONCES));
            group.bench_function(name, |b| {
                if name == "library-x8" {
                    // SAFETY: a library for AVX-512 is only given on a CPU that has it.
                    b.iter(|| unsafe { eight(permute, &mut states) });
                } else {
                    // SAFETY: likewise AVX2.
                    b.iter(|| unsafe { four(permute, &mut states) });
                }
            });
            group.finish();
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod permutations {
    pub(super) fn bench(_: &mut super::Criterion) {}
}

/// Hashes a second of a search that goes on for a while.
fn search_rate(threads: NonZeroUsize) -> f64 {
    let limits = Limits { deadline: Some(Instant::now() + TURN), ..Limits::default() };
    let found = search(&job(), &limits, &settings(threads), &mut |_| {}).expect("the limits are right");
    rate(found.hashes, found.elapsed)
}

/// The same over many farmers, each of them to be raised without end.
fn farmers_rate(threads: NonZeroUsize) -> f64 {
    let farmers: Vec<Farmer> = (0..1000u32)
        .map(|n| {
            let mut job = job();
            job.farmer[..4].copy_from_slice(&n.to_be_bytes());
            Farmer { job, next: Some(0), best: None, cap: 64 }
        })
        .collect();
    let deadline = Some(Instant::now() + TURN);
    let report = raise(&farmers, deadline, &settings(threads), &mut |_| {}).expect("the caps are right");
    rate(report.hashes, report.elapsed)
}

fn settings(threads: NonZeroUsize) -> Settings<'static> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let kernel = kernel::available()[0];
    Settings { kernel, threads, pin: false, interval: Duration::from_millis(50), stop: &STOP }
}

fn rate(hashes: u64, elapsed: Duration) -> f64 {
    hashes as f64 / elapsed.as_secs_f64()
}

/// In turns, so that a machine that changes its pace changes all: threads against one, many farmers against one.
fn ratios(_: &mut Criterion) {
    let (one, all) = (NonZeroUsize::MIN, all_cores());
    let mut rounds: [Vec<f64>; 3] = Default::default();
    for _ in 0..11 {
        let (single, several, many) = (search_rate(one), search_rate(all), farmers_rate(all));
        for (list, figure) in rounds.iter_mut().zip([single, several / single, many / several]) {
            list.push(figure);
        }
    }
    for list in &mut rounds {
        list.sort_by(f64::total_cmp);
    }
    let [single, several, many] = rounds.each_ref().map(|list| (list[5], list[10]));
    eprintln!("one thread: {:.1} MH/s (median), {:.1} (most)", single.0 / 1e6, single.1 / 1e6);
    eprintln!("{all} threads to one: {:.2} (median), {:.2} (most)", several.0, several.1);
    eprintln!("1000 farmers to one, {all} threads: {:.3} (median), {:.3} (most)", many.0, many.1);
}

fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(30)
}

criterion_group!(name = benches; config = config(); targets = scalar, kernels, permutations::bench, ratios);
criterion_main!(benches);
