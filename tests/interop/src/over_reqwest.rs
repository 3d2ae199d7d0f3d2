//! `mcp-auth-reqwest`.

use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::watch::Watch;
use mcp_auth::{Action, Authorized, Callback, Event, LoggedOut, Scopes, Timestamp};
use mcp_auth_jose::signing;
use mcp_auth_reqwest::reqwest::header::{HeaderName, HeaderValue};
use mcp_auth_reqwest::reqwest::{Method, Request};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent, DeviceCode, Error, Shown, Tap};
use mcp_auth_store::FileStore;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use url::Url;

use crate::adapter::{Adapter, Refused, Session, Setting};
use crate::person::Person;
use crate::rpc::{Conversation, Message, Reply};

pub(crate) struct Reqwest;

impl Adapter for Reqwest {
    fn name(&self) -> &'static str {
        "reqwest"
    }

    fn build(&self, setting: Setting) -> Result<Box<dyn Session>, Refused> {
        let Setting { config, store, person, key, wire } = setting;
        let url = Url::parse(config.server_url()).map_err(|error| Refused::Other(error.to_string()))?;
        let watch = Arc::new(Mutex::new(Watch::new(&config)));
        let mut builder = Client::builder(config).tap(Watched(watch.clone()));
        if let Some(directory) = store {
            builder = builder.store(FileStore::new(directory).map_err(Refused::Other)?);
        }
        if let Some(person) = person {
            builder = builder.consent(Asked(person));
        }
        if let Some(key) = key {
            builder = builder.keys(signing(key));
        }
        let runtime = Runtime::new().map_err(|error| Refused::Other(error.to_string()))?;
        let client = builder.build()?;
        Ok(Box::new(Held { client, url, conversation: Conversation::new(wire), watch, runtime }))
    }
}

struct Held {
    client: Client,
    url: Url,
    conversation: Conversation,
    watch: Arc<Mutex<Watch>>,
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
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.breaches().iter().map(ToString::to_string).collect()
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

struct Asked(Person);

impl Consent for Asked {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        let (told, answers) = mpsc::unbounded_channel();
        self.0.open(url.as_str(), move |answer| {
            let _ = told.send(answer);
        });
        Box::new(Queue(answers))
    }

    fn show(&self, code: DeviceCode) -> Result<Shown, String> {
        self.0.show(code.verification_uri.as_str(), &code.user_code);
        Ok(Box::new(()))
    }
}

struct Queue(mpsc::UnboundedReceiver<Result<String, String>>);

impl Answers for Queue {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            let answer = self.0.recv().await.unwrap_or_else(|| Err("nobody answers any more".to_owned()));
            answer.map(Callback::new)
        })
    }
}

struct Watched(Arc<Mutex<Watch>>);

impl Watched {
    fn watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Watched {
    fn event(&mut self, now: Timestamp, event: &Event) {
        self.watch().event(now, event);
    }

    fn action(&mut self, action: &Action) {
        self.watch().action(action);
    }

    fn attached(&mut self, url: &Url, resource: &str) {
        self.watch().attached(url, resource);
    }
}
