//! The town that is shared between drivers, and clients of it.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses what it needs")]

use std::sync::Arc;

use mcp_auth::Config;
use mcp_auth_reqwest::{Builder, Client, Consent};

#[path = "../../../host/tests/rig/port.rs"]
mod port;
#[path = "../served/mod.rs"]
mod served;
#[path = "../../../host/tests/rig/town.rs"]
mod town;

pub use port::OnePort;
pub use served::builder;
pub use town::{Asked, Person, REDIRECT, Reply, Town};

impl Town {
    /// A client of this town, with a person who consents.
    pub fn builder(self: &Arc<Self>) -> Builder {
        self.builder_for(Person::new(self))
    }

    /// A client of this town, with this person.
    pub fn builder_for(self: &Arc<Self>, person: impl Consent) -> Builder {
        self.builder_with(self.config(), person)
    }

    pub fn builder_with(self: &Arc<Self>, config: Config, person: impl Consent) -> Builder {
        builder(config).consent(person)
    }

    pub fn request(&self, path: &str) -> reqwest::Request {
        reqwest::Request::new(http::Method::GET, format!("{}{path}", self.origin).parse().unwrap())
    }

    /// A request that needs `scope`.
    pub fn scoped(&self, scope: &str) -> reqwest::Request {
        let mut request = self.request("/mcp");
        request.headers_mut().insert("x-scope", scope.parse().unwrap());
        request
    }
}
