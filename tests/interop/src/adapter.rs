//! The seam: what a scenario asks of an adapter. Everything here blocks, so that adapters with and without a runtime fit.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mcp_auth::{Authorized, Breach, Config, Failure, Kind, LoggedOut, Scopes};
use mcp_auth_jose::Key;
use serde_json::Value;

use crate::person::Person;
use crate::rpc::Wire;

/// A crate that drives the machine over one HTTP library.
pub(crate) trait Adapter: Sync {
    /// The name for `--adapter`.
    fn name(&self) -> &'static str;

    /// A client as it is set. What the adapter cannot do of it is an error that says so, and the scenario fails.
    fn build(&self, setting: Setting) -> Result<Box<dyn Session>, Refused>;
}

/// What a client is built of.
pub(crate) struct Setting {
    /// The configuration of the machine.
    pub(crate) config: Config,
    /// Where records are kept; `None`: in memory.
    pub(crate) store: Option<PathBuf>,
    /// Who is asked; `None`: nobody can be.
    pub(crate) person: Option<Person>,
    /// The private half of the configuration's keys.
    pub(crate) key: Option<Arc<Key>>,
    /// Which form of MCP is spoken.
    pub(crate) wire: Wire,
}

/// A client of one MCP server.
pub(crate) trait Session: Send + Sync {
    /// Sends an MCP request, with whatever it takes to have it accepted, and gives its result.
    fn call(&self, method: &str, params: Value) -> Result<Value, Refused>;

    /// Obtains a token that serves now, with a person if need be.
    fn log_in(&self, scopes: Scopes) -> Result<Authorized, Refused>;

    /// Reads the store, and renews what is there; no person is asked.
    fn restore(&self) -> Result<Option<Authorized>, Refused>;

    /// Revokes and forgets.
    fn log_out(&self) -> Result<LoggedOut, Refused>;

    /// The person saw a page that says that the server does not know the client.
    fn client_disowned(&self) -> Result<(), Refused>;

    /// The grant in use.
    fn authorized(&self) -> Option<Authorized>;

    /// What the last attempt did, for whoever reads the log.
    fn trail(&self) -> String;

    /// What the watch has seen that must never happen.
    fn breaches(&self) -> Vec<String>;
}

/// Why something was not to be had.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The machine's own failure.
    Failure(Box<Failure>),
    /// The configuration was refused.
    Configuration(Breach),
    /// The server's last word was this status.
    Status(u16, String),
    /// Something else.
    Other(String),
}

impl Refused {
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Failure(failure) => Some(failure.kind()),
            Self::Configuration(breach) => Some(breach.kind),
            Self::Status(..) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => write!(f, "{failure:#}"),
            Self::Configuration(breach) => write!(f, "{breach}"),
            Self::Status(status, text) => write!(f, "the server answered {status}: {text}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.to_string()
    }
}
