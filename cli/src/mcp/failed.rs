//! Why a request has no result.

use std::fmt;

use mcp_auth_reqwest::Error;

use crate::show::words;

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server answered with an error of JSON-RPC.
    Error { method: String, status: u16, code: i64, said: String, text: String },
    /// The server answered with something else.
    Foreign { method: String, status: u16 },
    /// There was no whole answer.
    Unanswered(String),
    /// No request could be sent, or none that the server takes.
    Client(Error),
}

impl Failed {
    /// Whether the server may answer better on the other wire, and has done nothing yet. What cannot be said twice without
    /// harm is said once more only if the server plainly has not understood it.
    pub(super) fn may_be_the_wire(&self, method: &str) -> bool {
        let safe = method.ends_with("/list") || method.ends_with("/get") || method.ends_with("/read");
        let safe = safe || method == "ping";
        match self {
            // -32600 is an invalid request, and what servers say that want `initialize` first; -32022 and -32004 another
            // revision.
            Self::Error { status, code, .. } => {
                safe || (400..500).contains(status) || [-32600, -32004, -32022].contains(code)
            }
            Self::Foreign { status, .. } => safe || !(500..600).contains(status),
            Self::Unanswered(_) | Self::Client(_) => false,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { method, code, said, .. } => {
                write!(f, "{method}: the server answered with an error: {} ({code})", words(said))
            }
            Self::Foreign { method, status } => {
                write!(f, "{method}: the server answered with status {status} and no JSON-RPC")
            }
            Self::Unanswered(why) => f.write_str(why),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl From<Failed> for String {
    fn from(failed: Failed) -> Self {
        failed.to_string()
    }
}
