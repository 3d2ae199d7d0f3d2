//! What a message is about, in a few words: step-ups are counted for each.

use mcp_auth_reqwest::mcp_auth::base::guard;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ConstString as _, JsonRpcMessage,
};

/// The method, and what is called by it: `tools/call:write_file`. Of a URI no query: it may hold a secret, and the name is
/// logged.
pub(crate) fn of(message: &ClientJsonRpcMessage) -> String {
    match message {
        JsonRpcMessage::Request(message) => {
            let method = message.request.method();
            match &message.request {
                ClientRequest::CallToolRequest(call) => format!("{method}:{}", call.params.name),
                ClientRequest::GetPromptRequest(get) => format!("{method}:{}", get.params.name),
                ClientRequest::ReadResourceRequest(read) => {
                    format!("{method}:{}", guard::without_query(&read.params.uri))
                }
                _ => method.to_owned(),
            }
        }
        JsonRpcMessage::Notification(message) => match &message.notification {
            ClientNotification::CancelledNotification(it) => it.method.as_str(),
            ClientNotification::ProgressNotification(it) => it.method.as_str(),
            ClientNotification::InitializedNotification(it) => it.method.as_str(),
            ClientNotification::RootsListChangedNotification(it) => it.method.as_str(),
            ClientNotification::CustomNotification(it) => it.method.as_str(),
            _ => "notification",
        }
        .to_owned(),
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => "response".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::{Value, json};

    fn named(message: &Value) -> String {
        of(&serde_json::from_value(message.clone()).unwrap())
    }

    fn request(method: &str, params: Value) -> Value {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    }

    #[test]
    fn a_message_is_named_by_its_method_and_what_it_calls() {
        let call = request("tools/call", json!({"name": "write_file", "arguments": {"path": "a"}}));
        assert_eq!(named(&call), "tools/call:write_file");
        assert_eq!(named(&request("prompts/get", json!({"name": "review"}))), "prompts/get:review");
        let read = request("resources/read", json!({"uri": "https://u:hush@a.example/b?token=hush#hush"}));
        assert_eq!(named(&read), "resources/read:https://a.example/b");
        assert_eq!(named(&request("tools/list", json!({}))), "tools/list");
        assert_eq!(named(&request("vendor/own", json!({"name": "x"}))), "vendor/own");
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(named(&initialized), "notifications/initialized");
        assert_eq!(named(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})), "response");
    }
}
