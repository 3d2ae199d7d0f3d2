//! Authorization for clients of [`rmcp`], the official Rust SDK of the Model Context Protocol (MCP):
//! [`AuthorizedClient`] is an HTTP client for rmcp's streamable HTTP transport that logs in, renews and steps up by
//! itself, by [`mcp_auth_reqwest`]. rmcp's own `auth` and reqwest are not needed.
//!
//! ```no_run
//! use mcp_auth_native::{Browser, Loopback};
//! use mcp_auth_reqwest::{Client, mcp_auth::Config};
//! use mcp_auth_rmcp::AuthorizedClient;
//! use rmcp::ServiceExt as _;
//! use rmcp::transport::StreamableHttpClientTransport;
//! use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "https://mcp.example/mcp";
//! let listener = Loopback::new("Example").listen()?;
//! let config = Config::new(url, "Example", listener.redirect_uri());
//! let browser = Browser::new(listener, |url, _| eprintln!("If no browser appears, open {url}"));
//! let client = Client::builder(config).consent(browser).build()?;
//!
//! let transport = StreamableHttpClientTransport::with_client(
//!     AuthorizedClient::new(client),
//!     StreamableHttpClientTransportConfig::with_uri(url),
//! );
//! let service = ().serve(transport).await?; // a 401 here leads to a login
//! let tools = service.list_all_tools().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What may be relied on
//!
//! - **A refusal is dealt with below rmcp.** A 401, or a 403 with `insufficient_scope`, never reaches it unless the
//!   client gave up, or the token was none of ours (see below). Requests that are refused at once share one login.
//! - **Step-ups are counted for what was called**: `tools/call:write_file`, `prompts/get:review`,
//!   `resources/read:file:///notes`, and otherwise the method alone.
//! - **A failure can be had whole.** rmcp wraps errors several times; [`failure`] finds ours in any of its errors, and
//!   `{:#}` shows it with every URL tried on the way. Where rmcp keeps only text (`connection closed`),
//!   [`trail`](mcp_auth_reqwest::Client::trail) of a clone of the client still knows.
//! - **The end of a session opens no browser.** The `DELETE` is sent with the token at hand, renewed if it has run
//!   out, and a refusal of it begins nothing.
//! - **A stream in the background asks once.** When the client gives up on a `GET` that rmcp sends again by itself,
//!   and another try can only help with a person or a change, rmcp is told to stop; the next request shows why.
//! - **No redirect is followed**, because the token would go along; name the server by the URL where it is.
//! - **Limits are rmcp's own**: of an event, of a JSON body, of the text of an error.
//!
//! # A token of your own
//!
//! The transport's configuration may name a fixed token ([`auth_header`]), and so may its custom headers
//! (`Authorization`). Such a request is sent as it is, as [`mcp_auth_reqwest::Client::send`] does too: nobody is asked
//! to log in, nothing is renewed or kept, and the server's refusal is rmcp's `AuthRequired` or `InsufficientScope`.
//! To have this crate do its work, leave both out.
//!
//! # Lifecycles
//!
//! Both of rmcp's work: `initialize` with sessions (up to 2025-11-25) and `server/discover` without
//! (2026-07-28, [`ClientLifecycleMode::Discover`]). [`ClientLifecycleMode::Auto`] takes a server that does not answer
//! within ten seconds for a legacy one, which is less than a person may need: log in first, with
//! [`Client::log_in`](mcp_auth_reqwest::Client::log_in). Likewise a request that has a timeout of rmcp's should not be
//! the first, and a server that forgets session and grant at once may need a longer [`session_recovery_timeout`]. A
//! login goes on when the request that began it is given up, so the next request finds what came of it.
//!
//! [`auth_header`]: rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig::auth_header
//! [`session_recovery_timeout`]: rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig::session_recovery_timeout
//! [`ClientLifecycleMode::Discover`]: rmcp::ClientLifecycleMode::Discover
//! [`ClientLifecycleMode::Auto`]: rmcp::ClientLifecycleMode::Auto
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod answer;
mod body;
mod client;
mod error;
mod events;
mod operation;

pub use client::AuthorizedClient;
pub use error::failure;
pub use {mcp_auth_reqwest, rmcp};

/// The code blocks of the guide, each compiled as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/from-rmcp.md")]
mod guide {}
