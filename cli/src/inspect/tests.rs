//! Judgements over documents, without a network: the walk is answered from a table.

use std::time::Duration;

use http::HeaderMap;
use mcp_auth::{Guard, Reach, SendFailure};
use serde_json::{Map, Value, json};

use super::evidence::{Answer, Evidence};
use super::report::{Report, Verdict};
use super::walk::Walk;
use super::{json, judge};

const SERVER: &str = "https://mcp.example/mcp?api_key=hush";
const PRM: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
const PRM_ROOT: &str = "https://mcp.example/.well-known/oauth-protected-resource";
const OAUTH: &str = "https://as.example/.well-known/oauth-authorization-server";
const OPENID: &str = "https://as.example/.well-known/openid-configuration";
const CHALLENGE: &str =
    "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\", scope=\"a\"";

fn answer(status: u16, fields: &[(&'static str, &str)], body: &str) -> Answer {
    let fields = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Answer { status, fields: fields.collect::<HeaderMap>(), body: body.as_bytes().to_vec() }
}

fn document(body: &Value) -> Answer {
    let fields = [("content-type", "application/json; charset=utf-8"), ("cache-control", "max-age=60")];
    answer(200, &fields, &body.to_string())
}

fn resource() -> Value {
    json!({"resource": "https://mcp.example/mcp", "authorization_servers": ["https://as.example"],
        "scopes_supported": ["a", "b"], "bearer_methods_supported": ["header"]})
}

fn server() -> Value {
    json!({
        "issuer": "https://as.example",
        "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token",
        "revocation_endpoint": "https://as.example/revoke",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["a", "b", "offline_access"],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": true,
    })
}

/// `base` with the members of `patch`; `null` takes one away.
fn patched(base: Value, patch: Value) -> Value {
    let (Value::Object(mut members), Value::Object(patch)) = (base, patch) else { panic!("two objects") };
    for (name, value) in patch {
        match value {
            Value::Null => members.remove(&name),
            value => members.insert(name, value),
        };
    }
    Value::Object(members)
}

/// The answers of good servers.
fn good(method: &str, url: &str, authorized: bool) -> Answer {
    match (method, url) {
        ("POST", SERVER) if authorized => {
            answer(401, &[("www-authenticate", &format!("{CHALLENGE}, error=\"invalid_token\""))], "")
        }
        ("POST", SERVER) => answer(401, &[("www-authenticate", CHALLENGE)], ""),
        ("GET", PRM) => document(&resource()),
        ("GET", OAUTH) => document(&server()),
        _ => answer(404, &[], ""),
    }
}

/// What was sent, and what was seen, with these answers.
fn walked(
    reach: Option<Reach>,
    answers: impl Fn(&http::Request<Vec<u8>>) -> Result<Answer, SendFailure>,
) -> (Vec<http::Request<Vec<u8>>>, Evidence) {
    let mut walk = Walk::new(Guard::new(Reach::Any).check(SERVER).unwrap(), reach);
    let mut sent = Vec::new();
    while let Some(ask) = walk.next() {
        sent.push(ask.request.clone());
        let came = answers(&ask.request);
        walk.came(ask, came, Duration::from_millis(5));
        assert!(sent.len() < 100, "the walk has an end");
    }
    (sent, walk.done())
}

fn answered(answers: impl Fn(&str, &str) -> Option<Answer>) -> Report {
    let (_, seen) = walked(None, |request| {
        let (method, url) = (request.method().as_str(), request.uri().to_string());
        let authorized = request.headers().contains_key("authorization");
        Ok(answers(method, &url).unwrap_or_else(|| good(method, &url, authorized)))
    });
    judge::judge(&seen)
}

/// What is odd and wrong, as `id verdict`.
fn faults(report: &Report) -> Vec<String> {
    let bad = report.findings().filter(|finding| finding.verdict >= Verdict::Odd);
    bad.map(|finding| format!("{} {}", finding.rule.id, finding.verdict.name())).collect()
}

fn got<'a>(report: &'a Report, id: &str) -> (&'a str, Verdict) {
    let finding = report.findings().find(|finding| finding.rule.id == id);
    let finding = finding.unwrap_or_else(|| panic!("{id} was not judged"));
    (&finding.got, finding.verdict)
}

#[test]
fn good_servers_are_found_good() {
    let report = answered(|_, _| None);
    assert_eq!(faults(&report), Vec::<String>::new());
    assert_eq!(
        report.outlook.summary(),
        "A client would identify itself by its metadata document at https://as.example, and ask for `a` for \
         https://mcp.example/mcp."
    );
    assert!(report.left(super::catalogue::Revision::July2026, Verdict::Wrong).is_empty());
}

#[test]
fn nothing_is_sent_but_questions() {
    let (sent, seen) = walked(None, |request| {
        let authorized = request.headers().contains_key("authorization");
        Ok(good(request.method().as_str(), &request.uri().to_string(), authorized))
    });
    let asked: Vec<_> = sent.iter().map(|it| format!("{} {}", it.method(), it.uri())).collect();
    let server = format!("POST {SERVER}");
    let expected = [&server, &server, &server, &format!("GET {PRM}"), &format!("GET {PRM_ROOT}")];
    assert_eq!(asked[..5].iter().collect::<Vec<_>>(), expected);
    assert_eq!(asked[5..], [format!("GET {OAUTH}"), format!("GET {OPENID}")]);
    let tokens: Vec<_> = sent.iter().filter_map(|it| it.headers().get("authorization")).collect();
    assert_eq!(tokens, ["Bearer mcp-auth-inspect-presents-no-token"]);
    // What the query of the server's URL holds is for the server alone.
    let report = judge::judge(&seen);
    let mut page = Vec::new();
    super::page::write(&mut page, &report, true).unwrap();
    let shown = json::report(&report).to_string() + &String::from_utf8(page).unwrap();
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn each_member_of_the_resource_metadata_counts() {
    for (patch, said) in [
        (json!({"bearer_methods_supported": ["query"]}), "prm-bearer-methods wrong"),
        (json!({"bearer_methods_supported": ["header", "query"]}), "prm-bearer-methods odd"),
        (json!({"bearer_methods_supported": []}), "prm-bearer-methods wrong"),
        (json!({"tls_client_certificate_bound_access_tokens": true}), "prm-mutual-tls odd"),
        (json!({"resource_name": 7}), "prm-types wrong"),
        (json!({"jwks_uri": ""}), "prm-empty odd"),
        (json!({"resource_signing_alg_values_supported": []}), "prm-empty wrong"),
        (json!({"resource": "https://MCP.example/mcp"}), "prm-resource-matches odd"),
        (json!({"resource": "https://mcp.example"}), "prm-resource-matches odd"),
        (json!({"scopes_supported": ["offline_access", "a"]}), "prm-scopes-offline odd"),
    ] {
        let told = patch.to_string();
        let body = patched(resource(), patch);
        let report = answered(|_, url| (url == PRM).then(|| document(&body)));
        assert_eq!(faults(&report), [said], "{told}");
    }
}

/// Who takes bound tokens only has no method to send others (RFC 9728 §2).
#[test]
fn a_resource_may_take_no_bearer_tokens() {
    let bound = json!({"bearer_methods_supported": [], "dpop_bound_access_tokens_required": true});
    let (prm, algorithms) =
        (patched(resource(), bound), json!({"dpop_signing_alg_values_supported": ["ES256"]}));
    let own = patched(server(), algorithms);
    let report = answered(|_, url| match url {
        PRM => Some(document(&prm)),
        OAUTH => Some(document(&own)),
        _ => None,
    });
    assert_eq!(faults(&report), Vec::<String>::new());
    assert!(report.outlook.summary().contains("with a key for DPoP"));
}

#[test]
fn each_member_of_the_server_metadata_counts() {
    for (patch, said) in [
        (json!({"issuer": "https://as.example/"}), "as-issuer wrong"),
        (json!({"issuer": null}), "as-issuer wrong"),
        (json!({"token_endpoint": null}), "as-token-endpoint wrong"),
        (json!({"authorization_endpoint": null}), "as-authorization-endpoint wrong"),
        (json!({"token_endpoint": "http://as.example/token"}), "as-endpoints wrong"),
        (json!({"registration_endpoint": "javascript:alert(1)"}), "as-endpoints wrong"),
        (json!({"revocation_endpoint": "https://10.0.0.1/"}), "as-endpoints wrong"),
        (json!({"response_types_supported": null}), "as-response-types wrong"),
        (json!({"response_types_supported": ["token"]}), "as-response-types wrong"),
        (json!({"grant_types_supported": ["refresh_token"]}), "as-grant-types wrong"),
        (
            json!({"grant_types_supported": ["authorization_code", "refresh_token", "password"]}),
            "as-grant-types-old odd",
        ),
        (json!({"grant_types_supported": ["authorization_code"]}), "as-refresh odd"),
        (json!({"code_challenge_methods_supported": ["s256"]}), "as-pkce wrong"),
        (json!({"authorization_response_iss_parameter_supported": false}), "as-iss odd"),
        (
            json!({"client_id_metadata_document_supported": false, "registration_endpoint": "https://as.example/r"}),
            "as-client-id-metadata-document odd",
        ),
        (
            json!({"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"]}),
            "as-auth-algorithms wrong",
        ),
        (json!({"require_pushed_authorization_requests": true}), "as-pushed wrong"),
        (json!({"dpop_signing_alg_values_supported": ["none"]}), "as-dpop wrong"),
        (json!({"protected_resources": ["https://mcp.example/"]}), "as-protected-resources odd"),
        (json!({"scopes_supported": ["a"]}), "as-scopes odd"),
        (json!({"response_modes_supported": "query"}), "as-types wrong"),
        (json!({"response_modes_supported": []}), "as-empty wrong"),
    ] {
        let told = patch.to_string();
        let body = patched(server(), patch);
        let report = answered(|_, url| (url == OAUTH).then(|| document(&body)));
        assert_eq!(faults(&report), [said], "{told}");
    }
}

#[test]
fn every_fault_of_a_document_is_told_at_once() {
    let body = json!({"issuer": 7, "token_endpoint": "http://as.example/", "signed_metadata": "e30.e30.e30"});
    let report = answered(|_, url| (url == OAUTH).then(|| document(&body)));
    let told = faults(&report).join(", ");
    for id in
        ["as-types", "as-issuer", "as-authorization-endpoint", "as-endpoints", "as-pkce", "as-response-types"]
    {
        assert!(told.contains(&format!("{id} wrong")), "{id} is missing in {told}");
    }
    assert_eq!(got(&report, "as-signed").1, Verdict::Note);
}

#[test]
fn the_form_of_a_document_counts() {
    let doubled = "{\"resource\":\"https://mcp.example/mcp\",\"resource\":\"https://evil.example\"}";
    let report = answered(|_, url| (url == PRM).then(|| answer(200, &[], doubled)));
    assert_eq!(faults(&report), ["prm-found wrong", "prm-advertised wrong", "prm-json wrong"]);
    assert!(got(&report, "prm-json").0.contains("no member named twice"));

    let html = answer(200, &[("content-type", "text/html")], &resource().to_string());
    let report = answered(|_, url| (url == PRM).then(|| html.clone()));
    assert_eq!(faults(&report), ["prm-content-type wrong"]);

    let padded = format!("{}{}", resource(), " ".repeat(70_000));
    let large = answer(200, &[("content-type", "application/json")], &padded);
    let report = answered(|_, url| (url == PRM).then(|| large.clone()));
    assert_eq!(faults(&report), ["prm-size odd"]);
}

#[test]
fn documents_of_one_resource_should_agree() {
    let other = patched(resource(), json!({"authorization_servers": ["https://other.example"]}));
    let report = answered(|_, url| (url == PRM_ROOT).then(|| document(&other)));
    assert_eq!(faults(&report), ["prm-documents-agree odd"]);
    assert!(got(&report, "prm-documents-agree").0.starts_with("authorization_servers at "));
    assert!(got(&report, "prm-json").0.ends_with(&format!(", at {PRM}")));

    // What another resource of this origin says in root form is none of this one's business.
    let other =
        json!({"resource": "https://mcp.example/other", "authorization_servers": ["x"], "jwks_uri": 7});
    let report = answered(|_, url| (url == PRM_ROOT).then(|| document(&other)));
    assert_eq!(faults(&report), Vec::<String>::new());

    let other = patched(server(), json!({"token_endpoint": "https://as.example/other"}));
    let report = answered(|_, url| (url == OPENID).then(|| document(&other)));
    assert_eq!(faults(&report), ["as-documents-agree odd"]);
}

#[test]
fn a_fallback_needs_a_plain_absence() {
    let refusal = || answer(401, &[("www-authenticate", "Bearer scope=\"a\"")], "");
    let legacy = |status: u16| {
        answered(|method, _| Some(if method == "POST" { refusal() } else { answer(status, &[], "") }))
    };
    for status in [401, 403, 404, 410] {
        let told = legacy(status).outlook.summary();
        assert!(
            told.contains("register by RFC 7591 at https://mcp.example, and") && told.contains("2025-03-26")
        );
    }
    for status in [429, 500, 503, 302] {
        assert!(
            legacy(status).outlook.summary().contains("stop at the protected resource metadata"),
            "{status}"
        );
    }
}

#[test]
fn a_session_that_was_begun_is_ended() {
    let (sent, _) = walked(None, |request| {
        let begins = request.body().windows(12).any(|part| part == b"\"initialize\"");
        match (request.method().as_str(), begins) {
            ("POST", true) => Ok(answer(200, &[("mcp-session-id", "s1")], "")),
            ("POST", false) => Err(SendFailure::TimedOut),
            _ => Ok(answer(404, &[], "")),
        }
    });
    let ended: Vec<_> = sent.iter().filter(|request| request.method() == "DELETE").collect();
    assert_eq!(ended.len(), 2, "without a token and with a bad one");
    assert!(ended.iter().all(|request| request.headers()["mcp-session-id"] == "s1"));
}

#[test]
fn private_addresses_are_asked_only_when_allowed() {
    let body = patched(resource(), json!({"authorization_servers": ["https://10.0.0.1"]}));
    for (reach, asked) in [(None, false), (Some(Reach::Any), true)] {
        let (sent, seen) = walked(reach, |request| {
            let url = request.uri().to_string();
            Ok(if url == PRM { document(&body) } else { good(request.method().as_str(), &url, false) })
        });
        assert_eq!(sent.iter().any(|request| request.uri().host() == Some("10.0.0.1")), asked);
        assert_eq!(faults(&judge::judge(&seen)).contains(&"as-issuer-url wrong".to_owned()), !asked);
    }
}

#[test]
fn what_is_behind_a_mistake_is_told() {
    let body = patched(resource(), json!({"resource": "http://mcp.example/mcp"}));
    let report = answered(|_, url| (url == PRM).then(|| document(&body)));
    assert!(got(&report, "prm-resource-matches").0.ends_with("behind a proxy with TLS"));
    let body = patched(server(), json!({"issuer": "https://as.example/{tenantid}"}));
    let report = answered(|_, url| (url == OAUTH).then(|| document(&body)));
    assert!(got(&report, "as-issuer").0.contains("a template"));
}

/// Answers of the token endpoint, and of the authorization endpoint as `location` or a status.
fn probed(token: (u16, &str), authorize: (u16, &'static str)) -> Vec<String> {
    let mut walk = Walk::new(Guard::new(Reach::Any).check(SERVER).unwrap(), None).probing(true);
    while let Some(ask) = walk.next() {
        let (method, url) = (ask.request.method().as_str(), ask.request.uri().to_string());
        let authorized = ask.request.headers().contains_key("authorization");
        let came = match url.split('?').next() {
            Some("https://as.example/token") => answer(token.0, &[], token.1),
            Some("https://as.example/authorize") => answer(authorize.0, &[("location", authorize.1)], ""),
            _ => good(method, &url, authorized),
        };
        walk.came(ask, Ok(came), Duration::ZERO);
    }
    faults(&judge::judge(&walk.done()))
}

#[test]
fn endpoints_are_asked_on_demand() {
    let (refused, page) = ((400, "{\"error\":\"invalid_client\"}"), (200, ""));
    for (token, authorize, said) in [
        (refused, page, &[][..]),
        ((401, "{\"error\":\"invalid_grant\"}"), (302, "/login"), &[]),
        ((400, "{\"error\":\"invalid_request\"}"), (400, ""), &[]),
        ((200, "{\"error\":\"bad_verification_code\"}"), page, &["token-error odd"]),
        ((200, "{\"access_token\":\"x\"}"), page, &["token-error wrong"]),
        ((400, "<html>"), page, &["token-error wrong"]),
        ((500, "{\"error\":\"server_error\"}"), page, &["token-error wrong"]),
        (refused, (404, ""), &["authorize-answers wrong"]),
        (
            refused,
            (302, "https://mcp-auth-inspect.invalid/callback?error=unauthorized_client"),
            &["authorize-redirect wrong"],
        ),
    ] {
        assert_eq!(probed(token, authorize), said, "{token:?} {authorize:?}");
    }
}

#[test]
fn nothing_that_comes_breaks_the_judgement() {
    let bodies = ["", "{", "[]", "{}", "null", "\u{feff}{}", "{\"resource\":{}}", "{\"issuer\":[]}"];
    for status in [200, 204, 301, 304, 401, 500] {
        for body in bodies {
            for method in ["POST", "GET"] {
                let odd = answer(status, &[("location", "::"), ("www-authenticate", "=,\"")], body);
                let report = answered(|its, _| (its == method).then(|| odd.clone()));
                assert!(json::report(&report)["client"]["summary"].is_string());
            }
        }
    }
    let (_, seen) = walked(None, |_| Err(SendFailure::TimedOut));
    assert_eq!(got(&judge::judge(&seen), "server-status").1, Verdict::Wrong);
    let empty = Map::new();
    assert!(!super::document::has(&empty, "issuer"));
}
