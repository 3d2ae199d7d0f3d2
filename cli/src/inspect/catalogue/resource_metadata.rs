//! What is checked of the protected resource metadata.

use super::Mcp::{Both, Newest, Silent};
use super::rules;

rules! {
    FOUND = "prm-found", "RFC 9728 §3", Both("authorization server location"),
        "the server publishes protected resource metadata",
        "Serve a JSON document at /.well-known/oauth-protected-resource followed by the path of the MCP endpoint.";
    ADVERTISED = "prm-advertised", "RFC 9728 §5.1", Both("protected resource metadata discovery requirements"),
        "the document is where the challenge says",
        "Make resource_metadata name the URL that serves the document.";
    WELL_KNOWN = "prm-well-known", "RFC 9728 §3.1", Silent,
        "the document is at a well-known place too",
        "Serve it at the well-known URL as well, for clients that have seen no challenge.";
    MISS = "prm-miss", "RFC 9728 §3.2", Silent,
        "a place without a document answers 404",
        "Answer 404; pages for every path, 401 and 403 make clients stop or stumble, and 5xx is taken for a failure.";
    STATUS = "prm-status", "RFC 9728 §3.2", Silent,
        "the document is answered with 200 at once",
        "Serve the document where it is asked for; many clients follow no redirect.";
    CONTENT_TYPE = "prm-content-type", "RFC 9728 §3.2", Silent,
        "the document is sent as application/json",
        "Send: Content-Type: application/json.";
    JSON = "prm-json", "RFC 9728 §3.2", Silent,
        "the document is one JSON object, with no member twice",
        "Send a JSON object.";
    TYPES = "prm-types", "RFC 9728 §2", Silent,
        "every member has its type",
        "Correct the members named.";
    EMPTY = "prm-empty", "RFC 9728 §3.2", Silent,
        "what has no value is left out",
        "Leave the members out instead of sending null, \"\" or [].";
    RESOURCE = "prm-resource", "RFC 9728 §2", Silent,
        "the document names its resource",
        "Add resource with the URL of the MCP server.";
    MATCHES = "prm-resource-matches", "RFC 9728 §3.3", Both("authorization server location"),
        "the resource is the URL of this MCP server",
        "Set resource to the URL that clients connect to, byte for byte: scheme, host, port and path.";
    SERVERS = "prm-authorization-servers", "RFC 9728 §2", Both("authorization server location"),
        "at least one authorization server is named",
        "Add authorization_servers with the issuer of at least one.";
    SERVERS_USABLE = "prm-authorization-servers-usable", "RFC 8414 §2", Both("communication security"),
        "every authorization server named may be used",
        "Name issuers: absolute https URLs without query and fragment, at addresses that clients can reach.";
    AGREE = "prm-documents-agree", "RFC 9728 §3.3", Silent,
        "documents of the same resource say the same",
        "Serve one document; which of them clients read depends on where they look first.";
    SCOPES = "prm-scopes", "RFC 9728 §2", Both("scope selection strategy"),
        "the scopes that the resource knows are named",
        "Add scopes_supported, with the fewest scopes that basic use needs.";
    SCOPES_GRAMMAR = "prm-scopes-grammar", "RFC 6749 §3.3", Silent,
        "scopes_supported holds scope tokens",
        "One token for each entry, of printable ASCII without blanks, quotes and backslashes.";
    SCOPES_OFFLINE = "prm-scopes-offline", "MCP", Newest("refresh tokens"),
        "scopes_supported leaves offline_access out",
        "Leave offline_access to the metadata of the authorization server.";
    BEARER_METHODS = "prm-bearer-methods", "RFC 9728 §2", Both("token requirements"),
        "tokens are taken in the Authorization header",
        "List header in bearer_methods_supported, and not query; MCP clients send tokens nowhere else.";
    DPOP = "prm-dpop", "RFC 9728 §2", Silent,
        "tokens need no key",
        "Clients need a key and DPoP (RFC 9449) here; most have none.";
    MUTUAL_TLS = "prm-mutual-tls", "RFC 9728 §2", Silent,
        "tokens need no client certificate",
        "Set tls_client_certificate_bound_access_tokens to false, or expect no MCP client to come by itself.";
    SIGNED = "prm-signed", "RFC 9728 §2.2", Silent,
        "the metadata is plain",
        "The signed form outweighs the plain one for clients that verify it: see that both say the same.";
    SIZE = "prm-size", "field", Silent,
        "the document is small and comes soon",
        "Serve it as a static file.";
    CACHING = "prm-caching", "RFC 9111 §5.2", Silent,
        "the answer says how long it may be kept",
        "Add Cache-Control with a max-age of minutes to hours.";
    CORS = "prm-cors", "field", Silent,
        "pages of other origins may read the document",
        "Add Access-Control-Allow-Origin: *, for clients that run in a browser.";
    LEGACY = "legacy-fallback", "MCP 2025-03-26, fallbacks for servers without metadata discovery", Silent,
        "no fallback of MCP 2025-03-26 is needed",
        "Publish protected resource metadata; clients may refuse the fallbacks.";
}
