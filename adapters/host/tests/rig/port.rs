//! Somebody who listens on one port for every answer, as a host with a registered redirect URI must.

use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;

use mcp_auth::{Callback, Timestamp};
use mcp_auth_host::{Answers, BoxFuture, Consent};
use url::Url;

use super::town::Person;

/// The first time the browser is opened, nobody answers; after that the person does.
#[derive(Clone)]
pub struct OnePort {
    pub person: Person,
    pub address: SocketAddr,
}

impl OnePort {
    pub fn new(person: Person) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { person, address: free.local_addr().unwrap() }
    }

    pub fn opened(&self) -> usize {
        self.person.opened.load(Ordering::SeqCst)
    }
}

struct Listening {
    visit: Box<dyn Answers>,
    port: Result<TcpListener, String>,
    answered: bool,
}

impl Consent for OnePort {
    fn open(&self, url: Url, until: Timestamp) -> Box<dyn Answers> {
        let port = TcpListener::bind(self.address).map_err(|error| error.to_string());
        let answered = self.opened() > 0;
        Box::new(Listening { visit: self.person.open(url, until), port, answered })
    }
}

impl Answers for Listening {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        match &self.port {
            Err(why) => Box::pin(std::future::ready(Err(why.clone()))),
            Ok(_) if !self.answered => Box::pin(pending()),
            Ok(_) => self.visit.next(),
        }
    }
}
