//! Registration: by itself, by hand, by a document.

mod login;

use http::Request;
use login::*;
use mcp_auth_testbed::{
    Browsed, Dials, DocumentFetch, PreRegistered, RegisteredRedirects, Registration, RegistrationAgain,
    RegistrationScope, SecretDespiteNone,
};
use serde_json::{Value, json};

fn found(dials: Dials) -> (Memory, Found) {
    let mut memory = Memory::new(dials);
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    (memory, found)
}

fn asked(dials: Dials, body: &Value) -> Answer {
    let (mut memory, found) = found(dials);
    post_json(&mut memory, &found.endpoint("registration_endpoint"), body)
}

/// The status and error of a token request, after a consent.
fn token_status(memory: &mut Memory, found: &Found, client: &Client) -> (u16, String) {
    let code = code(memory, found, client, "");
    let answer = redeem(memory, found, client, &code, &[]);
    (answer.status().as_u16(), error_of(&answer))
}

fn fine() -> (u16, String) {
    (200, String::new())
}

fn no_client() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

#[test]
fn each_method_is_the_one_that_works() {
    let methods = ["none", "client_secret_basic", "client_secret_post"];
    for method in methods {
        let (mut memory, found) = found(Dials::default());
        let client = register(&mut memory, &found, method);
        assert_eq!(client.secret.is_some(), method != "none");
        for used in methods {
            let shown = Client {
                secret: client.secret.clone().or(Some("a secret".into())),
                method: used.into(),
                ..client.clone()
            };
            let expected = if used == method { fine() } else { no_client() };
            assert_eq!(token_status(&mut memory, &found, &shown), expected, "{method} {used}");
        }
        if method != "none" {
            let wrong = Client { secret: Some("wrong + secret".into()), ..client };
            assert_eq!(token_status(&mut memory, &found, &wrong), no_client());
        }
    }
}

#[test]
fn two_methods_at_once_are_one_too_many() {
    let (mut memory, found) = found(Dials { refuse_client_id_with_basic: true, ..Dials::default() });
    let client = register(&mut memory, &found, "client_secret_basic");
    let code = code(&mut memory, &found, &client, "");
    let answer = redeem(&mut memory, &found, &client, &code, &[("client_id", &client.id)]);
    assert_eq!(error_of(&answer), "invalid_request");
    let answer = redeem(&mut memory, &found, &client, &code, &[("client_secret", "x")]);
    assert_eq!(error_of(&answer), "invalid_request");
    assert_eq!(redeem(&mut memory, &found, &client, &code, &[]).status(), 200);
}

#[test]
fn no_endpoint_a_closed_one_and_one_with_a_token() {
    let (mut memory, found_here) = found(Dials { registration: Registration::Absent, ..Dials::default() });
    assert!(found_here.server.get("registration_endpoint").is_none());
    let answer = post_json(&mut memory, "https://as.example/register", &registration("none"));
    assert_eq!(answer.status(), 404);

    let answer =
        asked(Dials { registration: Registration::Forbidden, ..Dials::default() }, &registration("none"));
    assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (403, b"Forbidden".as_slice()));

    let dials =
        || Dials { registration: Registration::InitialAccessToken("initial".into()), ..Dials::default() };
    assert_eq!(asked(dials(), &registration("none")).status(), 401);
    let (mut memory, found) = found(dials());
    let request = Request::post(found.endpoint("registration_endpoint"))
        .header("content-type", "application/json")
        .header("authorization", "Bearer initial");
    let answer = memory.send(request.body(registration("none").to_string().into_bytes()).unwrap());
    assert_eq!(answer.status(), 201);
}

#[test]
fn what_cannot_be_registered() {
    let with = |name: &str, value: Value| {
        let mut body = registration("none");
        body[name] = value;
        let answer = asked(Dials::default(), &body);
        assert_eq!(answer.status(), 400, "{name}");
        error_of(&answer)
    };
    assert_eq!(with("redirect_uris", json!([])), "invalid_redirect_uri");
    assert_eq!(with("redirect_uris", json!("http://127.0.0.1/")), "invalid_redirect_uri");
    assert_eq!(with("redirect_uris", json!(["http://example.com/"])), "invalid_redirect_uri");
    assert_eq!(with("redirect_uris", json!(["javascript:alert(1)"])), "invalid_redirect_uri");
    assert_eq!(with("redirect_uris", json!(["https://example.com/#a"])), "invalid_redirect_uri");
    assert_eq!(with("application_type", json!("web")), "invalid_redirect_uri");
    assert_eq!(with("grant_types", json!(["refresh_token"])), "invalid_client_metadata");
    assert_eq!(with("grant_types", json!(["authorization_code", "password"])), "invalid_client_metadata");
    assert_eq!(with("response_types", json!(["token"])), "invalid_client_metadata");
    assert_eq!(with("token_endpoint_auth_method", json!("private_key_jwt")), "invalid_client_metadata");
}

#[test]
fn the_status_and_the_empties() {
    let dials = Dials { registration_status: 200, registration_empties: true, ..Dials::default() };
    let answer = asked(dials, &registration("none"));
    assert_eq!(answer.status(), 200);
    let body = json_of(&answer);
    assert!(body["client_id"].is_string() && body["grant_types"].is_null());
    assert_eq!(body["token_endpoint_auth_method"], "");
    assert!(body.as_object().unwrap().contains_key("client_secret"));
}

#[test]
fn redirect_uris_in_the_answer() {
    let answer = |registered_redirects| {
        let (mut memory, found) = found(Dials { registered_redirects, ..Dials::default() });
        let body =
            json_of(&post_json(&mut memory, &found.endpoint("registration_endpoint"), &registration("none")));
        let id = body["client_id"].as_str().unwrap().to_owned();
        let client = Client { id, secret: None, method: "none".into() };
        let browsed = memory.browse(&authorization_url(&found, &client, "", &[]));
        (body["redirect_uris"].clone(), matches!(browsed, Browsed::Callback(_)))
    };
    let other = json!(["https://rewritten.example/callback"]);
    assert_eq!(answer(RegisteredRedirects::AsSent), (json!([REDIRECT]), true));
    assert_eq!(answer(RegisteredRedirects::Omitted), (Value::Null, true));
    assert_eq!(answer(RegisteredRedirects::RewrittenInTheAnswer), (other.clone(), true));
    assert_eq!(answer(RegisteredRedirects::Rewritten), (other, false));
}

#[test]
fn a_secret_ends() {
    let (mut memory, found) = found(Dials { secret_lifetime: Some(100), ..Dials::default() });
    let client = register(&mut memory, &found, "client_secret_post");
    memory.now += 99;
    assert_eq!(token_status(&mut memory, &found, &client), fine());
    memory.now += 1;
    assert_eq!(token_status(&mut memory, &found, &client), no_client());
    let client = register(&mut memory, &found, "client_secret_post");
    assert_eq!(token_status(&mut memory, &found, &client), fine());
    memory.world.expire_client_secrets();
    assert_eq!(token_status(&mut memory, &found, &client), no_client());
}

#[test]
fn a_secret_though_the_method_is_none() {
    let cases = [(SecretDespiteNone::Decorative, fine()), (SecretDespiteNone::Demanded, no_client())];
    for (secret_despite_none, without) in cases {
        let (mut memory, found) = found(Dials { secret_despite_none, ..Dials::default() });
        let client = register(&mut memory, &found, "none");
        assert!(client.secret.is_some());
        assert_eq!(token_status(&mut memory, &found, &client), without);
        let with = Client { method: "client_secret_post".into(), ..client };
        assert_eq!(token_status(&mut memory, &found, &with), fine());
    }
}

#[test]
fn the_server_decides_the_method() {
    let dials = Dials { registered_method: Some("client_secret_basic".into()), ..Dials::default() };
    let (mut memory, found) = found(dials);
    let client = register(&mut memory, &found, "client_secret_post");
    assert_eq!(client.method, "client_secret_basic");
    assert_eq!(token_status(&mut memory, &found, &client), fine());
}

#[test]
fn scope_at_registration() {
    let mut with = registration("none");
    with["scope"] = json!("files:read");
    let without = registration("none");
    let status = |registration_scope, body: &Value| {
        asked(Dials { registration_scope, ..Dials::default() }, body).status().as_u16()
    };
    assert_eq!(status(RegistrationScope::Required, &without), 400);
    assert_eq!(status(RegistrationScope::Required, &with), 201);
    assert_eq!(status(RegistrationScope::Refused, &with), 400);
    assert_eq!(status(RegistrationScope::Refused, &without), 201);

    let (mut memory, found) =
        found(Dials { registration_scope: RegistrationScope::Binding, ..Dials::default() });
    let answer = json_of(&post_json(&mut memory, &found.endpoint("registration_endpoint"), &with));
    let id = answer["client_id"].as_str().unwrap().to_owned();
    let client = Client { id, secret: None, method: "none".into() };
    let url = authorization_url(&found, &client, "files:read offline_access", &[]);
    assert_eq!(value(&callback(&memory.browse(&url)), "error"), Some("invalid_scope"));
}

#[test]
fn a_client_registered_by_hand() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let clients = vec![PreRegistered::confidential("by hand", "a+b%/:&=", method, REDIRECT)];
        let (mut memory, found) = found(Dials { clients, ..Dials::default() });
        let client = Client { id: "by hand".into(), secret: Some("a+b%/:&=".into()), method: method.into() };
        assert_eq!(token_status(&mut memory, &found, &client), fine());
    }
}

#[test]
fn a_client_by_its_document() {
    const ID: &str = "https://client.example/metadata.json";
    let document = json!({
        "client_id": ID, "client_name": "The test", "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let client = Client { id: ID.into(), secret: None, method: "none".into() };
    let with = |document: Option<Value>| {
        let mut dials = Dials::default();
        dials.client_documents.extend(document.map(|document| (ID.to_owned(), document)));
        found(dials)
    };
    let (mut memory, found_here) = with(Some(document.clone()));
    assert_eq!(found_here.server["client_id_metadata_document_supported"], true);
    assert_eq!(token_status(&mut memory, &found_here, &client), fine());

    let mut bad = vec![None];
    for (name, value) in [
        ("client_id", json!("https://client.example/other.json")),
        ("client_name", Value::Null),
        ("redirect_uris", json!(["http://127.0.0.1:1/"])),
        ("token_endpoint_auth_method", json!("client_secret_post")),
    ] {
        let mut document = document.clone();
        document[name] = value;
        bad.push(Some(document));
    }
    for document in bad {
        let (mut memory, found) = with(document.clone());
        let browsed = memory.browse(&authorization_url(&found, &client, "", &[]));
        assert!(matches!(browsed, Browsed::Page { status: 400, .. }), "{document:?}: {browsed:?}");
    }
    let mut dials = Dials { client_id_metadata_documents: false, ..Dials::default() };
    dials.client_documents.insert(ID.to_owned(), document);
    let (mut memory, found) = found(dials);
    assert!(found.server.get("client_id_metadata_document_supported").is_none());
    let browsed = memory.browse(&authorization_url(&found, &client, "", &[]));
    assert!(matches!(browsed, Browsed::Page { status: 400, .. }));
}

/// A client by its document, and servers that can or cannot fetch it.
fn described(client_document_fetch: DocumentFetch) -> (Memory, Found, Client) {
    const ID: &str = "https://client.example/me.json";
    let mut dials = Dials { client_document_fetch, ..Dials::default() };
    let document = json!({
        "client_id": ID, "client_name": "By document", "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    dials.client_documents.insert(ID.to_owned(), document);
    let (memory, found) = found(dials);
    (memory, found, Client { id: ID.to_owned(), secret: None, method: "none".into() })
}

#[test]
fn a_document_that_cannot_be_fetched() {
    let browsed = |fetch| {
        let (mut memory, found, client) = described(fetch);
        memory.browse(&authorization_url(&found, &client, "", &[]))
    };
    assert!(matches!(browsed(DocumentFetch::Page), Browsed::Page { status: 400, .. }));
    assert!(matches!(browsed(DocumentFetch::ServerError), Browsed::Page { status: 500, .. }));
    let pairs = callback(&browsed(DocumentFetch::InvalidClientInCallback));
    let told = ["error", "state", "iss", "code"].map(|name| value(&pairs, name));
    assert_eq!(told, [Some("invalid_client"), Some("the state"), Some("https://as.example"), None]);

    let (mut memory, found, client) = described(DocumentFetch::InvalidClientAtToken);
    assert_eq!(token_status(&mut memory, &found, &client), no_client());
    memory.world.dials_mut().client_document_fetch = DocumentFetch::Succeeds;
    assert_eq!(token_status(&mut memory, &found, &client), fine());
}

#[test]
fn a_document_that_cannot_be_fetched_any_more() {
    for fetch in [
        DocumentFetch::Page,
        DocumentFetch::InvalidClientInCallback,
        DocumentFetch::InvalidClientAtToken,
        DocumentFetch::ServerError,
    ] {
        let (mut memory, found, client) = described(DocumentFetch::Succeeds);
        let code = code(&mut memory, &found, &client, "");
        let tokens = json_of(&redeem(&mut memory, &found, &client, &code, &[]));
        memory.world.dials_mut().client_document_fetch = fetch;
        let answer = refresh(&mut memory, &found, &client, tokens["refresh_token"].as_str().unwrap());
        assert_eq!((answer.status().as_u16(), error_of(&answer)), no_client(), "{fetch:?}");
        // Clients of other kinds are not touched by it, and an unknown one still gets its page.
        let registered = register(&mut memory, &found, "none");
        assert_eq!(token_status(&mut memory, &found, &registered), fine(), "{fetch:?}");
        let unknown = Client { id: "unknown".into(), ..registered };
        let browsed = memory.browse(&authorization_url(&found, &unknown, "", &[]));
        assert!(matches!(browsed, Browsed::Page { status: 400, .. }), "{fetch:?}");
    }
}

#[test]
fn a_client_by_hand_needs_no_document() {
    let id = "https://client.example/by-hand.json";
    let (mut memory, found) = found(Dials {
        clients: vec![PreRegistered::public(id, REDIRECT)],
        client_document_fetch: DocumentFetch::InvalidClientAtToken,
        ..Dials::default()
    });
    let client = Client { id: id.to_owned(), secret: None, method: "none".into() };
    assert_eq!(token_status(&mut memory, &found, &client), fine());
}

#[test]
fn a_purged_client_meets_a_page_and_registers_anew() {
    let (mut memory, found) = found(Dials::default());
    let client = register(&mut memory, &found, "client_secret_basic");
    assert_eq!(token_status(&mut memory, &found, &client), fine());
    memory.world.purge_clients();
    let browsed = memory.browse(&authorization_url(&found, &client, "", &[]));
    let Browsed::Page { status: 400, text } = browsed else { panic!("{browsed:?}") };
    assert!(text.contains("The client is not known here."), "{text}");
    let client = register(&mut memory, &found, "client_secret_basic");
    assert_eq!(token_status(&mut memory, &found, &client), fine());
}

#[test]
fn the_same_dead_secret_again() {
    let again = |registration_again| {
        let (mut memory, found) =
            found(Dials { registration_again, secret_lifetime: Some(100), ..Dials::default() });
        let body = registration("client_secret_post");
        let endpoint = found.endpoint("registration_endpoint");
        let first = json_of(&post_json(&mut memory, &endpoint, &body));
        memory.now += 200;
        let second = json_of(&post_json(&mut memory, &endpoint, &body));
        let text = |name: &str| second[name].as_str().unwrap().to_owned();
        let client = Client {
            id: text("client_id"),
            secret: Some(text("client_secret")),
            method: text("token_endpoint_auth_method"),
        };
        let same = ["client_id", "client_secret"].map(|name| first[name] == second[name]);
        // The person consents, and the token endpoint refuses all the same.
        (same, second["client_secret_expires_at"].as_u64(), token_status(&mut memory, &found, &client))
    };
    assert_eq!(again(RegistrationAgain::New), ([false, false], Some(NOW + 300), fine()));
    assert_eq!(again(RegistrationAgain::Same), ([true, true], Some(NOW + 100), no_client()));

    let (mut memory, found) =
        found(Dials { registration_again: RegistrationAgain::Same, ..Dials::default() });
    let body = registration("client_secret_post");
    let endpoint = found.endpoint("registration_endpoint");
    let mut expires = || {
        let answer = json_of(&post_json(&mut memory, &endpoint, &body));
        memory.world.expire_client_secrets();
        answer["client_secret_expires_at"].as_u64().unwrap()
    };
    assert_eq!(expires(), 0, "it never ends");
    assert!((1..NOW).contains(&expires()), "it has ended");
    let mut id_of = |body: &Value| json_of(&post_json(&mut memory, &endpoint, body))["client_id"].clone();
    assert_eq!(id_of(&body), id_of(&body));
    for (name, value) in [
        ("client_name", json!("Another")),
        ("redirect_uris", json!(["http://127.0.0.1:7778/callback"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
    ] {
        let mut other = body.clone();
        other[name] = value;
        assert_ne!(id_of(&other), id_of(&body), "{name}");
    }
}
