//! The alerts on whoever cannot go on: the sponsor, and active farmers for whom nothing is staked.

use super::Farming;
use crate::alerts::{NOT_READY, SPONSOR_LOW};
use crate::chain::Who;
use crate::fees::Lack;
use crate::fees::sponsor::Sponsor;
use base::Result;
use state::Tx;
use state::alert::{self, Subject};

/// Opens or closes the alert of a farmer, by what it lacks.
pub fn farmer(tx: &Tx<'_>, id: &str, address: &str, lacks: &[Lack]) -> Result<bool> {
    let words: Vec<String> = lacks.iter().map(|lack| lack.words()).collect();
    let why = (!words.is_empty()).then(|| format!("farmer {address} {}", words.join(", and ")));
    alert::edge(tx, Subject::Farm(id), NOT_READY, why.as_deref())
}

/// Opens and closes the alerts on the sponsor and on farmers, by what each lacks: in one write, and none where all stands as
/// it should and stood so before.
pub fn note(
    farming: &mut Farming<'_, '_>,
    sponsor: Option<&Sponsor>,
    farmers: &[(Who, Vec<Lack>)],
) -> Result<()> {
    let conn = farming.work.state.conn();
    let mut is_due = match sponsor {
        Some(sponsor) => {
            sponsor.why().is_some()
                || alert::is_open(conn, Subject::Farm(&sponsor.account.to_string()), SPONSOR_LOW)?
        }
        None => false,
    };
    for (who, lacks) in farmers {
        is_due = is_due || !lacks.is_empty() || alert::is_open(conn, Subject::Farm(&who.id), NOT_READY)?;
    }
    if !is_due {
        return Ok(());
    }
    farming.write(|tx| {
        if let Some(sponsor) = sponsor {
            sponsor.alert(tx)?;
        }
        farmers.iter().try_for_each(|(who, lacks)| farmer(tx, &who.id, &who.address, lacks).map(|_| ()))
    })
}
