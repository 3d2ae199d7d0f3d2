//! The client side of Model Context Protocol authorization as a sans-IO state machine.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod base;
pub mod wire;

pub use base::breach::{Breach, Kind};
pub use base::guard::{Endpoint, Guard, Reach, UrlRefused};
pub use base::scope::Scopes;
pub use base::secret::Secret;
pub use base::seed::Seed;
pub use base::time::Timestamp;
