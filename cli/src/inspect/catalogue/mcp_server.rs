//! What is checked of the MCP server's own answers.

use super::Mcp::{Both, Newest, Silent};
use super::rules;

rules! {
    STATUS = "server-status", "RFC 6750 §3", Both("error handling"),
        "a request without a token is answered with 401",
        "Answer 401 with a WWW-Authenticate header; clients begin a login at a 401 and at nothing else.";
    OPEN = "server-open-methods", "field", Silent,
        "every method asks for a token alike",
        "Clients that expect the 401 at connecting must take it later; challenge at the first request if you can.";
    CHALLENGE = "challenge-present", "RFC 9110 §11.6.1", Silent,
        "a 401 carries WWW-Authenticate with a challenge",
        "Add: WWW-Authenticate: Bearer resource_metadata=\"<URL of the resource metadata>\".";
    GRAMMAR = "challenge-grammar", "RFC 9110 §11.6.1", Silent,
        "WWW-Authenticate follows the grammar",
        "Write parameters as name=\"value\" with commas between them, and no blanks around the equals sign.";
    PARAMETER_ONCE = "challenge-parameter-once", "RFC 9110 §11.2", Silent,
        "a challenge gives each parameter once",
        "Send each parameter once; clients differ in which of two they take.";
    SCHEME = "challenge-scheme", "RFC 6750 §3", Silent,
        "a challenge has the scheme Bearer (or DPoP)",
        "Offer the scheme Bearer, or DPoP where tokens must be bound.";
    SEVERAL = "challenge-order", "field", Silent,
        "the Bearer challenge stands first",
        "Put Bearer first; some clients look at the first challenge only.";
    LENGTH = "challenge-length", "field", Silent,
        "the challenges are of at most 8 KiB",
        "Shorten the header; clients and proxies cut it.";
    METADATA = "challenge-resource-metadata", "RFC 9728 §5.1",
        Both("protected resource metadata discovery requirements"),
        "the challenge names the resource metadata",
        "Add resource_metadata=\"<URL>\"; it spares clients the guessing, and tells servers on one origin apart.";
    METADATA_URL = "challenge-resource-metadata-url", "RFC 9728 §5.1", Silent,
        "the named URL of the resource metadata may be used",
        "Name an absolute https URL without user info and fragment, at an address that clients can reach.";
    SCOPE = "challenge-scope", "RFC 6750 §3", Both("scope selection strategy"),
        "the challenge names the scopes that are needed",
        "Add scope=\"...\" with what this request needs; clients otherwise ask for all of scopes_supported.";
    SCOPE_GRAMMAR = "challenge-scope-grammar", "RFC 6749 §3.3", Silent,
        "scope is a list of scope tokens with spaces between",
        "Use printable ASCII without quotes and backslashes, one space between tokens, no commas.";
    SCOPE_OFFLINE = "challenge-scope-offline", "MCP", Newest("refresh tokens"),
        "the challenge does not ask for offline_access",
        "Leave offline_access out; whether to stay logged in is for the client to ask.";
    ERROR = "challenge-error", "RFC 6750 §3.1", Silent,
        "a request without a token is told of no error",
        "Leave error out where no token was sent; some clients take invalid_token to mean that theirs is bad.";
    BAD_STATUS = "bad-token-status", "RFC 6750 §3.1", Both("token handling"),
        "an invalid token is answered with 401",
        "Answer 401 to every token that is invalid or has expired; clients renew at a 401 and at nothing else.";
    BAD_CHALLENGE = "bad-token-challenge", "RFC 6750 §3", Silent,
        "the 401 to an invalid token carries a challenge",
        "Send the same WWW-Authenticate as without a token, with error=\"invalid_token\" added.";
    BAD_ERROR = "bad-token-error", "RFC 6750 §3.1", Silent,
        "the challenge says error=\"invalid_token\"",
        "Add error=\"invalid_token\", so that clients can tell a dead token from a missing one.";
    BAD_METADATA = "bad-token-resource-metadata", "RFC 9728 §5.1", Silent,
        "the challenge to an invalid token names the same resource metadata",
        "Send resource_metadata in every challenge alike.";
}
