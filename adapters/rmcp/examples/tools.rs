//! A login, `tools/list` and `tools/call` by rmcp, against the testbed's servers in this process; nobody needs to do
//! anything. `cargo run -p mcp-auth-rmcp --example tools`

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_auth_reqwest::mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_reqwest::reqwest::Url;
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent, Observed};
use mcp_auth_rmcp::AuthorizedClient;
use mcp_auth_testbed::{Browsed, Dials, World, serve};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let served = serve(Dials::default()).await?;
    let url = served.server_url();

    // Ours: who asks for consent, and what is shown of it.
    let config = Config::new(url.as_str(), "Example", "http://127.0.0.1:3000/callback");
    let client = Client::builder(config).consent(Person(served.world.clone())).observe(show).build()?;

    // rmcp's, as ever.
    let transport = StreamableHttpClientTransport::with_client(
        AuthorizedClient::new(client.clone()),
        StreamableHttpClientTransportConfig::with_uri(url),
    );
    let service = match ().serve(transport).await {
        Ok(service) => service,
        Err(error) => return Err(explained(&error)),
    };
    for tool in service.list_all_tools().await? {
        println!("tool {}: {}", tool.name, tool.description.unwrap_or_default());
    }
    // The second needs a scope that the login did not ask for.
    for (tool, arguments) in
        [("echo", json!({"text": "hello"})), ("write_file", json!({"path": "notes.txt"}))]
    {
        let call = CallToolRequestParams::new(tool).with_arguments(serde_json::from_value(arguments)?);
        match service.call_tool(call).await {
            Ok(result) => println!("{tool} says {:?}", result.content.first().and_then(|it| it.as_text())),
            Err(error) => return Err(explained(&error)),
        }
    }
    if let Some(authorized) = client.authorized() {
        println!("granted: {}", authorized.granted);
    }
    service.cancel().await?;
    Ok(())
}

/// Why authorization failed and the whole way there, if that is why rmcp's operation did.
fn explained(error: &(dyn Error + 'static)) -> Box<dyn Error> {
    match mcp_auth_rmcp::failure(error) {
        Some(failure) => format!("{failure:#}").into(),
        None => error.to_string().into(),
    }
}

fn show(observed: Observed<'_>) {
    match observed {
        Observed::Requested { operation, authorized, .. } => {
            println!("  {operation}, {} a token", if authorized { "with" } else { "without" });
        }
        Observed::Responded { operation, status, .. } => println!("  {operation}: {status}"),
        Observed::Noted(entry) => println!("    {entry}"),
        Observed::Opened { url } => println!("    opened: {url}"),
        _ => {}
    }
}

/// Somebody who consents in the testbed's browser. A program for people opens theirs, and listens at the redirect URI.
struct Person(Arc<Mutex<World>>);

impl Consent for Person {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { world: self.0.clone(), url })
    }
}

struct Visit {
    world: Arc<Mutex<World>>,
    url: Url,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let answer = match self.world.lock() {
            Ok(mut world) => match world.browse(now, self.url.as_str()) {
                Browsed::Callback(url) => Ok(Callback::new(url)),
                Browsed::Page { text, .. } => Err(text),
            },
            Err(_) => Err("the testbed is gone".to_owned()),
        };
        Box::pin(std::future::ready(answer))
    }
}
