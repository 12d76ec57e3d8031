//! What each member holds of a pool, and how a transfer moves it. Pure.

use base::amount::Base;
use base::{Code, Error, Result, say};
use std::collections::BTreeMap;

/// Id of a member; ties are decided by the lower one.
pub type MemberId = i64;

/// Shares of each holder at one moment. Members without shares do not stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings(BTreeMap<MemberId, Base>);

/// Shares that went from one member to another in a block; `None` on one side is a mint or a burn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The block it happened in.
    pub block: u64,
    /// Who gave; `None` for a mint.
    pub from: Option<MemberId>,
    /// Who got; `None` for a burn.
    pub to: Option<MemberId>,
    /// Share base units.
    pub shares: Base,
}

impl Movement {
    /// What a member has left of its shares once these are taken from it; `drift` where it does not have them.
    pub fn taken(&self, member: MemberId, shares: Base) -> Result<Base> {
        shares.checked_sub(self.shares).ok_or_else(|| impossible(self, member))
    }

    /// What a member has once these are given to it; `drift` past 256 bits.
    pub fn given(&self, member: MemberId, shares: Base) -> Result<Base> {
        shares.checked_add(self.shares).ok_or_else(|| impossible(self, member))
    }
}

impl Holdings {
    /// From (member, shares) pairs; zeros are left out.
    pub fn new(pairs: impl IntoIterator<Item = (MemberId, Base)>) -> Self {
        Self(pairs.into_iter().filter(|(_, shares)| !shares.is_zero()).collect())
    }

    /// Shares of one member.
    pub fn of(&self, member: MemberId) -> Base {
        self.0.get(&member).copied().unwrap_or_default()
    }

    /// Holders in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, Base)> + '_ {
        self.0.iter().map(|(member, shares)| (*member, *shares))
    }

    /// Takes a movement forward in time; `drift` where the giver does not have the shares.
    pub fn apply(&mut self, movement: &Movement) -> Result<()> {
        self.shift(movement.from, movement.to, movement)
    }

    /// Takes a movement back; `drift` where the getter does not have the shares any more.
    pub fn undo(&mut self, movement: &Movement) -> Result<()> {
        self.shift(movement.to, movement.from, movement)
    }

    fn shift(&mut self, from: Option<MemberId>, to: Option<MemberId>, m: &Movement) -> Result<()> {
        if m.shares.is_zero() {
            return Ok(());
        }
        if let Some(member) = from {
            let left = m.taken(member, self.of(member))?;
            if left.is_zero() {
                self.0.remove(&member);
            } else {
                self.0.insert(member, left);
            }
        }
        if let Some(member) = to {
            self.0.insert(member, m.given(member, self.of(member))?);
        }
        Ok(())
    }
}

/// A movement of shares that `member` cannot have had.
pub fn impossible(m: &Movement, member: MemberId) -> Error {
    let (shares, block) = (m.shares, m.block);
    let why = format!("transfer of {shares} shares in block {block} does not fit what member {member} held");
    Error::new(Code::Drift, why)
        .hint(say("transfers are missing; read them again with: ").run("pool rescan").of("POOL"))
}
