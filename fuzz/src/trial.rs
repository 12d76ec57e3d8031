//! One target tried: its kept inputs, each of them with one value too large, and changes of them without end.

use crate::decoders::Decoder;
use crate::mutate::{LONGEST, Random, mutated, too_much};
use crate::{LONGEST_TIME, heap};
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// Inputs of which others are made, at most.
const POOL: usize = 256;

/// What one input must not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Make the decoder panic.
    Panic,
    /// Take so much of the processor.
    Time(Duration),
    /// Take so many bytes of memory, itself included, where so many are the most.
    Memory(usize, usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic => f.write_str("the decoder panics"),
            Self::Time(took) => {
                write!(f, "it takes {} ms, at most {}", took.as_millis(), LONGEST_TIME.as_millis())
            }
            Self::Memory(took, most) => write!(f, "it takes {took} bytes of memory, at most {most}"),
        }
    }
}

/// An input that did so.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The input.
    pub input: Vec<u8>,
    /// What it did.
    pub fault: Fault,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} bytes: {:.200}…)",
            self.fault,
            self.input.len(),
            String::from_utf8_lossy(&self.input)
        )
    }
}

/// What a trial came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that were taken.
    pub taken: u64,
    /// Inputs that were refused.
    pub refused: u64,
    /// The longest time of one.
    pub longest: Duration,
    /// The most memory of one.
    pub most: usize,
}

/// A target being tried.
pub struct Trial<'a> {
    decoder: Decoder,
    /// Told each input before it is read.
    before: &'a mut dyn FnMut(&[u8]),
    /// What came of it so far.
    pub tally: Tally,
}

impl fmt::Debug for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("decoder", &self.decoder)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

/// The memory that an input may take: itself included, four times its bytes, and what the target takes whatever comes.
pub const fn memory_of(decoder: Decoder, input: usize) -> usize {
    4 * input + decoder.room
}

impl<'a> Trial<'a> {
    /// Of a target; `before` is told each input before it is read.
    pub fn new(decoder: Decoder, before: &'a mut dyn FnMut(&[u8])) -> Self {
        Self { decoder, before, tally: Tally::default() }
    }

    /// Reads one input; true where it was taken.
    ///
    /// # Errors
    /// The input, where it does what none may.
    pub fn read(&mut self, input: Vec<u8>) -> Result<(bool, Vec<u8>), Found> {
        (self.before)(&input);
        let start = clock_gettime(ClockId::ThreadCPUTime);
        let (taken, memory) = heap::peak(|| {
            // What is left half done is the body alone.
            panic::catch_unwind(AssertUnwindSafe(|| (self.decoder.read)(&input.clone())))
        });
        let end = clock_gettime(ClockId::ThreadCPUTime);
        let took = Duration::try_from(end)
            .unwrap_or_default()
            .saturating_sub(Duration::try_from(start).unwrap_or_default());
        let most = memory_of(self.decoder, input.len());
        let fault = match taken {
            Err(_) => Some(Fault::Panic),
            Ok(_) if took > LONGEST_TIME => Some(Fault::Time(took)),
            Ok(_) if memory > most => Some(Fault::Memory(memory, most)),
            Ok(_) => None,
        };
        if let Some(fault) = fault {
            return Err(Found { input, fault });
        }
        let taken = taken.unwrap_or_default();
        self.tally.longest = self.tally.longest.max(took);
        self.tally.most = self.tally.most.max(memory);
        *(if taken { &mut self.tally.taken } else { &mut self.tally.refused }) += 1;
        Ok((taken, input))
    }

    /// Reads the kept inputs, then changes of them while `more` says so of the number of inputs read; now and then one of
    /// the kept inputs with a value of `size` bytes, each value in its turn.
    ///
    /// # Errors
    /// The first input that does what none may.
    pub fn run(
        &mut self,
        kept: &[Vec<u8>],
        size: usize,
        seed: u64,
        more: impl Fn(u64) -> bool,
    ) -> Result<(), Found> {
        for input in kept {
            self.read(input.clone())?;
        }
        let mut large = kept.iter().flat_map(|input| too_much(input, size));
        let mut random = Random::new(seed);
        let mut pool = kept.to_vec();
        while more(self.count()) {
            if self.count().is_multiple_of(16)
                && let Some(input) = large.next()
            {
                self.read(input)?;
                continue;
            }
            let (taken, input) = self.read(mutated(&mut random, &pool))?;
            // What is taken leads on to more of its kind; the kept ones stay.
            if taken && input.len() < LONGEST / 16 {
                if pool.len() < POOL {
                    pool.push(input);
                } else if let Some(place) =
                    pool.get_mut(kept.len() + random.below(POOL.saturating_sub(kept.len())))
                {
                    *place = input;
                }
            }
        }
        Ok(())
    }

    /// Inputs read so far.
    pub const fn count(&self) -> u64 {
        self.tally.taken + self.tally.refused
    }
}
