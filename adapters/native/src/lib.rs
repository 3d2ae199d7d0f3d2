//! What a native app needs to log a person in (RFC 8252), for hosts with an async runtime and without one alike: a
//! [loopback listener](Loopback) that answers the browser with how the login went, the person's [browser](browser::open),
//! and stores for what comes of it, in the system's keyring (`KeyringStore`) or in files ([`FileStore`]).
//!
//! Nothing here needs a runtime: the listener has threads of its own, its future is woken by them, and nothing else waits.
//!
//! # An async host
//!
//! [`Browser`] is listener and browser in one, as the drivers ask for it:
//!
//! ```no_run
//! use mcp_auth_native::{Browser, FileStore, Loopback, Opening};
//! use mcp_auth_reqwest::mcp_auth::Config;
//! use mcp_auth_reqwest::reqwest::{Method, Request};
//! use mcp_auth_reqwest::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Bound first: only then is the redirect URI known, and nobody else can have it.
//! let listener = Loopback::new("Example").listen()?;
//! let config = Config::new("https://mcp.example/mcp", "Example", listener.redirect_uri());
//! let browser = Browser::new(listener, |url, opening| match opening {
//!     Opening::Begun => eprintln!("Opening the browser. If none appears, open this yourself:\n\n  {url}\n"),
//!     Opening::Failed(why) => eprintln!("{why}"),
//!     _ => eprintln!("Open this in a browser on this machine:\n\n  {url}\n"),
//! });
//! let store = FileStore::new("credentials")?;
//! let client = Client::builder(config).consent(browser).store(store).build()?;
//! let response = client.send(Request::new(Method::POST, "https://mcp.example/mcp".parse()?)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A sync host
//!
//! A program that turns the machine itself uses the parts. `exchange` stands for its HTTP client:
//!
//! ```no_run
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//!
//! use mcp_auth::{Action, Authorizer, Callback, Config, Event, Failure, Outcome, Seed, Timestamp};
//! use mcp_auth_native::{FileStore, Listener, Loopback, Page, Received, browser};
//! use mcp_auth_store::{Lease, Store};
//! # fn exchange(send: &mcp_auth::Send) -> Result<http::Response<Vec<u8>>, mcp_auth::SendFailure> { Err(mcp_auth::SendFailure::NotSent("there is no network here".to_owned())) }
//!
//! fn now() -> Timestamp {
//!     Timestamp::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs()))
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = Loopback::new("Example").listen()?;
//!     let config = Config::new("https://mcp.example/mcp", "Example", listener.redirect_uri());
//!     let mut auth = Authorizer::new(config, Seed::generate()?).map_err(|breach| breach.to_string())?;
//!     let store = FileStore::new("credentials")?;
//!     log_in(&mut auth, listener, &store).map_err(|failure| format!("{failure:#}"))?;
//!     Ok(())
//! }
//!
//! fn log_in(auth: &mut Authorizer, mut listener: Listener, store: &FileStore) -> Result<Outcome, Box<Failure>> {
//!     let (mut arrived, mut held): (Option<Received>, Option<Lease>) = (None, None);
//!     auth.handle(now(), Event::LogIn { scopes: Default::default() });
//!     loop {
//!         let event = match auth.poll() {
//!             Action::Open(open) => {
//!                 println!("Open this in a browser on this machine:\n\n  {}\n", open.url());
//!                 if let Err(why) = browser::open(open.url()) {
//!                     eprintln!("{why}");
//!                 }
//!                 continue;
//!             }
//!             Action::Wait(until) => {
//!                 let timeout = until.map_or(Duration::MAX, |until| until.since(now()));
//!                 match listener.wait(timeout) {
//!                     Some(next) => {
//!                         let event = Event::Called(Callback::new(next.callback()));
//!                         // The machine still waits, so what came before was not for it.
//!                         if let Some(stranger) = arrived.replace(next) {
//!                             stranger.finish(Page::Stranger);
//!                         }
//!                         event
//!                     }
//!                     None => Event::Tick,
//!                 }
//!             }
//!             Action::Send(send) => match exchange(&send) {
//!                 Ok(response) => send.reply(response),
//!                 Err(failure) => send.fail(failure),
//!             },
//!             // Whoever renews is alone with the record, among processes too.
//!             Action::Load(load) => {
//!                 let span = load.exclusive();
//!                 let lease = span.map_or(Ok(None), |span| store.lease(load.key(), span, Duration::from_secs(5)));
//!                 match lease.and_then(|lease| Ok((lease, store.load(load.key())?))) {
//!                     Ok((None, _)) if span.is_some() => load.busy(),
//!                     Ok((lease, found)) => {
//!                         held = lease.or(held);
//!                         load.reply(found)
//!                     }
//!                     Err(why) => load.fail(why),
//!                 }
//!             }
//!             Action::Store(save) => save.reply(store.put(save.key(), save.credential(), save.replaces())),
//!             Action::Forget(it) => match store.forget(it.key(), it.generation()) {
//!                 Ok(gone) => it.reply(gone),
//!                 Err(why) => it.fail(why),
//!             },
//!             Action::Release(_) => {
//!                 held = None;
//!                 continue;
//!             }
//!             Action::Renewed(_) => continue,
//!             Action::Ask(ask) => ask.decline(),
//!             Action::Show(show) => show.fail("there is no other device"),
//!             Action::Sign(sign) => sign.fail("there is no key"),
//!             Action::Supply(supply) => supply.fail("nobody vouches for anybody"),
//!             Action::Finish(outcome) => {
//!                 if let Some((ours, page)) = arrived.zip(Page::of(&outcome)) {
//!                     ours.finish(page);
//!                 }
//!                 return outcome;
//!             }
//!         };
//!         auth.handle(now(), event);
//!     }
//! }
//! ```
//!
//! # Features
//!
//! - `browser` (on): [`browser::open`], by the crate `webbrowser`. Without it the person opens the URL.
//! - `keyring` (off): `KeyringStore`, by `keyring-core` and one store for each system. Off, because on Linux it more than
//!   doubles the tree: the one way to the Secret Service without a C library is a D-Bus client in Rust, which brings an
//!   event loop of its own (`zbus` on `async-io`; no tokio). It is met nowhere in the interface.
//!
//! # What may be relied on
//!
//! - **The port is bound before its URL is known**, on 127.0.0.1 and `[::1]`, and shared with nobody (RFC 8252 §8.3).
//! - **Nothing ends a login but its own answer.** Scanners, prefetches, other sites and answers with a foreign `state` get
//!   a page and cost nothing; a silent connection keeps no other waiting.
//! - **Nothing that arrives is shown.** The pages have no script and load nothing, and show only what the host says.
//! - **No shell** sees a URL, and nothing but https and loopback is opened.
//! - **Secrets are in no `Debug`, no error and no log.**
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
pub use mcp_auth_store::FileStore;
pub use page::Page;
pub use visit::{Browser, Opening};
