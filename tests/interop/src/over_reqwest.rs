//! `mcp-auth-reqwest`.

use mcp_auth::{Authorized, LoggedOut, Scopes};
use mcp_auth_jose::signing;
use mcp_auth_reqwest::reqwest::header::{HeaderName, HeaderValue};
use mcp_auth_reqwest::reqwest::{Method, Request};
use mcp_auth_reqwest::{Client, Error};
use mcp_auth_store::FileStore;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use crate::adapter::{Adapter, Refused, Session, Setting};
use crate::asked::{Asked, Watched};
use crate::rpc::{Conversation, Message, Reply};

pub(crate) struct Reqwest;

impl Adapter for Reqwest {
    fn name(&self) -> &'static str {
        "reqwest"
    }

    fn build(&self, setting: Setting) -> Result<Box<dyn Session>, Refused> {
        let url =
            Url::parse(setting.config.server_url()).map_err(|error| Refused::Other(error.to_string()))?;
        let conversation = Conversation::new(setting.wire);
        let (client, watch) = client(setting)?;
        let runtime = Runtime::new().map_err(|error| Refused::Other(error.to_string()))?;
        Ok(Box::new(Held { client, url, conversation, watch, runtime }))
    }
}

/// The client, and the watch over it; all but who speaks MCP.
pub(crate) fn client(setting: Setting) -> Result<(Client, Watched), Refused> {
    let Setting { config, store, person, key, .. } = setting;
    let watch = Watched::new(&config);
    let mut builder = Client::builder(config).tap(watch.clone());
    if let Some(directory) = store {
        builder = builder.store(FileStore::new(directory).map_err(Refused::Other)?);
    }
    if let Some(person) = person {
        builder = builder.consent(Asked(person));
    }
    if let Some(key) = key {
        builder = builder.keys(signing(key));
    }
    Ok((builder.build()?, watch))
}

struct Held {
    client: Client,
    url: Url,
    conversation: Conversation,
    watch: Watched,
    runtime: Runtime,
}

impl Held {
    async fn exchange(&self, message: Message) -> Result<Reply, Refused> {
        let mut request = Request::new(Method::POST, self.url.clone());
        for (name, value) in message.fields {
            let value = HeaderValue::from_str(&value).map_err(|error| Refused::Other(error.to_string()))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        *request.body_mut() = Some(message.body.into());
        let response = self.client.send_as(&message.operation, request).await?;
        let status = response.status().as_u16();
        let session = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
        let session = session.map(str::to_owned);
        let body = response.text().await.map_err(|error| Refused::Other(error.to_string()))?;
        Ok(Reply { status, session, body })
    }
}

impl Session for Held {
    fn call(&self, method: &str, params: Value) -> Result<Value, Refused> {
        let exchange = |message| self.runtime.block_on(self.exchange(message));
        self.conversation.request(method, params, exchange)
    }

    fn log_in(&self, scopes: Scopes) -> Result<Authorized, Refused> {
        Ok(self.runtime.block_on(self.client.log_in(scopes))?)
    }

    fn restore(&self) -> Result<Option<Authorized>, Refused> {
        Ok(self.runtime.block_on(self.client.restore())?)
    }

    fn log_out(&self) -> Result<LoggedOut, Refused> {
        Ok(self.runtime.block_on(self.client.log_out())?)
    }

    fn client_disowned(&self) -> Result<(), Refused> {
        self.client.client_disowned();
        Ok(())
    }

    fn authorized(&self) -> Option<Authorized> {
        self.client.authorized()
    }

    fn trail(&self) -> String {
        self.client.trail().to_string()
    }

    fn breaches(&self) -> Vec<String> {
        self.watch.breaches()
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Failure(failure) => Self::Failure(failure),
            Error::Configuration(breach) => Self::Configuration(breach),
            other => Self::Other(other.to_string()),
        }
    }
}
