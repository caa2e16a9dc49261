//! From frames to resolved events: asks the codec, resolves escapes, shows each batch to the sink.

use std::mem;

use thalweg_abi::decode::{Decode, Events, Progress, recycle_events};
use thalweg_abi::types::{EVENT_SKIPPED, FLAG_FROM_NOW, FLAG_LASTING, FLAG_REPEATABLE, FrameRef, StreamEvent};

use crate::channels::Channels;
use crate::error::Error;
use crate::pipeline::Sink;

/// The way of events behind the codec.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Empty between calls; kept for its memory.
    pub(crate) batch: Vec<StreamEvent<'static>>,
    pub(crate) channels: Channels,
    pub(crate) events: u64,
    pub(crate) skipped: u64,
    /// Events of the codec that are marked as repeatable.
    pub(crate) repeatable: u64,
}

impl Stage {
    /// Has the codec read `frames[read..]`.
    pub(crate) fn decode<D: Decode>(
        &mut self,
        decoder: &mut D,
        frames: &[FrameRef<'_>],
        mut read: usize,
        flags: u32,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        loop {
            let mut batch = recycle_events(mem::take(&mut self.batch));
            let capacity = capacity(&batch, frames.len());
            let before = read;
            let progress = decoder.decode(frames, &mut read, &mut Events::new(&mut batch, capacity));
            let is_moved = read > before || !batch.is_empty();
            self.tell(batch, flags, sink);
            match progress.map_err(Error::Codec)? {
                Progress::Done if read >= frames.len() => return Ok(()),
                Progress::More if is_moved => {}
                Progress::Done | Progress::More => return Err(Error::CodecStuck { frames: frames.len(), read }),
            }
        }
    }

    /// Has the codec tell what it still holds back.
    pub(crate) fn finish<D: Decode>(&mut self, decoder: &mut D, sink: &mut Sink<'_>) -> Result<(), Error> {
        loop {
            let mut batch = recycle_events(mem::take(&mut self.batch));
            let capacity = capacity(&batch, 0);
            let progress = decoder.finish(&mut Events::new(&mut batch, capacity));
            let is_moved = !batch.is_empty();
            self.tell(batch, 0, sink);
            match progress.map_err(Error::Codec)? {
                Progress::Done => break,
                Progress::More if is_moved => {}
                Progress::More => return Err(Error::CodecStuck { frames: 0, read: 0 }),
            }
        }
        let mut batch = mem::take(&mut self.batch);
        batch.extend(self.channels.finish());
        self.tell(batch, 0, sink);
        Ok(())
    }

    /// Hands a batch of the codec on; `flags` are added to each event.
    fn tell(&mut self, mut batch: Vec<StreamEvent<'_>>, flags: u32, sink: &mut Sink<'_>) {
        if flags != 0 {
            for event in &mut batch {
                *event = event.with_flags(flags);
            }
        }
        self.take_note(&mut batch);
        self.hand_on(batch, Escapes::Perhaps, sink);
    }

    /// Counts events of the codec, and takes the marks off that say something to the engine only.
    pub(crate) fn take_note(&mut self, events: &mut [StreamEvent<'_>]) {
        for event in events {
            self.skipped += u64::from(event.kind() == EVENT_SKIPPED);
            self.repeatable += u64::from(event.has(FLAG_REPEATABLE));
            *event = event.without_flags(FLAG_REPEATABLE | FLAG_FROM_NOW | FLAG_LASTING);
        }
    }

    /// As [`Stage::hand_on`] of a batch that has events, for where it is called most.
    #[inline(always)]
    pub(crate) fn hand_on_most(&mut self, batch: Vec<StreamEvent<'_>>, escapes: Escapes, sink: &mut Sink<'_>) {
        if escapes == Escapes::Perhaps || self.channels.is_holding() {
            return self.hand_on(batch, Escapes::Perhaps, sink);
        }
        self.events += batch.len() as u64;
        sink(&batch);
        // There was no memory left here to be freed.
        mem::forget(mem::replace(&mut self.batch, recycle_events(batch)));
    }

    /// Resolves a batch, shows it to the sink and keeps its memory.
    #[inline(never)]
    pub(crate) fn hand_on(&mut self, batch: Vec<StreamEvent<'_>>, escapes: Escapes, sink: &mut Sink<'_>) {
        if batch.is_empty() {
            self.batch = recycle_events(batch);
            return;
        }
        let emptied = self.resolve(batch, escapes, sink);
        self.batch = emptied;
    }

    #[inline]
    fn resolve<'s>(
        &'s mut self,
        batch: Vec<StreamEvent<'s>>,
        escapes: Escapes,
        sink: &mut Sink<'_>,
    ) -> Vec<StreamEvent<'static>> {
        let batch = match escapes {
            Escapes::None if !self.channels.is_holding() => batch,
            Escapes::None | Escapes::Perhaps => self.channels.resolve(batch),
        };
        self.events += batch.len() as u64;
        sink(&batch);
        recycle_events(batch)
    }

    pub(crate) fn reset(&mut self) {
        self.channels.reset();
        self.events = 0;
        self.skipped = 0;
        self.repeatable = 0;
    }
}

/// What is known of the texts of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// No text has an escape.
    None,
    /// Some may have.
    Perhaps,
}

impl Escapes {
    #[inline]
    pub(crate) const fn of(has_escapes: bool) -> Self {
        if has_escapes { Self::Perhaps } else { Self::None }
    }
}

/// Events that the codec may give for `frames` more frames: more than one each where there is memory, which an idle stream
/// need not have.
pub(crate) fn capacity(batch: &Vec<StreamEvent<'_>>, frames: usize) -> usize {
    batch.capacity().max(batch.len() + frames + EVENTS_MORE)
}

/// Room for events beyond one a frame: the last frames of a reply give several.
const EVENTS_MORE: usize = 3;
