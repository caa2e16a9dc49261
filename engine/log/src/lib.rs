//! A lock-free event log: one writer, many cursors, replay.
