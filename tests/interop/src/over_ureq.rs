//! `mcp-auth-ureq`.

use mcp_auth::{Authorized, LoggedOut, Scopes};
use mcp_auth_jose::signing;
use mcp_auth_store::FileStore;
use mcp_auth_ureq::http::Request;
use mcp_auth_ureq::{Client, Error};
use serde_json::Value;

use crate::adapter::{Adapter, Refused, Session, Setting};
use crate::asked::{Asked, Watched};
use crate::rpc::{Conversation, Message, Reply};

pub(crate) struct Ureq;

impl Adapter for Ureq {
    fn name(&self) -> &'static str {
        "ureq"
    }

    fn build(&self, setting: Setting) -> Result<Box<dyn Session>, Refused> {
        let Setting { config, store, person, key, wire } = setting;
        let url = config.server_url().to_owned();
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
        let client = builder.build()?;
        Ok(Box::new(Held { client, url, conversation: Conversation::new(wire), watch }))
    }
}

struct Held {
    client: Client,
    url: String,
    conversation: Conversation,
    watch: Watched,
}

impl Held {
    fn exchange(&self, message: Message) -> Result<Reply, Refused> {
        let other = |why: String| Refused::Other(why);
        let mut request = Request::post(&self.url);
        for (name, value) in message.fields {
            request = request.header(name, value);
        }
        let request = request.body(message.body.into_bytes()).map_err(|error| other(error.to_string()))?;
        let mut response = self.client.send_as(&message.operation, request)?;
        let status = response.status().as_u16();
        let session = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
        let session = session.map(str::to_owned);
        let body = response.body_mut().read_to_string().map_err(|error| other(error.to_string()))?;
        Ok(Reply { status, session, body })
    }
}

impl Session for Held {
    fn call(&self, method: &str, params: Value) -> Result<Value, Refused> {
        self.conversation.request(method, params, |message| self.exchange(message))
    }

    fn log_in(&self, scopes: Scopes) -> Result<Authorized, Refused> {
        Ok(self.client.log_in(scopes)?)
    }

    fn restore(&self) -> Result<Option<Authorized>, Refused> {
        Ok(self.client.restore()?)
    }

    fn log_out(&self) -> Result<LoggedOut, Refused> {
        Ok(self.client.log_out()?)
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
