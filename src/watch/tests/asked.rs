//! What a person is asked for, and what may be made of the answer.

use serde_json::json;

use super::*;
use crate::base::scope::Scopes;
use crate::policy::{IssuerPolicy, ResourceIndicator, ScopeRule};
use crate::wire::server_metadata::Pkce;

/// A watch that has seen this metadata of the authorization server.
fn told(config: Config, document: &serde_json::Value) -> Watch {
    let mut watch = Watch::new(&config);
    watch.event(NOW, &Event::Restore);
    watch.action(&Action::Send(send(1, Purpose::ServerMetadata, METADATA)));
    answer(&mut watch, 1, 200, &document.to_string());
    watch
}

/// The client is one of the MCP server's own authorization server, too.
fn at_both() -> Config {
    config().preregistered(Preregistered::new("https://mcp.example", "by-hand"))
}

fn document() -> serde_json::Value {
    json!({
        "issuer": "https://as.example",
        "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token",
        "code_challenge_methods_supported": ["plain", "S256"],
    })
}

fn asked(name: &str, value: &str) -> String {
    let pairs = url::form_urlencoded::parse(ASKED.as_bytes()).filter(|(known, _)| known != name);
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).append_pair(name, value).finish()
}

#[test]
fn a_server_must_say_that_it_takes_s256() {
    let without = "a person is sent to a server that does not say that it takes S256";
    let assumed =
        || config().issuer("https://as.example", IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256));
    for (methods, config, good) in [
        (json!(["S256"]), config(), true),
        (json!(["plain"]), config(), false),
        (json!([]), config(), false),
        (json!(null), config(), false),
        (json!(null), assumed(), true),
        (json!(["plain"]), assumed(), false),
    ] {
        let mut document = document();
        document["code_challenge_methods_supported"] = methods;
        let mut watch = told(config, &document);
        open(&mut watch, ASKED);
        if good { assert_eq!(watch.breaches(), [""; 0]) } else { seen(&watch, without) }
    }
}

#[test]
fn an_answer_comes_back_where_it_is_awaited() {
    for (redirect, good) in [("http://127.0.0.1:3000/cb", true), ("http://127.0.0.1:3000/cb/", false)] {
        let mut watch = told(config(), &document());
        open(&mut watch, &asked("redirect_uri", redirect));
        let breached = watch.breaches().iter().any(|it| it.contains("sent elsewhere than is configured"));
        assert_eq!(breached, !good, "{redirect}: {:?}", watch.breaches());
    }
}

#[test]
fn each_login_has_a_state_of_its_own() {
    let mut watch = told(config(), &document());
    open(&mut watch, ASKED);
    called(&mut watch, "?error=access_denied&state=state-of-this-run");
    watch.asked = None;
    watch.shown.times.clear();
    open(&mut watch, &asked("state", "another-state"));
    assert_eq!(watch.breaches(), [""; 0]);
    watch.asked = None;
    open(&mut watch, ASKED);
    seen(&watch, "a state is used for two logins");
}

#[test]
fn a_token_is_asked_for_the_origin_of_the_server_or_as_policy_says() {
    let said = |it: &mut IssuerPolicy| it.resource = ResourceIndicator::Override("urn:other".to_owned());
    let other = || config().issuer("https://as.example", IssuerPolicy::with(said));
    for (resource, config, good) in [
        ("https://mcp.example/mcp", config(), true),
        ("https://mcp.example", config(), true),
        ("https://evil.example/mcp", config(), false),
        ("urn:other", config(), false),
        ("urn:other", other(), true),
    ] {
        let mut watch = told(config.clone(), &document());
        open(&mut watch, &asked("resource", resource));
        let breached = |watch: &Watch| watch.breaches().iter().any(|it| it.contains("for another resource"));
        assert_eq!(breached(&watch), !good, "{resource}");
        let mut watch = told(config, &document());
        let body = asked("resource", resource);
        watch.action(&token(2, "https://as.example/token", &format!("grant_type=x&{body}")));
        assert_eq!(breached(&watch), !good, "{resource} in a token request");
    }
}

#[test]
fn an_issuer_that_is_said_twice_is_not_the_right_one() {
    let mut watch = told(config(), &document());
    open(&mut watch, ASKED);
    let twice = "iss=https%3A%2F%2Fas.example&iss=https%3A%2F%2Fevil.example";
    called(&mut watch, &format!("?code=a-stolen-code&state=state-of-this-run&{twice}"));
    watch.action(&token(2, "https://as.example/token", "grant_type=authorization_code&code=a-stolen-code"));
    seen(&watch, "a code is exchanged without the right state and issuer");
}

#[test]
fn a_person_is_sent_where_a_server_says_of_itself_or_where_anybody_would_guess() {
    let mut other = document();
    other["issuer"] = json!("https://evil.example");
    for (document, page, token_endpoint, good) in [
        (document(), "https://as.example/authorize", "https://as.example/token", true),
        // It speaks for another than the one that was asked.
        (other, "https://as.example/authorize", "https://evil.example/token", false),
        (json!([]), "https://evil.example/authorize", "https://evil.example/token", false),
        (json!([]), "https://mcp.example/authorize", "https://mcp.example/token", true),
        (json!([]), "https://mcp.example/authorize", "https://evil.example/token", false),
    ] {
        let mut watch = told(at_both(), &document);
        let url = Url::parse(&format!("{page}?{ASKED}")).unwrap();
        watch.action(&Action::Open(Open { id: RequestId(0), url, until: Timestamp::from_secs(1_600) }));
        called(&mut watch, "?code=a-good-code&state=state-of-this-run");
        watch.action(&token(2, token_endpoint, "grant_type=authorization_code&code=a-good-code"));
        assert_eq!(watch.breaches().is_empty(), good, "{page}, {token_endpoint}: {:?}", watch.breaches());
    }
}

/// A server at the MCP server's own origin has said where its token endpoint is, and says nothing the next time. Then
/// both its page and its token endpoint are guessed, or neither is.
#[test]
fn a_server_that_says_nothing_any_more_is_guessed_as_a_whole() {
    let mut own = document();
    for (member, url) in
        [("issuer", ""), ("authorization_endpoint", "/authorize"), ("token_endpoint", "/said")]
    {
        own[member] = json!(format!("https://mcp.example{url}"));
    }
    let (own, none) = (own.to_string(), json!([]).to_string());
    for (status, body, token_endpoint, good) in [
        (200, &own, "https://mcp.example/said", true),
        (200, &own, "https://mcp.example/token", false),
        (200, &none, "https://mcp.example/token", true),
        (404, &own, "https://mcp.example/token", true),
        (404, &own, "https://mcp.example/said", false),
    ] {
        let mut watch = Watch::new(&at_both());
        watch.event(NOW, &Event::Restore);
        for (id, status, body) in [(1, 200, &own), (2, status, body)] {
            let url = "https://mcp.example/.well-known/oauth-authorization-server";
            watch.action(&Action::Send(send(id, Purpose::ServerMetadata, url)));
            answer(&mut watch, id, status, body);
            if id == 1 {
                watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
                watch.event(NOW, &Event::Restore);
            }
        }
        let url = Url::parse(&format!("https://mcp.example/authorize?{ASKED}")).unwrap();
        watch.action(&Action::Open(Open { id: RequestId(0), url, until: Timestamp::from_secs(1_600) }));
        called(&mut watch, "?code=a-good-code&state=state-of-this-run");
        watch.action(&token(3, token_endpoint, "grant_type=authorization_code&code=a-good-code"));
        assert_eq!(watch.breaches().is_empty(), good, "{status}, {token_endpoint}: {:?}", watch.breaches());
    }
}

#[test]
fn a_document_that_moved_within_its_origin_speaks_for_its_server() {
    let moved = "https://as.example/moved";
    for (from, good) in [(METADATA, true), ("https://as.example/.well-known/openid-configuration/x", false)] {
        let mut watch = Watch::new(&config());
        watch.event(NOW, &Event::Restore);
        for (id, url, status) in [(1, from, 308), (2, moved, 200)] {
            watch.action(&Action::Send(send(id, Purpose::ServerMetadata, url)));
            answer(&mut watch, id, status, &document().to_string());
        }
        open(&mut watch, ASKED);
        let breached = watch.breaches().iter().any(|it| it.contains("a page that no server has"));
        assert_eq!(breached, !good, "{from}: {:?}", watch.breaches());
    }
}

#[test]
fn what_is_never_asked_for_is_not_asked_for() {
    let rule = ScopeRule::with(|it| it.never = Scopes::parse("admin other").unwrap());
    for (scope, good) in [("files:read administer", true), ("files:read admin", false)] {
        let breached = |watch: &Watch| watch.breaches().iter().any(|it| it.contains("never be asked for"));
        let mut watch = told(config().scopes(rule.clone()), &document());
        open(&mut watch, &asked("scope", scope));
        assert_eq!(breached(&watch), !good, "{scope}");
        let mut watch = told(config().scopes(rule.clone()), &document());
        let body = format!("grant_type=client_credentials&{}", asked("scope", scope));
        watch.action(&token(2, "https://as.example/token", &body));
        assert_eq!(breached(&watch), !good, "{scope} in a token request");
    }
}

fn looked(watch: &mut Watch, id: u64, purpose: Purpose) {
    watch.action(&Action::Send(send(id, purpose, "https://mcp.example/.well-known/oauth-something")));
}

/// Sends the person where anybody would guess it. Whether that is a breach, as there may be metadata.
fn guesses_wrongly(watch: &mut Watch) -> bool {
    let url = Url::parse(&format!("https://mcp.example/authorize?{ASKED}")).unwrap();
    watch.action(&Action::Open(Open { id: RequestId(0), url, until: Timestamp::from_secs(1_600) }));
    watch.breaches().iter().any(|breach| breach == "endpoints are guessed though there may be metadata")
}

/// Where metadata may be there after all, endpoints are not guessed.
#[test]
fn endpoints_are_guessed_only_where_there_plainly_is_no_metadata() {
    for (status, body, plain) in [
        (404, "{}", true),
        (401, "", true),
        (499, "", true),
        (399, "", false),
        (500, "", false),
        (408, "", false),
        (425, "", false),
        (429, "", false),
        (200, "<html>", true),
        (200, "[]", true),
        (200, r#"{"error":"not_found"}"#, true),
        (200, r#"{"issuer":null,"resource":null}"#, true),
        (200, r#"{"issuer":"https://mcp.example","resource":"https://mcp.example/mcp"}"#, false),
        (200, "\u{feff}{\"issuer\":\"https://mcp.example\",\"resource\":[]}", false),
        (200, r#" {"issuer":"https://mcp.ex"#, false),
        (204, "", false),
    ] {
        for purpose in [Purpose::ResourceMetadata, Purpose::ServerMetadata] {
            let mut watch = Watch::new(&at_both());
            watch.event(NOW, &Event::Restore);
            for (id, status, body) in [(1, status, body), (2, 404, "")] {
                looked(&mut watch, id, purpose);
                answer(&mut watch, id, status, body);
            }
            let mut next = watch.clone();
            assert_eq!(guesses_wrongly(&mut watch), !plain, "{status}, {body}, {purpose:?}");
            // Another attempt looks for itself.
            next.action(&Action::Finish(Ok(Outcome::Anonymous)));
            next.event(NOW, &Event::Restore);
            assert!(!guesses_wrongly(&mut next), "{status}, {body}, {purpose:?}");
        }
    }
}

/// That no answer comes to anything else says nothing of metadata.
#[test]
fn a_look_for_metadata_that_is_not_answered_is_a_doubt() {
    for (late, answered, purpose, plain) in [
        (false, true, Purpose::ServerMetadata, false),
        (true, false, Purpose::ServerMetadata, false),
        (true, true, Purpose::ServerMetadata, false),
        (false, true, Purpose::Registration, true),
        (true, false, Purpose::Registration, true),
    ] {
        let mut watch = Watch::new(&at_both());
        watch.event(NOW, &Event::Restore);
        looked(&mut watch, 1, purpose);
        if late {
            watch.event(Timestamp::from_secs(1_010), &Event::Tick);
        }
        if answered {
            let answer = Answer::SendFailed(SendFailure::TimedOut);
            watch.event(NOW, &Event::Replied(Reply { id: RequestId(1), answer }));
        }
        assert_eq!(guesses_wrongly(&mut watch), !plain, "{late}, {answered}, {purpose:?}");
    }
}

/// What a redirect within the origin leads to is what counts.
#[test]
fn a_look_for_metadata_goes_on_where_it_is_sent() {
    for (followed, last, plain) in [(true, 404, true), (true, 500, false), (false, 404, false)] {
        let mut watch = Watch::new(&at_both());
        watch.event(NOW, &Event::Restore);
        looked(&mut watch, 1, Purpose::ServerMetadata);
        let moved = HeaderValue::from_static("https://mcp.example/moved");
        answer_with(&mut watch, 1, 308, HeaderMap::from_iter([(header::LOCATION, moved)]), "");
        let next = if followed { "https://mcp.example/moved" } else { "https://mcp.example/elsewhere" };
        watch.action(&Action::Send(send(2, Purpose::ServerMetadata, next)));
        answer(&mut watch, 2, last, "");
        assert_eq!(guesses_wrongly(&mut watch), !plain, "{followed}, {last}");
    }
}

/// A byte order mark before a document changes nothing of what it says.
#[test]
fn a_document_with_a_byte_order_mark_is_one() {
    let mut watch = Watch::new(&config());
    watch.event(NOW, &Event::Restore);
    watch.action(&Action::Send(send(1, Purpose::ServerMetadata, METADATA)));
    answer(&mut watch, 1, 200, &format!("\u{feff}{}", document()));
    open(&mut watch, ASKED);
    assert_eq!(watch.breaches(), [""; 0]);
}

/// What was missing in one attempt is of no account in the next, which may go by a record.
#[test]
fn metadata_that_was_missing_in_another_attempt_is_of_no_account() {
    for ended in [false, true] {
        let mut own = document();
        for (member, path) in
            [("issuer", ""), ("authorization_endpoint", "/authorize"), ("token_endpoint", "/said")]
        {
            own[member] = json!(format!("https://mcp.example{path}"));
        }
        let mut watch = Watch::new(&at_both());
        watch.event(NOW, &Event::Restore);
        let url = "https://mcp.example/.well-known/oauth-authorization-server";
        for (id, status) in [(1, 200), (2, 404)] {
            watch.action(&Action::Send(send(id, Purpose::ServerMetadata, url)));
            answer(&mut watch, id, status, &own.to_string());
        }
        if ended {
            watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
            watch.event(NOW, &Event::Restore);
        }
        let url = Url::parse(&format!("https://mcp.example/authorize?{ASKED}")).unwrap();
        watch.action(&Action::Open(Open { id: RequestId(0), url, until: Timestamp::from_secs(1_600) }));
        assert_eq!(watch.asked.unwrap().issuer.is_some(), ended);
    }
}
