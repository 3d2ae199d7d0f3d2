//! The positions of the dials of the MCP server and of the network.

/// Which wires of MCP the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wires {
    /// The stateless wire of 2026-07-28 and the wire with `initialize` before it.
    Both,
    /// Only the stateless wire.
    Stateless,
    /// Only the wire with `initialize`, up to 2025-11-25.
    Stateful,
}

/// How the MCP server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// As one JSON object.
    Json,
    /// As a stream of server-sent events with one event.
    EventStream,
}

/// Where protected resource metadata lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceMetadata {
    /// At the well-known URI with the path of the MCP endpoint behind it.
    Path,
    /// At the well-known URI of the origin.
    Root,
    /// At both.
    PathAndRoot,
    /// At this path, which only the challenge tells.
    Custom(String),
    /// Nowhere, as before 2025-06-18: the MCP server's own origin is the authorization server.
    Nowhere,
}

/// Whether metadata has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataRedirect {
    /// It has not.
    None,
    /// It answers 308 to another path of its origin.
    SameOrigin,
    /// It answers 308 to another origin.
    OtherOrigin,
}

/// The shape of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// `Bearer` with the parameters that the other dials choose.
    Bearer,
    /// No `WWW-Authenticate` at all.
    None,
    /// `Bearer` and nothing else.
    Bare,
    /// `Negotiate` and `Basic` before the `Bearer` challenge, each in a header of its own.
    Several,
    /// `Basic` and `Bearer` in one header, separated by a comma.
    Joined,
    /// `resource_metadata` twice, the first of which is not found, as Sentry's server had it.
    DuplicatedMetadata,
    /// Two `Bearer` challenges, of which only the second has parameters.
    BareThenBearer,
    /// `DPoP` instead of `Bearer` (RFC 9449 §7.1).
    Dpop,
    /// This text. A text that no header may hold is left out.
    Raw(String),
}

/// The `resource` of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceValue {
    /// The URL of the MCP server.
    Exact,
    /// The origin of the MCP server, without a trailing slash.
    Root,
    /// The same path on another origin.
    OtherOrigin,
    /// A path that is a prefix of the MCP path as text, yet not by segments.
    SiblingPrefix,
    /// This text.
    Raw(String),
}

/// The `authorization_servers` of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationServers {
    /// The first.
    One,
    /// A dead one, then the first.
    DeadThenFirst,
    /// The first and the second.
    Both,
    /// The second only: the resource has moved. Tokens of the first are refused.
    SecondOnly,
    /// An empty list. MCP says at least one.
    Empty,
    /// No such member.
    Absent,
    /// These. Tokens of every authorization server are accepted.
    Raw(Vec<String>),
}

/// Which scopes an `insufficient_scope` challenge names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUp {
    /// Those that the operation needs.
    Needed,
    /// Those that the token has, and those that the operation needs.
    Union,
    /// Those that the operation needs and the token lacks.
    Missing,
    /// None.
    Unnamed,
}

/// Whether a valid token is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not.
    None,
    /// With 401 `invalid_token`.
    Unauthorized,
    /// With 403 `insufficient_scope` and a scope that satisfies nobody.
    InsufficientScope,
    /// With 403 and no challenge.
    Forbidden,
}

/// What a token that is not valid gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidToken {
    /// 401 and a challenge with `error="invalid_token"`.
    Unauthorized,
    /// 401 and a challenge without `error`.
    UnauthorizedPlain,
    /// 500, as a demonstration server of another SDK does.
    InternalError,
}

/// What is answered where nothing lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPath {
    /// 404.
    NotFound,
    /// 200 and a page of HTML, as a single-page application does.
    Page,
    /// This status, as a content network's 401 or 403.
    Status(u16),
}

/// The host name in URLs when served over sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopbackHost {
    /// `127.0.0.1`.
    Address,
    /// `localhost`.
    Name,
}
