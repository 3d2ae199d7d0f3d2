//! A real client of rmcp, a real server of rmcp, and the testbed's tokens between them.

mod house;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use house::{House, Listener, call, soon, until};
use http::Method;
use mcp_auth_reqwest::mcp_auth::{Kind, Scopes, TokenSource};
use mcp_auth_rmcp::{AuthorizedClient, failure};
use mcp_auth_testbed::{Dials, Person, Purpose};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, ProtocolVersion, ServerNotification,
    SubscriptionFilter,
};
use rmcp::service::PeerRequestOptions;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::FixedInterval;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, ServiceExt as _};
use tokio::sync::Notify;

#[tokio::test]
async fn the_first_401_logs_in_and_the_session_goes_on() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    let tools = soon(service.list_all_tools()).await.unwrap();
    assert_eq!(
        tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>(),
        ["echo", "write_file", "announce"]
    );
    assert_eq!(call(&service, "echo").await.unwrap(), "echo was here");
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
    assert_eq!((house.count(Purpose::Authorize), house.answered(&Method::POST, 401)), (1, 1));
    soon(service.cancel()).await.unwrap();
    assert_eq!(
        house.answered(&Method::DELETE, 202) + house.answered(&Method::DELETE, 204),
        1,
        "{:?}",
        house.seen()
    );
}

#[tokio::test]
async fn the_wire_without_sessions_works_too() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let service = soon(().serve_with_lifecycle(house.transport(&client), lifecycle)).await.unwrap();
    assert_eq!(soon(service.list_all_tools()).await.unwrap().len(), 3);
    assert_eq!(call(&service, "echo").await.unwrap(), "echo was here");
    assert_eq!(call(&service, "write_file").await.unwrap(), "write_file was here");
    assert!(
        house.seen().iter().all(|seen| !seen.session && seen.method == Method::POST),
        "{:?}",
        house.seen()
    );
    assert_eq!(house.count(Purpose::Authorize), 2);
}

#[tokio::test]
async fn a_subscription_without_a_session_renews_its_token_too() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let service = soon(().serve_with_lifecycle(house.transport(&client), lifecycle)).await.unwrap();
    house.world().expire_access_tokens();
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = soon(service.peer().listen(filter)).await.unwrap();
    for _ in 0..2 {
        let heard = soon(subscription.next()).await.unwrap();
        assert!(matches!(heard, Some(ServerNotification::ToolListChangedNotification(_))), "{heard:?}");
    }
    assert_eq!((house.count(Purpose::Authorize), house.count(Purpose::Refresh)), (1, 1));
}

#[tokio::test]
async fn a_call_that_is_called_off_holds_nothing_up() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    let waiting = ClientRequest::CallToolRequest(CallToolRequest::new(CallToolRequestParams::new("wait")));
    let options = PeerRequestOptions::no_options();
    let handle = soon(service.peer().send_cancellable_request(waiting, options)).await.unwrap();
    soon(handle.cancel(None)).await.unwrap();
    assert_eq!(call(&service, "echo").await.unwrap(), "echo was here");
    // The server was told, with a token.
    until("the cancellation is taken", || house.answered(&Method::POST, 202) == 2).await;
}

#[tokio::test]
async fn a_login_outlives_the_one_who_began_it() {
    let house = House::new(Dials::default()).await;
    let person = Arc::new(Notify::new());
    let client = house.client_of_thinker(person.clone());
    let begun = tokio::time::timeout(Duration::from_millis(300), ().serve(house.transport(&client))).await;
    assert!(begun.is_err(), "it waits for the person");
    person.notify_one();
    until("the person has consented", || house.count(Purpose::CodeExchange) == 1).await;
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    assert_eq!(call(&service, "echo").await.unwrap(), "echo was here");
    assert_eq!(house.count(Purpose::Authorize), 1);
}

#[tokio::test]
async fn a_token_that_runs_out_is_renewed_in_the_middle_of_a_session() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    house.world().expire_access_tokens();
    assert_eq!(call(&service, "echo").await.unwrap(), "echo was here");
    assert_eq!(client.authorized().unwrap().source, TokenSource::Refreshed);
    assert_eq!((house.count(Purpose::Authorize), house.count(Purpose::Refresh)), (1, 1));
}

#[tokio::test]
async fn a_tool_that_needs_more_leads_to_a_step_up() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    let before = client.authorized().unwrap().granted;
    assert_eq!(call(&service, "write_file").await.unwrap(), "write_file was here");
    let after = client.authorized().unwrap().granted;
    assert!(before.is_subset(&after) && Scopes::parse("files:write").unwrap().is_subset(&after), "{after}");
    assert_eq!((house.count(Purpose::Authorize), house.answered(&Method::POST, 403)), (2, 1));
}

#[tokio::test]
async fn notifications_come_and_their_stream_outlives_its_token() {
    let house = House::new(Dials::default()).await;
    let (client, listener) = (house.client(), Listener::default());
    let heard = listener.0.clone();
    let service = soon(listener.serve(house.transport(&client))).await.unwrap();
    until("the stream is open", || house.answered(&Method::GET, 200) == 1).await;
    call(&service, "announce").await.unwrap();
    until("a notification", || heard.load(Ordering::SeqCst) == 1).await;

    house.world().expire_access_tokens();
    house.close_streams(Duration::from_millis(10)).await;
    until("the stream is open again", || house.answered(&Method::GET, 200) == 2).await;
    assert_eq!((house.answered(&Method::GET, 401), house.count(Purpose::Refresh)), (1, 1));
    call(&service, "announce").await.unwrap();
    until("another notification", || heard.load(Ordering::SeqCst) == 2).await;
}

#[tokio::test]
async fn a_stream_whose_token_was_renewed_for_another_request_gets_the_new_one() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    until("the stream is open", || house.answered(&Method::GET, 200) == 1).await;
    house.world().expire_access_tokens();
    call(&service, "echo").await.unwrap();
    house.close_streams(Duration::from_millis(10)).await;
    until("the stream is open again", || house.answered(&Method::GET, 200) == 2).await;
    assert_eq!((house.answered(&Method::GET, 401), house.count(Purpose::Refresh)), (0, 1));
}

#[tokio::test]
async fn a_session_that_is_gone_is_begun_anew_with_the_same_grant() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    house.end_sessions().await;
    assert_eq!(call(&service, "echo").await.unwrap(), "echo was here");
    assert_eq!((house.answered(&Method::POST, 404), house.count(Purpose::Authorize)), (1, 1));
}

#[tokio::test]
async fn many_calls_that_are_refused_at_once_share_one_login() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    house.world().revoke_everything();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let peer = service.peer().clone();
            tokio::spawn(async move {
                let call = CallToolRequestParams::new("echo");
                peer.call_tool(call).await.map(|result| result.content.len())
            })
        })
        .collect();
    for call in calls {
        assert_eq!(soon(call).await.unwrap().unwrap(), 1);
    }
    assert_eq!(house.count(Purpose::Authorize), 2);
    assert!(house.answered(&Method::POST, 401) > 2, "they were not refused at once");
}

#[tokio::test]
async fn a_login_that_is_refused_is_a_failure_with_its_trail() {
    let house = House::new(Dials { person: Person::Denies, ..Dials::default() }).await;
    let error = soon(().serve(house.transport(&house.client()))).await.unwrap_err();
    let found = failure(&error).unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(found.kind(), Kind::AccessDenied);
    let shown = format!("{found:#}");
    assert!(shown.contains("/.well-known/oauth-protected-resource/mcp [200]"), "{shown}");
    assert!(error.to_string().contains("access_denied"), "{error}");
}

#[tokio::test]
async fn a_failure_in_the_middle_is_found_too() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    house.world().revoke_everything();
    house.world().dials_mut().person = Person::Denies;
    let error = call(&service, "echo").await.unwrap_err();
    assert_eq!(failure(&error).unwrap_or_else(|| panic!("{error:?}")).kind(), Kind::AccessDenied);
    assert_eq!(error.auth_challenge(), None, "rmcp has nothing to do about it");
}

#[tokio::test]
async fn a_stream_that_nobody_waits_for_asks_once() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let mut config = house.config();
    let mut often = FixedInterval::default();
    often.duration = Duration::from_millis(20);
    config.retry_config = Arc::new(often);
    let transport = StreamableHttpClientTransport::with_client(AuthorizedClient::new(client), config);
    let service = soon(().serve(transport)).await.unwrap();
    until("the stream is open", || house.answered(&Method::GET, 200) == 1).await;
    house.world().revoke_everything();
    house.world().dials_mut().person = Person::Denies;
    house.close_streams(Duration::from_millis(10)).await;
    until("the stream is refused", || house.answered(&Method::GET, 401) == 1).await;
    until("the person is asked", || house.count(Purpose::Authorize) == 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(house.answered(&Method::GET, 401), 1);
    // Whoever waits for something is told why.
    let error = call(&service, "echo").await.unwrap_err();
    assert_eq!(failure(&error).unwrap_or_else(|| panic!("{error:?}")).kind(), Kind::AccessDenied);
}

#[tokio::test]
async fn nobody_is_asked_to_log_in_to_leave() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let service = soon(().serve(house.transport(&client))).await.unwrap();
    house.world().revoke_everything();
    soon(service.cancel()).await.unwrap();
    assert_eq!(house.answered(&Method::DELETE, 401), 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.count(Purpose::Authorize), 1);
}

#[tokio::test]
async fn a_fixed_token_is_sent_as_it_is() {
    let house = House::new(Dials::default()).await;
    let client = house.client();
    let config = house.config().auth_header("no-token-of-ours");
    let transport = StreamableHttpClientTransport::with_client(AuthorizedClient::new(client.clone()), config);
    let error = soon(().serve(transport)).await.unwrap_err();
    let challenge = error.auth_challenge().unwrap_or_else(|| panic!("{error:?}"));
    assert!(challenge.contains("The access token is not valid."), "{challenge}");
    assert!(failure(&error).is_none() && client.authorized().is_none());
    assert_eq!((house.count(Purpose::Authorize), house.count(Purpose::Registration)), (0, 0));
}
