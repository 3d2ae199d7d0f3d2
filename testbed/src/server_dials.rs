//! The positions of the dials of the authorization servers.

/// Where authorization server metadata lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMetadata {
    /// `/.well-known/oauth-authorization-server` before the path of the issuer.
    Oauth,
    /// `/.well-known/openid-configuration` before the path of the issuer.
    OpenidInserted,
    /// `/.well-known/openid-configuration` behind the path of the issuer. Entra answers only here.
    OpenidAppended,
    /// Behind the path of the issuer, where RFC 8414 has none, and OpenID's too. Okta.
    Appended,
    /// At all three that a client looks for.
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

/// What a client gets that registers again, with the same name, method and redirect URIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationAgain {
    /// A new `client_id`, and a new secret.
    New,
    /// The `client_id` and the secret that it got before, even if `client_secret_expires_at` is past: a dead secret,
    /// however often it registers.
    Same,
}

/// What becomes of a client whose id is the URL of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentFetch {
    /// Its document is fetched, if it is there.
    Succeeds,
    /// No document can be fetched. An authorization request gets an error page and no redirect, as an unknown client
    /// does; a token request gets `invalid_client`.
    Page,
    /// No document can be fetched. An authorization request is sent back to the redirect URI that it names, with
    /// `error=invalid_client`; a token request gets `invalid_client`.
    InvalidClientInCallback,
    /// The document is fetched for an authorization request, and cannot be for a token request: `invalid_client`.
    InvalidClientAtToken,
    /// No document can be fetched. An authorization request gets 500 and no redirect; a token request gets
    /// `invalid_client`.
    ServerError,
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
    /// A code that no token comes of: `invalid_grant` at the token endpoint. Cognito.
    Unexchangeable,
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
    /// The same, if the request had `prompt=consent` too. oidc-provider.
    WithOfflineAccessAndConsent,
    /// When the request had `access_type=offline` and `prompt=consent`. Google.
    WithAccessType,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing, and the answer has none. Google.
    None,
    /// Nothing, and the answer repeats it.
    Repeated,
    /// A new one; the old one used again is an error, and nothing else happens.
    Single,
    /// A new one; the old one used again revokes everything that came of the grant. Notion.
    Strict,
    /// A new one; the one before it is still accepted, and using it kills the newer. Cloudflare.
    Grace,
    /// A new one; an old one is still accepted for this many seconds after it was first used, each time for a new one,
    /// and kills nothing. Used later it revokes everything that came of the grant. Linear, with half an hour.
    TimeGrace(u64),
}

/// What a revocation revokes (RFC 7009 §2.1), besides the token that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revokes {
    /// A refresh token goes with everything that came of its grant, an access token goes alone.
    RefreshTokenWithGrant,
    /// Nothing else: the access tokens of a refresh token live on.
    Named,
    /// Everything that came of the grant, whichever token is named.
    Grant,
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
