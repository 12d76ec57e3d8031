//! How far long work is.

/// Where long work reports how far it is. Nothing here may fail or wait.
pub trait Progress {
    /// A new stretch of work; `total` in its own steps, if known.
    fn begin(&self, what: &str, total: Option<u64>);
    /// So many steps more are done.
    fn advance(&self, steps: u64);
    /// A word on how it stands, beside the figures.
    fn note(&self, text: &str);
    /// The stretch is over.
    fn end(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _steps: u64) {}
    fn note(&self, _text: &str) {}
    fn end(&self) {}
}
