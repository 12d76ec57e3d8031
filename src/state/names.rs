//! The names that operators type: who is meant by one, and those that begin so, for the shells' completion.

use super::rows;
use crate::rows::Row;
use base::redact::{plain, shown, without_secrets};
use base::{Code, Error, Remedy, Result, say};
use rusqlite::types::FromSql;
use rusqlite::{Connection, params};
use std::borrow::Cow;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A pool, by its name or address.
    Pool,
    /// A member, by its name or address.
    Member,
    /// A feed, by its name.
    Feed,
    /// A pooler, by its name or id.
    Pooler,
    /// A farmer, by its name, address or id.
    Farmer,
}

/// One that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<K> {
    /// Its row.
    pub key: K,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its id and address, as far as it has them.
    pub ids: Vec<String>,
}

/// Who is meant by a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant<'c, K> {
    /// This one.
    One(&'c Candidate<K>),
    /// Any of these: the text is the beginning of an id or address of each.
    Several(Vec<&'c Candidate<K>>),
    /// Nobody.
    Nobody,
}

/// Fewer characters are no beginning of an id or address; `0x` does not count.
const LEAST: usize = 4;

/// No id and no address is longer.
const LONGEST: usize = 64;

/// Whether a text may be the beginning of an id or address.
fn is_beginning(text: &str) -> bool {
    let (digits, fits): (_, fn(u8) -> bool) = match text.strip_prefix("0x") {
        Some(digits) => (digits, |b| b.is_ascii_hexdigit()),
        None => (text, |b| b.is_ascii_alphanumeric() || b == b'-'),
    };
    (LEAST..=LONGEST).contains(&digits.len()) && digits.bytes().all(fits)
}

/// Who is meant: the one of that name, else the one of that id or address, else the only one whose id or address begins so.
/// Case counts in names alone. Pure.
pub fn meant<'c, K>(text: &str, of: &'c [Candidate<K>]) -> Meant<'c, K> {
    let begins = |id: &String| id.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text));
    let is_named = |one: &&Candidate<K>| one.name.as_deref() == Some(text);
    let is_it = |one: &&Candidate<K>| one.ids.iter().any(|id| id.len() == text.len() && begins(id));
    if let Some(one) = of.iter().find(is_named).or_else(|| of.iter().find(is_it)) {
        return Meant::One(one);
    }
    let begun: Vec<&Candidate<K>> =
        of.iter().filter(|one| is_beginning(text) && one.ids.iter().any(begins)).collect();
    match begun.as_slice() {
        [] => Meant::Nobody,
        [one] => Meant::One(one),
        _ => Meant::Several(begun),
    }
}

/// Of those that may be meant, so many are named.
const SHOWN: usize = 5;

/// More completions than anybody reads.
const MOST: u32 = 200;

impl Named {
    /// What it is called, and the code where there is none.
    const fn terms(self) -> (&'static str, Code) {
        match self {
            Self::Pool => ("pool", Code::UnknownPool),
            Self::Member => ("member", Code::UnknownMember),
            Self::Feed => ("feed", Code::UnknownFeed),
            Self::Pooler => ("pooler", Code::UnknownPooler),
            Self::Farmer => ("farmer", Code::UnknownFarmer),
        }
    }

    /// Those of this name, id or address, by an index.
    const fn exact(self) -> &'static str {
        match self {
            Self::Pool => {
                "SELECT id AS key, name, NULL AS id, address FROM pools WHERE name = ?1 OR address = ?1"
            }
            Self::Member => {
                "SELECT id AS key, name, NULL AS id, address FROM members WHERE name = ?1 OR address = ?1"
            }
            Self::Feed => {
                "SELECT id AS key, name, NULL AS id, NULL AS address FROM oracle_feeds WHERE name = ?1"
            }
            Self::Pooler => {
                "SELECT id AS key, name, id, NULL AS address FROM poolers WHERE name = ?1 OR id = ?1"
            }
            Self::Farmer => {
                "SELECT id AS key, name, id, address FROM farmers WHERE name = ?1 OR id = ?1 OR address = ?1"
            }
        }
    }

    /// Those whose id or address is like a pattern; `None` where names are all there is.
    const fn alike(self) -> Option<&'static str> {
        match self {
            Self::Pool => Some(
                "SELECT id AS key, name, NULL AS id, address FROM pools WHERE address LIKE ?1 ORDER BY key LIMIT ?2",
            ),
            Self::Member => Some(
                "SELECT id AS key, name, NULL AS id, address FROM members WHERE address LIKE ?1 ORDER BY key LIMIT ?2",
            ),
            Self::Feed => None,
            Self::Pooler => Some(
                "SELECT id AS key, name, id, NULL AS address FROM poolers WHERE id LIKE ?1 ORDER BY key LIMIT ?2",
            ),
            Self::Farmer => Some(
                "SELECT id AS key, name, id, address FROM farmers WHERE id LIKE ?1 OR address LIKE ?1
                 ORDER BY added_at, id LIMIT ?2",
            ),
        }
    }

    /// Names, for one that is mistyped.
    const fn names(self) -> &'static str {
        match self {
            Self::Pool => "SELECT name FROM pools ORDER BY name LIMIT ?1",
            Self::Member => "SELECT name FROM members WHERE name IS NOT NULL ORDER BY name LIMIT ?1",
            Self::Feed => "SELECT name FROM oracle_feeds WHERE removed_at IS NULL ORDER BY name LIMIT ?1",
            Self::Pooler => "SELECT name FROM poolers ORDER BY name LIMIT ?1",
            Self::Farmer => "SELECT name FROM farmers WHERE name IS NOT NULL ORDER BY name LIMIT ?1",
        }
    }

    /// A text as the state has it: a whole EVM address in its checksummed form. What looks like an address and is none is
    /// refused.
    fn typed(self, text: &str) -> Result<Cow<'_, str>> {
        const ADDRESS: usize = 42;
        let field = match self {
            Self::Pool => "POOL",
            Self::Member => "MEMBER",
            Self::Feed | Self::Pooler | Self::Farmer => return Ok(text.into()),
        };
        if !text.starts_with("0x") || is_beginning(text) && text.len() < ADDRESS {
            return Ok(text.into());
        }
        Ok(config::value::address(field, text)?.to_string().into())
    }

    /// The error where nobody is meant: with the nearest name, or what lists them.
    fn unknown(self, conn: &Connection, text: &str) -> Result<Error> {
        // So many are compared in no time.
        const COMPARED: u32 = 10_000;
        let (noun, code) = self.terms();
        let sql = self.names();
        let names: Vec<String> = rows::column(conn, sql, [COMPARED])?;
        let e = Error::new(code, format!("no {noun} {}", shown(text)))
            .detail(noun, plain(&without_secrets(text)));
        Ok(match config::keys::nearest(text, names.iter().map(String::as_str)) {
            Some(near) => e.hint(format!("did you mean \"{near}\"?")),
            None => e.hint(self.advice(names.is_empty())),
        })
    }

    /// What adds one, or shows those that there are.
    fn advice(self, no_names: bool) -> Remedy {
        let seen = say("see them with: ");
        match self {
            Self::Pool if no_names => {
                say("there is no pool yet; add one with: ").run("pool add").of("NAME").of("ADDRESS")
            }
            Self::Pool => seen.run("pool list"),
            Self::Member => say("members appear with their first shares (")
                .run("sync")
                .say("), or with: ")
                .run("member add")
                .of("ADDRESS"),
            Self::Feed => seen.run("oracle list"),
            Self::Pooler if no_names => {
                say("there is no pooler yet; add one with: ").run("pooler add").of("NAME")
            }
            Self::Pooler => seen.run("pooler list"),
            Self::Farmer => say("a farmer is named by its name, its address or its id; see them with: ")
                .run("farmer list"),
        }
    }

    fn ambiguous<K>(self, text: &str, several: &[&Candidate<K>]) -> Error {
        let (noun, _) = self.terms();
        let called = |one: &&Candidate<K>| {
            let id =
                one.ids.iter().find(|id| id.to_ascii_lowercase().starts_with(&text.to_ascii_lowercase()));
            let id = id.map_or("", String::as_str);
            one.name.as_ref().map_or_else(|| id.to_owned(), |name| format!("\"{name}\" ({id})"))
        };
        let names: Vec<String> = several.iter().take(SHOWN).map(called).collect();
        let more = if several.len() > SHOWN { " and others" } else { "" };
        let why = format!("{} begins more than one {noun}: {}{more}", shown(text), names.join(", "));
        Error::new(Code::Ambiguous, why)
            .hint("type more of it, or its name")
            .detail(noun, plain(&without_secrets(text)))
            .detail("candidates", names)
    }
}

fn candidate<K: FromSql>(row: &Row<'_>) -> Result<Candidate<K>> {
    let [id, address]: [Option<String>; 2] = [row.get("id")?, row.get("address")?];
    let ids = id.into_iter().chain(address).collect();
    Ok(Candidate { key: row.get("key")?, name: row.get("name")?, ids })
}

/// Whether a text looks like an address of either chain, a key, or an id: no name does.
fn looks_like_an_id(text: &str) -> bool {
    let is_uuid = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let is_strkey =
        text.len() >= 50 && text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
    text.starts_with("0x") || is_uuid || is_strkey
}

/// Most characters of a name.
const NAME: usize = 64;

/// Refuses what is no name for a pool or a pooler: it stands in commands, files and metrics.
pub fn check_name(field: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= NAME && name.chars().all(plain) && !looks_like_an_id(name) {
        return Ok(());
    }
    let hint = "a name is 1 to 64 letters, digits, dots, dashes and underscores, begins with a letter or digit, and does not look \
                like an address or an id";
    Err(bad_name(field, name).hint(hint))
}

/// Refuses what is no name for a member or a farmer: any words on one line.
pub fn check_words(field: &str, name: &str) -> Result<()> {
    let fits = (1..=NAME).contains(&name.chars().count()) && name.trim() == name;
    if fits && plain(name) == name && !looks_like_an_id(name) {
        return Ok(());
    }
    let hint = "a name is one line of 1 to 64 characters, and does not look like an address or an id";
    Err(bad_name(field, name).hint(hint))
}

fn bad_name(field: &str, name: &str) -> Error {
    Error::field(Code::InvalidValue, field, format_args!("invalid name: {}", shown(name)))
}

/// The row of who is meant by a name, an id, an address, or the beginning of these two; `None` where nobody is. `ambiguous`
/// where several may be.
pub fn look_up<K: FromSql + Clone>(conn: &Connection, named: Named, text: &str) -> Result<Option<K>> {
    let text = &named.typed(text)?;
    let sql = named.exact();
    let mut found: Vec<Candidate<K>> = rows::all(conn, sql, [text], candidate)?;
    if let (true, true, Some(sql)) = (found.is_empty(), is_beginning(text), named.alike()) {
        found = rows::all(conn, sql, params![format!("{text}%"), SHOWN + 1], candidate)?;
    }
    match meant(text, &found) {
        Meant::One(one) => Ok(Some(one.key.clone())),
        Meant::Several(several) => Err(named.ambiguous(text, &several)),
        Meant::Nobody => Ok(None),
    }
}

/// As [`look_up`]; nobody is an error that has the nearest name.
pub fn resolve<K: FromSql + Clone>(conn: &Connection, named: Named, text: &str) -> Result<K> {
    match look_up(conn, named, text)? {
        Some(key) => Ok(key),
        None => Err(named.unknown(conn, text)?),
    }
}

/// The statements of a kind: what is typed, and a word on it. Each reads a range of an index.
const fn statements(named: Named) -> &'static [&'static str] {
    match named {
        Named::Pool => {
            &["SELECT name, address FROM pools WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3"]
        }
        Named::Member => &[
            "SELECT name, address FROM members WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3",
            "SELECT address, coalesce(name, '') FROM members
             WHERE address >= ?1 AND address < ?2 ORDER BY address LIMIT ?3",
        ],
        Named::Feed => &[
            "SELECT name, asset FROM oracle_feeds WHERE name >= ?1 AND name < ?2 AND removed_at IS NULL ORDER BY name LIMIT ?3",
        ],
        Named::Pooler => {
            &["SELECT name, id FROM poolers WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3"]
        }
        Named::Farmer => &[
            "SELECT name, address FROM farmers WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3",
            "SELECT address, coalesce(name, status) FROM farmers
             WHERE address >= ?1 AND address < ?2 ORDER BY address LIMIT ?3",
            "SELECT id, address FROM farmers WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
        ],
    }
}

/// Names that begin so, each with a word on what it is; those of the first form that has any, and at most 200.
pub fn names_like(conn: &Connection, named: Named, begin: &str) -> Result<Vec<(String, String)>> {
    // No text sorts behind this one.
    let end = format!("{begin}{}", char::MAX);
    for sql in statements(named) {
        let found: Vec<_> =
            rows::all(conn, sql, params![begin, end, MOST], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(key: i64, name: &str, ids: &[&str]) -> Candidate<i64> {
        let name = (!name.is_empty()).then(|| name.to_owned());
        Candidate { key, name, ids: ids.iter().map(|id| (*id).to_owned()).collect() }
    }

    fn keys(meant: &Meant<'_, i64>) -> Vec<i64> {
        match meant {
            Meant::One(one) => vec![one.key],
            Meant::Several(several) => several.iter().map(|one| one.key).collect(),
            Meant::Nobody => Vec::new(),
        }
    }

    #[test]
    fn a_name_comes_first_then_an_id_then_its_beginning() {
        let of = [
            one(1, "main", &["0xAbCd000000000000000000000000000000000001"]),
            one(2, "abcd", &["0xABCE000000000000000000000000000000000002"]),
            one(3, "", &["c0ffee00-0000-4000-8000-000000000003", "GABCDEFG"]),
            one(4, "c0ffee00", &["c0ffee11-0000-4000-8000-000000000004", "GABCXYZ7"]),
            one(5, "", &["1234"]),
            one(6, "", &["123456"]),
        ];
        for (text, want) in [
            ("main", vec![1]),
            // Case counts in names.
            ("Main", vec![]),
            // A beginning of a name is none.
            ("mai", vec![]),
            ("0xAbCd000000000000000000000000000000000001", vec![1]),
            ("0xabcd000000000000000000000000000000000001", vec![1]),
            ("0xABCD", vec![1]),
            ("0xabce00", vec![2]),
            ("0xabc", vec![]),
            ("0xab", vec![]),
            ("0x", vec![]),
            ("abcd", vec![2]),
            ("gabcd", vec![3]),
            ("GABC", vec![3, 4]),
            ("GAB", vec![]),
            // It begins the id of 3, and is the name of 4.
            ("c0ffee00", vec![4]),
            ("c0ffee00-", vec![3]),
            ("c0ffee", vec![3, 4]),
            // An id that another one begins with.
            ("1234", vec![5]),
            ("12345", vec![6]),
            ("1234567", vec![]),
            ("", vec![]),
            ("ä€ß!", vec![]),
        ] {
            assert_eq!(keys(&meant(text, &of)), want, "{text}");
        }
    }

    #[test]
    fn beginnings() {
        for good in ["0x1234", "0xABCDEF", "c0ff", "c0ffee00-0000", "GABC"] {
            assert!(is_beginning(good), "{good}");
        }
        for bad in ["", "0x", "0x123", "0xzzzz", "abc", "a%b_c", "ab c", "abcd\n", "äöüß", &"a".repeat(65)]
        {
            assert!(!is_beginning(bad), "{bad}");
        }
    }

    #[test]
    fn what_may_be_a_name() {
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        let account = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";
        let long = "a".repeat(64);
        for (name, as_name, as_words) in [
            ("main", true, true),
            ("usdc-2.vault_1", true, true),
            ("cafe", true, true),
            (&*long, true, true),
            (".a", false, true),
            ("Ada Lovelace", false, true),
            ("Zoë", false, true),
            ("0xmain", false, false),
            (id, false, false),
            (account, false, false),
            ("", false, false),
            (" ", false, false),
            (" ada", false, false),
            ("ada\n", false, false),
            ("a\nb", false, false),
            ("a\u{202e}b", false, false),
            (&format!("{long}a"), false, false),
        ] {
            assert_eq!(check_name("NAME", name).is_ok(), as_name, "{name}");
            assert_eq!(check_words("name", name).is_ok(), as_words, "{name}");
        }
        let e = check_words("name", "a\nb").unwrap_err();
        assert_eq!((e.code(), e.message()), (Code::InvalidValue, "name: invalid name: \"a b\""));
    }

    proptest! {
        #[test]
        fn whoever_is_meant_is_so_called_and_the_only_one(
            of in proptest::collection::vec(
                (proptest::option::of("[ab]{1,5}"), proptest::collection::vec("[abAB]{4,7}", 0..3)), 0..8),
            text in "[abAB]{0,7}",
            turn in any::<usize>(),
        ) {
            let mut of: Vec<Candidate<i64>> =
                (0..).zip(of).map(|(key, (name, ids))| Candidate { key, name, ids }).collect();
            // As in the state, each name and id is there once.
            of.sort_by(|a, b| a.name.cmp(&b.name));
            of.dedup_by(|a, b| a.name.is_some() && a.name == b.name);
            let mut seen = Vec::new();
            for one in &mut of {
                one.ids.retain(|id| {
                    let id = id.to_ascii_lowercase();
                    let new = !seen.contains(&id);
                    seen.push(id);
                    new
                });
            }
            let lower = text.to_ascii_lowercase();
            let begins = |one: &&Candidate<i64>| one.ids.iter().any(|id| id.to_ascii_lowercase().starts_with(&lower));
            let is_it = |one: &&Candidate<i64>| one.ids.iter().any(|id| id.to_ascii_lowercase() == lower);
            let named = of.iter().find(|one| one.name.as_deref() == Some(text.as_str())).map(|one| one.key);
            let exact = of.iter().find(is_it).map(|one| one.key);
            let begun: Vec<i64> = of.iter().filter(begins).map(|one| one.key).collect();
            let want = match (named.or(exact), text.len() >= LEAST) {
                (Some(key), _) => vec![key],
                (None, true) => begun,
                (None, false) => Vec::new(),
            };
            let mut got = keys(&meant(&text, &of));
            prop_assert_eq!(&got, &want);
            // Whatever their order.
            let middle = if of.is_empty() { 0 } else { turn % of.len() };
            of.rotate_left(middle);
            got = keys(&meant(&text, &of));
            got.sort_unstable();
            let mut want = want;
            want.sort_unstable();
            prop_assert_eq!(got, want);
        }
    }
}
