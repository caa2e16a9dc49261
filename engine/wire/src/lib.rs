//! Sans-IO stream parsing: chunks to frames to events.
