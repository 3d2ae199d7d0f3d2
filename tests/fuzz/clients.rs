//! What clients may be, and servers that know them.

use std::sync::LazyLock;

use mcp_auth::policy::{Legacy, Policy, ScopeRule};
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{ClientKey, Config, GrantType, IdentityProvider, Preregistered, ProofKey};
use mcp_auth_testbed::{
    ClientCredentials, Device, Dials, Dpop, Enterprise, EnterpriseClient, Origins, PreRegistered, SigningKey,
    Workload, World,
};

const SERVER: &str = "https://mcp.example/mcp";
const ISSUER: &str = "https://as.example";
const DOCUMENT: &str = "https://client.example/me.json";
const REDIRECT: &str = "http://127.0.0.1:3000/callback";
pub(crate) const ID_TOKEN: &str = "an-id-token-of-the-person";

pub(crate) static CLIENT_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::numbered(11));
pub(crate) static PROOF_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::numbered(12));

/// One way of being a client, and what is asked of servers that do right by it.
type Way = (fn(Config) -> Config, fn(&mut Dials));

/// What clients may be. Each has a way to a token where all dials stand as they should.
const WAYS: &[Way] = &[
    (|config| config, |_| {}),
    (by_hand, |_| {}),
    (|config| config.metadata_document(DOCUMENT), |_| {}),
    (|config| config.dynamic_registration(false).policy(Policy::with(|it| it.ask_for_client = true)), |_| {}),
    (
        |config| {
            config.policy(Policy::with(|it| {
                it.legacy = Legacy::Refused;
                it.step_ups = 0;
            }))
        },
        |_| {},
    ),
    (|config| config.scopes(ScopeRule::with(|it| it.stay_logged_in = true)), |_| {}),
    (|config| config.grant_type(GrantType::DeviceCode), |_| {}),
    (|config| by_hand(config).grant_type(GrantType::ClientCredentials), |_| {}),
    (|config| keyed(config).grant_type(GrantType::ClientCredentials), by_key),
    (enterprise, |_| {}),
    (|config| config.grant_type(GrantType::WorkloadIdentity), |_| {}),
    (keyed, by_key),
];

/// How many ways there are.
pub(crate) const COUNT: usize = WAYS.len();

/// How a client is one, in two bytes; 0 is the plainest.
#[derive(Clone, Copy)]
pub(crate) struct Choice {
    way: Way,
    binds: u8,
}

impl Choice {
    pub(crate) fn of(way: u8, binds: u8) -> Self {
        Self { way: WAYS[usize::from(way) % WAYS.len()], binds: binds % 4 }
    }

    pub(crate) fn config(self) -> Config {
        let config = self.way.0(Config::new(SERVER, "Fuzz", REDIRECT));
        let key = || ProofKey::new(public(&PROOF_KEY));
        match self.binds {
            0 | 1 => config,
            2 => config.proof_key(key()),
            _ => config.proof_key(key().always()),
        }
    }

    /// Servers that do right, and know every client.
    pub(crate) fn world(self) -> World {
        let document = serde_json::json!({
            "client_id": DOCUMENT, "client_name": "Fuzz", "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
        });
        let person = EnterpriseClient {
            client_id: "at-the-idp".to_owned(),
            client_secret: Some("idp-client-secret".to_owned()),
            resource_client_id: "by-hand".to_owned(),
        };
        let mut dials = Dials {
            clients: vec![
                PreRegistered::confidential("by-hand", "configured-secret", "client_secret_basic", REDIRECT),
                PreRegistered::with_key("keyed", CLIENT_KEY.public_jwk(), REDIRECT),
            ],
            client_documents: [(DOCUMENT.to_owned(), document)].into(),
            client_credentials: Some(ClientCredentials::default()),
            enterprise: Some(Enterprise::new(person, ID_TOKEN)),
            workload: Some(Workload::default()),
            device: Some(Device::default()),
            dpop: (self.binds > 1).then(|| Dpop { required: self.binds == 2, ..Dpop::default() }),
            ..Dials::default()
        };
        self.way.1(&mut dials);
        World::new(dials, Origins::default())
    }
}

fn by_hand(config: Config) -> Config {
    config.preregistered(Preregistered::new(ISSUER, "by-hand").secret("configured-secret"))
}

fn keyed(config: Config) -> Config {
    let key = ClientKey::new([Algorithm::EdDsa]).key_id(public(&CLIENT_KEY).thumbprint());
    config.preregistered(Preregistered::new(ISSUER, "keyed")).client_key(key)
}

fn by_key(dials: &mut Dials) {
    dials.auth_methods = Some(vec!["private_key_jwt".to_owned()]);
}

fn enterprise(config: Config) -> Config {
    let provider = IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp");
    let provider = provider.secret("idp-client-secret");
    by_hand(config).grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
}

fn public(key: &SigningKey) -> PublicJwk {
    PublicJwk::read(key.public_jwk().to_string().as_bytes()).unwrap()
}
