//! The small readers of text: scopes, extra parameters, what a client says of itself, what a workload's JWT says, and what is
//! shown of a text from elsewhere.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_auth::base::guard::{Fault, redirect_uri, without_query};
use mcp_auth::base::redaction::without_credentials;
use mcp_auth::base::scope::MAX_SCOPES;
use mcp_auth::base::text::clean;
use mcp_auth::policy::ScopeSources;
use mcp_auth::wire::assertion::{Assertion, Expected, LEEWAY};
use mcp_auth::wire::authentication::Message;
use mcp_auth::wire::authorization::{AuthorizationRequest, RESERVED, check_extra};
use mcp_auth::wire::callback;
use mcp_auth::wire::client::{Origin, check_client_id_url, method_to_register};
use mcp_auth::wire::form;
use mcp_auth::wire::json::Object;
use mcp_auth::wire::jws::{Algorithm, SigningInput};
use mcp_auth::wire::server_metadata::IssuerMatch;
use mcp_auth::{
    AuthMethod, Callback, Client, ClientMetadata, Guard, IssuerScopes, Reach, ScopeRule, Scopes, Secret,
    Seed, Timestamp,
};
use serde_json::{Map, Value};

/// Words: what is taken is what its grammar has, is written as it was read, and is read again as the same.
pub(crate) fn words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<_> = text.split('\n').take(64).collect();
    let (first, rest) = lines.split_first().unwrap();
    scopes(first, rest.first().unwrap_or(&""));
    names(first, rest.first().unwrap_or(&""));
    let pairs: Vec<_> = lines.iter().map(|line| line.split_once('=').unwrap_or((line, ""))).collect();
    extra(&pairs);
    posted(&pairs);
    client(first, rest);
    workload(data);
    shown(&text, first);
    redirect(first);
    offered(&lines);
    tenant(first);
    selected(&lines);
}

/// RFC 6749 §3.3: what is a token is kept, once, in the order in which it was first named; what is none is refused.
fn scopes(text: &str, other: &str) {
    let is_token = |token: &&str| {
        !token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic() && it != b'"' && it != b'\\')
    };
    let named: Vec<_> = text.split(' ').filter(|token| !token.is_empty()).collect();
    let distinct: BTreeSet<_> = named.iter().collect();
    let fits = named.iter().all(is_token) && distinct.len() <= MAX_SCOPES;
    let read = Scopes::parse(text);
    assert_eq!(read.is_ok(), fits, "{text:?}");
    assert_eq!(Scopes::from_tokens(named.iter().copied()), read);
    assert_eq!(serde_json::from_value::<Scopes>(text.into()).ok(), read.clone().ok());
    let Ok(read) = read else {
        assert!(!read.unwrap_err().to_string().contains(char::is_control));
        return;
    };
    let kept: Vec<_> = read.iter().collect();
    let mut once: Vec<&str> = Vec::new();
    named.iter().for_each(|token| {
        if !once.contains(token) {
            once.push(token)
        }
    });
    assert_eq!(kept, once);
    assert_eq!(read.as_str(), kept.join(" "));
    assert_eq!(Scopes::parse(read.as_str()).as_ref(), Ok(&read));
    assert!(read.len() == kept.len() && kept.iter().all(|token| read.contains(token)));
    let Ok(other) = Scopes::parse(other) else { return };
    let both = read.union(&other);
    assert!(other.is_subset(&both) && both.len() <= MAX_SCOPES);
    assert!(read.len() + other.len() > MAX_SCOPES || read.is_subset(&both));
    assert!(both.iter().all(|token| read.contains(token) || other.contains(token)));
    let less = read.without(&other);
    assert!(read.iter().all(|token| less.contains(token) != other.contains(token)) && less.is_subset(&read));
}

/// Registered names, issuers and seeds: the same text, and no other.
fn names(text: &str, other: &str) {
    if let Some(method) = AuthMethod::parse(text) {
        assert_eq!(method.as_str(), text);
    }
    if let Some(algorithm) = Algorithm::parse(text) {
        assert_eq!(algorithm.as_str(), text);
    }
    if let Ok(seed) = serde_json::from_value::<Seed>(text.into()) {
        assert_eq!(String::from(seed), text);
    }
    assert_eq!(IssuerMatch::Exact.same(text, other), text == other);
    if IssuerMatch::IgnoreLoneSlash.same(text, other) && text != other {
        let (short, long) = if text.len() < other.len() { (text, other) } else { (other, text) };
        assert_eq!(long.strip_suffix('/'), Some(short));
        assert!(!short.split_once("://").unwrap().1.contains('/'), "{short} has a path");
    }
}

/// Parameters that leave those of the request alone arrive as they were given, after those of the request, which stand as they
/// would without them.
fn extra(pairs: &[(&str, &str)]) {
    let extra: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let once: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
    let plain = |text: &str| !text.contains(char::is_control);
    let fits = once.len() == pairs.len()
        && pairs.iter().all(|(name, _)| !name.is_empty() && !RESERVED.contains(name))
        && pairs.iter().all(|(name, value)| plain(name) && plain(value));
    let judged = check_extra(&extra);
    assert_eq!(judged.is_ok(), fits, "{pairs:?}");
    let endpoint = Guard::new(Reach::Public).check("https://as.example/authorize?own=1").unwrap();
    let scopes = Scopes::parse("offline_access").unwrap();
    let request = AuthorizationRequest {
        endpoint: &endpoint,
        client_id: "client-1",
        redirect_uri: "http://127.0.0.1:1/cb",
        scopes: &scopes,
        state: "the-state",
        code_challenge: "the-challenge",
        resource: Some("https://mcp.example/mcp"),
        dpop_jkt: None,
        extra: &extra,
    };
    let Ok(url) = request.url() else {
        assert!(!fits || once.contains(&"own"), "{pairs:?}");
        return;
    };
    assert!(fits);
    let sent: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert_eq!(sent[0], ("own".to_owned(), "1".to_owned()));
    assert_eq!(sent[sent.len() - extra.len()..], extra);
    let bare = AuthorizationRequest { extra: &[], ..request }.url().unwrap();
    let unchanged = bare.query_pairs().into_owned().filter(|(name, _)| !once.contains(&name.as_str()));
    assert_eq!(sent[..sent.len() - extra.len()], unchanged.collect::<Vec<_>>());
    assert!(url.as_str().starts_with("https://as.example/authorize?own=1&") && url.fragment().is_none());
}

/// RFC 6749 appendix B, §2.3.1: what is posted is what was given, and the client is in one place.
fn posted(pairs: &[(&str, &str)]) {
    let given: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let body = form::encode(pairs.iter().copied());
    assert!(body.bytes().all(|byte| byte.is_ascii_graphic()));
    let broken = pairs.iter().any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'));
    assert_eq!(form::decode(&body).ok(), (!broken).then_some(given), "{pairs:?}");
    let [(id, secret), ..] = pairs else { return };
    let mut client = Client::new(*id, Origin::Preregistered);
    client.secret = Some(Secret::from(*secret));
    client.method = AuthMethod::ClientSecretBasic;
    let message = Message::of(vec![("grant_type", "x")], &client, None).unwrap();
    assert_eq!(message.body.expose(), "grant_type=x");
    let credentials = message.authorization.unwrap();
    let decoded = STANDARD.decode(credentials.expose().strip_prefix("Basic ").unwrap()).unwrap();
    let decoded = String::from_utf8(decoded).unwrap();
    let (user, password) = decoded.split_once(':').unwrap();
    let back = |part: &str| {
        let text = format!("x={part}");
        url::form_urlencoded::parse(text.as_bytes()).next().unwrap().1.into_owned()
    };
    assert_eq!((back(user).as_str(), back(password).as_str()), (*id, *secret));
}

/// A metadata document says what it is made of and nothing else: it stands at its own identifier, and holds no secret (Client ID
/// Metadata Documents §4.1).
fn client(first: &str, rest: &[&str]) {
    let id = rest.first().copied().unwrap_or("https://client.example/me.json");
    let mut metadata = ClientMetadata::new(first, id);
    metadata.contacts = rest.iter().map(|&line| line.to_owned()).collect();
    metadata.client_uri = rest.get(1).map(|&line| line.to_owned());
    let scopes = rest.get(2).and_then(|line| Scopes::parse(line).ok());
    let made = metadata.document(id, scopes.as_ref(), None);
    assert_eq!(made.is_ok(), check_client_id_url(id).is_ok(), "{id}");
    let statement = Secret::from("the-statement");
    let no_scopes = Scopes::new();
    let asked = scopes.as_ref().unwrap_or(&no_scopes);
    let body = metadata.registration_body(AuthMethod::ClientSecretPost, asked, Some(&statement));
    let registration: Map<String, Value> = serde_json::from_slice(&body).unwrap();
    assert!(!registration.contains_key("client_id") && registration["software_statement"] == "the-statement");
    let Ok(document) = made else { return };
    let text = document.to_string();
    let read = Object::read(text.as_bytes()).unwrap();
    assert_eq!(read.text("client_id", "").unwrap(), Some(id));
    let named = Some(first).filter(|name| !name.is_empty());
    assert_eq!(read.text("client_name", "").unwrap(), named);
    assert_eq!(read.text("scope", "").unwrap().unwrap_or_default(), asked.as_str());
    assert_eq!(read.text("token_endpoint_auth_method", "").unwrap(), Some("none"));
    let Value::Object(mut document) = document else { panic!("{text}") };
    for name in ["client_secret", "client_secret_expires_at", "software_statement", "jwks"] {
        assert!(!document.contains_key(name), "{name} in {text}");
    }
    // The two say the same of everything else.
    document.retain(|name, _| !["client_id", "token_endpoint_auth_method"].contains(&name.as_str()));
    assert!(document.iter().all(|(name, value)| registration.get(name) == Some(value)), "{text}");
}

/// RFC 7523 §3: a JWT passes for its audience, its issuer and its time, and then it passes whatever stands beside.
fn workload(data: &[u8]) {
    let claims: Map<String, Value> = serde_json::from_slice(data).unwrap_or_default();
    let now = 1_800_000_000;
    let audiences = ["https://as.example", "https://as.example/token"];
    let of = |issuer| Expected { issuer, audiences: &audiences };
    let read = |claims: &Map<String, Value>| {
        let pairs = claims.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let jwt =
            SigningInput::new(Algorithm::Es256, [("typ", "JWT".into())], pairs).complete(&[7; 64]).unwrap();
        Assertion::read(&jwt)
    };
    if let Ok(assertion) = read(&claims) {
        for issuer in [None, Some("https://issuer.example")] {
            if assertion.judge(&of(issuer), Timestamp::from_secs(now)).is_err() {
                continue;
            }
            let said = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            assert!(said("sub").is_some() && said("iss").is_some());
            assert!(issuer.is_none() || said("iss") == issuer);
            let named = match &claims["aud"] {
                Value::Array(entries) => entries.iter().any(|it| audiences.iter().any(|aud| it == aud)),
                other => audiences.iter().any(|aud| other == aud),
            };
            assert!(named, "{claims:?}");
            // A clock may be a minute off, and parts of a second are dropped.
            let at = |name: &str| claims.get(name).and_then(Value::as_f64);
            assert!(at("exp").is_some_and(|exp| exp + LEEWAY.as_secs_f64() >= now as f64 - 1.0));
            assert!(at("nbf").is_none_or(|nbf| nbf <= now as f64 + LEEWAY.as_secs_f64() + 1.0));
        }
    }
    let mut good = claims;
    for (name, value) in [
        ("iss", "https://issuer.example".into()),
        ("sub", "workload".into()),
        ("aud", Value::from(vec!["https://other.example", "https://as.example"])),
        ("exp", (now + 1).into()),
    ] {
        good.insert(name.to_owned(), value);
    }
    // Those that have a type have the right one, or are not there.
    good.retain(|name, value| match name.as_str() {
        "jti" | "client_id" => value.is_string() || value.is_null(),
        "resource" => value.is_string() || value.is_null(),
        "nbf" => false,
        _ => true,
    });
    let text = Value::from(good.clone()).to_string();
    let Ok(assertion) = read(&good) else {
        assert!(text.len() > 11 << 10 || Object::read(text.as_bytes()).is_err(), "{text}");
        return;
    };
    let issuer = Some("https://issuer.example");
    for (at, expected) in [(now, true), (now + 60, true), (now + 61, false)] {
        let judged = assertion.judge(&of(issuer), Timestamp::from_secs(at));
        assert_eq!(judged.is_ok(), expected, "{text} at {at}");
    }
    let elsewhere = Expected { issuer, audiences: &["https://evil.example"] };
    assert!(assertion.judge(&elsewhere, Timestamp::from_secs(now)).is_err());
}

/// What is shown of a text moves no cursor, has an end, and holds neither a query nor a credential that was sent.
fn shown(text: &str, first: &str) {
    for most in [0, 7, 300] {
        let cleaned = clean(text, most);
        assert!(!cleaned.contains(char::is_control));
        assert!(!cleaned.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{2066}']));
        let (count, all) = (cleaned.chars().count(), text.chars().count());
        assert_eq!(count, if all > most { most + 1 } else { all });
        let kept = cleaned.chars().zip(text.chars()).take(most);
        assert!(kept.into_iter().all(|(shown, given)| shown == given || shown == '\u{fffd}'));
        assert!(all > most || clean(&cleaned, most) == cleaned);
    }
    let url = without_query(first);
    assert!(!url.contains(['?', '#']) && !url.contains(char::is_control) && url.chars().count() <= 201);
    let before = first.split(['?', '#']).next().unwrap();
    let secret = "pa55-w0rd-of-the-person";
    for userinfo in ["", "me:", "me:x/y", ":"].into_iter().filter(|_| !before.contains(secret)) {
        let shown = without_query(&format!("https://{userinfo}{secret}@{before}?{secret}#{secret}"));
        assert!(!shown.contains(secret), "{shown}");
    }
    let field = http::HeaderValue::from_static("Bearer s3cret-0f-the-request");
    let told = without_credentials(&format!("{text} s3cret-0f-the-request {text}"), Some(&field), None);
    assert!(!told.contains("s3cret-0f-the-request"));
    if !text.contains("s3cret") && !text.contains('…') {
        assert_eq!(told, format!("{text} (secret) {text}"));
    }
}

/// RFC 6749 §3.1.2: https, or the machine itself, and no fragment; the guard that lets everything pass agrees.
fn redirect(text: &str) {
    let by_guard = Guard::new(Reach::Any).check(text);
    match redirect_uri(text) {
        Ok(url) => {
            assert_eq!(by_guard.unwrap().url(), &url);
            let local = url.host_str().is_some_and(|host| {
                host == "localhost"
                    || host.ends_with(".localhost")
                    || host.starts_with("127.")
                    || host.starts_with('[')
            });
            assert!(url.fragment().is_none() && (url.scheme() == "https" || local), "{text}");
        }
        Err(refused) => {
            assert!(by_guard.is_err() && !refused.to_string().contains('?'));
            assert_ne!(refused.fault, Fault::Scheme);
        }
    }
}

/// What a server lists decides: the first of ours that is in the list; Basic where it lists nothing (RFC 8414 §2).
fn offered(lines: &[&str]) {
    let listed: Vec<_> = lines.iter().map(|&line| line.to_owned()).collect();
    let known = |name: &str| lines.contains(&name);
    let first = |ours: &[&'static str]| ours.iter().copied().find(|name| known(name));
    let name = |method: AuthMethod| method.as_str();
    let all = ["none", "client_secret_basic", "client_secret_post"];
    assert_eq!(method_to_register(Some(&listed)).ok().map(name), first(&all));
    assert_eq!(Client::method_for(true, Some(&listed)).ok().map(name), first(&all[1..]));
    assert_eq!(Client::check_key_method(Some(&listed)).is_ok(), known("private_key_jwt"));
    let ours = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256];
    let chosen = Algorithm::choose(&ours, Some(&listed), "RFC 8414 §2");
    assert_eq!(chosen.ok().map(Algorithm::as_str), first(&["EdDSA", "ES256", "PS256"]));
}

/// An alias with a place for a tenant takes a UUID there in lower case and nothing else (RFC 9562 §4).
fn tenant(text: &str) {
    let state = Secret::new("the-state");
    let aliases = ["https://login.example/{tenantid}/v2.0".to_owned()];
    let expected = callback::Expected {
        state: &state,
        issuer: "https://login.example/common/v2.0",
        iss_required: true,
        issuer_aliases: &aliases,
    };
    let is_uuid = |it: &str| {
        let mut letters = it.bytes().enumerate();
        let fits = |(place, letter): (usize, u8)| match place {
            8 | 13 | 18 | 23 => letter == b'-',
            _ => letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter),
        };
        it.len() == 36 && letters.all(fits)
    };
    let within = |iss: &str| {
        let tenant = iss.strip_prefix("https://login.example/")?.strip_suffix("/v2.0")?;
        is_uuid(tenant).then_some(())
    };
    for iss in [text.to_owned(), format!("https://login.example/{text}/v2.0")] {
        let response = form::encode([("state", "the-state"), ("code", "c"), ("iss", &iss)]);
        let taken = iss == expected.issuer || iss == aliases[0] || within(&iss).is_some();
        if response.len() <= callback::MAX_RESPONSE {
            assert_eq!(Callback::new(response).judge(&expected).is_ok(), taken, "{iss}");
        }
    }
}

/// What is asked for is what somebody named, less what is never asked for (MCP 2026-07-28, scope selection strategy).
fn selected(lines: &[&str]) {
    let read = |place: usize| lines.get(place).and_then(|line| Scopes::parse(line).ok());
    let (challenged, resource, asked) = (read(0), read(1), read(2));
    let never = read(3).unwrap_or_default();
    let rule = ScopeRule::with(|it| it.never = never.clone());
    let mut sources = ScopeSources::default();
    (sources.challenged, sources.resource, sources.asked) =
        (challenged.as_ref(), resource.as_ref(), asked.as_ref());
    let chosen = rule.select(sources);
    assert!(chosen.iter().all(|token| !never.contains(token)));
    let named =
        |token: &str| [&challenged, &resource, &asked].into_iter().flatten().any(|it| it.contains(token));
    assert!(chosen.iter().all(named), "{chosen}");
    if let Some(challenged) = &challenged {
        assert!(challenged.without(&never).is_subset(&chosen), "{chosen}");
    }
    assert_eq!(rule.select_at(&IssuerScopes::default(), sources), chosen);
}
