//! How a server plays: pace, matching, faults.

use std::ops::Range;

/// How fast recorded chunks are played.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// With the gaps of the recording.
    Recorded,
    /// Without gaps.
    #[default]
    Max,
    /// So many times as fast as recorded: 2.0 halves every gap. Must be above 0.
    Factor(f64),
}

/// Which exchange answers a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// The recording with the request's path and last user text; its exchange after as many assistant turns. What the
    /// recording expects is checked.
    #[default]
    Conversation,
    /// The n-th request gets the n-th exchange of all recordings in order, whatever it asks; the last one goes on.
    InOrder,
}

/// What a server does instead of playing a reply to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reads the request and never answers.
    NoAnswer,
    /// Closes the connection instead of an answer.
    CloseBeforeAnswer,
    /// Resets the connection instead of an answer.
    ResetBeforeAnswer,
    /// Answers with this status, these headers and this body.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers beyond those of the connection.
        headers: Vec<(String, String)>,
        /// Whole body.
        body: String,
    },
    /// Plays so many bytes of the body, then closes the connection without ending the body.
    CutAfter(usize),
    /// Plays so many bytes of the body, then resets the connection.
    ResetAfter(usize),
    /// Plays so many bytes of the body, then stays silent.
    HangAfter(usize),
}

impl Fault {
    /// An HTTP error with a JSON body.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: vec![("content-type".into(), "application/json".into())], body: body.into() }
    }
}

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How fast chunks are played.
    pub pace: Pace,
    /// Which exchange answers a request.
    pub matching: Matching,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Faults by the number of the request, from 0; the first that fits counts. See [`Options::fault`].
    pub faults: Vec<(Range<usize>, Fault)>,
}

impl Options {
    /// Plays at `pace`.
    #[must_use]
    pub fn pace(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Plays exchanges in order, without gaps, whatever is asked.
    #[must_use]
    pub fn in_order() -> Self {
        Self { matching: Matching::InOrder, ..Self::default() }
    }

    /// Does `fault` on the requests of the server numbered in `requests`, from 0. The first fault given for a request
    /// counts.
    #[must_use]
    pub fn fault(mut self, requests: Range<usize>, fault: Fault) -> Self {
        self.faults.push((requests, fault));
        self
    }

    /// The fault for request `number`.
    pub(crate) fn fault_of(&self, number: usize) -> Option<&Fault> {
        self.faults.iter().find(|(range, _)| range.contains(&number)).map(|(_, fault)| fault)
    }
}
