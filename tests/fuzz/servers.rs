//! How servers change under a flow.

use mcp_auth_testbed::{
    AssertionAudience, AuthorizationServers, Challenge as Shape, ChallengeMethods, ClientCredentials,
    Confirmation, Device, Dials, Dpop, ExpiresIn, Iss, IssuerValue, MetadataRedirect, Nonces, Person, Pushed,
    RefreshTokens, Refusal, Registration, ResourceMetadata, ResourceValue, Rotation, ScopeAnswer,
    SecretDespiteNone, ServerMetadata, StateEcho, TokenBody, TokenExchange, TokenType, UnknownPath,
    WorkloadToken, World,
};

/// How servers change.
pub(crate) const TURNS: &[fn(&mut Dials)] = &[
    |dials| dials.access_lifetime = 5,
    |dials| dials.refusal = Refusal::Unauthorized,
    |dials| dials.refusal = Refusal::InsufficientScope,
    |dials| dials.refusal = Refusal::None,
    |dials| dials.resource_metadata = ResourceMetadata::Nowhere,
    |dials| dials.resource_metadata = ResourceMetadata::Root,
    |dials| dials.resource_metadata_redirect = MetadataRedirect::SameOrigin,
    |dials| dials.resource_metadata_redirect = MetadataRedirect::OtherOrigin,
    |dials| dials.advertise_metadata = false,
    |dials| dials.challenge = Shape::None,
    |dials| dials.challenge = Shape::Bare,
    |dials| dials.challenge = Shape::Several,
    |dials| dials.challenge = Shape::Dpop,
    |dials| dials.challenge_error = true,
    |dials| dials.resource = ResourceValue::Root,
    |dials| dials.resource = ResourceValue::OtherOrigin,
    |dials| dials.authorization_servers = AuthorizationServers::DeadThenFirst,
    |dials| dials.authorization_servers = AuthorizationServers::Both,
    |dials| dials.authorization_servers = AuthorizationServers::SecondOnly,
    |dials| dials.authorization_servers = AuthorizationServers::Empty,
    |dials| dials.unknown_path = UnknownPath::Page,
    |dials| dials.server_metadata = ServerMetadata::Nowhere,
    |dials| dials.server_metadata = ServerMetadata::OpenidAppended,
    |dials| dials.issuer = IssuerValue::Other,
    |dials| dials.challenge_methods = ChallengeMethods::Absent,
    |dials| dials.iss = Iss::Absent,
    |dials| dials.iss = Iss::AdvertisedButMissing,
    |dials| dials.iss = Iss::Wrong,
    |dials| dials.iss = Iss::Twice,
    |dials| dials.endpoints_elsewhere = true,
    |dials| dials.authorization_query = "tenant=1".to_owned(),
    |dials| dials.auth_methods = Some(vec!["client_secret_basic".to_owned()]),
    |dials| dials.auth_methods = Some(vec!["client_secret_post".to_owned()]),
    |dials| dials.registration = Registration::Forbidden,
    |dials| dials.registration = Registration::Absent,
    |dials| dials.secret_lifetime = Some(5),
    |dials| dials.secret_despite_none = SecretDespiteNone::Demanded,
    |dials| dials.registration_empties = true,
    |dials| dials.client_id_metadata_documents = false,
    |dials| dials.person = Person::Denies,
    |dials| dials.person = Person::Leaves,
    |dials| dials.authorization_error = Some("invalid_scope".to_owned()),
    |dials| dials.state = StateEcho::Changed,
    |dials| dials.state = StateEcho::Dropped,
    |dials| dials.granted_scopes = Some(vec!["files:read".to_owned()]),
    |dials| dials.refresh_tokens = RefreshTokens::Never,
    |dials| dials.rotation = Rotation::None,
    |dials| dials.dead_refresh_error = "unauthorized_client".to_owned(),
    |dials| dials.token_body = TokenBody::Form,
    |dials| dials.errors_with_200 = true,
    |dials| dials.expires_in = ExpiresIn::Negative,
    |dials| dials.token_type = TokenType::Absent,
    |dials| dials.scope_answer = ScopeAnswer::Empty,
    |dials| dials.invalid_client_status = 400,
    |dials| dials.dpop = None,
    |dials| dials.dpop = Some(Dpop::default()),
    |dials| dpop(dials, |dpop| dpop.binds = false),
    |dials| dpop(dials, |dpop| dpop.algorithms = vec!["RS256".to_owned()]),
    |dials| dpop(dials, |dpop| dpop.server_nonces = Nonces::Required),
    |dials| dpop(dials, |dpop| dpop.server_nonces = Nonces::Rotating),
    |dials| dpop(dials, |dpop| dpop.server_nonces = Nonces::Unsatisfiable),
    |dials| dpop(dials, |dpop| dpop.resource_nonces = Nonces::Rotating),
    |dials| dpop(dials, |dpop| dpop.resource_nonces = Nonces::Unsatisfiable),
    |dials| dials.pushed = Some(Pushed { required: true, ..Pushed::default() }),
    |dials| dials.pushed = Some(Pushed { expires_in: 1, status: 200, ..Pushed::default() }),
    |dials| dials.pushed = Some(Pushed { forgotten: true, ..Pushed::default() }),
    |dials| dials.client_assertions.audience = AssertionAudience::TokenEndpoint,
    |dials| dials.client_assertions.algorithms = vec!["RS256".to_owned()],
    |dials| dials.client_credentials = Some(ClientCredentials { refresh_tokens: true }),
    |dials| dials.client_credentials = None,
    |dials| dials.device = None,
    |dials| dials.device = Some(Device { tells_interval: false, interval: 11, ..Device::default() }),
    |dials| dials.device = Some(Device { confirmation: Confirmation::AtPoll(2), ..Device::default() }),
    |dials| {
        dials.device = Some(Device { confirmation: Confirmation::Never, expires_in: 20, ..Device::default() })
    },
    |dials| exchange(dials, TokenExchange::OtherAudience),
    |dials| exchange(dials, TokenExchange::OtherResource),
    |dials| exchange(dials, TokenExchange::Expired),
    |dials| exchange(dials, TokenExchange::Repeated),
    |dials| exchange(dials, TokenExchange::Garbage),
    |dials| exchange(dials, TokenExchange::Refused(400, "invalid_grant".to_owned())),
    |dials| workload(dials, WorkloadToken::OtherAudience),
    |dials| workload(dials, WorkloadToken::Expired),
    |dials| workload(dials, WorkloadToken::OtherKey),
];

fn dpop(dials: &mut Dials, turn: fn(&mut Dpop)) {
    dials.dpop.as_mut().map(turn);
}

fn exchange(dials: &mut Dials, exchange: TokenExchange) {
    if let Some(enterprise) = &mut dials.enterprise {
        enterprise.exchange = exchange;
    }
}

fn workload(dials: &mut Dials, token: WorkloadToken) {
    if let Some(workload) = &mut dials.workload {
        workload.token = token;
    }
}

/// What may happen to servers between two attempts.
pub(crate) const MISFORTUNES: &[fn(&mut World)] = &[
    World::expire_access_tokens,
    World::revoke_everything,
    World::purge_clients,
    World::expire_client_secrets,
    |world| world.move_token_endpoint(404),
];
