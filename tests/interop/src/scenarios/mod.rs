//! What every adapter must pass. A scenario asserts what the servers have seen, not only what the client says.

mod clients;
mod keys;
mod login;
mod renewal;

use crate::rig::{Rig, Verdict};

type Scenario = fn(&Rig<'_>) -> Verdict;

/// Each with its name.
pub(crate) const ALL: [(&str, Scenario); 28] = [
    ("login with dynamic registration", login::registers),
    ("login on the wire with sessions", login::with_sessions),
    ("login with a metadata document", login::by_document),
    ("login for signed tokens", login::signed_tokens),
    ("login with a scope that is not listed", login::unlisted_scope),
    ("login with a pushed request", login::pushed),
    ("consent is refused", login::refused),
    ("login is cancelled", login::cancelled),
    ("step-up", login::step_up),
    ("logout", login::logs_out),
    ("logout with a signed token", login::logs_out_of_signed),
    ("refresh after expiry", renewal::after_expiry),
    ("refresh after a refusal", renewal::after_refusal),
    ("a stolen refresh token ends the family", renewal::stolen),
    ("restore in a second process", renewal::restored),
    ("restore of an expired token", renewal::restored_expired),
    ("eight processes, one refresh", renewal::many_processes),
    ("offline_access", renewal::offline),
    ("a client that was purged", clients::purged),
    ("a client that the page does not know", clients::disowned),
    ("a client with a secret", clients::secret),
    ("a client with a key", clients::key),
    ("client credentials with a secret", clients::service_secret),
    ("client credentials with a key", clients::service_key),
    ("device", clients::device),
    ("device is refused", clients::device_refused),
    ("proof of possession", keys::bound),
    ("proof of possession, refresh", keys::bound_refresh),
];
