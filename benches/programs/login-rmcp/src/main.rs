//! Logs in to an MCP server and sends it one request: `login-rmcp URL`.

include!("../../login.rs");

use reqwest::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, RequestBuilder, StatusCode};
use rmcp::transport::auth::{AuthorizationRequest, OAuthState};

fn main() -> Result<(), Failure> {
    #[cfg(feature = "ring")]
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is a provider")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

fn initialize(client: &Client, server: &str) -> RequestBuilder {
    let request = client.post(server).header(CONTENT_TYPE, "application/json");
    request.header(ACCEPT, "application/json, text/event-stream").body(INITIALIZE)
}

async fn run() -> Result<(), Failure> {
    let server = std::env::args().nth(1).ok_or("login-rmcp URL")?;
    let client = Client::new();
    let mut response = initialize(&client, &server).send().await?;
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = response.headers().get(WWW_AUTHENTICATE).ok_or("no challenge")?.to_str()?;
        let (listener, redirect) = listen()?;
        let request =
            AuthorizationRequest::new(redirect).with_client_name("Smallest login").with_challenge(challenge);
        let mut state = OAuthState::new(server.as_str(), None).await?;
        state.start_authorization(request).await?;
        let url = state.get_authorization_url().await?;
        let callback = tokio::task::spawn_blocking(move || consented(&listener, &url)).await??;
        state.handle_callback_url(&callback).await?;
        let manager = state.into_authorization_manager().ok_or("the login has not ended")?;
        let token = manager.get_access_token().await?;
        response = initialize(&client, &server).bearer_auth(token).send().await?;
    }
    println!("{}\n{}", response.status(), response.text().await?);
    Ok(())
}
