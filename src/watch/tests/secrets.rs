//! What is known by its text, and stands where it does not belong.

use super::*;

#[test]
fn secrets_in_wrong_places() {
    for (body, url) in [
        ("client_secret=configured-secret", "https://evil.example/token"),
        ("x=initial-access-token", "https://as.example/token"),
        // The verifier of a code belongs to the server that the person was sent to.
        ("code_verifier=verifier-of-this-run", "https://evil.example/token"),
    ] {
        let mut watch = watch();
        open(&mut watch, ASKED);
        watch.action(&token(2, url, body));
        seen(&watch, "carries a secret");
    }
    for (url, known) in [("https://as.example/register", true), ("https://evil.example/register", false)] {
        let mut watch = watch();
        let mut registration = send(2, Purpose::Registration, url);
        let mut value = HeaderValue::from_static("Bearer initial-access-token");
        value.set_sensitive(true);
        registration.fields.insert(header::AUTHORIZATION, value);
        watch.action(&Action::Send(registration));
        assert_eq!(watch.breaches().is_empty(), known, "{url}");
    }
    let mut watch = watch();
    let registration = send(2, Purpose::Registration, "https://as.example/register");
    watch.action(&Action::Send(Send { body: Some(Secret::new("configured-secret")), ..registration }));
    seen(&watch, "carries a secret");
}

#[test]
fn a_secret_in_a_metadata_request() {
    let mut watch = watch();
    let mut metadata = send(2, Purpose::ServerMetadata, "https://as.example/x?y=configured-secret");
    metadata
        .fields
        .insert(header::AUTHORIZATION, HeaderValue::from_static("Basic eDpjb25maWd1cmVkLXNlY3JldA=="));
    watch.action(&Action::Send(metadata));
    seen(&watch, "URL shows a secret");
    seen(&watch, "for metadata has a body or an Authorization field");
    seen(&watch, "carries a secret");
}

#[test]
fn tokens_and_refresh_tokens_stay_at_home() {
    let mut watch = watch();
    watch.action(&token(2, "https://as.example/token", "x=y"));
    answer(&mut watch, 2, 200, r#"{"access_token":"the-access-token","refresh_token":"the-refresh-token"}"#);
    hold(&mut watch, 3);
    watch.action(&refresh(4, "https://as.example/token", "refresh_token=the-refresh-token"));
    assert_eq!(watch.breaches(), [""; 0]);
    watch.event(
        NOW,
        &Event::Replied(Reply { id: RequestId(4), answer: Answer::SendFailed(SendFailure::TimedOut) }),
    );
    watch.action(&refresh(5, "https://other.example/token", "refresh_token=the-refresh-token"));
    seen(&watch, "carries a secret (RefreshToken)");
    watch.text("a log", "token the-access-token");
    seen(&watch, "a log shows a secret (AccessToken)");
}

#[test]
fn a_document_that_speaks_for_another_issuer_is_not_believed() {
    let mut watch = watch();
    watch.action(&Action::Send(send(
        2,
        Purpose::ServerMetadata,
        "https://evil.example/.well-known/openid-configuration",
    )));
    let document = r#"{"issuer":"https://as.example","authorization_endpoint":"https://evil.example/a",
        "code_challenge_methods_supported":["S256"],
        "token_endpoint":"https://evil.example/token"}"#;
    answer(&mut watch, 2, 200, document);
    watch.action(&token(3, "https://evil.example/token", "client_secret=configured-secret"));
    seen(&watch, "carries a secret (ClientSecret)");
}

#[test]
fn the_query_of_the_servers_url() {
    let config =
        Config::new("https://mcp.example/mcp?key=k3y-of-a-person", "Test", "http://127.0.0.1:3000/cb");
    let mut watch = Watch::new(&config);
    watch.event(NOW, &Event::Restore);
    watch.action(&Action::Load(Load {
        id: RequestId(1),
        key: config.key(),
        exclusive: None,
        deadline: Timestamp::from_secs(1_010),
    }));
    watch.text("the configuration", &format!("{config:?}"));
    assert_eq!(watch.breaches(), [""; 0]);
    let fail = Event::Replied(Reply { id: RequestId(1), answer: Answer::LoadFailed(String::new()) });
    watch.event(NOW, &fail);
    watch.shown("a failure", config.server_url());
    seen(&watch, "shows the query of the server's URL");
}

#[test]
fn tokens_that_are_revoked_elsewhere() {
    for (url, good) in [("https://as.example/revoke", true), ("https://evil.example/revoke", false)] {
        let mut watch = watch();
        watch.action(&Action::Send(send(2, Purpose::ServerMetadata, "https://as.example/.well-known/x")));
        let document = r#"{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize",
            "code_challenge_methods_supported":["S256"],
            "token_endpoint":"https://as.example/token","revocation_endpoint":"https://as.example/revoke"}"#;
        answer(&mut watch, 2, 200, document);
        watch.action(&token(3, "https://as.example/token", ""));
        answer(
            &mut watch,
            3,
            200,
            r#"{"access_token":"the-access-token","refresh_token":"the-refresh-token"}"#,
        );
        let body = Some(Secret::new("token=the-refresh-token&client_secret=configured-secret"));
        watch.action(&Action::Send(Send { body, ..send(4, Purpose::Revocation, url) }));
        assert_eq!(watch.breaches().is_empty(), good, "{url}: {:?}", watch.breaches());
    }
}
