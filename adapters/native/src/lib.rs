//! native
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#[cfg(feature = "browser")]
pub mod browser;
mod loopback;
mod page;
mod visit;

pub use loopback::{ListenError, Listener, Loopback, Name, Received};
pub use page::Page;
pub use visit::{Browser, Opening};
