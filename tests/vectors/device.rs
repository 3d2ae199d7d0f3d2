//! `device_request.json`, `device_answer.json` and `device_poll.json`: authorization for machines without a browser.

use std::time::Duration;

use mcp_auth::wire::device::{DeviceAuthorization, DeviceRequest, Polled, poll, slower};
use mcp_auth::wire::token::TokenShape;
use mcp_auth::{Guard, Reach, Scopes, Secret, Timestamp};
use serde_json::{Value, json};

use crate::token::{client, sent};
use crate::{body, kind};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn status(input: &Value) -> u16 {
    input["status"].as_u64().unwrap_or(200).try_into().unwrap()
}

/// `{client, scopes, resource?, client_assertion?}` to `{authorization, body}`, or to the kind of breach.
pub(crate) fn request(input: &Value) -> Value {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let assertion = text("client_assertion").map(Secret::from);
    let request = DeviceRequest {
        client: &client(&input["client"]),
        scopes: &Scopes::parse(text("scopes").unwrap()).unwrap(),
        resource: text("resource"),
        assertion: assertion.as_ref(),
    };
    request.build().map_or_else(|breach| kind(&breach), |message| sent(&message))
}

/// `{status?, document | body}` to what is read, or to the kind of breach.
pub(crate) fn answer(input: &Value) -> Value {
    match DeviceAuthorization::read(status(input), &body(input), NOW, &Guard::new(Reach::Public)) {
        Err(breach) => kind(&breach),
        Ok(read) => json!({
            "device_code": read.device_code.expose(),
            "user_code": read.user_code,
            "verification_uri": read.verification_uri.as_given(),
            "verification_uri_complete": read.verification_uri_complete.as_ref().map(|url| url.as_given()),
            "expires_in": read.expires_at.since(NOW).as_secs(),
            "interval": read.interval.as_secs(),
        }),
    }
}

/// `{status?, content_type?, document | body, bound?}` to the token, `"pending"`, `"slow_down"` or the kind of breach;
/// `{slower}` to the intervals after a `slow_down`.
pub(crate) fn polled(input: &Value) -> Value {
    if let Some(intervals) = input.get("slower") {
        let intervals: Vec<u64> = serde_json::from_value(intervals.clone()).unwrap();
        return intervals.into_iter().map(|secs| slower(Duration::from_secs(secs)).as_secs()).collect();
    }
    let content_type = input["content_type"].as_str().or(Some("application/json"));
    let bound = input.get("bound").is_some_and(|it| *it == json!(true));
    match poll(status(input), content_type, &body(input), NOW, TokenShape::default(), bound) {
        Ok(Polled::Token(token)) => json!({"token": token.access_token.expose()}),
        Ok(Polled::Pending) => json!("pending"),
        Ok(Polled::SlowDown) => json!("slow_down"),
        Err(breach) => kind(&breach),
    }
}
