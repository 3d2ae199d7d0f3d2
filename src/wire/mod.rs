//! The documents and messages on the wire, one file each: pure functions that build or read them.
//!
//! They know neither a clock nor a state, and never panic. What they find wrong is a
//! [`Breach`](crate::Breach).

mod answer;
pub mod assertion;
pub mod authentication;
pub mod authorization;
pub mod callback;
pub mod challenge;
pub mod client;
pub mod client_key;
pub mod device;
pub mod dpop;
pub mod form;
pub mod json;
pub mod jwk;
pub mod jws;
mod metadata;
pub mod pushed;
pub mod refusal;
pub mod registration;
pub mod resource_metadata;
pub mod retry_after;
pub mod revocation;
pub mod server_metadata;
pub mod token;
