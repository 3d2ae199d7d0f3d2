//! The small values everything else stands on. Nothing here knows a document or a step.

pub mod breach;
pub mod guard;
pub(crate) mod reach;
pub mod redaction;
pub mod scope;
pub mod secret;
pub mod seed;
pub(crate) mod shown;
pub(crate) mod spelling;
pub mod text;
pub mod time;
