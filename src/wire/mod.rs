//! The documents and messages on the wire, one file each: pure functions that build or read them.

pub mod json;
