//! The dials of the extensions. A grant or an endpoint that is `None` in [`Dials`](crate::Dials) is not there; its
//! default is by the book.

use serde_json::Value;

use crate::key::{ALGORITHMS, SigningKey};

/// How client assertions are judged (`private_key_jwt`, RFC 7523 §2.2 and §3). They are taken where a client is
/// registered with that method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAssertions {
    /// The algorithms that are taken.
    pub algorithms: Vec<String>,
    /// Whether `token_endpoint_auth_signing_alg_values_supported` lists them, where the method is offered.
    pub advertised: bool,
    /// What `aud` must be.
    pub audience: AssertionAudience,
    /// How many seconds from now an assertion may expire at the latest.
    pub lifetime: u64,
    /// By how many seconds the clocks may differ.
    pub skew: u64,
}

impl Default for ClientAssertions {
    fn default() -> Self {
        Self {
            algorithms: ALGORITHMS.map(str::to_owned).to_vec(),
            advertised: true,
            audience: AssertionAudience::Issuer,
            lifetime: 300,
            skew: 10,
        }
    }
}

/// What the `aud` of a client assertion must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The issuer, as one text.
    Issuer,
    /// The issuer or the URL of the token endpoint, as one text or in a list (RFC 7523 §3).
    Any,
    /// The URL of the token endpoint, as one text. Older servers.
    TokenEndpoint,
}

/// The client credentials grant (RFC 6749 §4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCredentials {
    /// Whether a refresh token is issued, which RFC 6749 §4.4.3 says should not be.
    pub refresh_tokens: bool,
}

/// Enterprise-managed authorization: an identity provider that exchanges an identity assertion for an ID-JAG, and
/// authorization servers that take it (Identity Assertion JWT Authorization Grant).
#[derive(Clone, Debug)]
pub struct Enterprise {
    /// The clients of the identity provider.
    pub clients: Vec<EnterpriseClient>,
    /// The identity assertions that the identity provider has issued.
    pub subjects: Vec<Subject>,
    /// The scopes that its policy grants, of those asked; `None` grants all of them.
    pub scopes: Option<Vec<String>>,
    /// What the identity provider answers.
    pub exchange: TokenExchange,
    /// The life of an ID-JAG in seconds.
    pub lifetime: u64,
    /// What the identity provider signs with.
    pub key: SigningKey,
    /// Whether authorization servers take an ID-JAG from a public client. The draft says only from confidential ones.
    pub public_clients: bool,
    /// Whether authorization servers list the profile in `authorization_grant_profiles_supported`.
    pub advertised: bool,
}

impl Enterprise {
    /// With one client of the identity provider, and one ID token that it got: the rest by the book.
    pub fn new(client: EnterpriseClient, id_token: &str) -> Self {
        let subject = Subject {
            token: id_token.to_owned(),
            token_type: Subject::ID_TOKEN.to_owned(),
            client_id: client.client_id.clone(),
            subject: "person-1".to_owned(),
        };
        Self {
            clients: vec![client],
            subjects: vec![subject],
            scopes: None,
            exchange: TokenExchange::ByTheBook,
            lifetime: 300,
            key: SigningKey::numbered(1),
            public_clients: false,
            advertised: true,
        }
    }
}

/// A client of the identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnterpriseClient {
    /// Its `client_id` at the identity provider.
    pub client_id: String,
    /// Its secret there, if it is confidential. It may come by Basic or in the body.
    pub client_secret: Option<String>,
    /// Its `client_id` at the authorization server of the resource, which the ID-JAG names.
    pub resource_client_id: String,
}

/// An identity assertion that the identity provider knows: any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The assertion.
    pub token: String,
    /// Its type: [`Subject::ID_TOKEN`] or [`Subject::SAML2`].
    pub token_type: String,
    /// The client of the identity provider that it was issued to.
    pub client_id: String,
    /// The person: the `sub` of the ID-JAG.
    pub subject: String,
}

impl Subject {
    /// The type of an ID token (RFC 8693 §3).
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// The type of a SAML 2.0 assertion (RFC 8693 §3).
    pub const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
}

/// What the identity provider answers to a token exchange that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenExchange {
    /// An ID-JAG.
    ByTheBook,
    /// An ID-JAG that is said to be an access token by `issued_token_type`.
    WrongIssuedType,
    /// An ID-JAG with `token_type` `Bearer`.
    BearerType,
    /// A JWT whose `typ` is `JWT`.
    WrongTyp,
    /// An ID-JAG for another authorization server.
    OtherAudience,
    /// An ID-JAG for another client.
    OtherClient,
    /// An ID-JAG for another resource.
    OtherResource,
    /// An ID-JAG that has expired.
    Expired,
    /// An ID-JAG that is signed with a key which nobody knows.
    OtherKey,
    /// An ID-JAG that the identity provider gave before, for the same request.
    Repeated,
    /// A text that is no JWT.
    Garbage,
    /// This status and this `error`, such as 400 and `invalid_grant`, or `access_denied` where a policy refuses.
    Refused(u16, String),
}

/// Workload identity: the JWT bearer grant with a JWT that the platform of a workload issued (RFC 7523 §2.1), and no
/// client authentication.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The issuer: the platform.
    pub issuer: String,
    /// The `sub`: the workload.
    pub subject: String,
    /// What the platform signs with.
    pub key: SigningKey,
    /// Audiences that the authorization server takes for itself, besides its issuer (RFC 7523 §3 leaves it to agreement).
    pub audiences: Vec<String>,
    /// What the platform issues: see [`World::workload_token`](crate::World::workload_token).
    pub token: WorkloadToken,
    /// The life of its tokens in seconds.
    pub lifetime: u64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            issuer: "https://platform.example".to_owned(),
            subject: "workload-1".to_owned(),
            key: SigningKey::numbered(2),
            audiences: Vec::new(),
            token: WorkloadToken::ByTheBook,
            lifetime: 600,
        }
    }
}

/// What the platform of a workload issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadToken {
    /// A JWT for the authorization server.
    ByTheBook,
    /// A JWT for another.
    OtherAudience,
    /// A JWT that has expired.
    Expired,
    /// A JWT that is signed with a key which nobody knows.
    OtherKey,
}

/// Proof of possession (RFC 9449).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dpop {
    /// Whether the MCP server takes bound tokens only: its metadata says `dpop_bound_access_tokens_required`, and its
    /// challenges are of the scheme `DPoP`. If not, it takes both and challenges with both.
    pub required: bool,
    /// The algorithms that are taken. `dpop_signing_alg_values_supported` at both servers, and `algs` in challenges.
    pub algorithms: Vec<String>,
    /// Whether the authorization servers list them. If not, they take proofs all the same.
    pub advertised: bool,
    /// By how many seconds `iat` may differ from the clock.
    pub window: u64,
    /// The nonces of the authorization servers (RFC 9449 §8).
    pub server_nonces: Nonces,
    /// The nonces of the MCP server (RFC 9449 §9).
    pub resource_nonces: Nonces,
    /// Whether the token endpoint looks at proofs. If not, it answers a token request that has one with a Bearer token,
    /// which is bound to nothing.
    pub binds: bool,
}

impl Default for Dpop {
    fn default() -> Self {
        Self {
            required: true,
            algorithms: ALGORITHMS.map(str::to_owned).to_vec(),
            advertised: true,
            window: 300,
            server_nonces: Nonces::None,
            resource_nonces: Nonces::None,
            binds: true,
        }
    }
}

/// Which nonces a server wants in proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonces {
    /// None.
    None,
    /// One, from the start.
    Required,
    /// The one that it gave last; each good answer gives another.
    Rotating,
    /// The one of the time: another every so many seconds. A proof with the one before is challenged.
    Timed(u64),
    /// Another one, whichever it gets: no client ever satisfies it.
    Unsatisfiable,
}

/// The device authorization grant (RFC 8628).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// How many seconds a client is to wait between polls. It is enforced.
    pub interval: u64,
    /// Whether the answer has `interval`. If not, 5 is what holds (RFC 8628 §3.2).
    pub tells_interval: bool,
    /// The life of a device code in seconds.
    pub expires_in: u64,
    /// Whether the answer has `verification_uri_complete`.
    pub complete_uri: bool,
    /// Who confirms.
    pub confirmation: Confirmation,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            interval: 5,
            tells_interval: true,
            expires_in: 600,
            complete_uri: true,
            confirmation: Confirmation::Person,
        }
    }
}

/// Who confirms a device code, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// A person: on the page, or by [`World::enter_user_code`](crate::World::enter_user_code).
    Person,
    /// The server itself, when it has been polled so often: it allows or denies as [`Person`](crate::Person) says.
    AtPoll(u64),
    /// Nobody, whatever is entered.
    Never,
}

/// Pushed authorization requests (RFC 9126).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Whether authorization requests must be pushed: `require_pushed_authorization_requests`.
    pub required: bool,
    /// The life of a `request_uri` in seconds.
    pub expires_in: u64,
    /// The status of a good answer. RFC 9126 §2.2 says 201; some answer 200.
    pub status: u16,
    /// Whether what was pushed is forgotten at once: the authorization endpoint knows no `request_uri`.
    pub forgotten: bool,
}

impl Default for Pushed {
    fn default() -> Self {
        Self { required: false, expires_in: 60, status: 201, forgotten: false }
    }
}

/// A client registered by hand.
#[derive(Clone, Debug)]
pub struct PreRegistered {
    /// Which authorization server knows it, counted from 0.
    pub authorization_server: usize,
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<String>,
    /// Its `token_endpoint_auth_method`.
    pub auth_method: String,
    /// Its public key as a JWK, for `private_key_jwt`.
    pub jwk: Option<Value>,
    /// Its redirect URIs.
    pub redirect_uris: Vec<String>,
}

impl PreRegistered {
    /// A public client of the first authorization server.
    pub fn public(client_id: &str, redirect_uri: &str) -> Self {
        Self {
            authorization_server: 0,
            client_id: client_id.to_owned(),
            client_secret: None,
            auth_method: "none".to_owned(),
            jwk: None,
            redirect_uris: vec![redirect_uri.to_owned()],
        }
    }

    /// A confidential client of the first authorization server, with `client_secret_basic` or `client_secret_post`.
    pub fn confidential(client_id: &str, secret: &str, auth_method: &str, redirect_uri: &str) -> Self {
        Self {
            client_secret: Some(secret.to_owned()),
            auth_method: auth_method.to_owned(),
            ..Self::public(client_id, redirect_uri)
        }
    }

    /// A confidential client of the first authorization server, with `private_key_jwt` and this public key.
    pub fn with_key(client_id: &str, jwk: Value, redirect_uri: &str) -> Self {
        Self {
            jwk: Some(jwk),
            auth_method: "private_key_jwt".to_owned(),
            ..Self::public(client_id, redirect_uri)
        }
    }
}
