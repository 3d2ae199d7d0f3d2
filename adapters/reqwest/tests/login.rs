//! Whole logins over sockets.

mod support;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_auth::trace::{Names, Trace};
use mcp_auth::{Kind, Outcome, Policy, Purpose, Scopes, TokenSource};
use mcp_auth_reqwest::{Error, MemoryStore, Observed};
use support::{Asked, OnePort, Person, Reply, Town, builder};

fn kind(result: Result<reqwest::Response, Error>) -> Kind {
    match result {
        Err(Error::Failure(failure)) => failure.kind(),
        other => panic!("a failure was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn a_refused_request_is_answered_after_a_login() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    let response = client.send(town.request("/mcp")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "{\"welcome\":true}");
    let authorized = client.authorized().unwrap();
    assert_eq!(
        (authorized.source, authorized.granted.to_string()),
        (TokenSource::LoggedIn, "read".to_owned())
    );

    // The token is at hand now, and goes below the resource too.
    assert_eq!(client.send(town.request("/mcp/below")).await.unwrap().status(), 200);
    assert_eq!((town.logins(), town.asked("/mcp"), town.asked("/register")), (1, 2, 1));
}

#[tokio::test]
async fn a_hundred_refused_requests_make_one_login() {
    let town = Town::with(Duration::from_millis(5), |_| None);
    let person = Person { thinks: Some(Duration::from_millis(100)), ..Person::new(&town) };
    let client = town.builder_for(person.clone()).build().unwrap();
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let (client, request) = (client.clone(), town.request("/mcp"));
            tokio::spawn(async move { client.send(request).await.unwrap().status() })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!((town.logins(), town.refreshes(), person.opened.load(Ordering::SeqCst)), (1, 0, 1));
    assert_eq!(person.closed.load(Ordering::SeqCst), 1);

    // The token dies at once for all of them: one renewal.
    town.forget_tokens();
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let (client, request) = (client.clone(), town.request("/mcp"));
            tokio::spawn(async move { client.send(request).await.unwrap().status() })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!((town.logins(), town.refreshes()), (1, 1));
}

#[tokio::test]
async fn a_token_that_has_run_out_is_renewed_before_it_is_sent() {
    let town = Town::new();
    let now = Arc::new(Mutex::new(1_800_000_000));
    let told = now.clone();
    let client =
        town.builder().clock(move || mcp_auth::Timestamp::from_secs(*told.lock().unwrap())).build().unwrap();
    client.log_in(Scopes::new()).await.unwrap();
    *now.lock().unwrap() += 3600;
    assert_eq!(client.send(town.request("/mcp")).await.unwrap().status(), 200);
    assert_eq!((town.logins(), town.refreshes(), town.asked("/mcp")), (1, 1, 1));
}

#[tokio::test]
async fn the_store_serves_the_next_client() {
    let town = Town::new();
    let store = MemoryStore::default();
    let client = town.builder().store(store.clone()).build().unwrap();
    assert!(client.restore().await.unwrap().is_none());
    client.log_in("read".parse().unwrap()).await.unwrap();

    let client = builder(town.config()).store(store).build().unwrap();
    let restored = client.restore().await.unwrap().unwrap();
    assert_eq!(restored.source, TokenSource::Kept);
    assert_eq!(client.send(town.request("/mcp")).await.unwrap().status(), 200);
    assert_eq!((town.logins(), town.asked("/mcp")), (1, 1));
}

#[tokio::test]
async fn more_scope_is_asked_for_when_the_server_wants_it() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    let response = client.send_as("tools/call:write", town.scoped("write")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(client.authorized().unwrap().granted, "read write".parse().unwrap());
    assert_eq!((town.logins(), town.asked("/mcp")), (2, 3));
}

#[tokio::test]
async fn logins_with_different_wishes_are_all_granted() {
    let town = Town::with(Duration::from_millis(2), |_| None);
    let client = town.builder().build().unwrap();
    let wishes: Vec<_> = (0..6)
        .map(|number| {
            let (client, scope) = (client.clone(), format!("wish-{}", number % 3));
            tokio::spawn(async move {
                let scopes: Scopes = scope.parse().unwrap();
                assert!(scopes.is_subset(&client.log_in(scopes.clone()).await.unwrap().granted));
            })
        })
        .collect();
    for wish in wishes {
        wish.await.unwrap();
    }
    assert_eq!(town.logins(), 3);
}

#[tokio::test]
async fn a_server_that_refuses_for_ever_ends_in_a_failure() {
    for renews in [true, false] {
        let town = Town::with(Duration::ZERO, |asked| {
            (asked.path == "/mcp").then(|| Reply::new(401, &serde_json::json!({})))
        });
        town.renews.store(renews, Ordering::SeqCst);
        let client = town.builder().build().unwrap();
        assert_eq!(kind(client.send(town.request("/mcp")).await), Kind::TokenRejected);
        assert!((2..=4).contains(&town.asked("/mcp")), "{}", town.asked("/mcp"));
        // And another request does not bring the browser up again.
        assert_eq!(kind(client.send(town.request("/mcp")).await), Kind::TokenRejected);
        assert_eq!(town.logins(), 1);
    }
}

#[tokio::test]
async fn a_server_that_wants_ever_more_scope_ends_in_a_failure() {
    let town = Town::with(Duration::ZERO, |asked: &Asked| {
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"never-enough\"";
        let authorized = asked.path == "/mcp" && asked.fields.contains_key("authorization");
        authorized.then(|| Reply::new(403, &serde_json::json!({})).field("www-authenticate", challenge))
    });
    let client = town.builder().build().unwrap();
    assert_eq!(kind(client.send(town.request("/mcp")).await), Kind::InsufficientScope);
    assert!(town.asked("/mcp") <= 4);
}

#[tokio::test]
async fn an_answer_to_another_request_does_not_end_the_login() {
    let town = Town::new();
    let person = Person { before: vec![Ok("?code=stolen&state=foreign".to_owned())], ..Person::new(&town) };
    let finished = person.finished.clone();
    let client = town.builder_for(person).build().unwrap();
    assert_eq!(client.send(town.request("/mcp")).await.unwrap().status(), 200);
    assert!(client.trail().to_string().contains("passed over"), "{}", client.trail());
    assert_eq!(*finished.lock().unwrap(), ["well"]);
}

/// The person says that the server does not know the client, so there is another request and another listener.
#[tokio::test]
async fn whoever_waits_for_the_first_answer_lets_the_port_go_to_the_second() {
    let town = Town::new();
    let person = OnePort::new(Person::new(&town));
    let client = town.builder_for(person.clone()).build().unwrap();
    let login = tokio::spawn({
        let client = client.clone();
        async move { client.log_in(Scopes::new()).await }
    });
    while person.opened() < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.client_disowned();
    let authorized = login.await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!((authorized.source, person.opened()), (TokenSource::LoggedIn, 2));
}

#[tokio::test]
async fn a_listener_that_fails_ends_the_login_with_its_words() {
    let town = Town::new();
    let person = Person { before: vec![Err("the port is taken".to_owned())], ..Person::new(&town) };
    let finished = person.finished.clone();
    let client = town.builder_for(person).build().unwrap();
    let error = client.log_in(Scopes::new()).await.unwrap_err();
    assert!(error.to_string().contains("the port is taken"), "{error}");
    assert_eq!(*finished.lock().unwrap(), ["Unasked"]);
    assert!(matches!(error, Error::Failure(failure) if failure.kind() == Kind::Unasked));
}

#[tokio::test]
async fn without_a_person_there_is_no_login() {
    let town = Town::new();
    let client = builder(town.config()).build().unwrap();
    for _ in 0..2 {
        assert!(
            matches!(client.send(town.request("/mcp")).await, Err(Error::Failure(it)) if it.kind() == Kind::Unasked)
        );
        assert!(
            matches!(client.log_in(Scopes::new()).await, Err(Error::Failure(it)) if it.kind() == Kind::Unasked)
        );
    }
}

#[tokio::test]
async fn a_person_who_never_answers_is_waited_for_until_the_time_is_up() {
    let town = Town::new();
    let person = Person { thinks: None, ..Person::new(&town) };
    let policy = Policy::with(|it| it.consent_time = Duration::from_secs(1));
    let client = town.builder_with(town.config().policy(policy), person.clone()).build().unwrap();
    assert_eq!(kind(client.send(town.request("/mcp")).await), Kind::ConsentTimedOut);
    assert_eq!(person.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_happens_can_be_watched() {
    let town = Town::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = seen.clone();
    let observer = move |observed: Observed<'_>| {
        let line = match observed {
            Observed::Sent { purpose, .. } => format!("sent {purpose:?}"),
            Observed::Answered { purpose, status, .. } => format!("answered {purpose:?} {status:?}"),
            Observed::Opened { url } => format!("opened {}", url.rsplit('/').next().unwrap()),
            Observed::Requested { operation, authorized, .. } => {
                format!("requested {operation} {authorized}")
            }
            Observed::Responded { operation, status, .. } => format!("responded {operation} {status}"),
            Observed::Finished(Ok(Outcome::Authorized(_))) => "authorized".to_owned(),
            Observed::Finished(Ok(Outcome::Anonymous)) => "anonymous".to_owned(),
            _ => return,
        };
        list.lock().unwrap().push(line);
    };
    let client = town.builder().observe(observer).build().unwrap();
    client.send_as("ping", town.request("/mcp")).await.unwrap();
    let exchanges = [Purpose::ResourceMetadata, Purpose::ServerMetadata, Purpose::Registration];
    let mut expected =
        vec!["anonymous".to_owned(), "requested ping false".to_owned(), "responded ping 401".to_owned()];
    for purpose in exchanges {
        let status = if purpose == Purpose::Registration { 201 } else { 200 };
        expected.extend([format!("sent {purpose:?}"), format!("answered {purpose:?} Some({status})")]);
    }
    expected.extend(
        [
            "opened authorize",
            "sent Token",
            "answered Token Some(200)",
            "authorized",
            "requested ping true",
            "responded ping 200",
        ]
        .map(str::to_owned),
    );
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_run_is_written_down_and_runs_again() {
    let (town, text) = (Town::new(), Arc::new(Mutex::new(String::new())));
    let kept = text.clone();
    let record = move |line: &str| *kept.lock().unwrap() += &format!("{line}\n");
    let client = town.builder().record(record).build().unwrap();
    assert_eq!(client.send(town.request("/mcp")).await.unwrap().status(), 200);
    assert_eq!(client.send(town.scoped("write")).await.unwrap().status(), 200);
    client.log_out().await.unwrap();
    let trace = Trace::read(&text.lock().unwrap()).unwrap();
    let replayed = trace.replay().unwrap();
    assert!(replayed.events > 10, "{replayed:?}");
    let shown = format!("{:?}", trace.entries().collect::<Vec<_>>());
    for note in ["authorized: false", "status: 401", "authorized: true", "status: 403", "status: 200"] {
        assert!(shown.contains(note), "{note} is not in {shown}");
    }
    trace.scrub(Names::Kept).unwrap().replay().unwrap();
}
