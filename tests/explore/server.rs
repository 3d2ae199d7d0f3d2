//! The authorization server, the resource and the documents, in a few lines: tokens are numbers.

use http::{HeaderMap, HeaderValue, Response, header};
use serde_json::{Value, json};

/// Where the MCP server is.
pub(crate) const RESOURCE: &str = "https://mcp.example/mcp";
/// Who issues the tokens.
pub(crate) const ISSUER: &str = "https://as.example";
/// How long an access token lives, in seconds.
pub(crate) const LIFETIME: u64 = 3600;
/// How long the servers with time grace accept a token after its first use.
const GRACE: u64 = 10;

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rotation {
    /// It is dead; using it again is an error and nothing else.
    Single,
    /// The one before the current one is still accepted, and using it kills the newer.
    Grace,
    /// It is accepted for a while, each time for a new one. Later it revokes the grant.
    TimeGrace,
    /// Using it again revokes everything that came of the grant.
    Strict,
}

impl Rotation {
    pub(crate) const ALL: [Self; 4] = [Self::Single, Self::Grace, Self::TimeGrace, Self::Strict];

    /// Whether a refresh ends the access tokens that were issued before it.
    fn ends_access(self) -> bool {
        matches!(self, Self::Grace | Self::Strict)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Standing {
    Current,
    Previous,
    Spent,
}

/// A refresh token, and what this model knows of it besides.
#[derive(Clone, Debug, Hash)]
pub(crate) struct RefreshToken {
    pub(crate) grant: usize,
    standing: Standing,
    retired: Option<u64>,
    /// How often a request that carried it was acted upon.
    pub(crate) uses: u8,
    /// The one that was issued for it first.
    pub(crate) successor: Option<usize>,
    /// A fault left somebody in doubt about what came of its use, so another use is nobody's mistake.
    pub(crate) doubted: bool,
    /// The store has had it.
    pub(crate) kept: bool,
    /// A fault took away the only copy.
    pub(crate) excused: bool,
}

#[derive(Clone, Debug, Hash)]
struct AccessToken {
    grant: usize,
    expires: u64,
    dead: bool,
}

#[derive(Clone, Debug, Hash)]
struct Grant {
    client: usize,
    revoked: bool,
}

/// What the token endpoint says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Tokens { access: usize, refresh: usize },
    DeadGrant,
    DeadClient,
    Unavailable,
    TooMany,
    OtherType,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Server {
    pub(crate) rotation: Rotation,
    pub(crate) refresh: Vec<RefreshToken>,
    access: Vec<AccessToken>,
    grants: Vec<Grant>,
    /// Clients below this number were purged.
    purged: usize,
    clients: usize,
    /// The code of each login and its client, till it is exchanged.
    codes: Vec<Option<usize>>,
    pub(crate) refreshes: usize,
}

pub(crate) fn access_text(number: usize) -> String {
    format!("access-token-{number:04}")
}

pub(crate) fn refresh_text(number: usize) -> String {
    format!("refresh-token-{number:04}")
}

pub(crate) fn client_text(number: usize) -> String {
    format!("client-{number:04}")
}

/// The number at the end of such a text.
pub(crate) fn number(text: &str) -> usize {
    text.rsplit('-').next().and_then(|digits| digits.parse().ok()).expect("a text of this model")
}

impl Server {
    /// A server that has issued one pair of tokens. The access token expires then, and may have ended before.
    pub(crate) fn new(rotation: Rotation, expires: u64, dead: bool) -> Self {
        let mut server = Self {
            rotation,
            refresh: Vec::new(),
            access: Vec::new(),
            grants: vec![Grant { client: 0, revoked: false }],
            purged: 0,
            clients: 1,
            codes: Vec::new(),
            refreshes: 0,
        };
        server.issue(0, 0);
        server.access[0] = AccessToken { grant: 0, expires, dead };
        server.refresh[0].kept = true;
        server
    }

    fn issue(&mut self, now: u64, grant: usize) -> (usize, usize) {
        self.access.push(AccessToken { grant, expires: now + LIFETIME, dead: false });
        self.refresh.push(RefreshToken {
            grant,
            standing: Standing::Current,
            retired: None,
            uses: 0,
            successor: None,
            doubted: false,
            kept: false,
            excused: false,
        });
        (self.access.len() - 1, self.refresh.len() - 1)
    }

    /// A token request.
    pub(crate) fn exchange(&mut self, now: u64, form: &[(String, String)]) -> Answer {
        let field =
            |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if number(field("client_id").expect("the client is public")) < self.purged {
            return Answer::DeadClient;
        }
        if let Some(text) = field("refresh_token") {
            return self.renew(now, number(text));
        }
        match self.codes[number(field("code").expect("a code"))].take() {
            Some(client) => {
                self.grants.push(Grant { client, revoked: false });
                let (access, refresh) = self.issue(now, self.grants.len() - 1);
                Answer::Tokens { access, refresh }
            }
            None => Answer::DeadGrant,
        }
    }

    fn renew(&mut self, now: u64, used: usize) -> Answer {
        self.refresh[used].uses += 1;
        let grant = self.refresh[used].grant;
        if !self.accepts(now, used) {
            let stolen = match self.rotation {
                Rotation::Single | Rotation::Grace => false,
                Rotation::TimeGrace | Rotation::Strict => true,
            };
            self.grants[grant].revoked |= stolen;
            return Answer::DeadGrant;
        }
        self.refreshes += 1;
        if self.rotation.ends_access() {
            self.access.iter_mut().filter(|it| it.grant == grant).for_each(|it| it.dead = true);
        }
        let one_line = matches!(self.rotation, Rotation::Strict | Rotation::Grace);
        for (place, token) in self.refresh.iter_mut().enumerate().filter(|(_, it)| it.grant == grant) {
            if place == used {
                token.standing = Standing::Previous;
                token.retired.get_or_insert(now);
            } else if one_line {
                token.standing = Standing::Spent;
            }
        }
        let (access, refresh) = self.issue(now, grant);
        self.refresh[used].successor.get_or_insert(refresh);
        Answer::Tokens { access, refresh }
    }

    /// Whether this refresh token would be exchanged for another now.
    pub(crate) fn accepts(&self, now: u64, token: usize) -> bool {
        let token = &self.refresh[token];
        let grant = &self.grants[token.grant];
        let standing = match (self.rotation, token.standing) {
            (_, Standing::Current) | (Rotation::Grace, Standing::Previous) => true,
            (Rotation::TimeGrace, _) => token.retired.is_some_and(|retired| now < retired + GRACE),
            (Rotation::Single | Rotation::Strict | Rotation::Grace, _) => false,
        };
        standing && !grant.revoked && grant.client >= self.purged
    }

    /// The refresh tokens that would be accepted now.
    pub(crate) fn accepted(&self, now: u64) -> impl Iterator<Item = usize> + '_ {
        (0..self.refresh.len()).filter(move |it| self.accepts(now, *it))
    }

    /// Whether the resource takes this access token.
    pub(crate) fn works(&self, now: u64, token: usize) -> bool {
        let token = &self.access[token];
        let grant = &self.grants[token.grant];
        !token.dead && now < token.expires && !grant.revoked && grant.client >= self.purged
    }

    /// Every client, and what was issued to it, is forgotten.
    pub(crate) fn purge(&mut self) {
        self.purged = self.clients;
    }

    /// Whether the resource takes a request with this token, or without one.
    pub(crate) fn works_for(&self, now: u64, token: Option<usize>) -> bool {
        token.is_some_and(|token| self.works(now, token))
    }

    /// The fields of a refusal.
    pub(crate) fn refusal(&self, token: bool) -> HeaderMap {
        let value = if token { "Bearer error=\"invalid_token\"" } else { "Bearer" };
        HeaderMap::from_iter([(header::WWW_AUTHENTICATE, HeaderValue::from_static(value))])
    }

    /// Whether a token was used more than once.
    pub(crate) fn is_forked(&self) -> bool {
        self.refresh.iter().any(|token| token.uses > 1)
    }

    pub(crate) fn has_purged(&self) -> bool {
        self.purged > 0
    }

    /// The person consents in the browser: the query of the callback, or none where an error page is shown.
    pub(crate) fn consent(&mut self, url: &url::Url) -> Option<String> {
        let field = |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value);
        let client = number(&field("client_id").expect("a client"));
        if client < self.purged {
            return None;
        }
        self.codes.push(Some(client));
        let (code, state) = (self.codes.len() - 1, field("state").expect("a state"));
        Some(format!("?code=authorization-code-{code:04}&state={state}&iss={ISSUER}"))
    }

    /// The documents, and registration.
    pub(crate) fn document(&mut self, path: &str) -> Response<Vec<u8>> {
        match path {
            "/.well-known/oauth-protected-resource/mcp" => {
                json(200, &json!({"resource": RESOURCE, "authorization_servers": [ISSUER]}))
            }
            "/.well-known/oauth-authorization-server" => json(
                200,
                &json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": format!("{ISSUER}/authorize"),
                    "token_endpoint": format!("{ISSUER}/token"),
                    "registration_endpoint": format!("{ISSUER}/register"),
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": true,
                }),
            ),
            "/register" => {
                self.clients += 1;
                json(201, &json!({"client_id": client_text(self.clients - 1)}))
            }
            other => panic!("nothing is at {other}"),
        }
    }
}

impl Answer {
    pub(crate) fn response(&self) -> Response<Vec<u8>> {
        match self {
            Self::Tokens { access, refresh } => json(
                200,
                &json!({
                    "access_token": access_text(*access),
                    "refresh_token": refresh_text(*refresh),
                    "token_type": "Bearer",
                    "expires_in": LIFETIME,
                }),
            ),
            Self::DeadGrant => json(400, &json!({"error": "invalid_grant"})),
            Self::DeadClient => json(401, &json!({"error": "invalid_client"})),
            Self::Unavailable => json(503, &Value::Null),
            Self::TooMany => {
                let mut response = json(429, &Value::Null);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
                response
            }
            Self::OtherType => json(200, &json!({"access_token": "access-token-9999", "token_type": "mac"})),
        }
    }
}

fn json(status: u16, body: &Value) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .expect("a response")
}
