//! The documents under hostile input: every prefix, garbage on either side, large inputs, and nothing secret shown.

use std::time::{Duration, Instant};

use mcp_auth::wire::callback::Expected;
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::json::Object;
use mcp_auth::wire::registration::Registration;
use mcp_auth::wire::resource_metadata::ResourceMetadata;
use mcp_auth::wire::server_metadata::{IssuerMatch, ServerMetadata};
use mcp_auth::wire::token::{TokenAnswer, TokenShape};
use mcp_auth::{Callback, Guard, Reach, Secret, Timestamp};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

#[test]
fn every_prefix_of_a_challenge_is_read_without_harm() {
    let field = "Basic realm=\"a, \\\"b\\\"\", Negotiate YWJj==, Bearer resource_metadata=\"https://a.example/?x=y\" , \
                 scope = 'a b', error=insufficient_scope, DPoP algs=\"ES256\"";
    let whole = Demand::of(&challenge::read([field.as_bytes()]));
    assert!(whole.insufficient_scope() && whole.dpop);
    for end in 0..field.len() {
        let part = Demand::of(&challenge::read([&field.as_bytes()[..end]]));
        // A part never says more than the whole.
        assert!(part.resource_metadata.len() <= 1 && (part.scope.is_none() || part.bearer));
    }
}

#[test]
fn a_good_challenge_survives_garbage_on_either_side() {
    let good = "Bearer resource_metadata=\"https://a.example/x\", scope=\"a\"";
    for garbage in [
        "Negotiate",
        "NTLM abc==",
        "Basic realm=\"x\"",
        "@@@",
        "===",
        ",,,",
        "x y z",
        "\u{1}\u{2}",
        "a=b",
        "(comment)",
        "Digest qop=\"auth, auth-int\", nonce=\"a=b\"",
        "ä ö",
        "{\"json\":1}",
        "'",
        "Basic realm=O'Brien",
        "/",
        "a/b",
    ] {
        for field in
            [format!("{garbage}, {good}"), format!("{good}, {garbage}"), format!("{good},{garbage},{good}")]
        {
            let demand = Demand::of(&challenge::read([field.as_bytes()]));
            assert_eq!(demand.resource_metadata, ["https://a.example/x"], "{field}");
            assert_eq!(demand.scope.map(|scope| scope.to_string()).as_deref(), Some("a"), "{field}");
        }
        let demand = Demand::of(&challenge::read([garbage.as_bytes(), good.as_bytes(), garbage.as_bytes()]));
        assert_eq!(demand.resource_metadata, ["https://a.example/x"], "{garbage}");
    }
}

#[test]
fn a_large_challenge_costs_no_more_than_its_limit() {
    for piece in
        ["\"", "'", ",", " ", "=", "a=", "a='", "a=\"", "Bearer ", "Bearer a=\"\\", "a b ", "x,", "\\", "ä"]
    {
        let field = piece.repeat((1 << 20) / piece.len());
        let began = Instant::now();
        let read = challenge::read(std::iter::repeat_n(field.as_bytes(), 100));
        assert!(read.len() <= challenge::MAX_CHALLENGES);
        assert!(began.elapsed() < Duration::from_millis(500), "{piece:?} takes {:?}", began.elapsed());
    }
    // What is beyond the limit is not read.
    let late = format!("{}Bearer scope=a", " ".repeat(challenge::MAX_BYTES));
    assert!(challenge::read([late.as_bytes()]).is_empty());
}

#[test]
fn every_prefix_of_a_callback_gives_the_right_code_or_none() {
    let query = "session_state=x&code=the-code&state=the-state&iss=https%3A%2F%2Fas.example";
    let expected = Expected {
        state: &Secret::new("the-state"),
        issuer: "https://as.example",
        iss_required: true,
        issuer_aliases: &[],
    };
    for end in 0..=query.len() {
        let judged = Callback::new(&query[..end]).judge(&expected);
        assert_eq!(judged.is_ok(), end == query.len(), "{}", &query[..end]);
    }
}

#[test]
fn every_prefix_of_a_document_is_a_breach() {
    let document = json!({
        "resource": "https://a.example/", "authorization_servers": ["https://as.example"], "issuer": "https://as.example",
        "token_endpoint": "https://as.example/t", "client_id": "x", "access_token": "y", "token_type": "Bearer",
        "scopes_supported": ["a", "b"], "deep": {"er": [[[1, 2.5, -3e2, null, true, "\u{e4}\n"]]]},
    })
    .to_string();
    for end in 0..document.len() {
        let part = &document.as_bytes()[..end];
        assert!(Object::read(part).is_err());
        assert!(ResourceMetadata::read(part).is_err());
        assert!(ServerMetadata::read(part, "https://as.example", IssuerMatch::Exact).is_err());
        assert!(Registration::read(201, part).is_err());
        assert!(TokenAnswer::read(200, None, part, NOW, TokenShape::default(), false).is_err());
    }
}

#[test]
fn large_and_deep_documents_end_quickly() {
    for body in
        ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 18), format!("{{\"a\":[{}0]}}", "0,".repeat(1 << 19))]
    {
        let began = Instant::now();
        assert!(Object::read(body.as_bytes()).is_err());
        assert!(began.elapsed() < Duration::from_millis(500));
    }
}

#[test]
fn no_bytes_upset_the_guard() {
    let guard = Guard::new(Reach::Any);
    for byte in 0..=u8::MAX {
        for url in [
            format!("https://a{}b.example/x", char::from(byte)),
            format!("https://a.example/{}", char::from(byte)),
        ] {
            if let Ok(endpoint) = guard.check(&url) {
                assert!(
                    matches!(endpoint.url().host_str(), Some(host) if url.to_lowercase().contains(host)),
                    "{url}"
                );
                assert!(http::Uri::try_from(endpoint.url().as_str()).is_ok(), "{url}");
            }
        }
    }
}

/// Every token answer of the vectors, with canaries in the place of all that is secret, shows none of them.
#[test]
fn no_answer_shows_its_secrets() {
    const CANARY: &str = "canary-in-a-coal-mine";
    let table: Value = serde_json::from_str(include_str!("../vectors/token_answer.json")).unwrap();
    let mut shown = 0;
    for case in table["cases"].as_array().unwrap() {
        let mut input = case["input"].clone();
        if let Some(document) = input["document"].as_object_mut() {
            for name in ["access_token", "refresh_token", "id_token", "client_secret", "unknown"] {
                let spoilt = document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                document.insert(name.to_owned(), json!(format!("{CANARY}{spoilt}")));
            }
        }
        let body = match input.get("document") {
            Some(document) => document.to_string(),
            None => input["body"].as_str().unwrap().replace("access-token-1", CANARY),
        };
        let status = input["status"].as_u64().unwrap_or(200).try_into().unwrap();
        for content_type in [None, Some("application/x-www-form-urlencoded")] {
            let read =
                TokenAnswer::read(status, content_type, body.as_bytes(), NOW, TokenShape::default(), false);
            let text = match &read {
                Ok(answer) => format!("{answer:?}"),
                Err(breach) => format!("{breach:?} {breach}"),
            };
            assert!(!text.contains(CANARY), "{}: {text}", case["name"]);
            let registration = Registration::read(status, body.as_bytes());
            assert!(!format!("{registration:?}").contains(CANARY), "{}: {registration:?}", case["name"]);
            shown += 1;
        }
    }
    assert!(shown > 50);
}
