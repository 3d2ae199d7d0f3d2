//! What is checked of an authorization server's metadata.

use super::Mcp::{Both, Newest, Silent};
use super::rules;

rules! {
    ISSUER_URL = "as-issuer-url", "RFC 8414 §2", Both("communication security"),
        "the issuer is an https URL that may be used",
        "Use https, without query and fragment, at an address that clients can reach.";
    INSPECTED = "as-inspected", "RFC 9728 §7.6", Silent,
        "the authorization server is looked at",
        "Clients try few of the servers named; put the best first.";
    FOUND = "as-found", "RFC 8414 §3", Both("authorization server metadata discovery"),
        "the authorization server publishes its metadata",
        "Serve it at /.well-known/oauth-authorization-server, with the issuer's path, if any, behind it.";
    PLACE = "as-place", "RFC 8414 §3.1", Both("authorization server metadata discovery"),
        "the document is where clients look first",
        "Serve it also at the first of the places; each miss costs every client an exchange.";
    MISS = "as-miss", "RFC 8414 §3.2", Silent,
        "a place without a document answers 404",
        "Answer 404; pages for every path, 401 and 403 make clients stop or stumble, and 5xx is taken for a failure.";
    AGREE = "as-documents-agree", "RFC 8414 §5", Silent,
        "the documents at the several places say the same",
        "Serve one document at all places; which one clients read depends on where they look first.";
    STATUS = "as-status", "RFC 8414 §3.2", Silent,
        "the document is answered with 200 at once",
        "Serve the document where it is asked for; many clients follow no redirect.";
    CONTENT_TYPE = "as-content-type", "RFC 8414 §3.2", Silent,
        "the document is sent as application/json",
        "Send: Content-Type: application/json.";
    JSON = "as-json", "RFC 8414 §3.2", Silent,
        "the document is one JSON object, with no member twice",
        "Send a JSON object.";
    TYPES = "as-types", "RFC 8414 §2", Silent,
        "every member has its type",
        "Correct the members named.";
    EMPTY = "as-empty", "RFC 8414 §3.2", Silent,
        "what has no value is left out",
        "Leave the members out instead of sending null, \"\" or [].";
    ISSUER = "as-issuer", "RFC 8414 §3.3", Both("authorization server metadata discovery"),
        "the document names the issuer that the resource named, byte for byte",
        "Make authorization_servers and issuer the same text; a slash at the end counts.";
    AUTHORIZATION = "as-authorization-endpoint", "RFC 8414 §2", Silent,
        "there is an authorization endpoint",
        "Add authorization_endpoint.";
    TOKEN = "as-token-endpoint", "RFC 8414 §2", Silent,
        "there is a token endpoint",
        "Add token_endpoint.";
    ENDPOINTS = "as-endpoints", "RFC 8414 §2", Both("communication security"),
        "every endpoint is a URL that may be used",
        "Use absolute https URLs without user info and fragment, at addresses that clients can reach.";
    ORIGINS = "as-endpoint-origins", "field", Silent,
        "the endpoints are on the issuer's origin",
        "It is allowed; some clients refuse it, so name it where you document your server.";
    PKCE = "as-pkce", "RFC 8414 §2", Both("authorization code protection"),
        "PKCE with S256 is advertised",
        "Add code_challenge_methods_supported with \"S256\"; without it MCP clients must refuse.";
    PKCE_PLAIN = "as-pkce-plain", "RFC 9700 §2.1.1", Silent,
        "no weaker PKCE method is offered",
        "Drop plain.";
    RESPONSE_TYPES = "as-response-types", "RFC 8414 §2", Silent,
        "the response type code is listed",
        "Add response_types_supported with \"code\".";
    GRANT_TYPES = "as-grant-types", "RFC 8414 §2", Silent,
        "the grant type authorization_code is offered",
        "Add authorization_code to grant_types_supported.";
    GRANT_TYPES_OLD = "as-grant-types-old", "RFC 9700 §2.1.2, §2.4", Silent,
        "neither implicit nor password is offered",
        "Drop them; OAuth 2.1 has neither.";
    REFRESH = "as-refresh", "RFC 6749 §6", Newest("refresh tokens"),
        "refresh tokens are offered",
        "Offer refresh_token, or every expiry brings the person back to the browser.";
    ISS = "as-iss", "RFC 9207 §3", Newest("authorization response validation"),
        "the authorization response is promised to name its issuer",
        "Send iss in authorization responses and advertise authorization_response_iss_parameter_supported.";
    REGISTRATION = "as-registration", "MCP", Both("overview"),
        "a client that nobody has registered can get in",
        "Support Client ID Metadata Documents, or publish a registration_endpoint; otherwise tell people where to register.";
    CIMD = "as-client-id-metadata-document",
        "draft-ietf-oauth-client-id-metadata-document-00 §5", Both("overview"),
        "Client ID Metadata Documents are supported",
        "Set client_id_metadata_document_supported; dynamic registration is deprecated in MCP 2026-07-28.";
    AUTH_METHODS = "as-auth-methods", "RFC 8414 §2", Silent,
        "a client can authenticate in a way that MCP clients speak",
        "List none for public clients; client_secret_basic or client_secret_post for those with a secret.";
    AUTH_PUBLIC = "as-auth-none", "RFC 8414 §2", Silent,
        "public clients are listed as welcome",
        "List none in token_endpoint_auth_methods_supported; left out, the list means client_secret_basic.";
    AUTH_ALGORITHMS = "as-auth-algorithms", "RFC 8414 §2", Silent,
        "the algorithms of client assertions are listed, and none is not among them",
        "Add token_endpoint_auth_signing_alg_values_supported where a JWT method is listed, without none.";
    REVOCATION = "as-revocation", "RFC 7009 §2", Silent,
        "tokens can be revoked",
        "Add a revocation_endpoint, so that logging out ends the grant.";
    PUSHED = "as-pushed", "RFC 9126 §5", Silent,
        "pushed requests are possible where they are demanded",
        "Add pushed_authorization_request_endpoint, or drop require_pushed_authorization_requests.";
    DPOP = "as-dpop", "RFC 9449 §5.1", Silent,
        "tokens can be bound to a key where the resource demands it",
        "Add dpop_signing_alg_values_supported with algorithms of signatures.";
    SCOPES = "as-scopes", "RFC 8414 §2", Silent,
        "the scopes that the resource names are known here",
        "List every scope in scopes_supported that the resource names; some clients ask for no other.";
    RESOURCES = "as-protected-resources", "RFC 9728 §4", Silent,
        "the authorization server lists the resource, if it lists any",
        "Add the resource to protected_resources, byte for byte.";
    INDICATORS = "as-resource-indicators", "RFC 8707 §2", Both("resource parameter implementation"),
        "the resource parameter is taken",
        "See that authorization and token requests take resource, and that tokens are for it alone.";
    SIGNED = "as-signed", "RFC 8414 §2.1", Silent,
        "the metadata is plain",
        "The signed form outweighs the plain one for clients that verify it: see that both say the same.";
    SIZE = "as-size", "field", Silent,
        "the document is small and comes soon",
        "Serve it as a static file.";
    CACHING = "as-caching", "RFC 9111 §5.2", Silent,
        "the answer says how long it may be kept",
        "Add Cache-Control with a max-age of minutes to hours.";
    CORS = "as-cors", "field", Silent,
        "pages of other origins may read the document",
        "Add Access-Control-Allow-Origin: *, for clients that run in a browser.";
    TOKEN_ERROR = "token-error", "RFC 6749 §5.2", Silent,
        "a made-up code is refused with 400 or 401 and an error as JSON",
        "Answer application/json with error=invalid_grant or invalid_client; clients can read no page.";
    AUTHORIZE = "authorize-answers", "RFC 6749 §3.1", Silent,
        "the authorization endpoint answers a browser",
        "See that authorization_endpoint names what is there, and that it takes GET.";
    AUTHORIZE_REDIRECT = "authorize-redirect", "RFC 6749 §4.1.2.1", Both("open redirection"),
        "an unknown client is not sent on to the redirect URI that it names",
        "Tell the person instead; redirect only to URIs that are registered for the client.";
}
