//! What is measured, and against what. `benches/run` says how.

pub mod documents;
pub mod floor;
pub mod ours;
pub mod pieces;
