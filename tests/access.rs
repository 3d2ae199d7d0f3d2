//! The hot path: what a request may carry, without allocation, and where a token may go.

use mcp_auth::wire::client::Origin;
use mcp_auth::{
    Access, Action, Config, Credential, Event, Generation, Outcome, Policy, Secret, ServerChoice, Timestamp,
};
use serde_json::json;
use url::Url;

#[path = "support/recording.rs"]
#[allow(dead_code, reason = "what else a recording can do is for other tests")]
mod recording;
#[path = "support/watched.rs"]
mod watched;
use watched::Watched;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A record as a store gives it back.
fn credential(resource: &str) -> Credential {
    let server = "https://as.example";
    serde_json::from_value(json!({
        "version": 1,
        "generation": 0,
        "server": "https://mcp.example/api/mcp",
        "resource": resource,
        "authorization_server": {
            "issuer": server,
            "named": server,
            "authorization_endpoint": format!("{server}/authorize"),
            "token_endpoint": format!("{server}/token"),
            "revocation_endpoint": null,
            "iss_parameter_supported": true,
            "legacy": false,
        },
        "client": {
            "id": "client",
            "secret": null,
            "method": "none",
            "secret_expires_at": null,
            "redirect_uris": [],
            "registered_at": null,
            "origin": "dynamic",
        },
        "asked": "",
        "granted": "",
        "access_token": "access-token-1",
        "refresh_token": null,
        "obtained_at": NOW,
        "expires_at": NOW.as_secs() + 1000,
    }))
    .unwrap()
}

/// A machine that has found this record in its store.
fn restored(record: Credential) -> Watched {
    let config = Config::new("https://mcp.example/api/mcp", "Test", "http://127.0.0.1:3000/callback");
    restored_by(config, record)
}

fn restored_by(config: Config, record: Credential) -> Watched {
    let mut auth = Watched::new(config);
    auth.handle(NOW, Event::Restore);
    let Action::Load(load) = auth.poll() else { panic!("the store is read first") };
    auth.handle(NOW, load.reply(Some(record)));
    assert!(matches!(auth.poll(), Action::Finish(Ok(Outcome::Authorized(_)))));
    auth
}

fn carries(auth: &Watched, url: &str, at: u64) -> &'static str {
    match auth.access(&Url::parse(url).unwrap(), Timestamp::from_secs(at)) {
        Access::Ready(_) => "ready",
        Access::Anonymous => "anonymous",
        Access::Wait => "wait",
        Access::Refused => "refused",
    }
}

#[test]
fn handing_out_a_token_allocates_nothing() {
    let auth = restored(credential("https://mcp.example/api"));
    let inside = Url::parse("https://mcp.example/api/mcp?session=1").unwrap();
    let outside = Url::parse("https://other.example/api/mcp").unwrap();
    let mut ready = false;
    let counted = allocation_counter::measure(|| {
        ready = matches!(auth.access(&inside, NOW), Access::Ready(_));
        ready &= matches!(auth.access(&outside, NOW), Access::Refused);
    });
    assert!(ready);
    assert_eq!(counted.count_total, 0);
    // The counter counts.
    assert_ne!(allocation_counter::measure(|| drop(inside.to_string())).count_total, 0);
}

#[test]
fn a_token_goes_to_its_resource_only() {
    let auth = restored(credential("https://mcp.example/api"));
    for url in [
        "https://mcp.example/api",
        "https://mcp.example/api/",
        "https://mcp.example/api/mcp",
        "https://MCP.example:443/api/mcp?x=y#z",
        "https://mcp.example/api/https%3A%2F%2Fupstream.example%2Fa..b",
        "https://mcp.example/api/...",
        "https://mcp.example/api/.%20x",
        "https://mcp.example/api/...%3Fx",
        "https://mcp.example/api/a%23..",
        "https://mcp.example/api/100%",
        "https://mcp.example/api/100%25",
        "https://mcp.example/api/a%2520b",
        "https://mcp.example/api/%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82",
        "https://mcp.example/api/caf%C3%A9..%E0%A4%A8",
        "https://mcp.example/api/%EF%BC%A1%F0%9F%8C%8D",
    ] {
        assert_eq!(carries(&auth, url, NOW.as_secs()), "ready", "{url}");
    }
    for url in [
        "https://mcp.example/api/..%2fother",
        "https://mcp.example/api/%2E.%2Fother",
        "https://mcp.example/api/x/..%5c..%5cother",
        "https://mcp.example/api/..;x/other",
        "https://mcp.example/api/..%3Bx/other",
        "https://mcp.example/api/..%3fx",
        "https://mcp.example/api/..%253Fx",
        "https://mcp.example/api/%2e%2e%23",
        "https://mcp.example/api/x/..%23/y",
        "https://mcp.example/api/x%2f..",
        "https://mcp.example/api/%252e%252e/other",
        "https://mcp.example/api/%252525252e%252525252e/other",
        "https://mcp.example/api/..%252fother",
        "https://mcp.example/api/%2%65%2%65/other",
        "https://mcp.example/api/..%00/other",
        "https://mcp.example/api/..%00x",
        "https://mcp.example/api/..%20/other",
        "https://mcp.example/api/%20../other",
        "https://mcp.example/api/..%09/other",
        "https://mcp.example/api/.%00./other",
        "https://mcp.example/api/%c0%ae%C0%AE/other",
        "https://mcp.example/api/%e0%80%ae%e0%80%ae/other",
        "https://mcp.example/api/%f0%80%80%ae%f0%80%80%ae/other",
        "https://mcp.example/api/..%c0%afother",
        "https://mcp.example/api/..%c1%9cother",
        "https://mcp.example/api/..%ef%bc%8fother",
        "https://mcp.example/api/%ef%bc%8e%ef%bc%8e/other",
        "https://mcp.example/api/..%ef%bc%bcother",
        "https://mcp.example/api/.%25c0%25ae",
        "https://mcp.example/",
        "https://mcp.example/api123",
        "https://mcp.example/API",
        "https://mcp.example/api/../other",
        "https://mcp.example/api/%2e%2e/other",
        "https://mcp.example:8443/api",
        "http://mcp.example/api",
        "https://mcp.example.evil.example/api",
        "https://mcp.example@evil.example/api",
        "https://user@mcp.example/api",
        "https://as.example/api",
    ] {
        assert_eq!(carries(&auth, url, NOW.as_secs()), "refused", "{url}");
    }
}

#[test]
fn a_resource_with_a_query_is_that_query_only() {
    let mut record = credential("https://mcp.example/api/mcp?tenant=a");
    record.server = "https://mcp.example/api/mcp?tenant=a".into();
    let config = Config::new(&*record.server, "Test", "http://127.0.0.1:3000/callback");
    let auth = restored_by(config, record);
    for (url, expected) in [
        ("https://mcp.example/api/mcp?tenant=a", "ready"),
        ("https://mcp.example/api/mcp?tenant=b", "refused"),
        ("https://mcp.example/api/mcp?tenant=a&tenant=b", "refused"),
        ("https://mcp.example/api/mcp", "refused"),
    ] {
        assert_eq!(carries(&auth, url, NOW.as_secs()), expected, "{url}");
    }
}

#[test]
fn a_token_that_can_be_renewed_stops_being_used_before_it_expires() {
    let mut record = credential("https://mcp.example/api");
    record.refresh_token = Some(Secret::new("refresh-token"));
    let mut auth = restored(record);
    let url = "https://mcp.example/api/mcp";
    // A thousand seconds of life, and a margin of thirty.
    assert_eq!(carries(&auth, url, NOW.as_secs() + 969), "ready");
    assert_eq!(carries(&auth, url, NOW.as_secs() + 970), "wait");
    assert_eq!(carries(&auth, url, 0), "ready");
    // A clock that is set back brings no token back to life that the machine knows to be older.
    auth.handle(NOW.after(std::time::Duration::from_secs(970)), Event::Tick);
    assert_eq!(carries(&auth, url, 0), "wait");
}

/// A clock that is set back makes nothing wait longer than it would have.
#[test]
fn time_never_runs_backwards() {
    let mut auth = restored(credential("https://mcp.example/api"));
    let later = NOW.after(std::time::Duration::from_secs(500));
    auth.handle(later, Event::Tick);
    auth.handle(NOW, Event::Restore);
    let Action::Load(load) = auth.poll() else { panic!("the store is read") };
    assert_eq!(load.deadline(), later.after(std::time::Duration::from_secs(15)));
}

#[test]
fn a_token_that_cannot_be_renewed_serves_to_its_end() {
    let auth = restored(credential("https://mcp.example/api"));
    let url = "https://mcp.example/api/mcp";
    assert_eq!(carries(&auth, url, NOW.as_secs() + 999), "ready");
    assert_eq!(carries(&auth, url, NOW.as_secs() + 1000), "wait");
}

#[test]
fn a_record_of_something_else_is_not_used() {
    let spoil: &[fn(&mut Credential)] = &[
        |record| record.version += 1,
        |record| record.server = "https://mcp.example/other".into(),
        |record| record.resource = "https://evil.example/api".into(),
        |record| record.resource = "https://mcp.example/api/mcp/deeper".into(),
        |record| record.access_token = Secret::new("line\r\nbreak"),
        |record| record.client.origin = Origin::Preregistered,
        |record| record.client.origin = Origin::MetadataDocument,
    ];
    for (place, spoil) in spoil.iter().enumerate() {
        let mut record = credential("https://mcp.example/api");
        spoil(&mut record);
        let config = Config::new("https://mcp.example/api/mcp", "Test", "http://127.0.0.1:3000/callback");
        let mut auth = Watched::new(config);
        auth.handle(NOW, Event::Restore);
        let Action::Load(load) = auth.poll() else { panic!("the store is read first") };
        auth.handle(NOW, load.reply(Some(record)));
        assert!(matches!(auth.poll(), Action::Finish(Ok(Outcome::Anonymous))), "case {place}");
        assert_eq!(carries(&auth, "https://mcp.example/api/mcp", NOW.as_secs()), "anonymous", "case {place}");
    }
}

#[test]
fn a_record_of_another_server_than_the_pinned_one_is_not_used() {
    for (pinned, expected) in [("https://as.example", "ready"), ("https://other.example", "anonymous")] {
        let choice = ServerChoice::Pinned(pinned.to_owned());
        let config = Config::new("https://mcp.example/api/mcp", "Test", "http://127.0.0.1:3000/callback")
            .policy(Policy::with(|it| it.authorization_server = choice));
        let mut auth = Watched::new(config);
        auth.handle(NOW, Event::Restore);
        let Action::Load(load) = auth.poll() else { panic!("the store is read first") };
        auth.handle(NOW, load.reply(Some(credential("https://mcp.example/api"))));
        assert_eq!(carries(&auth, "https://mcp.example/api/mcp", NOW.as_secs()), expected);
    }
}

/// What a store lost, or fell back to, does not take away what is in memory.
#[test]
fn an_older_record_does_not_replace_the_one_at_hand() {
    let mut newer = credential("https://mcp.example/api");
    newer.generation = Generation::new(7);
    let mut auth = restored(newer);
    for older in [Some(Generation::new(6)), None] {
        auth.handle(NOW, Event::Restore);
        let Action::Load(load) = auth.poll() else { panic!("the store is read") };
        let found = older.map(|generation| {
            let mut older = credential("https://mcp.example/api");
            older.generation = generation;
            older.access_token = Secret::new("an-older-token");
            older
        });
        auth.handle(NOW, load.reply(found));
        let Action::Finish(Ok(Outcome::Authorized(done))) = auth.poll() else { panic!("it serves on") };
        assert_eq!(done.generation, Generation::new(7));
    }
}
