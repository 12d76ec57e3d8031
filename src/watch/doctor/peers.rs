//! Endpoints side by side: how old the newest block of each is, how far behind the others, and what the clocks say.

use super::{Line, Told};
use base::clock::Clock;
use base::{Code, Error, Result, clock, say};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Blocks or ledgers that an endpoint may be behind: they are asked at the same time, and blocks come all the time.
const LAG: u64 = 3;
/// Seconds that the clock may be off. Servers tell whole seconds, and an answer takes its time.
const SKEW_SEC: u64 = 2;
/// Seconds from which times cannot be compared with a chain's any more.
const BAD_SKEW_SEC: u64 = 30;

/// How the endpoints are looked at.
#[derive(Debug, Clone, Copy)]
pub struct ProbeOptions {
    /// All that one endpoint gets, however many questions it is asked.
    pub limit: Duration,
    /// Oldest head that is up to date.
    pub max_head_age_sec: u64,
    /// Dates what is found.
    pub clock: Clock,
}

/// The newest block or ledger of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its time, seconds since 1970.
    pub time: u64,
    /// Time that it took to get it.
    pub latency: Duration,
}

/// What an endpoint showed.
#[derive(Debug, Clone)]
pub struct Probed {
    /// Name and host; no more of its URL.
    pub name: String,
    /// Its head, or why there is none.
    pub head: Result<Head, Error>,
    /// Seconds by which the machine's clock is ahead of the server's, where the server tells its own.
    pub skew_sec: Option<i64>,
}

/// Looks at one endpoint for as long as it is given. `look` notes the height and the time of its head as soon as it has them,
/// and goes on to the contracts.
pub(super) async fn probe(
    (area, name): (&str, &str),
    options: ProbeOptions,
    server_clock: impl FnOnce() -> Option<(Instant, i64)>,
    look: impl AsyncFnOnce(&dyn Fn(u64, u64)) -> Result<Vec<Line>>,
) -> (Probed, Told) {
    let (begun, head) = (Instant::now(), Cell::new(None));
    let note = |height, time| head.set(Some(Head { height, time, latency: begun.elapsed() }));
    let late = || {
        Error::new(
            Code::Unreachable,
            format!("no whole answer within {}", clock::span(options.limit.as_secs())),
        )
        .hint(format!("the endpoint is slow: fix it, or raise {area}.timeout_sec"))
    };
    let looked = tokio::time::timeout(options.limit, look(&note)).await.unwrap_or_else(|_| Err(late()));
    let skew_sec = server_clock().map(|(came, server)| skew_sec(options.clock.now(), came.elapsed(), server));
    let (head, told) = match (head.get(), looked) {
        (Some(head), looked) => (Ok(head), Some(looked)),
        (None, Ok(_)) => (Err(late()), None),
        (None, Err(e)) => (Err(e), None),
    };
    (Probed { name: name.to_owned(), head, skew_sec }, told)
}

/// What the first endpoint says that could tell, else why the first that was asked could not.
pub(super) fn first_told(found: Vec<Told>, subject: &str, unknown: &str) -> Vec<Line> {
    let mut why = None;
    for found in found.into_iter().flatten() {
        match found {
            Ok(lines) => return lines,
            Err(e) => drop(why.get_or_insert(e)),
        }
    }
    let unknown = || Error::new(Code::Unreachable, unknown).hint("fix the endpoints first");
    vec![Line::error("contracts", subject, &why.unwrap_or_else(unknown))]
}

/// A line for each endpoint, in their order. `now` is the machine's clock, `unit` what heights count.
pub fn lines(area: &'static str, unit: &str, probed: &[Probed], now: i64, max_age_sec: u64) -> Vec<Line> {
    let best = probed.iter().filter_map(|peer| Some(peer.head.as_ref().ok()?.height)).max();
    probed.iter().map(|peer| line(area, unit, peer, best.unwrap_or_default(), now, max_age_sec)).collect()
}

fn line(area: &'static str, unit: &str, peer: &Probed, best: u64, now: i64, max_age_sec: u64) -> Line {
    let name = peer.name.as_str();
    let head = match &peer.head {
        Ok(head) => head,
        Err(e) if e.code() == Code::WrongNetwork => {
            let fix =
                say(format!("correct {area}.rpc_urls of the profile, or choose another ")).with("profile");
            return Line::fail(area, name, e.message(), fix);
        }
        Err(e) => {
            let fix =
                format!("check its URL in {area}.rpc_urls and its provider, or put another in its place");
            return Line::fail(area, name, e.message(), fix);
        }
    };
    let time = i64::try_from(head.time).unwrap_or(i64::MAX);
    let age = clock::age(time, now);
    let shown = age.map_or_else(
        || format!("dated {} in the future", clock::span(time.abs_diff(now))),
        |age| format!("{} old", clock::span(age)),
    );
    let words = format!("{unit} {}, {shown}, answered in {} ms", head.height, head.latency.as_millis());
    let behind = best.saturating_sub(head.height);
    if age.is_none_or(|age| age > max_age_sec) {
        let fix = format!(
            "the node is out of sync or the clock is wrong; {area}.max_head_age_sec is {max_age_sec}"
        );
        Line::fail(area, name, words, fix)
    } else if behind > LAG {
        let fix = format!("it lags: prefer another in {area}.rpc_urls, or ask its provider");
        Line::warn(area, name, format!("{words}, {behind} behind the furthest"), fix)
    } else {
        Line::ok(area, name, words)
    }
}

/// How far the machine's clock is off, by the server that is nearest to it: one of them alone may be wrong itself.
pub fn clock_line(skews_sec: impl IntoIterator<Item = i64>) -> Option<Line> {
    let skew = skews_sec.into_iter().min_by_key(|skew| skew.unsigned_abs())?;
    let off = skew.unsigned_abs();
    let way = if skew < 0 { "behind" } else { "ahead of" };
    let words = format!("{} {way} the endpoints' clocks", clock::span(off));
    let fix = "set it by the network: timedatectl set-ntp true";
    Some(if off <= SKEW_SEC {
        Line::ok("clock", "machine", format!("within {} of the endpoints' clocks", clock::span(SKEW_SEC)))
    } else if off <= BAD_SKEW_SEC {
        Line::warn("clock", "machine", words, fix)
    } else {
        Line::fail("clock", "machine", words, fix)
    })
}

/// Seconds by which the machine's clock is ahead: it shows `now`, and `since` ago a server's showed `server`.
pub fn skew_sec(now: i64, since: Duration, server: i64) -> i64 {
    let then = now.saturating_sub(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    then.saturating_sub(server)
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn peer(name: &str, height: u64, time: u64) -> Probed {
        let head = Head { height, time, latency: Duration::from_millis(12) };
        Probed { name: name.to_owned(), head: Ok(head), skew_sec: None }
    }

    #[test]
    fn age_and_lag_decide() {
        let down = Probed {
            name: "down".into(),
            head: Err(Error::new(Code::Unreachable, "no answer within 1s")),
            skew_sec: None,
        };
        let peers = [peer("a", 100, 990), peer("b", 97, 990), peer("c", 96, 990), peer("d", 100, 879), down];
        let lines = lines("evm", "block", &peers, 1_000, 120);
        let verdicts: Vec<CheckStatus> = lines.iter().map(|line| line.verdict).collect();
        assert_eq!(
            verdicts,
            [CheckStatus::Ok, CheckStatus::Ok, CheckStatus::Warn, CheckStatus::Fail, CheckStatus::Fail]
        );
        assert_eq!(lines[0].words, "block 100, 10s old, answered in 12 ms");
        assert!(lines[2].words.ends_with("4 behind the furthest"), "{:?}", lines[2]);
        assert!(lines[4].fix.as_ref().unwrap().to_string().contains("evm.rpc_urls"));
        let ahead = super::lines("stellar", "ledger", &[peer("a", 1, 2_000)], 1_000, 120);
        assert_eq!(ahead[0].verdict, CheckStatus::Fail, "a head from the future: {ahead:?}");
    }

    #[test]
    fn the_nearest_clock_counts() {
        for (skews, want) in [
            (vec![], None),
            (vec![0], Some(CheckStatus::Ok)),
            (vec![-2, 900], Some(CheckStatus::Ok)),
            (vec![3, -900], Some(CheckStatus::Warn)),
            (vec![-30], Some(CheckStatus::Warn)),
            (vec![31, 40], Some(CheckStatus::Fail)),
        ] {
            assert_eq!(clock_line(skews.clone()).map(|line| line.verdict), want, "{skews:?}");
        }
        assert_eq!(skew_sec(1_000, Duration::from_secs(3), 990), 7);
    }
}
