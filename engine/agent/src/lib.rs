//! Sans-IO agent: messages, tools, usage and the agent loop as a state machine.
#![forbid(unsafe_code)]
