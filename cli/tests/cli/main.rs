//! The program as a person runs it, over sockets, with a home of its own.

mod call;
mod demo;
mod device;
mod ends;
#[cfg(all(target_os = "linux", feature = "keyring"))]
mod keyring;
mod login;
mod logout;
#[cfg(target_os = "linux")]
mod output;
mod paste;
mod record;
mod recorded;
mod secrets;
mod servers;
mod shell;
mod status;
mod support;
mod token;
