//! Tokens that only a check can make: without them a mutating function cannot be called.

use super::{Lease, Leased, Lock};
use base::{Code, Error, Result, say};

/// Proof that this run may write: it takes part in the state, or what it writes is taken back (`--dry-run`).
#[derive(Debug, Clone, Copy)]
pub struct Permit<'a> {
    lock: Option<&'a Lock>,
}

impl<'a> Permit<'a> {
    /// The holder of the lock may write for as long as it holds it.
    pub const fn of(lock: &'a Lock) -> Self {
        Self { lock: Some(lock) }
    }

    /// Nothing of what a dry run writes lasts, see [`super::State::rehearse`] and [`super::State::scratch`].
    pub const fn dry_run() -> Self {
        Self { lock: None }
    }

    /// Whether nothing that is done becomes true.
    pub const fn is_dry_run(&self) -> bool {
        self.lock.is_none()
    }

    /// Takes a lease, waiting for it; a dry run, which acts on nothing, needs none.
    ///
    /// # Errors
    /// `lease_held` naming the holder; `interrupted`; `io_error`.
    pub fn lease(&self, lease: &Lease) -> Result<Option<Leased>> {
        self.lock.map(|lock| lock.lease(lease)).transpose()
    }

    /// Takes a lease; none where another run holds it, or in a dry run.
    pub fn try_lease(&self, lease: &Lease) -> Result<Option<Leased>> {
        self.lock.map_or(Ok(None), |lock| lock.try_lease(lease))
    }
}

/// Proof that the operator agreed that value moves; it carries the right to write.
#[derive(Debug, Clone, Copy)]
pub struct ValuePermit<'a> {
    permit: Permit<'a>,
}

/// How the operator can be asked.
pub enum Consent<'a> {
    /// `--yes` was given.
    Given,
    /// Nothing is at stake: not a mainnet profile, or a dry run.
    NotNeeded,
    /// A terminal is there: the question is put, true means yes.
    Ask(&'a mut dyn FnMut(&str) -> Result<bool>),
    /// No terminal and no `--yes`.
    Impossible,
}

impl<'a> ValuePermit<'a> {
    /// Asks for consent to `what` ("claim 12.5 KALE for …").
    ///
    /// # Errors
    /// `needs_confirmation` where the answer is no or nobody can be asked.
    pub fn obtain(permit: Permit<'a>, consent: Consent<'_>, what: &str) -> Result<Self> {
        let refused = |why: &str| {
            Error::new(Code::NeedsConfirmation, format!("{what}: {why}")).hint(
                say("add ")
                    .with("yes")
                    .say(" if this is what you want; ")
                    .with("dry-run")
                    .say(" shows what would happen"),
            )
        };
        let agreed = match consent {
            Consent::Given | Consent::NotNeeded => true,
            Consent::Ask(ask) => ask(what)?,
            Consent::Impossible => {
                return Err(refused("must be confirmed, and nobody can be asked"));
            }
        };
        if agreed { Ok(Self { permit }) } else { Err(refused("not confirmed")) }
    }

    /// The right to write.
    pub const fn permit(&self) -> Permit<'a> {
        self.permit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_gives_the_token() {
        let p = Permit::dry_run();
        assert!(ValuePermit::obtain(p, Consent::Given, "pay").is_ok());
        assert!(ValuePermit::obtain(p, Consent::Ask(&mut |_| Ok(true)), "pay").is_ok());
        for consent in [Consent::Ask(&mut |_| Ok(false)), Consent::Impossible] {
            let e = ValuePermit::obtain(p, consent, "pay").unwrap_err();
            assert_eq!(e.code(), Code::NeedsConfirmation);
        }
    }
}
