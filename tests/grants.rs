//! Grants without a person: the client's own credentials, the word of an identity provider, the word of a platform.

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::wire::token::SubjectTokenType;
use mcp_auth::{
    Action, Challenge, ClientKey, ClientMetadata, Config, Ended, Event, GrantType, IdentityProvider, Kind,
    Legacy, Outcome, Policy, Preregistered, ProofKey, Retry, ScopeRule, Scopes, SendFailure, TokenSource,
};
use mcp_auth_testbed::{
    ClientAssertions, ClientCredentials, Dials, Dpop, Enterprise, EnterpriseClient, Fault, Nonces,
    PreRegistered, Purpose, ResourceMetadata, ResourceValue, ServerMetadata, Subject, TokenExchange, Trouble,
    Workload, WorkloadToken,
};
use serde_json::json;
use support::{CLIENT_KEY, PROOF_KEY, REDIRECT, Rig, StoreMood, authorized, signer};

const ISSUER: &str = "https://as.example";
const ID_TOKEN: &str = "an-id-token-of-the-person";

fn key() -> ClientKey {
    ClientKey::new([Algorithm::EdDsa]).key_id(support::public(&CLIENT_KEY).thumbprint())
}

fn methods(methods: &[&str]) -> Option<Vec<String>> {
    Some(methods.iter().map(|method| (*method).to_owned()).collect())
}

/// A client with a secret that acts for itself.
fn by_secret(method: &'static str) -> Rig {
    let clients = vec![PreRegistered::confidential("service", "service-secret", method, REDIRECT)];
    let dials = Dials {
        clients,
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: methods(&[method]),
        ..Dials::default()
    };
    Rig::with(dials, |config| {
        let client = Preregistered::new(ISSUER, "service").secret("service-secret");
        config.preregistered(client).grant_type(GrantType::ClientCredentials)
    })
}

/// A client with a key that acts for itself.
fn by_key(dials: Dials) -> Rig {
    let mut clients = dials.clients.clone();
    clients.push(PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT));
    let dials = Dials {
        clients,
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: methods(&["private_key_jwt"]),
        ..dials
    };
    let mut rig = Rig::with(dials, |config| {
        config
            .preregistered(Preregistered::new(ISSUER, "service"))
            .client_key(key())
            .grant_type(GrantType::ClientCredentials)
    });
    rig.signer = signer();
    rig
}

fn enterprise(exchange: TokenExchange) -> Rig {
    let client = EnterpriseClient {
        client_id: "at-the-idp".to_owned(),
        client_secret: Some("idp-client-secret".to_owned()),
        resource_client_id: "at-the-server".to_owned(),
    };
    let clients = vec![PreRegistered::confidential(
        "at-the-server",
        "server-client-secret",
        "client_secret_basic",
        REDIRECT,
    )];
    let enterprise = Enterprise { exchange, ..Enterprise::new(client, ID_TOKEN) };
    let dials = Dials {
        clients,
        enterprise: Some(enterprise),
        auth_methods: methods(&["client_secret_basic"]),
        ..Dials::default()
    };
    let mut rig = Rig::with(dials, provided);
    rig.assertions = vec![ID_TOKEN.to_owned(); 4];
    rig
}

fn provided(config: Config) -> Config {
    let provider = IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp");
    let provider = provider.secret("idp-client-secret");
    config
        .preregistered(Preregistered::new(ISSUER, "at-the-server").secret("server-client-secret"))
        .grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
}

fn workload(token: WorkloadToken) -> Rig {
    let dials = Dials { workload: Some(Workload { token, ..Workload::default() }), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.grant_type(GrantType::WorkloadIdentity));
    vouch(&mut rig);
    rig
}

fn vouch(rig: &mut Rig) {
    rig.assertions = vec![rig.world.workload_token(rig.now).unwrap(); 4];
}

/// The request is answered, and nobody was asked.
fn works(rig: &mut Rig) {
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200, "{}", rig.auth.trail());
    assert!(rig.opened.is_empty() && rig.shown.is_empty());
}

#[test]
fn a_client_gets_tokens_with_its_own_credentials_and_again_when_they_end() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let mut rig = by_secret(method);
        works(&mut rig);
        assert_eq!(rig.auth.authorized().unwrap().source, TokenSource::Granted);
        assert_eq!((rig.count(Purpose::Token), rig.count(Purpose::Registration)), (1, 0));
        // The token ends: one exchange, and no discovery.
        let before = rig.world.exchanges().len();
        rig.now += 3600;
        works(&mut rig);
        assert_eq!(rig.world.exchanges().len() - before, 2, "a token and the request");
        assert_eq!(rig.auth.authorized().unwrap().source, TokenSource::Refreshed);
        // A new process with the record, too.
        rig.now += 3600;
        let client = Preregistered::new(ISSUER, "service").secret("service-secret");
        rig.restart(|config| config.preregistered(client).grant_type(GrantType::ClientCredentials));
        let before = rig.world.exchanges().len();
        works(&mut rig);
        assert_eq!(rig.world.exchanges().len() - before, 2);
        assert!(rig.store.values().all(|record| record.refresh_token.is_none()));
    }
}

/// A record can be older than the name of the resource. No login comes that would read the metadata again.
#[test]
fn a_resource_that_goes_by_another_name_now_is_asked_about() {
    let mut rig = enterprise(TokenExchange::ByTheBook);
    for rig in [&mut rig, &mut by_secret("client_secret_basic")] {
        rig.world.dials_mut().resource = ResourceValue::Root;
        works(rig);
        rig.world.dials_mut().resource = Dials::default().resource;
        rig.now += 3600;
        works(rig);
    }
    let mut rig = by_secret("client_secret_basic");
    works(&mut rig);
    // Once: a server that knows no resource at all is not asked for ever.
    rig.now += 3600;
    rig.instead = Some(support::at("https://as.example/token", |_| {
        (400, json!({"error": "invalid_target"}).to_string())
    }));
    let before = rig.world.exchanges().len();
    assert_eq!(rig.run(Event::Restore).unwrap_err().breach.error.as_deref(), Some("invalid_target"));
    assert_eq!(rig.world.exchanges().len() - before, 2, "metadata of the resource and of the server");
}

#[test]
fn restoring_is_enough_to_get_a_token() {
    let mut rig = by_secret("client_secret_basic");
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Granted);
}

#[test]
fn a_client_proves_itself_with_its_key() {
    let mut rig = by_key(Dials::default());
    works(&mut rig);
    let token = rig.world.exchanges().iter().find(|it| it.is_for(Purpose::Token)).unwrap();
    let given = |name: &str| token.parameters.iter().any(|(known, _)| known == name);
    assert!(given("client_assertion") && !given("client_secret") && token.authorization.is_none());
    // Each time anew: the server takes no assertion twice.
    for _ in 0..3 {
        rig.now += 3600;
        works(&mut rig);
    }
    assert_eq!(rig.count(Purpose::Token), 4);
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    // Nobody signs.
    let mut rig = by_key(Dials::default());
    rig.signer = None;
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.retry()), (Kind::SigningFailed, Retry::Later));
    // A signature in DER.
    let mut rig = by_key(Dials::default());
    rig.signer = Some(Box::new(|sign| sign.reply(vec![0x30; 70])));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::Configuration);
    // The server takes other algorithms, or no keys at all.
    let assertions = ClientAssertions { algorithms: vec!["RS256".to_owned()], ..ClientAssertions::default() };
    let mut rig = by_key(Dials { client_assertions: assertions, ..Dials::default() });
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::Unsupported);
    let mut rig = by_key(Dials::default());
    rig.world.dials_mut().auth_methods = methods(&["client_secret_basic"]);
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::RegistrationUnusable);
    // The wrong key.
    let mut rig = by_key(Dials::default());
    rig.signer =
        Some(Box::new(|sign| sign.reply(mcp_auth_testbed::SigningKey::numbered(99).sign(sign.message()))));
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.breach.error.is_some()), (Kind::Configuration, true));
}

#[test]
fn a_persons_client_may_have_a_key_too() {
    // A configured one, wherever a token endpoint is spoken to.
    let clients = vec![PreRegistered::with_key("app", CLIENT_KEY.public_jwk(), REDIRECT)];
    let auth_methods = methods(&["private_key_jwt"]);
    let mut rig = Rig::with(Dials { clients, auth_methods, ..Dials::default() }, |config| {
        config.preregistered(Preregistered::new(ISSUER, "app")).client_key(key())
    });
    rig.signer = signer();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    let Outcome::LoggedOut(done) = rig.run(Event::LogOut).unwrap() else { panic!("{}", rig.auth.trail()) };
    assert!(done.is_complete(), "{done:?}");
}

/// Whoever has something signed for a client may quote it as it was before: that is as secret.
#[test]
fn an_assertion_that_is_quoted_without_its_signature_is_not_told() {
    let clients = vec![PreRegistered::with_key("app", CLIENT_KEY.public_jwk(), REDIRECT)];
    let auth_methods = methods(&["private_key_jwt"]);
    let mut rig = Rig::with(Dials { clients, auth_methods, ..Dials::default() }, |config| {
        config.preregistered(Preregistered::new(ISSUER, "app")).client_key(ClientKey::new([Algorithm::EdDsa]))
    });
    rig.signer = signer();
    rig.instead = Some(support::at("https://as.example/token", |body| {
        let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
        let (_, assertion) = pairs.iter().find(|(name, _)| name == "client_assertion").unwrap();
        let (message, _) = assertion.rsplit_once('.').unwrap();
        // Short enough not to be cut where it is told.
        assert!(message.len() < 270, "{}", message.len());
        (401, json!({"error": "invalid_client", "error_description": message}).to_string())
    }));
    // The watch knows what was signed.
    let failure = rig.log_in().unwrap_err().to_string();
    assert!(failure.contains("invalid_client (secret)"), "{failure}");
}

/// The public half is in the document; the server finds it there.
#[test]
fn a_client_with_a_metadata_document_may_have_a_key_too() {
    const DOCUMENT: &str = "https://app.example/client.json";
    let with_key = key().public(support::public(&CLIENT_KEY));
    let document = |key| ClientMetadata::new("Rig", REDIRECT).document(DOCUMENT, None, key);
    let document_with_key = document(Some(&with_key)).unwrap();
    assert_eq!(document_with_key["jwks"]["keys"][0]["kid"], json!(support::public(&CLIENT_KEY).thumbprint()));
    // A key whose public half nobody knows is of no use to a server.
    assert_eq!(document(Some(&key())).unwrap_err().kind, Kind::Configuration);

    let dials = Dials {
        client_documents: [(DOCUMENT.to_owned(), document_with_key)].into(),
        auth_methods: methods(&["none", "private_key_jwt"]),
        ..Dials::default()
    };
    let mut rig = Rig::with(dials, |config| config.metadata_document(DOCUMENT).client_key(with_key));
    rig.signer = signer();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    let kept = rig.store.values().next().unwrap();
    assert_eq!((kept.client.id.as_str(), kept.client.method), (DOCUMENT, AuthMethod::PrivateKeyJwt));
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
}

/// Where a server does not list private_key_jwt, nobody knows that it takes it; a client of a document has no need to try.
#[test]
fn a_client_with_a_metadata_document_does_not_sign_for_a_server_that_lists_no_method() {
    const DOCUMENT: &str = "https://app.example/client.json";
    let with_key = key().public(support::public(&CLIENT_KEY));
    let document = ClientMetadata::new("Rig", REDIRECT).document(DOCUMENT, None, None).unwrap();
    let dials = Dials {
        client_documents: [(DOCUMENT.to_owned(), document)].into(),
        auth_methods: None,
        ..Dials::default()
    };
    let mut rig = Rig::with(dials, |config| config.metadata_document(DOCUMENT).client_key(with_key));
    rig.log_in().unwrap();
    let kept = rig.store.values().next().unwrap();
    assert_eq!((kept.client.id.as_str(), kept.client.method), (DOCUMENT, AuthMethod::None));
}

#[test]
fn a_guessed_endpoint_is_shown_nothing_that_is_signed() {
    for mut rig in
        [by_secret("client_secret_basic"), by_key(Dials::default()), workload(WorkloadToken::ByTheBook)]
    {
        rig.world.dials_mut().resource_metadata = ResourceMetadata::Nowhere;
        rig.world.dials_mut().server_metadata = ServerMetadata::Nowhere;
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
        assert_eq!(rig.count(Purpose::Token), 0);
    }
    let policy = Policy::with(|it| it.legacy = Legacy::Refused);
    let mut rig =
        Rig::with(Dials { resource_metadata: ResourceMetadata::Nowhere, ..Dials::default() }, |config| {
            config.grant_type(GrantType::WorkloadIdentity).policy(policy)
        });
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
}

#[test]
fn an_identity_provider_decides_in_the_persons_place() {
    let mut rig = enterprise(TokenExchange::ByTheBook);
    works(&mut rig);
    assert_eq!(rig.assertions.len(), 3, "the assertion is asked for once");
    let exchanged: Vec<_> =
        rig.world.exchanges().iter().filter(|it| it.origin == "https://idp.example").collect();
    assert_eq!(exchanged.len(), 1);
    let given = |name: &str| {
        exchanged[0].parameters.iter().find(|(known, _)| known == name).map(|(_, it)| it.as_str())
    };
    assert_eq!((given("audience"), given("resource")), (Some(ISSUER), Some("https://mcp.example/mcp")));
    // And again each time.
    rig.now += 3600;
    works(&mut rig);
    assert_eq!(rig.assertions.len(), 2);
}

#[test]
fn an_identity_provider_takes_saml_too() {
    let mut rig = enterprise(TokenExchange::ByTheBook);
    let dials = rig.world.dials_mut().enterprise.as_mut().unwrap();
    dials.subjects[0].token_type = Subject::SAML2.to_owned();
    rig.restart(|config| {
        let provider =
            IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp");
        let provider = provider.secret("idp-client-secret").exchanges(SubjectTokenType::Saml2);
        config
            .preregistered(Preregistered::new(ISSUER, "at-the-server").secret("server-client-secret"))
            .grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
    });
    works(&mut rig);
}

#[test]
fn what_the_identity_provider_gives_is_judged_before_it_is_shown_to_anybody() {
    for (exchange, kind) in [
        (TokenExchange::WrongIssuedType, Kind::TokenType),
        (TokenExchange::BearerType, Kind::TokenType),
        (TokenExchange::WrongTyp, Kind::AssertionUnusable),
        (TokenExchange::OtherAudience, Kind::AssertionUnusable),
        (TokenExchange::OtherClient, Kind::AssertionUnusable),
        (TokenExchange::OtherResource, Kind::AssertionUnusable),
        (TokenExchange::Expired, Kind::AssertionUnusable),
        (TokenExchange::Garbage, Kind::Malformed),
        (TokenExchange::Refused(400, "invalid_grant".to_owned()), Kind::GrantRejected),
        (TokenExchange::Refused(403, "access_denied".to_owned()), Kind::TokenEndpointError),
    ] {
        let mut rig = enterprise(exchange.clone());
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!(failure.kind(), kind, "{exchange:?}: {failure:#}");
        assert!(!failure.breach.clause.is_empty());
        let shown =
            rig.world.exchanges().iter().filter(|it| it.origin == ISSUER && it.is_for(Purpose::Token));
        assert_eq!(shown.count(), 0, "{exchange:?}");
    }
    // What only the server can see it says.
    let mut rig = enterprise(TokenExchange::OtherKey);
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::GrantRejected);
}

#[test]
fn a_platform_vouches_for_its_workload_once() {
    let mut rig = workload(WorkloadToken::ByTheBook);
    works(&mut rig);
    assert_eq!((rig.count(Purpose::Token), rig.count(Purpose::Registration)), (1, 0));
    rig.now += 3600;
    vouch(&mut rig);
    works(&mut rig);
    assert_eq!(rig.count(Purpose::Token), 2);
}

#[test]
fn a_workload_tries_once_and_nothing_else_instead() {
    for (token, kind, sent) in [
        (WorkloadToken::Expired, Kind::AssertionUnusable, 0),
        (WorkloadToken::OtherAudience, Kind::AssertionUnusable, 0),
        (WorkloadToken::OtherKey, Kind::GrantRejected, 1),
    ] {
        let mut rig = workload(token);
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!((failure.kind(), rig.count(Purpose::Token)), (kind, sent), "{token:?}: {failure:#}");
        // The next request is told the same for a while.
        let again = rig.call("tools/list", None).unwrap_err();
        assert_eq!((again.kind(), again.retry_at.is_some(), rig.count(Purpose::Token)), (kind, true, sent));
        // A person who insists is heard.
        rig.world.dials_mut().workload = Some(Workload::default());
        vouch(&mut rig);
        rig.log_in().unwrap();
    }
}

#[test]
fn nobody_who_vouches_is_a_typed_failure() {
    for mut rig in [workload(WorkloadToken::ByTheBook), enterprise(TokenExchange::ByTheBook)] {
        rig.assertions.clear();
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!((failure.kind(), rig.count(Purpose::Token)), (Kind::Unsupplied, 0));
    }
}

#[test]
fn a_token_endpoint_that_is_down_is_left_alone_for_a_while() {
    let mut rig = by_secret("client_secret_basic");
    let what = Trouble::RetryAfter(503, 60);
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Token, nth: 1, what }];
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.retry(), failure.retry_at.unwrap().as_secs()), (Retry::Later, rig.now + 60));
    rig.call("tools/list", None).unwrap_err();
    assert_eq!(rig.count(Purpose::Token), 1);
    rig.now += 60;
    works(&mut rig);
}

#[test]
fn a_client_that_is_not_configured_cannot_act_for_itself() {
    let dials = Dials { client_credentials: Some(ClientCredentials::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.grant_type(GrantType::ClientCredentials));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::NoClient);
    assert_eq!(rig.count(Purpose::Registration), 0);
    // Nor at another server than its own.
    let mut rig = Rig::with(Dials::default(), |config| {
        let client = Preregistered::new("https://other.example", "service").secret("service-secret");
        config
            .preregistered(client.method(AuthMethod::ClientSecretPost))
            .grant_type(GrantType::ClientCredentials)
    });
    assert!(rig.call("tools/list", None).is_err());
    assert_eq!(rig.count(Purpose::Token), 0);
}

/// Nobody consents, so nobody would notice: tokens are not fetched without end for a server that takes none.
#[test]
fn a_resource_that_refuses_every_token_is_left_alone() {
    let faults =
        vec![Fault { purpose: Purpose::Mcp, nth: 0, what: Trouble::Answer(401, "text/plain", vec![]) }];
    for mut rig in [by_secret("client_secret_basic"), by_key(Dials::default())] {
        rig.world.dials_mut().faults.clone_from(&faults);
        for _ in 0..20 {
            assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::TokenRejected);
        }
        assert!(rig.count(Purpose::Token) <= 5, "{}", rig.count(Purpose::Token));
    }
}

#[test]
fn a_live_token_serves_on_while_another_cannot_be_had() {
    let mut rig = by_secret("client_secret_basic");
    works(&mut rig);
    let trouble = Fault { purpose: Purpose::Token, nth: 0, what: Trouble::Status(503) };
    rig.world.dials_mut().faults = vec![trouble];
    // Near its end it is to be renewed.
    rig.now += 3600 - 5;
    works(&mut rig);
    assert_eq!(rig.auth.authorized().unwrap().source, TokenSource::Granted);
}

/// Who asks for more than the server may have is the server, and nobody is there to say no.
#[test]
fn without_a_person_a_caller_bounds_the_scopes() {
    for (only, reached) in [(None, true), (Some("files:read"), false)] {
        let mut rig = by_secret("client_secret_basic");
        let rule = ScopeRule::with(|it| it.only = only.map(|only| Scopes::parse(only).unwrap()));
        let client = Preregistered::new(ISSUER, "service").secret("service-secret");
        rig.restart(|config| {
            config.preregistered(client).grant_type(GrantType::ClientCredentials).scopes(rule)
        });
        let answer = rig.call("tools/call", Some("write_file"));
        assert_eq!(answer.is_ok_and(|answer| answer.status() == 200), reached, "{}", rig.auth.trail());
    }
}

#[test]
fn an_identity_provider_may_grant_less_than_was_asked_for() {
    let mut rig = enterprise(TokenExchange::ByTheBook);
    let enterprise = rig.world.dials_mut().enterprise.as_mut().unwrap();
    enterprise.scopes = Some(vec!["files:read".to_owned()]);
    rig.run(Event::LogIn { scopes: Scopes::parse("files:read files:write").unwrap() }).unwrap();
    assert_eq!(rig.auth.authorized().unwrap().granted.to_string(), "files:read");
}

/// What it allows beyond that the caller may never have wanted.
#[test]
fn an_identity_provider_that_allows_more_than_was_asked_for_changes_nothing() {
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let said = [
        ("files:read", "files:read admin", "scope=files%3Aread&"),
        // Where nothing was asked for it is the identity provider's to say, but for what the caller never wants.
        ("", "files:read admin", "scope=files%3Aread&"),
    ];
    for (only, allowed, sent) in said {
        let mut rig = enterprise(TokenExchange::ByTheBook);
        rig.restart(|config| {
            provided(config).scopes(ScopeRule::with(|it| {
                it.only = Some(Scopes::parse(only).unwrap());
                it.never = Scopes::parse("admin").unwrap();
            }))
        });
        let claims = json!({
            "iss": "https://idp.example", "sub": "somebody", "aud": ISSUER, "client_id": "at-the-server",
            "resource": "https://mcp.example/mcp", "exp": rig.now + 300, "jti": "1",
        });
        let header = encoded(r#"{"alg":"ES256","typ":"oauth-id-jag+jwt"}"#);
        let grant = [header, encoded(&claims.to_string()), encoded("a signature")].join(".");
        let granted = json!({
            "access_token": grant, "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
            "token_type": "N_A", "expires_in": 300, "scope": allowed,
        });
        let token = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600});
        let asked = Rc::new(RefCell::new(String::new()));
        let log = asked.clone();
        rig.instead = Some(Box::new(move |request| match request.uri().to_string().as_str() {
            "https://idp.example/token" => Some(support::json((200, granted.to_string()))),
            "https://as.example/token" => {
                log.borrow_mut().push_str(&String::from_utf8_lossy(request.body()));
                Some(support::json((200, token.to_string())))
            }
            _ => None,
        }));
        let authorized = rig.log_in().unwrap();
        assert!(asked.borrow().contains(sent), "{only:?}: {}", asked.borrow());
        assert_eq!(authorized.granted.to_string(), "files:read");
    }
}

/// A renewal that spends nothing holds nothing.
#[test]
fn a_grant_that_needs_no_person_takes_no_lease() {
    let mut rig = by_secret("client_secret_basic");
    works(&mut rig);
    rig.now += 3600;
    rig.tell(Event::Restore);
    loop {
        match rig.poll() {
            Action::Finish(outcome) => break drop(outcome.unwrap()),
            Action::Load(load) => {
                assert_eq!(load.exclusive(), None);
                let event = rig.answer(Action::Load(load)).unwrap();
                rig.tell(event);
            }
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
}

/// While more scope is asked for, the token is refused besides: two ways to the same end are one too many.
#[test]
fn nothing_is_obtained_beside_an_attempt_that_needs_no_person() {
    let mut rig = by_secret("client_secret_basic");
    works(&mut rig);
    let refused = Some(rig.auth.authorized().unwrap().generation);
    let mut fields = http::HeaderMap::new();
    fields.insert("www-authenticate", "Bearer error=\"insufficient_scope\"".parse().unwrap());
    let more = Challenge::of(http::StatusCode::FORBIDDEN, &fields, refused, 0).unwrap();
    let again = Challenge::of(http::StatusCode::UNAUTHORIZED, &http::HeaderMap::new(), refused, 0).unwrap();
    rig.tell(Event::Challenged(more));
    let load = rig.poll();
    let found = rig.answer(load).unwrap();
    rig.tell(found);
    let Action::Send(_hangs) = rig.poll() else { panic!("{}", rig.auth.trail()) };
    rig.tell(Event::Challenged(again));
    let Action::Wait(_) = rig.poll() else { panic!("{}", rig.auth.trail()) };
}

/// Whoever sends requests that cannot be sent twice does not say how often they were refused.
#[test]
fn tokens_are_not_fetched_without_end_for_requests_that_are_sent_once() {
    let mut rig = by_secret("client_secret_basic");
    works(&mut rig);
    for _ in 0..50 {
        let refused = rig.auth.authorized().map(|done| done.generation);
        let fields = http::HeaderMap::new();
        let challenge = Challenge::of(http::StatusCode::UNAUTHORIZED, &fields, refused, 0).unwrap();
        drop(rig.run(Event::Challenged(challenge)));
    }
    assert!(rig.count(Purpose::Token) <= 5, "{}", rig.count(Purpose::Token));
}

/// Nothing can be spent twice, so that a store which cannot be read is no hindrance.
#[test]
fn a_grant_that_needs_no_person_is_had_again_without_the_store() {
    let mut rig = by_secret("client_secret_basic");
    works(&mut rig);
    rig.now += 3600;
    rig.mood = StoreMood::FailsToRead;
    let before = rig.world.exchanges().len();
    works(&mut rig);
    assert_eq!(rig.world.exchanges().len() - before, 2, "a token and the request");
}

/// Whoever logs in anew loses nothing by it: what was asked for before is asked for again.
#[test]
fn a_login_without_a_person_asks_for_what_was_asked_before() {
    let mut rig = by_secret("client_secret_basic");
    rig.run(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() }).unwrap();
    rig.now += 3600;
    let before = rig.count(Purpose::ServerMetadata);
    rig.log_in().unwrap();
    assert!(rig.count(Purpose::ServerMetadata) > before, "whoever insists has metadata read anew");
    assert!(rig.auth.authorized().unwrap().granted.to_string().contains("files:write"));
}

/// How many logins a person is shown has nothing to do with those that nobody is shown.
#[test]
fn a_bound_on_logins_does_not_bind_where_nobody_is_asked() {
    let mut rig = by_secret("client_secret_basic");
    let client = Preregistered::new(ISSUER, "service").secret("service-secret");
    rig.restart(|config| {
        let policy = Policy::with(|it| it.logins_per_hour = 0);
        config.preregistered(client).grant_type(GrantType::ClientCredentials).policy(policy)
    });
    works(&mut rig);
}

/// The first token that is refused as soon as it is there may be chance; it is asked for again by the record. The next one makes
/// the record doubtful, so metadata is read anew, unless it served for ten seconds.
#[test]
fn a_token_without_a_person_that_is_refused_at_once_is_not_had_by_the_record_again() {
    for (served, read) in [(9, true), (10, false)] {
        let mut rig = by_secret("client_secret_basic");
        works(&mut rig);
        let refused = |rig: &Rig| {
            let refused = rig.auth.authorized().map(|done| done.generation);
            let fields = http::HeaderMap::new();
            Event::Challenged(Challenge::of(http::StatusCode::UNAUTHORIZED, &fields, refused, 0).unwrap())
        };
        rig.now += 60;
        let refusal = refused(&rig);
        assert_eq!(authorized(rig.run(refusal).unwrap()).source, TokenSource::Refreshed);
        let before = rig.count(Purpose::ServerMetadata);
        rig.now += served;
        let refusal = refused(&rig);
        rig.run(refusal).unwrap();
        assert_eq!(rig.count(Purpose::ServerMetadata) > before, read, "{served} s");
    }
}

/// The identity provider authenticates its client as it is told to, with the client's key too.
#[test]
fn a_client_may_have_a_key_at_the_identity_provider() {
    let mut rig = enterprise(TokenExchange::ByTheBook);
    let provider = IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp");
    let provider = provider.method(AuthMethod::PrivateKeyJwt);
    rig.restart(|config| {
        config
            .preregistered(Preregistered::new(ISSUER, "at-the-server").secret("server-client-secret"))
            .client_key(key())
            .grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
    });
    rig.signer = signer();
    let heard = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
    let log = heard.clone();
    rig.instead = Some(support::at("https://idp.example/token", move |body| {
        log.replace(body.to_owned());
        (400, json!({"error": "invalid_grant"}).to_string())
    }));
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::GrantRejected);
    assert!(heard.borrow().contains("client_assertion="), "{}", heard.borrow());
    assert!(!heard.borrow().contains("client_secret"));
}

/// What the identity provider refuses is asked about once, with metadata read anew if it may be that the names have changed, and
/// not at all if it is the person who is refused.
#[test]
fn an_identity_provider_that_refuses_by_the_record_is_asked_once_more_at_most() {
    for (error, asked, read) in [("invalid_target", 2, true), ("invalid_grant", 1, false)] {
        let mut rig = enterprise(TokenExchange::ByTheBook);
        works(&mut rig);
        rig.now += 3600;
        let before = rig.count(Purpose::ServerMetadata);
        let count = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = count.clone();
        rig.instead = Some(support::at("https://idp.example/token", move |_| {
            counted.set(counted.get() + 1);
            (400, json!({"error": error}).to_string())
        }));
        let failure = rig.run(Event::Restore).unwrap_err();
        assert_eq!(failure.breach.error.as_deref(), Some(error));
        assert_eq!((count.get(), rig.count(Purpose::ServerMetadata) > before), (asked, read), "{error}");
    }
    // At the first login everything has just been read.
    let mut rig = enterprise(TokenExchange::Refused(400, "invalid_target".to_owned()));
    rig.log_in().unwrap_err();
    assert_eq!((rig.count(Purpose::ServerMetadata), rig.count(Purpose::TokenExchange)), (1, 1));
}

/// A token that was to be spent, and was not, because nobody signed for it, has not been sent: what becomes of it later is no
/// reuse.
#[test]
fn a_refresh_token_that_waits_for_a_signature_has_not_been_sent() {
    let clients = vec![PreRegistered::with_key("app", CLIENT_KEY.public_jwk(), REDIRECT)];
    let auth_methods = methods(&["private_key_jwt"]);
    let mut rig = Rig::with(Dials { clients, auth_methods, ..Dials::default() }, |config| {
        config.preregistered(Preregistered::new(ISSUER, "app")).client_key(key())
    });
    rig.signer = signer();
    rig.log_in().unwrap();
    rig.now += 3600;
    rig.tell(Event::Restore);
    rig.until(|action| matches!(action, Action::Sign(_)));
    rig.tell(Event::Abandoned);
    rig.settle();
    rig.world.revoke_everything();
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    let trail = rig.auth.trail().to_string();
    assert!(trail.contains("invalid_grant") && !trail.contains("reuse"), "{trail}");
}

/// A server that does not say what it grants grants what it was asked for (RFC 6749 §5.1): what the identity provider allowed, not
/// what was asked of that.
#[test]
fn what_an_identity_provider_allowed_is_what_a_silent_server_grants() {
    for (allowed, granted) in [(Some("files:read"), "files:read"), (None, "files:read files:write")] {
        let mut rig = enterprise(TokenExchange::ByTheBook);
        rig.world.dials_mut().enterprise.as_mut().unwrap().scopes = allowed.map(|it| vec![it.to_owned()]);
        rig.instead = Some(support::at("https://as.example/token", |_| {
            (200, json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600}).to_string())
        }));
        rig.run(Event::LogIn { scopes: Scopes::parse("files:read files:write").unwrap() }).unwrap();
        let authorized = rig.auth.authorized().unwrap();
        assert_eq!(authorized.granted.to_string(), granted);
        // Another time all of them are asked for again.
        assert_eq!(authorized.asked.to_string(), "files:read files:write");
    }
}

/// An identity provider that may not be asked is no reason to give up a token that lives, nor to ask again at once.
#[test]
fn an_identity_provider_behind_the_guard_ends_no_token_that_lives() {
    let mut rig = enterprise(TokenExchange::ByTheBook);
    works(&mut rig);
    rig.now += 3600 - 5;
    rig.restart(|config| {
        let provider = IdentityProvider::new("https://idp.example", "https://10.0.0.1/token", "at-the-idp");
        config
            .preregistered(Preregistered::new(ISSUER, "at-the-server").secret("server-client-secret"))
            .grant_type(GrantType::EnterpriseManaged(Box::new(provider.secret("idp-client-secret"))))
    });
    rig.assertions = vec![ID_TOKEN.to_owned(); 4];
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
    rig.now += 60;
    let failure = rig.run(Event::Restore).unwrap_err();
    assert_eq!(failure.kind(), Kind::UrlRefused, "{failure}");
    assert!(failure.retry_at.is_some(), "{failure}");
}

fn asks_for_token(action: &Action) -> bool {
    matches!(action, Action::Send(send) if send.purpose() == mcp_auth::Purpose::Token)
}

/// A client that acts for itself has asked for a token.
fn asking() -> (Rig, mcp_auth::Send) {
    let mut rig = by_secret("client_secret_basic");
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    let Action::Send(send) = rig.until(asks_for_token) else { unreachable!() };
    (rig, send)
}

/// A token that is on its way is revoked with the rest, as a refreshed one is; and what fails ends in a logout too.
#[test]
fn a_logout_while_a_token_is_granted_waits_for_it() {
    for (fails, called_off) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut rig, send) = asking();
        rig.tell(Event::LogOut);
        if called_off {
            rig.tell(Event::Cancelled);
        }
        assert!(rig.settle().is_empty());
        let event =
            if fails { send.fail(SendFailure::TimedOut) } else { rig.answer(Action::Send(send)).unwrap() };
        rig.tell(event);
        let ended = rig.settle();
        let [Ok(Outcome::LoggedOut(done))] = &ended[..] else { panic!("{ended:?}") };
        assert_eq!(done.access_token, if fails { Ended::Absent } else { Ended::Ended });
        assert_eq!(rig.count(Purpose::Revoke), usize::from(!fails));
        assert!(rig.store.is_empty() && rig.auth.authorized().is_none());
    }
}

/// What begins after a logout was asked for is not done: a request that wants a nonce in its proof has granted nothing.
#[test]
fn a_grant_is_not_asked_for_again_after_a_logout() {
    let mut rig = by_secret("client_secret_basic");
    let dpop = Dpop { server_nonces: Nonces::Required, ..Dpop::default() };
    rig.world.dials_mut().dpop = Some(dpop);
    rig.restart(|config| {
        let client = Preregistered::new(ISSUER, "service").secret("service-secret");
        let config = config.preregistered(client).grant_type(GrantType::ClientCredentials);
        config.proof_key(ProofKey::new(support::public(&PROOF_KEY)))
    });
    rig.signer = signer();
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    let mut sent = 0;
    let done = loop {
        match rig.poll() {
            Action::Finish(Ok(Outcome::LoggedOut(done))) => break done,
            action => {
                if asks_for_token(&action) {
                    sent += 1;
                    rig.tell(Event::LogOut);
                }
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert_eq!((sent, done.access_token), (1, Ended::Absent));
}

#[test]
fn a_cancellation_does_not_wait_for_a_grant() {
    let (mut rig, _) = asking();
    rig.tell(Event::Cancelled);
    assert!(matches!(&rig.settle()[..], [Err(failure)] if failure.kind() == Kind::Cancelled));
}

/// Nothing has been asked for while something is being signed for it.
#[test]
fn a_logout_does_not_wait_for_a_signature() {
    let mut rig = by_key(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    rig.until(|action| matches!(action, Action::Sign(_)));
    rig.tell(Event::LogOut);
    assert!(matches!(&rig.settle()[..], [Ok(Outcome::LoggedOut(_))]));
    assert_eq!(rig.count(Purpose::Token), 0);
}

/// Nor is anything asked for because of what the store says afterwards.
#[test]
fn a_store_that_has_another_record_holds_up_no_logout() {
    let mut rig = by_secret("client_secret_basic");
    rig.log_in().unwrap();
    let mut stale = rig.store.values().next().unwrap().clone();
    rig.now += 3600;
    rig.tell(Event::Restore);
    let mut asked = 0;
    let done = loop {
        match rig.poll() {
            Action::Finish(Ok(Outcome::LoggedOut(done))) => break done,
            Action::Store(save) => {
                stale.generation = mcp_auth::Generation::new(save.credential().generation.as_u64() + 1);
                (stale.obtained_at, stale.expires_at) = (rig.now(), Some(rig.now()));
                rig.tell(save.reply(mcp_auth::Saving::Conflict(Some(Box::new(stale.clone())))));
            }
            action => {
                if asks_for_token(&action) {
                    asked += 1;
                    rig.tell(Event::LogOut);
                }
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
        assert!(asked < 5);
    };
    assert_eq!(asked, 1, "{done:?}");
}
