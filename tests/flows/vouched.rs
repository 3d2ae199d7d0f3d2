//! Tokens for which somebody vouches, as `docs/grants.md` tells it: an organisation's identity provider, a platform.

use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::token::SubjectTokenType;
use mcp_auth::{ClientKey, Event, GrantType, IdentityProvider, Preregistered};
use mcp_auth_testbed::*;

use crate::begun::key;
use crate::ended::fails;
use crate::stage::{REDIRECT, Stage, json};
use crate::{Flow, flow};

const ISSUER: &str = "https://as.example";
const ASSERTION: &str = "an-assertion-of-the-person";

/// An organisation whose identity provider takes this kind of assertion, from a client that authenticates so.
fn enterprise(kind: &str, provider: IdentityProvider, secret: Option<&str>) -> Stage {
    let client = EnterpriseClient {
        client_id: "at-the-idp".to_owned(),
        client_secret: secret.map(str::to_owned),
        resource_client_id: "at-the-server".to_owned(),
    };
    let mut organisation = Enterprise::new(client, ASSERTION);
    organisation.subjects[0].token_type = kind.to_owned();
    let own = "server-client-secret";
    let dials = Dials {
        clients: vec![PreRegistered::confidential("at-the-server", own, "client_secret_basic", REDIRECT)],
        enterprise: Some(organisation),
        auth_methods: Some(vec!["client_secret_basic".to_owned()]),
        ..Dials::default()
    };
    let mut stage = Stage::at(Origins::default(), dials, |config, _| {
        let signs = provider.method == AuthMethod::PrivateKeyJwt;
        let config = if signs { config.client_key(key()) } else { config };
        let client = Preregistered::new(ISSUER, "at-the-server").method(AuthMethod::ClientSecretBasic);
        config
            .preregistered(client.secret("server-client-secret"))
            .grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
    });
    stage.assertion = Some(ASSERTION.to_owned());
    stage
}

fn provider() -> IdentityProvider {
    IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp")
}

/// The identity provider takes the client's signature in place of a secret.
fn takes_keys(stage: &mut Stage) {
    let (mut organisation, now) = (World::new(stage.dials().clone(), Origins::default()), stage.now);
    stage.instead = Some(Box::new(move |request| {
        let is_asked = *request.uri() == "https://idp.example/token";
        is_asked.then(|| {
            let pairs = url::form_urlencoded::parse(request.body());
            let (proofs, mut rest): (Vec<_>, Vec<_>) =
                pairs.into_owned().partition(|(name, _)| name.starts_with("client_assertion"));
            let signed = proofs.iter().find(|(name, _)| name == "client_assertion").unwrap();
            assert_eq!(signed.1.split('.').count(), 3, "a signed JWT");
            assert!(!request.headers().contains_key("authorization"), "and no secret");
            assert!(rest.iter().all(|(name, _)| name != "client_secret"), "nor here");
            if rest.iter().all(|(name, _)| name != "client_id") {
                rest.push(("client_id".to_owned(), "at-the-idp".to_owned()));
            }
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
            let mut plain = request.clone();
            *plain.body_mut() = form.into_bytes();
            organisation.answer(now, plain).unwrap()
        })
    }));
}

/// An organisation by the book.
fn managed() -> Stage {
    enterprise(Subject::ID_TOKEN, provider().secret("idp-secret"), Some("idp-secret"))
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = providers();
    flows.extend(again());
    flows.extend(platforms());
    flows
}

fn providers() -> Vec<Flow> {
    vec![
        flow(
            "enterprise.saml",
            "The organisation has a SAML assertion of the person (`saml2`): the identity provider takes it for an ID-JAG.",
            &["ema-exchange", "ema-grant"],
            &["granted"],
            || {
                let provider = provider().secret("idp-secret").exchanges(SubjectTokenType::Saml2);
                let mut stage = enterprise(Subject::SAML2, provider, Some("idp-secret"));
                stage.call("tools/list", None);
                let exchanges = stage.world.exchanges().iter();
                let exchange = exchanges.clone().find(|it| it.is_for(Purpose::TokenExchange)).unwrap();
                assert_eq!(exchange.parameter("subject_token_type"), Some(Subject::SAML2));
                stage
            },
        ),
        flow(
            "enterprise.key",
            "The client signs for the identity provider (`AuthMethod::PrivateKeyJwt`), and shows it no secret.",
            &["ema-exchange", "assertion-form"],
            &["granted"],
            || {
                let provider = provider().method(AuthMethod::PrivateKeyJwt);
                let mut stage = enterprise(Subject::ID_TOKEN, provider, None);
                takes_keys(&mut stage);
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "enterprise.refused",
            "The identity provider refuses the person: it is told as it is, and nothing is tried instead.",
            &["ema-exchange", "token-errors"],
            &["grant_rejected"],
            || {
                let mut stage =
                    enterprise(Subject::ID_TOKEN, provider().secret("idp-secret"), Some("idp-secret"));
                let exchange = TokenExchange::Refused(400, "invalid_grant".to_owned());
                stage.dials().enterprise.as_mut().unwrap().exchange = exchange;
                stage.call("tools/list", None);
                assert_eq!((stage.opened.len(), stage.world.count(Purpose::Token)), (0, 0));
                stage
            },
        ),
    ]
}

fn again() -> Vec<Flow> {
    vec![
        flow(
            "enterprise.judged",
            "What the identity provider calls an ID-JAG is another kind of token: it is shown to nobody.",
            &["ema-answer"],
            &["token_type"],
            || {
                let mut stage = managed();
                stage.dials().enterprise.as_mut().unwrap().exchange = TokenExchange::BearerType;
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Token), 0);
                stage
            },
        ),
        flow(
            "enterprise.renamed",
            "The identity provider no longer knows the resource by the name that the record has: metadata is read anew at once, and it is asked once more.",
            &["ema-exchange", "resource-refused"],
            &["granted", "granted"],
            || {
                let mut stage = managed();
                stage.dials().resource = ResourceValue::Root;
                stage.call("tools/list", None);
                stage.dials().resource = ResourceValue::Exact;
                stage.now += 4000;
                stage.instead = Some(Box::new(|request| {
                    let is_asked = *request.uri() == "https://idp.example/token";
                    let form: Vec<_> = url::form_urlencoded::parse(request.body()).into_owned().collect();
                    let named = form.into_iter().find(|(name, _)| name == "resource");
                    let is_old = named.is_some_and(|(_, resource)| resource != "https://mcp.example/mcp");
                    (is_asked && is_old).then(|| json(400, r#"{"error":"invalid_target"}"#))
                }));
                let before = stage.world.count(Purpose::ServerMetadata);
                stage.restore();
                assert!(stage.world.count(Purpose::ServerMetadata) > before);
                stage
            },
        ),
    ]
}

/// A workload, and whether the platform's word is all that there is.
fn workload(token: WorkloadToken, key: Option<ClientKey>) -> Stage {
    let dials = Dials { workload: Some(Workload { token, ..Workload::default() }), ..Dials::default() };
    let mut stage = Stage::at(Origins::default(), dials, |config, _| {
        let config = config.grant_type(GrantType::WorkloadIdentity);
        key.into_iter().fold(config, |config, key| config.client_key(key))
    });
    stage.assertion = stage.world.workload_token(stage.now);
    stage
}

fn platforms() -> Vec<Flow> {
    vec![
        flow(
            "workload.key-unused",
            "There is a key and no client, so that there is nobody to authenticate: nothing is signed.",
            &["grant-form", "one-authentication"],
            &["granted"],
            || {
                let mut stage = workload(WorkloadToken::ByTheBook, Some(key()));
                stage.call("tools/list", None);
                assert!(!stage.trace().contains("\"sign\""));
                stage
            },
        ),
        flow(
            "workload.expired",
            "The platform's JWT has expired: it is shown to nobody, and the next request is told the same.",
            &["assertion-judged"],
            &["assertion_unusable", "assertion_unusable"],
            || {
                let mut stage = workload(WorkloadToken::Expired, None);
                stage.call("tools/list", None);
                let failure = fails(&mut stage, Event::Restore);
                assert!(failure.retry_at.is_some());
                assert_eq!(stage.world.count(Purpose::Token), 0);
                stage
            },
        ),
        flow(
            "workload.unsupplied",
            "The platform has nothing to say: nothing is asked of anybody.",
            &["own-unsupplied"],
            &["unsupplied"],
            || {
                let mut stage = workload(WorkloadToken::ByTheBook, None);
                stage.assertion = None;
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Token), 0);
                stage
            },
        ),
    ]
}
