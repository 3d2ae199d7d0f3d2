//! The positions of the dials.

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

/// Where authorization server metadata lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMetadata {
    /// `/.well-known/oauth-authorization-server` before the path of the issuer.
    Oauth,
    /// `/.well-known/openid-configuration` before the path of the issuer.
    OpenidInserted,
    /// `/.well-known/openid-configuration` behind the path of the issuer. Entra answers only here.
    OpenidAppended,
    /// At all three.
    Everywhere,
    /// Nowhere: `/authorize`, `/token` and `/register` at the root of the origin, as 2025-03-26 had it.
    Nowhere,
}

/// The `issuer` of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerValue {
    /// As listed by the resource.
    Exact,
    /// With a slash at the end, as Auth0 has it.
    TrailingSlash,
    /// Another one.
    Other,
    /// This text.
    Raw(String),
}

/// `code_challenge_methods_supported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeMethods {
    /// `S256`.
    S256,
    /// `plain` and `S256`; both are accepted.
    PlainAndS256,
    /// Only `plain`, and nothing else is accepted.
    PlainOnly,
    /// An empty list; `S256` is demanded all the same.
    Empty,
    /// No such member; `S256` is demanded all the same.
    Absent,
}

/// `iss` in the authorization response (RFC 9207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iss {
    /// Advertised and sent.
    AdvertisedAndSent,
    /// Sent, not advertised.
    SentOnly,
    /// Neither.
    Absent,
    /// Advertised and not sent.
    AdvertisedButMissing,
    /// Advertised, and another issuer is sent.
    Wrong,
    /// Not advertised, and another issuer is sent.
    WrongUnadvertised,
    /// Advertised, and sent with a slash behind it.
    TrailingSlash,
    /// Advertised, and sent twice.
    Twice,
}

/// Whether and how clients may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone may.
    Open,
    /// There is no registration endpoint.
    Absent,
    /// 403 and the text `Forbidden`, as Figma does.
    Forbidden,
    /// With this initial access token only (RFC 7591 §3), as Okta does.
    InitialAccessToken(String),
}

/// What a registration answer does to `redirect_uris`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredRedirects {
    /// It repeats them.
    AsSent,
    /// It gives others, and only those are registered.
    Rewritten,
    /// It gives others, and those sent are registered all the same.
    RewrittenInTheAnswer,
    /// It leaves them out.
    Omitted,
}

/// Whether a client that registered with `none` gets a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretDespiteNone {
    /// It does not.
    No,
    /// It does, and need not show it.
    Decorative,
    /// It does, and is refused without it, as Figma does.
    Demanded,
}

/// What registration makes of `scope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationScope {
    /// Anything goes.
    Any,
    /// It must be there, as Fastmail has it.
    Required,
    /// It must not be there.
    Refused,
    /// Each scope must be a known one, and later requests must stay within those registered.
    Binding,
}

/// How consent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Not at all: the authorization request is answered as [`Person`] says.
    Automatic,
    /// On a page with two buttons.
    Page,
}

/// What the scripted person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Allows.
    Allows,
    /// Denies: `access_denied`.
    Denies,
    /// Closes the browser: there is no callback. Needs [`Consent::Page`].
    Leaves,
}

/// What becomes of `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEcho {
    /// It is sent back.
    Echoed,
    /// It is not.
    Dropped,
    /// Another is sent.
    Changed,
}

/// What is made of the `resource` parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceParameter {
    /// It must be there at each request and name the resource byte for byte; else `invalid_target`. Where there is no
    /// resource metadata it may be missing, since the protocol of that time did not have it.
    Required,
    /// It may be missing; if there, it must name the resource.
    Optional,
    /// It is not looked at. Okta, Hydra, older Keycloak.
    Ignored,
    /// It must not be there.
    Refused,
    /// It must be this text, as Entra wants the identifier of the application.
    Only(String),
}

/// What an authorization request without `scope` gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeMissing {
    /// The scopes that every request needs.
    Defaulted,
    /// `invalid_scope`. Slack.
    Refused,
}

/// What an authorization request for an unknown scope gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeUnknown {
    /// `invalid_scope`.
    Refused,
    /// It is passed over, and the token says so.
    Dropped,
}

/// When a refresh token is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokens {
    /// Never.
    Never,
    /// Always.
    Always,
    /// When `offline_access` was granted. Entra, Better Auth.
    WithOfflineAccess,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing, and the answer has none. Google.
    None,
    /// Nothing, and the answer repeats it.
    Repeated,
    /// A new one; the old one used again revokes everything that came of the grant. Notion.
    Strict,
    /// A new one; the one before it is still accepted, and using it kills the newer. Cloudflare.
    Grace,
}

/// The shape of token answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenBody {
    /// JSON.
    Json,
    /// Form-encoded.
    Form,
    /// Form-encoded unless `Accept` names JSON. GitHub.
    FormUnlessAccepted,
    /// JSON with the token one level down, as Slack's.
    Nested,
}

/// `expires_in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// A whole number.
    Number,
    /// A number in quotes.
    Text,
    /// A number with a fraction.
    Float,
    /// `null`.
    Null,
    /// 0, though the token lives on.
    Zero,
    /// Less than 0, though the token lives on.
    Negative,
    /// No such member. Salesforce.
    Absent,
}

/// `token_type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// `Bearer`.
    Bearer,
    /// `bearer`. The value is case-insensitive (RFC 6749 §5.1).
    LowerCase,
    /// No such member.
    Absent,
    /// This text.
    Other(String),
}

/// `scope` in the token answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeAnswer {
    /// What was granted.
    Present,
    /// No such member. It means that all was granted (RFC 6749 §5.1).
    Absent,
    /// With commas between. GitHub, Slack.
    Commas,
    /// An empty text.
    Empty,
}

/// The host name in URLs when served over sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopbackHost {
    /// `127.0.0.1`.
    Address,
    /// `localhost`.
    Name,
}
