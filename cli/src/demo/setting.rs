//! Who takes part in each demo: what the servers are told by their dials, and the client by its configuration.

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{Config, GrantType, IdentityProvider, Preregistered};
use mcp_auth_jose::{Key, Signer as _, client_key, proof_key};
use mcp_auth_testbed::{
    ClientCredentials, Consent, Device, Dials, Dpop, Enterprise, EnterpriseClient, Nonces, PreRegistered,
    Served, Workload,
};

use crate::args::Grant;
use crate::show::Show;

/// A redirect URI for clients that nobody comes back to.
pub(super) const NOBODY: &str = "http://127.0.0.1/callback";
/// What the person's login at the organisation has left behind.
pub(super) const ID_TOKEN: &str = "the-id-token-of-a-person";

const CLIENT: &str = "demo-client";
const SECRET: &str = "client-secret-of-the-demo";
const AT_PROVIDER: &str = "client-at-provider";
const SECRET_AT_PROVIDER: &str = "client-secret-at-the-identity-provider";

/// One demo.
pub(super) struct Setting {
    grant: Grant,
    /// The one key that there is, the client's own or the one that tokens are bound to.
    pub(super) key: Option<Key>,
}

impl Setting {
    pub(super) fn new(grant: Grant) -> Result<Self, String> {
        // What is bound to it ends with this process, so it is not kept.
        let key =
            matches!(grant, Grant::PrivateKeyJwt | Grant::Dpop).then(|| Key::generate(Algorithm::Es256));
        let key = key.transpose().map_err(|error| error.to_string())?;
        Ok(Self { grant, key: key.map(|(key, _)| key) })
    }

    /// How the servers behave. `by_hand`: a person gives consent on a page.
    pub(super) fn dials(&self, by_hand: bool) -> Dials {
        let consent = if by_hand { Consent::Page } else { Consent::Automatic };
        let dials = Dials { consent, ..Dials::default() };
        let with = |client: PreRegistered| {
            let auth_methods = Some(vec![client.auth_method.clone()]);
            Dials { clients: vec![client], auth_methods, ..Dials::default() }
        };
        let by_secret = || with(PreRegistered::confidential(CLIENT, SECRET, "client_secret_basic", NOBODY));
        match self.grant {
            Grant::AuthorizationCode => dials,
            Grant::ClientCredentials => {
                Dials { client_credentials: Some(ClientCredentials::default()), ..by_secret() }
            }
            Grant::PrivateKeyJwt => {
                let public = self.key.iter().map(|key| key.public().value()).next().unwrap_or_default();
                let client = PreRegistered::with_key(CLIENT, public, NOBODY);
                Dials { client_credentials: Some(ClientCredentials::default()), ..with(client) }
            }
            Grant::Enterprise => {
                let at_provider = EnterpriseClient {
                    client_id: AT_PROVIDER.to_owned(),
                    client_secret: Some(SECRET_AT_PROVIDER.to_owned()),
                    resource_client_id: CLIENT.to_owned(),
                };
                Dials { enterprise: Some(Enterprise::new(at_provider, ID_TOKEN)), ..by_secret() }
            }
            Grant::Workload => Dials { workload: Some(Workload::default()), ..dials },
            Grant::Dpop => {
                let nonces = Nonces::Required;
                let dpop = Dpop { server_nonces: nonces, resource_nonces: nonces, ..Dpop::default() };
                Dials { dpop: Some(dpop), ..dials }
            }
            // As short as it may be, so that nobody waits for long.
            Grant::Device => Dials { device: Some(Device { interval: 1, ..Device::default() }), ..dials },
        }
    }

    /// What the client is told, besides the server's URL and its own name.
    pub(super) fn configure(&self, config: Config, served: &Served) -> Config {
        let issuer = served.world().issuer(0);
        let client = || Preregistered::new(&issuer, CLIENT);
        let key = self.key.as_ref();
        match self.grant {
            Grant::AuthorizationCode => config,
            Grant::ClientCredentials => {
                config.preregistered(client().secret(SECRET)).grant_type(GrantType::ClientCredentials)
            }
            Grant::PrivateKeyJwt => {
                let config = config.preregistered(client()).grant_type(GrantType::ClientCredentials);
                let named = |key: &Key| client_key(key).key_id(key.public().thumbprint());
                key.map(named).into_iter().fold(config, Config::client_key)
            }
            Grant::Enterprise => {
                let provider = served.origins().identity_provider;
                let provider = IdentityProvider::new(&provider, format!("{provider}/token"), AT_PROVIDER);
                let provider = Box::new(provider.secret(SECRET_AT_PROVIDER));
                config
                    .preregistered(client().secret(SECRET))
                    .grant_type(GrantType::EnterpriseManaged(provider))
            }
            Grant::Workload => config.grant_type(GrantType::WorkloadIdentity),
            Grant::Dpop => key.map(proof_key).into_iter().fold(config, Config::proof_key),
            Grant::Device => config.grant_type(GrantType::DeviceCode),
        }
    }

    /// Says who takes part, and what each is there for.
    pub(super) fn introduce(&self, show: &Show, served: &Served) {
        let origins = served.origins();
        let mut parties = vec![
            ("MCP server", served.server_url()),
            ("authorization server", origins.authorization_servers.join(" and ")),
        ];
        let told = match self.grant {
            Grant::AuthorizationCode => "a person consents in a browser",
            Grant::ClientCredentials => "nobody is asked: the client acts for itself, with a secret",
            Grant::PrivateKeyJwt => {
                parties.push((
                    "signer",
                    "in this process: it has the client's key, which the core never sees".into(),
                ));
                "nobody is asked: the client acts for itself, with a key"
            }
            Grant::Enterprise => {
                parties.push(("identity provider", origins.identity_provider));
                parties.push(("single sign-on", "in this process: it has the person's ID token".into()));
                "nobody is asked: the organisation's identity provider decides"
            }
            Grant::Workload => {
                let issuer = Workload::default().issuer;
                parties.push(("platform", format!("in this process, as {issuer}: it knows its workloads")));
                "nobody is asked: the platform on which the client runs vouches for it"
            }
            Grant::Dpop => {
                parties.push(("signer", "in this process: it has the key that tokens are bound to".into()));
                "a person consents in a browser; a token without the key is worth nothing"
            }
            Grant::Device => "the client has no browser: a person consents on another device",
        };
        for (name, value) in parties {
            show.say(&format!("{name:<21} {value}"));
        }
        show.say(&format!("{:<21} {told}", "grant"));
    }
}
