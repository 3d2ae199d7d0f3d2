//! How flows begin.

use mcp_auth::ClientKey;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth_testbed::*;

use crate::stage::{CLIENT_KEY, Stage, public};

/// The host's request, with whatever it takes.
pub(crate) fn lists(mut stage: Stage) -> Stage {
    stage.call("tools/list", None);
    stage
}

/// And once more, when the token has run out.
pub(crate) fn lists_twice(stage: Stage) -> Stage {
    let mut stage = lists(stage);
    stage.now += 4000;
    lists(stage)
}

/// The request at a server that is set up so, by a client that registers itself.
pub(crate) fn listed(dials: Dials) -> Stage {
    lists(Stage::plain(dials))
}

/// A login whose token has run out.
pub(crate) fn expired(dials: Dials) -> Stage {
    let mut stage = listed(dials);
    stage.now += 4000;
    stage
}

/// The same, and a renewal that is to meet this.
pub(crate) fn meets(what: Trouble) -> Stage {
    expired(Dials { faults: vec![Fault { purpose: Purpose::Refresh, nth: 1, what }], ..Dials::default() })
}

/// What no kind of server has before it is known to have it: ways to a client, `iss`, scopes of the authorization server's
/// own. The testbed's servers have all of it by default.
pub(crate) fn bare() -> Dials {
    Dials {
        registration: Registration::Absent,
        client_id_metadata_documents: false,
        iss: Iss::Absent,
        server_scopes: None,
        ..Dials::default()
    }
}

/// The same where anyone may register.
pub(crate) fn open() -> Dials {
    Dials { registration: Registration::Open, ..bare() }
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// The key that a client authenticates with.
pub(crate) fn key() -> ClientKey {
    ClientKey::new([Algorithm::EdDsa]).key_id(public(&CLIENT_KEY).thumbprint())
}
