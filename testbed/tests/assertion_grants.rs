//! The JWT bearer grant: for an ID-JAG of the identity provider of an enterprise, and for the token of a workload.

mod login;

use login::*;
use mcp_auth_testbed::{
    Dials, Enterprise, EnterpriseClient, Fault, Origins, PreRegistered, Purpose, Role, Subject,
    TokenExchange, Trouble, Workload, WorkloadToken,
};
use serde_json::{Value, json};

const TOKEN: &str = "https://as.example/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

fn client(id: &str, secret: Option<&str>, method: &str) -> Client {
    Client { id: id.to_owned(), secret: secret.map(str::to_owned), method: method.to_owned() }
}

fn here() -> Client {
    client("client-here", Some("secret here"), "client_secret_basic")
}

fn there() -> Client {
    client("client-there", Some("secret there"), "client_secret_basic")
}

fn enterprise() -> Enterprise {
    let client = EnterpriseClient {
        client_id: "client-there".to_owned(),
        client_secret: Some("secret there".to_owned()),
        resource_client_id: "client-here".to_owned(),
    };
    Enterprise::new(client, "the id token")
}

fn dials(enterprise: Enterprise) -> Dials {
    Dials {
        enterprise: Some(enterprise),
        clients: vec![
            PreRegistered::confidential("client-here", "secret here", "client_secret_basic", REDIRECT),
            PreRegistered::confidential("another-here", "secret here", "client_secret_basic", REDIRECT),
            PreRegistered::public("public-here", REDIRECT),
        ],
        ..Dials::default()
    }
}

fn exchange(memory: &mut Memory, client: &Client, change: &[(&str, Option<&str>)]) -> Answer {
    let mut pairs = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", ID_JAG),
        ("audience", "https://as.example"),
        ("resource", "https://mcp.example/mcp"),
        ("scope", "files:read files:write"),
        ("subject_token", "the id token"),
        ("subject_token_type", Subject::ID_TOKEN),
    ];
    for (name, value) in change {
        pairs.retain(|(own, _)| own != name);
        pairs.extend(value.map(|value| (*name, value)));
    }
    let url = memory.world.token_exchange_endpoint();
    post_form(memory, &url, client, &pairs)
}

fn assertion(memory: &mut Memory) -> String {
    let answer = exchange(memory, &there(), &[]);
    assert_eq!(answer.status(), 200, "{}", json_of(&answer));
    json_of(&answer)["access_token"].as_str().unwrap().to_owned()
}

fn grant(memory: &mut Memory, client: &Client, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let mut pairs = vec![("grant_type", JWT_BEARER), ("assertion", assertion)];
    pairs.extend(more);
    post_form(memory, TOKEN, client, &pairs)
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status().as_u16(), error_of(answer))
}

fn works(memory: &mut Memory, answer: &Answer) {
    let tokens = json_of(answer);
    assert_eq!(answer.status(), 200, "{tokens}");
    assert_eq!(tokens.get("refresh_token"), None);
    let url = memory.world.server_url();
    assert_eq!(call_tool(memory, &url, "echo", tokens["access_token"].as_str().unwrap()).status(), 200);
}

#[test]
fn both_legs_of_an_enterprise() {
    let mut memory = Memory::new(dials(enterprise()));
    let answer = json_of(&exchange(&mut memory, &there(), &[]));
    assert_eq!((&answer["issued_token_type"], &answer["token_type"]), (&json!(ID_JAG), &json!("N_A")));
    assert_eq!((&answer["expires_in"], &answer["scope"]), (&json!(300), &json!("files:read files:write")));
    let assertion = answer["access_token"].as_str().unwrap();
    let part = |index: usize| -> Value {
        use base64::Engine as _;
        let text = assertion.split('.').nth(index).unwrap();
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap())
            .unwrap()
    };
    assert_eq!(part(0)["typ"], "oauth-id-jag+jwt");
    let claims = part(1);
    assert_eq!(claims["iss"], memory.world.identity_provider());
    assert_eq!(claims["aud"], "https://as.example");
    assert_eq!(claims["client_id"], "client-here");
    assert_eq!(claims["resource"], "https://mcp.example/mcp");
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(NOW), &json!(NOW + 300)));
    let answer = grant(&mut memory, &here(), assertion, &[]);
    assert_eq!(json_of(&answer)["scope"], "files:read files:write");
    works(&mut memory, &answer);
    let asked: Vec<_> = memory.world.exchanges().iter().map(|one| (one.role, one.purpose)).collect();
    assert_eq!(asked[0], (Role::IdentityProvider, Purpose::TokenExchange));
    assert_eq!(memory.world.count(Purpose::AssertionGrant), 1);
}

#[test]
fn the_metadata_names_the_profile_and_the_grant() {
    let mut memory = Memory::new(dials(enterprise()));
    let found = discover(&mut memory, "https://mcp.example/mcp");
    let profiles = json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
    assert_eq!(found.server["authorization_grant_profiles_supported"], profiles);
    assert!(found.server["grant_types_supported"].as_array().unwrap().contains(&json!(JWT_BEARER)));

    let mut memory = Memory::new(Dials { enterprise: None, ..dials(enterprise()) });
    let found = discover(&mut memory, "https://mcp.example/mcp");
    assert_eq!(found.server.get("authorization_grant_profiles_supported"), None);
    let answer = grant(&mut memory, &here(), "a.b.c", &[]);
    assert_eq!(error(&answer), (400, "unsupported_grant_type".to_owned()));
    assert_eq!(exchange(&mut memory, &there(), &[]).status(), 404);
}

#[test]
fn a_wrong_exchange_is_refused() {
    for (change, expected) in [
        (("grant_type", None), "invalid_request"),
        (("grant_type", Some("authorization_code")), "unsupported_grant_type"),
        (("requested_token_type", None), "invalid_request"),
        (("requested_token_type", Some("urn:ietf:params:oauth:token-type:jwt")), "invalid_request"),
        (("audience", None), "invalid_request"),
        (("audience", Some("https://as.example/token")), "invalid_target"),
        (("audience", Some("https://as.example/")), "invalid_target"),
        (("resource", None), "invalid_request"),
        (("resource", Some("https://mcp.example")), "invalid_target"),
        (("subject_token", Some("another")), "invalid_grant"),
        (("subject_token", None), "invalid_request"),
        (("subject_token_type", Some(Subject::SAML2)), "invalid_grant"),
        (("actor_token", Some("x")), "invalid_request"),
    ] {
        let mut memory = Memory::new(dials(enterprise()));
        let answer = exchange(&mut memory, &there(), &[change]);
        assert_eq!(error(&answer), (400, expected.to_owned()), "{change:?}");
    }
}

#[test]
fn the_identity_provider_knows_its_clients_and_their_assertions() {
    let mut dial = enterprise();
    dial.clients.push(EnterpriseClient {
        client_id: "public-there".to_owned(),
        client_secret: None,
        resource_client_id: "client-here".to_owned(),
    });
    dial.subjects.push(Subject {
        token: "PHNhbWw+".to_owned(),
        token_type: Subject::SAML2.to_owned(),
        client_id: "public-there".to_owned(),
        subject: "person-2".to_owned(),
    });
    let mut memory = Memory::new(dials(dial));
    let public = client("public-there", None, "none");
    let saml = [("subject_token", Some("PHNhbWw+")), ("subject_token_type", Some(Subject::SAML2))];
    assert_eq!(exchange(&mut memory, &public, &saml).status(), 200);
    assert_eq!(error(&exchange(&mut memory, &there(), &saml)), (400, "invalid_grant".to_owned()));
    assert_eq!(error(&exchange(&mut memory, &public, &[])), (400, "invalid_grant".to_owned()));
    let refused = (401, "invalid_client".to_owned());
    for wrong in [
        client("unknown", None, "none"),
        client("client-there", None, "none"),
        client("client-there", Some("x"), "client_secret_post"),
        client("client-here", Some("secret here"), "client_secret_basic"),
    ] {
        assert_eq!(error(&exchange(&mut memory, &wrong, &[])), refused, "{wrong:?}");
    }
    let by_post = client("client-there", Some("secret there"), "client_secret_post");
    assert_eq!(exchange(&mut memory, &by_post, &[]).status(), 200);
}

#[test]
fn what_the_identity_provider_answers_is_a_dial() {
    let answered = |exchanged: TokenExchange| {
        let mut memory = Memory::new(dials(Enterprise { exchange: exchanged, ..enterprise() }));
        exchange(&mut memory, &there(), &[])
    };
    let wrong = json_of(&answered(TokenExchange::WrongIssuedType));
    assert_eq!(wrong["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!(json_of(&answered(TokenExchange::BearerType))["token_type"], "Bearer");
    for name in ["invalid_grant", "access_denied"] {
        let answer = answered(TokenExchange::Refused(400, name.to_owned()));
        assert_eq!(error(&answer), (400, name.to_owned()));
    }
    let scopes = Some(vec!["files:read".to_owned()]);
    let mut memory = Memory::new(dials(Enterprise { scopes, ..enterprise() }));
    assert_eq!(json_of(&exchange(&mut memory, &there(), &[]))["scope"], "files:read");
}

#[test]
fn an_id_jag_that_is_wrong_in_one_thing_is_refused() {
    for exchanged in [
        TokenExchange::WrongTyp,
        TokenExchange::OtherAudience,
        TokenExchange::OtherClient,
        TokenExchange::OtherResource,
        TokenExchange::Expired,
        TokenExchange::OtherKey,
        TokenExchange::Garbage,
    ] {
        let mut memory = Memory::new(dials(Enterprise { exchange: exchanged.clone(), ..enterprise() }));
        let assertion = assertion(&mut memory);
        let answer = grant(&mut memory, &here(), &assertion, &[]);
        assert_eq!(error(&answer), (400, "invalid_grant".to_owned()), "{exchanged:?}");
    }
    let repeated = Enterprise { exchange: TokenExchange::Repeated, ..enterprise() };
    let mut memory = Memory::new(dials(repeated));
    for status in [200, 400] {
        let assertion = assertion(&mut memory);
        assert_eq!(grant(&mut memory, &here(), &assertion, &[]).status(), status);
    }
}

#[test]
fn an_id_jag_is_for_its_client_its_time_and_its_scopes() {
    let mut memory = Memory::new(dials(enterprise()));
    let first = assertion(&mut memory);
    let another = client("another-here", Some("secret here"), "client_secret_basic");
    assert_eq!(error(&grant(&mut memory, &another, &first, &[])), (400, "invalid_grant".to_owned()));
    let public = client("public-here", None, "none");
    assert_eq!(error(&grant(&mut memory, &public, &first, &[])), (400, "unauthorized_client".to_owned()));
    let wrong = client("client-here", Some("x"), "client_secret_basic");
    assert_eq!(error(&grant(&mut memory, &wrong, &first, &[])), (401, "invalid_client".to_owned()));
    let elsewhere = [("resource", "https://mcp.example")];
    assert_eq!(error(&grant(&mut memory, &here(), &first, &elsewhere)), (400, "invalid_target".to_owned()));
    let narrowed = [("scope", "files:read"), ("resource", "https://mcp.example/mcp")];
    assert_eq!(json_of(&grant(&mut memory, &here(), &first, &narrowed))["scope"], "files:read");
    let second = assertion(&mut memory);
    let wider = [("scope", "offline_access")];
    assert_eq!(error(&grant(&mut memory, &here(), &second, &wider)), (400, "invalid_scope".to_owned()));
    let third = assertion(&mut memory);
    memory.now += 310;
    assert_eq!(error(&grant(&mut memory, &here(), &third, &[])), (400, "invalid_grant".to_owned()));
}

#[test]
fn a_workload_needs_nothing_but_its_token() {
    let elsewhere = Origins::default().elsewhere;
    for (token, audiences, works_there) in [
        (WorkloadToken::ByTheBook, Vec::new(), true),
        (WorkloadToken::OtherAudience, Vec::new(), false),
        (WorkloadToken::OtherAudience, vec![format!("{elsewhere}/")], false),
        (WorkloadToken::OtherAudience, vec![elsewhere], true),
        (WorkloadToken::Expired, Vec::new(), false),
        (WorkloadToken::OtherKey, Vec::new(), false),
    ] {
        let workload = Some(Workload { token, audiences, ..Workload::default() });
        let mut memory = Memory::new(Dials { workload, ..Dials::default() });
        let assertion = memory.world.workload_token(NOW).unwrap();
        let pairs =
            [("grant_type", JWT_BEARER), ("assertion", &assertion), ("resource", "https://mcp.example/mcp")];
        let answer = post_plain(&mut memory, TOKEN, &[], &pairs);
        if works_there {
            works(&mut memory, &answer);
            let named = [&pairs[..], &[("client_id", "any")]].concat();
            assert_eq!(post_plain(&mut memory, TOKEN, &[], &named).status(), 200);
            let secret = [&pairs[..], &[("client_id", "any"), ("client_secret", "x")]].concat();
            assert_eq!(error(&post_plain(&mut memory, TOKEN, &[], &secret)).1, "invalid_request");
            assert_eq!(error(&post_plain(&mut memory, TOKEN, &[], &pairs[..2])).1, "invalid_target");
        } else {
            assert_eq!(error(&answer), (400, "invalid_grant".to_owned()), "{token:?}");
        }
    }
    let memory = Memory::new(Dials::default());
    assert_eq!(memory.world.workload_token(NOW), None);
}

#[test]
fn faults_find_the_new_requests() {
    let fault = |purpose, what| Fault { purpose, nth: 1, what };
    let faults = vec![
        fault(Purpose::TokenExchange, Trouble::Drop),
        fault(Purpose::AssertionGrant, Trouble::DropAfter),
    ];
    let mut memory = Memory::new(Dials { faults, ..dials(enterprise()) });
    assert_eq!(exchange(&mut memory, &there(), &[]).status(), 502);
    let first = assertion(&mut memory);
    assert_eq!(grant(&mut memory, &here(), &first, &[]).status(), 502);
    // It took effect, and an assertion is used once.
    assert_eq!(error(&grant(&mut memory, &here(), &first, &[])), (400, "invalid_grant".to_owned()));
}
