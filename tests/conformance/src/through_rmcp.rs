//! The same conversation, had by rmcp over the authorized client.

use std::error::Error;

use http::Uri;
use mcp_auth_reqwest::Client;
use mcp_auth_rmcp::AuthorizedClient;
use rmcp::model::{CallToolRequestParams, ClientConfig, ProtocolVersion};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _};
use serde_json::Value;

use crate::causes::with_causes;
use crate::mcp::STATELESS_SINCE;
use crate::{arguments, begin};

/// Lists the tools and calls the first. `Ok` only when both were answered with a result.
pub(crate) async fn run(client: Client, url: &Uri, version: &str) -> Result<(), String> {
    let transport = StreamableHttpClientTransport::with_client(
        AuthorizedClient::new(client),
        StreamableHttpClientTransportConfig::with_uri(url.to_string()),
    );
    let host = Host { version: parsed(version)? };
    let lifecycle = if version >= STATELESS_SINCE {
        ClientLifecycleMode::Discover { preferred_versions: vec![host.version.clone()] }
    } else {
        ClientLifecycleMode::Initialize
    };
    let operation = "connect";
    begin(operation);
    let service =
        host.serve_with_lifecycle(transport, lifecycle).await.map_err(|why| told(operation, &why))?;
    let operation = "tools/list";
    begin(operation);
    let listed = service.list_tools(None).await.map_err(|why| told(operation, &why))?;
    let first = listed.tools.first().ok_or("tools/list: the server offers no tool")?;
    let given = arguments::minimal(&Value::Object(first.input_schema.as_ref().clone()))?;
    let mut call = CallToolRequestParams::new(first.name.clone());
    call.arguments = given.as_object().cloned();
    let operation = format!("tools/call:{}", first.name);
    begin(&operation);
    service.call_tool(call).await.map_err(|why| told(&operation, &why))?;
    begin("close");
    service.cancel().await.map(drop).map_err(|why| format!("close: {why}"))
}

/// The host's side: the revision that it speaks.
struct Host {
    version: ProtocolVersion,
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.protocol_version = self.version.clone();
        info
    }
}

fn parsed(version: &str) -> Result<ProtocolVersion, String> {
    serde_json::from_value(version.into())
        .map_err(|error| format!("MCP_CONFORMANCE_PROTOCOL_VERSION: {error}"))
}

/// Our failure where there is one, and else all that rmcp says.
fn told(operation: &str, error: &(dyn Error + 'static)) -> String {
    if let Some(failure) = mcp_auth_rmcp::failure(error) {
        return format!("{operation}: {failure}");
    }
    format!("{operation}: {}", with_causes(error))
}
