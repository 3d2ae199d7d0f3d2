//! What a hostile MCP server can put into the errors of rmcp.

#[path = "../../host/tests/rig/replayed.rs"]
mod replayed;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth_reqwest::Client;
use mcp_auth_reqwest::mcp_auth::Config;
use mcp_auth_rmcp::AuthorizedClient;
use rmcp::transport::streamable_http_client::{StreamableHttpClient as _, StreamableHttpResponseLimits};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn said(answer: &'static str, drip: bool) -> Result<String, &'static str> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Arc<str> = format!("http://{}/mcp", listener.local_addr().unwrap()).into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                if drip {
                    loop {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        if stream.write_all(b"x").await.is_err() {
                            break;
                        }
                    }
                }
            });
        }
    });
    let client = Client::builder(Config::new(&*url, "Visitor", "http://127.0.0.1:3000/callback"));
    let client = AuthorizedClient::new(client.record(replayed::lines()).build().unwrap());
    let message = serde_json::from_value(
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo"}}),
    )
    .unwrap();
    let posted = client.post_message(url, message, None, Some("SECRETtoken".into()), HashMap::new());
    match tokio::time::timeout(Duration::from_secs(12), posted).await {
        Err(_) => Err("hangs"),
        Ok(Ok(_)) => Ok(String::new()),
        Ok(Err(error)) => Ok(format!("{error}\u{0}{error:?}")),
    }
}

fn is_clean(text: &str) -> bool {
    let text = text.split('\u{0}').next().unwrap();
    !text.chars().any(|it| it.is_control() && it != '\n' || matches!(it, '\u{202a}'..='\u{202e}'))
}

#[tokio::test]
async fn terminal_escapes_are_taken_out_of_bodies() {
    let text = said("HTTP/1.1 400 Bad\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}", false).await.unwrap();
    assert!(is_clean(&text), "{text:?}");
}

#[tokio::test]
async fn terminal_escapes_are_taken_out_of_what_is_no_message() {
    let text = said("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\u{1b}]52;c;ZXZpbA==\u{7}", false).await.unwrap();
    assert!(is_clean(&text), "{text:?}");
}

#[tokio::test]
async fn terminal_escapes_are_taken_out_of_fields() {
    let text = said(
        "HTTP/1.1 401 No\r\nwww-authenticate: Bearer realm=\"\u{9b}2J\u{202e}\"\r\ncontent-length: 0\r\n\r\n",
        false,
    )
    .await
    .unwrap();
    assert!(is_clean(&text), "AuthRequired: {text:?}");
    let text = said("HTTP/1.1 200 OK\r\ncontent-type: text/\u{9b}2J\r\ncontent-length: 3\r\n\r\nabc", false)
        .await
        .unwrap();
    assert!(is_clean(&text), "content type: {text:?}");
}

#[tokio::test]
async fn a_token_that_the_server_echoes_is_in_no_error() {
    for answer in [
        "HTTP/1.1 500 No\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nbad: Bearer SECRETtoken",
        "HTTP/1.1 400 No\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nbad: Bearer SECRETtoken",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"request\":\"Bearer SECRETtoken\"}",
        "HTTP/1.1 401 No\r\nwww-authenticate: Bearer error=\"invalid_token\", error_description=\"SECRETtoken\"\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 No\r\nwww-authenticate: Bearer error=\"insufficient_scope\", error_description=\"SECRETtoken\"\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 No\r\nwww-authenticate: Bearer error=\"insufficient_scope\", scope=\"a SECRETtoken\"\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/SECRETtoken\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\"SECRETtoken\"",
        "HTTP/1.1 503 No\r\nretry-after: SECRETtoken\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 400 No\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nbroken off: SECRETtoke",
    ] {
        let text = said(answer, false).await.unwrap();
        assert!(!text.is_empty() && !text.contains("SECRET"), "{answer:?} gives {text:?}");
    }
}

#[tokio::test]
async fn a_body_that_drips_holds_nobody_up() {
    let text = said("HTTP/1.1 400 Bad\r\ncontent-type: text/plain\r\n\r\n", true).await;
    assert!(text.as_ref().is_ok_and(|text| text.contains("400") && text.contains('x')), "{text:?}");
}

/// Longer than what is shown, so that the cut is in the middle of the token.
#[tokio::test]
async fn a_token_that_is_cut_is_in_no_error() {
    let limit = StreamableHttpResponseLimits::default().max_error_response_size;
    for kept in [1, 5, 10] {
        let body = "-".repeat(limit - kept) + "SECRETtoken and more";
        let answer =
            format!("HTTP/1.1 400 No\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n{body}");
        let text = said(answer.leak(), false).await.unwrap();
        assert!(text.contains("----") && !text.contains("SECR"), "{kept}");
    }
}

/// The same with the token of the client's own grant, which the host has never seen.
#[tokio::test]
async fn the_token_of_the_grant_is_in_no_error() {
    use mcp_auth_store::{MemoryStore, Store as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 8192];
            let count = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..count]).into_owned();
            let echo =
                head.lines().find(|line| line.starts_with("authorization")).unwrap_or("none").to_owned();
            let answer = format!(
                "HTTP/1.1 400 No\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nI cannot read: {echo}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let config = Config::new(&*url, "Visitor", "http://127.0.0.1:3000/callback");
    let server = "https://as.example";
    let credential = serde_json::from_value(json!({
        "version": mcp_auth_reqwest::mcp_auth::VERSION, "generation": 1, "server": url, "resource": url,
        "authorization_server": {
            "issuer": server, "named": server, "authorization_endpoint": format!("{server}/authorize"),
            "token_endpoint": format!("{server}/token"), "revocation_endpoint": null,
            "iss_parameter_supported": true, "legacy": false,
        },
        "client": {
            "id": "client", "secret": null, "method": "none", "secret_expires_at": null,
            "redirect_uris": ["http://127.0.0.1:3000/callback"], "registered_at": null, "origin": "dynamic",
        },
        "asked": "", "granted": "", "access_token": "SECRETgrant", "refresh_token": null,
        "obtained_at": 1_800_000_000, "expires_at": null,
    }))
    .unwrap();
    let store = MemoryStore::default();
    assert!(matches!(store.put(&config.key(), &credential, None), mcp_auth_reqwest::mcp_auth::Saving::Kept));
    let client = Client::builder(config).store(store).record(replayed::lines());
    let client = AuthorizedClient::new(client.build().unwrap());
    let message = serde_json::from_value(
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo"}}),
    )
    .unwrap();
    let error =
        client.post_message(url.into(), message, None, None, HashMap::new()).await.map(drop).unwrap_err();
    assert!(
        error.to_string().contains("I cannot read: authorization"),
        "the request carried no token: {error}"
    );
    assert!(!error.to_string().contains("SECRETgrant"), "{error}");
}
