//! `mcp-auth-rmcp`: rmcp, the official SDK, speaks MCP over the authorized client.
//!
//! It connects at the first call, so what that call costs, and why it fails, is often told by the connection.

use std::error::Error as StdError;
use std::future::Future;

use mcp_auth::{Authorized, LoggedOut, Scopes};
use mcp_auth_reqwest::Client;
use mcp_auth_rmcp::AuthorizedClient;
use mcp_auth_rmcp::rmcp::model::{CallToolRequestParams, ClientConfig, Implementation, ProtocolVersion};
use mcp_auth_rmcp::rmcp::service::{Peer, RoleClient, RunningService};
use mcp_auth_rmcp::rmcp::transport::StreamableHttpClientTransport;
use mcp_auth_rmcp::rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use mcp_auth_rmcp::rmcp::{ClientLifecycleMode, ClientServiceExt as _};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::adapter::{Adapter, Refused, Session, Setting};
use crate::asked::Watched;
use crate::over_reqwest;
use crate::rpc::Wire;

pub(crate) struct Rmcp;

impl Adapter for Rmcp {
    fn name(&self) -> &'static str {
        "rmcp"
    }

    fn build(&self, setting: Setting) -> Result<Box<dyn Session>, Refused> {
        let (url, wire) = (setting.config.server_url().to_owned(), setting.wire);
        let (client, watch) = over_reqwest::client(setting)?;
        let runtime = Runtime::new().map_err(|error| Refused::Other(error.to_string()))?;
        let service = Mutex::default();
        Ok(Box::new(Held { client: AuthorizedClient::new(client), url, wire, service, watch, runtime }))
    }
}

struct Held {
    client: AuthorizedClient,
    url: String,
    wire: Wire,
    /// The connection, once there is one.
    service: Mutex<Option<RunningService<RoleClient, ClientConfig>>>,
    watch: Watched,
    runtime: Runtime,
}

impl Held {
    fn client(&self) -> &Client {
        self.client.client()
    }

    async fn connected(&self) -> Result<Peer<RoleClient>, Refused> {
        let mut service = self.service.lock().await;
        if let Some(service) = &*service {
            return Ok(service.peer().clone());
        }
        let transport = StreamableHttpClientTransport::with_client(
            self.client.clone(),
            StreamableHttpClientTransportConfig::with_uri(self.url.as_str()),
        );
        let lifecycle = match self.wire {
            Wire::Stateless => {
                ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
            }
            Wire::Sessions => ClientLifecycleMode::Initialize,
        };
        let who = ClientConfig::new(Default::default(), Implementation::new("interop", "1"));
        let begun = who.serve_with_lifecycle(transport, lifecycle).await.map_err(|error| refused(&error))?;
        Ok(service.insert(begun).peer().clone())
    }

    async fn request(&self, method: &str, params: Value) -> Result<Value, Refused> {
        let peer = self.connected().await?;
        match method {
            "tools/list" => result(peer.list_tools(None)).await,
            "tools/call" => {
                let params = serde_json::from_value::<CallToolRequestParams>(params);
                result(peer.call_tool(params.map_err(|error| Refused::Other(error.to_string()))?)).await
            }
            _ => Err(Refused::Other(format!("{method} is not asked of rmcp here"))),
        }
    }
}

/// What rmcp has read, as it came.
async fn result<T: Serialize, E: StdError + 'static>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<Value, Refused> {
    let result = asked.await.map_err(|error| refused(&error))?;
    serde_json::to_value(result).map_err(|error| Refused::Other(error.to_string()))
}

fn refused(error: &(dyn StdError + 'static)) -> Refused {
    match mcp_auth_rmcp::failure(error) {
        Some(failure) => Refused::Failure(Box::new(failure.clone())),
        None => Refused::Other(error.to_string()),
    }
}

impl Session for Held {
    fn call(&self, method: &str, params: Value) -> Result<Value, Refused> {
        self.runtime.block_on(self.request(method, params))
    }

    fn log_in(&self, scopes: Scopes) -> Result<Authorized, Refused> {
        Ok(self.runtime.block_on(self.client().log_in(scopes))?)
    }

    fn restore(&self) -> Result<Option<Authorized>, Refused> {
        Ok(self.runtime.block_on(self.client().restore())?)
    }

    fn log_out(&self) -> Result<LoggedOut, Refused> {
        Ok(self.runtime.block_on(self.client().log_out())?)
    }

    fn client_disowned(&self) -> Result<(), Refused> {
        self.client().client_disowned();
        Ok(())
    }

    fn authorized(&self) -> Option<Authorized> {
        self.client().authorized()
    }

    fn trail(&self) -> String {
        self.client().trail().to_string()
    }

    fn breaches(&self) -> Vec<String> {
        self.watch.breaches()
    }
}
