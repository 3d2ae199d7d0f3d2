//! native
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#[cfg(feature = "browser")]
pub mod browser;
#[cfg(feature = "keyring")]
mod keyring;
mod loopback;
mod page;
mod visit;

#[cfg(feature = "keyring")]
pub use keyring::{Keyring, KeyringError, KeyringStore, Opened};
pub use loopback::{ListenError, Listener, Loopback, Name, Received};
pub use page::Page;
pub use visit::{Browser, Opening};

pub use mcp_auth_store::FileStore;
