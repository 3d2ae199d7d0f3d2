//! What is sent once: with the token at hand, and no attempt for its sake.

mod served;

use mcp_auth_reqwest::mcp_auth::Scopes;
use mcp_auth_testbed::{Dials, Purpose, serve};
use served::{Person, builder, config, count, request, soon};

#[tokio::test]
async fn a_refusal_is_given_back_and_begins_nothing() {
    let served = serve(Dials::default()).await.unwrap();
    let client = builder(config(&served)).consent(Person(served.world.clone())).build().unwrap();
    let response = soon(client.send_once("leave", request(&served, "echo"))).await.unwrap();
    assert_eq!(response.status(), 401, "there is no token");

    soon(client.log_in(Scopes::new())).await.unwrap();
    let response = soon(client.send_once("leave", request(&served, "echo"))).await.unwrap();
    assert_eq!(response.status(), 200, "the token at hand goes along");
    let response = soon(client.send_once("leave", request(&served, "write_file"))).await.unwrap();
    assert_eq!(response.status(), 403, "no step-up");

    served.world().revoke_everything();
    let response = soon(client.send_once("leave", request(&served, "echo"))).await.unwrap();
    assert_eq!(response.status(), 401, "no renewal of what is refused");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!((count(&served, Purpose::Authorize), count(&served, Purpose::Refresh)), (1, 0));
}
