//! The exchanges that a grant costs over its life, against the servers of the testbed in memory: from a cold start to more
//! scope, for our machine and for rmcp.
//!
//! A round trip is a round in which everybody waits: all exchanges that are on their way at once are answered together. What
//! the browser does and the requests to the MCP server are not counted; they are the same for everyone.

mod network;
mod ours;
mod rmcp;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use mcp_auth_benches::documents;
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Dials, PreRegistered, Purpose, RegistrationScope, World};
use serde_json::json;

/// What was sent: exchanges, and the round trips that they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub exchanges: usize,
    pub rounds: usize,
}

impl std::ops::Sub for Count {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { exchanges: self.exchanges - before.exchanges, rounds: self.rounds - before.rounds }
    }
}

/// How the client comes to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Registers,
    Document,
    Configured,
}

/// What the host of rmcp keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// The record, as rmcp's store has it.
    Record,
    /// The metadata besides, and the manager of a login that has ended.
    Metadata,
}

/// The client's metadata document, where it has one.
const DOCUMENT: &str = "https://app.example/client.json";
/// The client that was configured by hand.
const CLIENT: &str = "by-hand";
/// How many requests a burst has.
const BURST: usize = 100;

/// One row: what happens, and the least that it takes (`least` says how that is written), with its clause.
pub struct Row {
    pub what: &'static str,
    pub least: &'static str,
    pub clause: &'static str,
    /// Where ours is above the least: why.
    pub why: &'static str,
    pub ours: fn() -> Count,
    /// An error where rmcp does not come to a token.
    pub rmcp: fn() -> Result<Count, String>,
    /// The same where the host does more than rmcp's guide says: it keeps rmcp's manager and the metadata itself.
    pub kept: Option<fn() -> Result<Count, String>>,
}

/// How many exchanges a burst of requests costs, ours and rmcp's: once because their token has run out, and once because all
/// of them were refused with it.
pub fn bursts() -> [(usize, Count, Count); 2] {
    let counted = |it: Result<Count, String>| it.expect("a refresh");
    [
        (BURST, ours::expired(BURST), counted(rmcp::expired(BURST))),
        (BURST, ours::refused(BURST), counted(rmcp::refused(BURST))),
    ]
}

/// All rows.
pub const ROWS: [Row; 15] = [
    Row {
        what: "cold start, the client registers",
        least: "R S G T",
        clause: "RFC 9728 §5.1, RFC 8414 §3.1, RFC 7591 §3.1, RFC 6749 §4.1.3",
        why: "",
        ours: || ours::cold(Known::Registers, |_| ()),
        rmcp: || rmcp::cold(Known::Registers, |_| ()),
        kept: None,
    },
    Row {
        what: "cold start, a client with a metadata document",
        least: "R S T",
        clause: "MCP, Client ID Metadata Documents",
        why: "",
        ours: || ours::cold(Known::Document, |_| ()),
        rmcp: || rmcp::cold(Known::Document, |_| ()),
        kept: None,
    },
    Row {
        what: "cold start, a configured client",
        least: "R S T",
        clause: "MCP, Pre-registration",
        why: "",
        ours: || ours::cold(Known::Configured, |_| ()),
        rmcp: || rmcp::cold(Known::Configured, |_| ()),
        kept: None,
    },
    Row {
        what: "cold start, the challenge names no metadata",
        least: "R S G T",
        clause: "MCP, Protected Resource Metadata Discovery Requirements: the path form comes first",
        why: "",
        ours: || ours::cold(Known::Registers, |dials| dials.advertise_metadata = false),
        rmcp: || rmcp::cold(Known::Registers, |dials| dials.advertise_metadata = false),
        kept: None,
    },
    Row {
        what: "warm start in the same process: the server ended the grant",
        least: "t T",
        clause: "RFC 6749 §5.2 tells a dead refresh token from a live one; the client stays (RFC 7591 §3.2.1), metadata is cached (RFC 9728 §7.10, RFC 9111)",
        why: "a login after a dead grant reads metadata anew: so it finds out that the server has moved to another authorization server (MCP, Authorization Server Binding)",
        ours: ours::ended,
        rmcp: || rmcp::ended(Keeping::Record),
        kept: Some(|| rmcp::ended(Keeping::Metadata)),
    },
    Row {
        what: "the same in a new process, from the record",
        least: "t T",
        clause: "the same, with metadata in the record for as long as HTTP lets it be cached",
        why: "the same",
        ours: ours::ended_restored,
        rmcp: || rmcp::ended_restored(Keeping::Record),
        kept: Some(|| rmcp::ended_restored(Keeping::Metadata)),
    },
    Row {
        what: "restore, the token lives",
        least: "",
        clause: "RFC 6749 §5.1 (`expires_in`): nothing need be asked",
        why: "",
        ours: ours::restored_live,
        rmcp: || rmcp::restored_live(Keeping::Record),
        kept: Some(|| rmcp::restored_live(Keeping::Metadata)),
    },
    Row {
        what: "restore, the token has run out",
        least: "T",
        clause: "RFC 6749 §6",
        why: "",
        ours: ours::restored_expired,
        rmcp: || rmcp::restored_expired(Keeping::Record),
        kept: Some(|| rmcp::restored_expired(Keeping::Metadata)),
    },
    Row {
        what: "refresh, the token has run out",
        least: "T",
        clause: "RFC 6749 §6",
        why: "",
        ours: || ours::expired(1),
        rmcp: || rmcp::expired(1),
        kept: None,
    },
    Row {
        what: "refresh, the server refuses the token before it runs out",
        least: "T",
        clause: "RFC 6750 §3.1 (`invalid_token`), RFC 6749 §6",
        why: "",
        ours: || ours::refused(1),
        rmcp: || rmcp::refused(1),
        kept: None,
    },
    Row {
        what: "100 requests at once find that the token has run out",
        least: "T",
        clause: "RFC 6749 §6: one token serves them all",
        why: "",
        ours: || ours::expired(BURST),
        rmcp: || rmcp::expired(BURST),
        kept: None,
    },
    Row {
        what: "100 requests at once are refused with the same token",
        least: "T",
        clause: "the same",
        why: "",
        ours: || ours::refused(BURST),
        rmcp: || rmcp::refused(BURST),
        kept: None,
    },
    Row {
        what: "step-up, a configured client",
        least: "T",
        clause: "MCP, Step-Up Authorization Flow",
        why: "",
        ours: || ours::stepped_up(Known::Configured, RegistrationScope::Any),
        rmcp: || rmcp::stepped_up(Known::Configured, RegistrationScope::Any),
        kept: None,
    },
    Row {
        what: "step-up, a registered client whose scopes the server named",
        least: "G T",
        clause: "RFC 7591 §2 (`scope`): what the client can use; so it registers for more",
        why: "the record does not hold the registration endpoint, so metadata is read; whoever waits is about to consent anyway",
        ours: || ours::stepped_up(Known::Registers, RegistrationScope::Any),
        rmcp: || rmcp::stepped_up(Known::Registers, RegistrationScope::Any),
        kept: None,
    },
    Row {
        what: "the same, at a server that holds the client to them",
        least: "G T",
        clause: "the same",
        why: "the same",
        ours: || ours::stepped_up(Known::Registers, RegistrationScope::Binding),
        rmcp: || rmcp::stepped_up(Known::Registers, RegistrationScope::Binding),
        kept: None,
    },
];

/// The servers.
fn dials(known: Known) -> Dials {
    let mut dials = Dials::default();
    match known {
        Known::Registers => {}
        Known::Configured => dials.clients = vec![PreRegistered::public(CLIENT, documents::REDIRECT)],
        Known::Document => {
            let document = json!({
                "client_id": DOCUMENT,
                "client_name": documents::NAME,
                "redirect_uris": [documents::REDIRECT],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
            });
            dials.client_documents = [(DOCUMENT.to_owned(), document)].into();
        }
    }
    dials
}

/// A call of this tool with this token.
fn call(world: &World, tool: &str, token: Option<&HeaderValue>) -> Request<Vec<u8>> {
    let mut request = call::tool(&world.server_url(), Wire::Stateless, tool, "notes.txt").expect("a request");
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token.clone());
    }
    request
}

/// A world's exchanges, without what the browser and the host send: to hold against what the client counted.
fn seen(world: &World) -> usize {
    let purposes =
        [Purpose::ResourceMetadata, Purpose::ServerMetadata, Purpose::Registration, Purpose::Token];
    purposes.into_iter().map(|purpose| world.count(purpose)).sum()
}
