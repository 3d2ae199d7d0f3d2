//! native
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#[cfg(feature = "browser")]
pub mod browser;
mod loopback;
mod page;

pub use loopback::{ListenError, Listener, Loopback, Name, Received};
pub use page::Page;
