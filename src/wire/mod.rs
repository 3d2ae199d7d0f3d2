//! The documents and messages on the wire, one file each: pure functions that build or read them.

pub mod json;
mod metadata;
pub mod resource_metadata;
pub mod server_metadata;
