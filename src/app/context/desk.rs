//! The desk of a call that writes: the right to, the state, and the settings in force there.

use super::{App, guard};
use base::{Code, Result};
use config::Config;
use evm::Chain;
use state::{Lock, Permit, State, WriteContext};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use stellar::Client;

/// How a call that writes does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// For good.
    Live,
    /// In a dry run, into a transaction that is taken back.
    Rehearse,
    /// In a dry run, into a private copy.
    Copy,
}

/// The state, open for writing.
pub struct Desk<'a, 's> {
    app: &'a App<'s>,
    config: Config,
    // In this order: who replaces the file waits until it is closed.
    state: State,
    /// None in a dry run.
    lock: Option<Lock>,
}

impl<'a, 's> Desk<'a, 's> {
    /// Takes the lock and opens the state for writing; a dry run needs no lock.
    pub fn open(app: &'a App<'s>, way: Way) -> Result<Self> {
        let (config, path, run) = (app.config.clone(), &app.state_path, app.call().run.clone());
        if way != Way::Live {
            app.call().set_dry_run();
        }
        let (state, lock) = match way {
            Way::Live => {
                let lock = match app.state_fault() {
                    // An older schema is migrated by opening for writing.
                    Some(e) if e.code() == Code::StateOutdated => app.lock_alone(),
                    Some(e) => return Err(e),
                    None => app.lock(),
                }?;
                // Another connection of our own would keep the log from being shrunk.
                app.close();
                (State::write_access(path, run, &lock)?, Some(lock))
            }
            Way::Rehearse => (State::rehearse(path, run, app.call().wait)?, None),
            Way::Copy => (State::scratch(path, run)?, None),
        };
        let mut desk = Self { app, config, state, lock };
        // Another run may have changed settings since they were read.
        match app.config_with(&desk.state) {
            Ok(config) => desk.config = config,
            Err(e) => return desk.close(Err(e)),
        }
        Ok(desk)
    }

    /// What a service works with.
    pub fn work(&mut self) -> WriteContext<'_> {
        WriteContext {
            config: &self.config,
            state: &mut self.state,
            permit: self.lock.as_ref().map_or_else(Permit::dry_run, Permit::of),
            progress: self.app.progress(),
            stop: &self.app.call().stop,
        }
    }

    /// In a rehearsal: whether something was written, and other writers wait.
    pub fn rehearsal(&self) -> Option<Arc<AtomicBool>> {
        self.state.rehearsal()
    }

    /// Keeps what a work that is done learned of EVM chains, gathers the warnings, and lets go of the state.
    pub fn close<T>(mut self, done: Result<T>) -> Result<T> {
        let done = done.and_then(|value| self.learn().map(|()| value));
        let Self { app, state, lock, .. } = self;
        let (chains, clients) = (guard(&app.chains), guard(&app.clients));
        let warnings = chains.iter().flat_map(Chain::take_warnings);
        for warning in warnings.chain(clients.iter().flat_map(Client::take_warnings)) {
            app.call().warn(warning);
        }
        if let Some(lock) = lock {
            if done.as_ref().is_err_and(|e| matches!(e.code(), Code::State | Code::StateCorrupt)) {
                lock.doubt();
            }
            app.call().keep(state, lock);
        }
        done
    }

    fn learn(&mut self) -> Result<()> {
        let app = self.app;
        let work = self.work();
        if work.permit.is_dry_run() {
            return Ok(());
        }
        for chain in guard(&app.chains).iter() {
            let endpoints = &chain.config().endpoints;
            let asked: Vec<String> = endpoints.iter().map(|endpoint| endpoint.name().to_owned()).collect();
            evm::learn(work.state, work.permit, chain.chain_id(), &chain.learned(), &asked)?;
        }
        Ok(())
    }
}
