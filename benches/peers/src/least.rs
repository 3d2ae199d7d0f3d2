//! The least that each scenario of the official suite takes of a client that knows nothing beforehand.

/// The least, written so: each letter is an exchange; those joined by `+` can be on their way at once; the rest wait for each
/// other. A small letter is an exchange that brings nothing and yet has to be made.
pub struct Least {
    pub scenario: &'static str,
    pub exchanges: &'static str,
    /// What it rests on, besides the clauses of the letters.
    pub clause: &'static str,
    /// Where ours is above it: why.
    pub why: &'static str,
}

/// What the letters mean, and where it is said.
pub const LETTERS: [(&str, &str); 6] = [
    ("R", "protected resource metadata: RFC 9728 §3.1, from where the challenge says (§5.1)"),
    ("S", "authorization server metadata: RFC 8414 §3.1, OpenID Connect Discovery §4"),
    ("G", "dynamic registration: RFC 7591 §3.1"),
    ("T", "a token request: RFC 6749 §4.1.3, §4.4.2, §6; RFC 7523 §2.1"),
    ("J", "an identity assertion of the identity provider: RFC 8693 §2.1"),
    (
        "r, s, t",
        "the same, in vain: a place that MCP says to try before the right one, a token request without the nonce",
    ),
];

/// How many exchanges are written there.
pub fn count(exchanges: &str) -> usize {
    exchanges.chars().filter(|letter| letter.is_ascii_alphabetic()).count()
}

/// How many of them wait for each other.
pub fn rounds(exchanges: &str) -> usize {
    exchanges.split_whitespace().count()
}

const fn by_registration(scenario: &'static str) -> Least {
    Least { scenario, exchanges: "R S G T", clause: "", why: "" }
}

const fn stops(scenario: &'static str) -> Least {
    Least {
        scenario,
        exchanges: "R S G",
        clause: "RFC 9207 §2.4: the answer is rejected, the code goes nowhere",
        why: "",
    }
}

const ONE_BY_ONE: &str =
    "places are asked one by one, best first: most servers have the first, and none is asked in vain";

/// Every scenario.
pub const ALL: [Least; 33] = [
    by_registration("metadata-default"),
    Least {
        scenario: "metadata-var1",
        exchanges: "R s+S G T",
        clause: "MCP, Authorization Server Metadata Discovery: the OAuth form comes first",
        why: ONE_BY_ONE,
    },
    Least {
        scenario: "metadata-var2",
        exchanges: "r+R S G T",
        clause: "MCP, Protected Resource Metadata Discovery Requirements: the path form comes first",
        why: ONE_BY_ONE,
    },
    Least {
        scenario: "metadata-var3",
        exchanges: "R s+s+S G T",
        clause: "MCP, Authorization Server Metadata Discovery: three forms, in order",
        why: ONE_BY_ONE,
    },
    Least {
        scenario: "basic-cimd",
        exchanges: "R S T",
        clause: "MCP, Client ID Metadata Documents",
        why: "",
    },
    by_registration("scope-from-www-authenticate"),
    by_registration("scope-from-scopes-supported"),
    by_registration("scope-omitted-when-undefined"),
    Least {
        scenario: "scope-step-up",
        exchanges: "R S G T T",
        clause: "MCP, Step-Up Authorization Flow: a new code, the same client",
        why: "",
    },
    Least {
        scenario: "scope-retry-limit",
        exchanges: "R S G T",
        clause: "MCP, Step-Up Authorization Flow: a few tries at most; none is needed to see that the scope granted a moment ago is refused",
        why: "",
    },
    by_registration("token-endpoint-auth-basic"),
    by_registration("token-endpoint-auth-post"),
    by_registration("token-endpoint-auth-none"),
    Least { scenario: "pre-registration", exchanges: "R S T", clause: "MCP, Pre-registration", why: "" },
    Least {
        scenario: "2025-03-26-oauth-metadata-backcompat",
        exchanges: "r+r+S G T",
        clause: "MCP 2025-03-26, Authorization Base URL: metadata at the server's own origin",
        why: "an origin is taken for an issuer only when the server plainly has no resource metadata",
    },
    Least {
        scenario: "2025-03-26-oauth-endpoint-fallback",
        exchanges: "r+r+s G T",
        clause: "MCP 2025-03-26, Fallbacks for Servers without Metadata Discovery",
        why: "the same; and the origin is asked for OpenID Connect's form too, before anything is guessed",
    },
    Least {
        scenario: "resource-mismatch",
        exchanges: "R",
        clause: "RFC 9728 §3.3: the document is not used",
        why: "the next place may have the right document: one server set up wrong at one place does not lock its users out",
    },
    Least {
        scenario: "offline-access-scope",
        exchanges: "R S T",
        clause: "MCP, Client ID Metadata Documents",
        why: "",
    },
    by_registration("offline-access-not-supported"),
    Least {
        scenario: "authorization-server-migration",
        exchanges: "R S G T R S G T",
        clause: "MCP, Authorization Server Binding: nothing of the first server's serves at the second",
        why: "",
    },
    by_registration("iss-supported"),
    by_registration("iss-not-advertised"),
    stops("iss-supported-missing"),
    stops("iss-wrong-issuer"),
    stops("iss-unexpected"),
    stops("iss-normalized"),
    Least {
        scenario: "metadata-issuer-mismatch",
        exchanges: "R S",
        clause: "RFC 8414 §3.3: the document is not used",
        why: "the other form of the well-known URL may have the right document",
    },
    Least {
        scenario: "client-credentials-jwt",
        exchanges: "R S T",
        clause: "MCP extension oauth-client-credentials",
        why: "",
    },
    Least {
        scenario: "client-credentials-basic",
        exchanges: "R S T",
        clause: "MCP extension oauth-client-credentials",
        why: "",
    },
    Least {
        scenario: "enterprise-managed-authorization",
        exchanges: "R S+J T",
        clause: "MCP extension enterprise-managed-authorization: the assertion takes issuer and resource, which R names",
        why: "the person's identity is shown to nobody before the server's metadata have passed",
    },
    by_registration("dpop"),
    Least {
        scenario: "dpop-nonce",
        exchanges: "R S G t T",
        clause: "RFC 9449 §8: the server gives the nonce with its refusal",
        why: "",
    },
    Least { scenario: "wif-jwt-bearer", exchanges: "R S T", clause: "RFC 7523 §2.1", why: "" },
];
