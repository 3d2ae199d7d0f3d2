//! The names of members that hold secrets. The fuzzer knows them too (`tests/fuzz/edits.rs`), and
//! `vectors/FORMAT.md` tells them.

/// The members, in records, documents and configurations, whose values are secret.
pub(super) const SECRET: [&str; 14] = [
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token",
    "nonce",
    "password",
    "refresh_token",
    "registration_access_token",
    "request_uri",
    "secret",
    "state",
    "user_code",
];
