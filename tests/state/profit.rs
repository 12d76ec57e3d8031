//! What `farm profit` says is what the ledger and the harvests say, to the last stroop.

use crate::support::Place;
use base::amount::{Base, Delta};
use kale::profit::{Profit, Sums, profit};
use kale::{accounting, poolers};
use rusqlite::Connection;
use state::balance;

fn of(place: &Place, since: i64) -> Profit {
    let state = place.reader();
    let look = state.look().unwrap();
    profit(look.conn(), None, since).unwrap()
}

fn together(profit: &Profit) -> Sums {
    let mut sums = Sums::default();
    profit.days.iter().for_each(|day| sums.add(&day.sums).unwrap());
    sums
}

fn sum(conn: &Connection, sql: &str) -> Base {
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| text.unwrap().parse::<Base>().unwrap()).sum()
}

#[test]
fn the_sums_are_those_of_the_ledger() {
    let place = Place::farmed();
    let found = of(&place, 0);
    let (sums, conn) = (together(&found), place.outsider());
    assert_eq!(found.pruned_before, None);
    assert_eq!(found.days.iter().map(|day| day.day.as_str()).collect::<Vec<_>>(), ["2026-11-22"]);
    assert_eq!((sums.harvests, sums.lost_stakes), (6, 0));
    assert!(sums.reward > Base::ZERO && sums.network_fees > Base::ZERO, "{sums:?}");
    assert_eq!(sums.reward, sum(&conn, "SELECT reward FROM harvests WHERE outcome <> 'failed'"));
    let state = place.reader();
    let pooler = &poolers::list(state.conn()).unwrap()[0];
    let booked = |account| balance(state.conn(), &account).unwrap();
    assert_eq!(Delta::credit(sums.to_pooler), booked(accounting::pooler_kale(&pooler.id)));
    assert_eq!(Delta::credit(sums.platform_fee), booked(accounting::platform_fee()));
    assert_eq!(sums.net(), Delta::credit(sums.reward));
    let fees = "SELECT json_extract(payload, '$.fee') FROM events
         WHERE kind IN ('operation.confirmed', 'operation.failed') AND subject IN (SELECT id FROM farmers)";
    assert_eq!(sums.network_fees, sum(&conn, fees));
    assert_eq!(profit(state.conn(), Some(pooler), 0).unwrap(), found);
}

#[test]
fn only_what_is_asked_for_counts() {
    let place = Place::farmed();
    // The day after.
    assert_eq!(of(&place, 1_795_392_000), Profit::default());
    let conn = place.outsider();
    conn.execute_batch("INSERT INTO poolers VALUES ('p2', 'south', 5, 0, 0, 1, NULL)").unwrap();
    let state = place.reader();
    let south = poolers::find(state.conn(), "south").unwrap();
    assert_eq!(profit(state.conn(), Some(&south), 0).unwrap(), Profit::default());
    // A farmer counts for the pooler that it has now.
    conn.execute_batch("UPDATE farmers SET pooler_id = 'p2' WHERE id = (SELECT min(id) FROM farmers)")
        .unwrap();
    let state = place.reader();
    let (of_south, all) = (profit(state.conn(), Some(&south), 0).unwrap(), of(&place, 0));
    assert_eq!(together(&of_south).harvests, 2);
    assert_eq!((together(&all).harvests, all.days.len()), (6, 2));
    assert_eq!(all.days[1].pooler, "south", "by name");
}

#[test]
fn days_whose_rows_were_pruned_are_told_of() {
    let place = Place::pruned();
    let found = of(&place, 0);
    assert!(
        found.pruned_before.is_some_and(|before| before.starts_with("2028-")),
        "{:?}",
        together(&of(&place, 0))
    );
    assert!(together(&of(&place, 0)).harvests < 6);
    assert_eq!(of(&place, 1_870_000_000).pruned_before, None);
}
