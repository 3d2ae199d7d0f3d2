//! What a run has learnt of authorization servers and their clients, beyond what records say.

use std::sync::Arc;

use crate::credential::AuthorizationServer;
use crate::wire::client::Client;

/// How many authorization servers are remembered at a time, of each sort.
const MAX_SERVERS: usize = 4;

/// Nothing, in most sessions: a record tells them all they need. So there is room for it only once there is something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learnt(Option<Box<Lessons>>);

#[derive(Clone, Debug, Default)]
struct Lessons {
    /// The client that its authorization server no longer knows, by issuer and identifier: it is not used again.
    disowned: Option<(String, String)>,
    /// The issuer that was sent a code by the client that is configured for no issuer.
    bound: Option<String>,
    /// The authorization servers whose metadata was read, the latest first.
    read: Vec<Arc<AuthorizationServer>>,
    /// Those whose metadata was read, and lacks what this way of obtaining tokens needs.
    unfit: Vec<String>,
    /// Clients that were registered, by issuer. A login that fails does not undo its registration.
    registered: Vec<(String, Client)>,
}

impl Learnt {
    fn lessons(&mut self) -> &mut Lessons {
        self.0.get_or_insert_default()
    }

    /// The authorization server does not know this client any more.
    pub(crate) fn disown(&mut self, issuer: &str, client: &Client) {
        let lessons = self.lessons();
        lessons.disowned = Some((issuer.to_owned(), client.id.clone()));
        lessons.registered.retain(|(known, _)| known != issuer);
    }

    /// Whether the authorization server does not know the client of this identifier any more.
    pub(crate) fn has_disowned(&self, issuer: &str, id: &str) -> bool {
        let disowned = self.0.as_ref().and_then(|it| it.disowned.as_ref());
        disowned.is_some_and(|(known, client)| known == issuer && client == id)
    }

    /// The client that is configured for no issuer has one now, unless it had one before.
    pub(crate) fn bind(&mut self, issuer: &str) {
        self.lessons().bound.get_or_insert_with(|| issuer.to_owned());
    }

    /// The issuer of the client that is configured for none.
    pub(crate) fn bound(&self) -> Option<&String> {
        self.0.as_ref().and_then(|it| it.bound.as_ref())
    }

    /// The grant is ended, and with it what its client was bound to.
    pub(crate) fn unbind(&mut self) {
        if let Some(lessons) = &mut self.0 {
            lessons.bound = None;
        }
    }

    /// The authorization server has registered this client.
    pub(crate) fn register(&mut self, issuer: &str, client: &Client) {
        let registered = &mut self.lessons().registered;
        remember(registered, (issuer.to_owned(), client.clone()), |(known, _)| known == issuer);
    }

    /// The client that this authorization server has registered.
    pub(crate) fn registered(&self, issuer: &str) -> Option<&Client> {
        let mut registered = self.0.iter().flat_map(|it| &it.registered);
        registered.find(|(known, _)| known == issuer).map(|(_, client)| client)
    }

    /// The metadata of this authorization server was read, and is what it is said to be.
    pub(crate) fn read(&mut self, server: &Arc<AuthorizationServer>) {
        let Lessons { read, unfit, .. } = self.lessons();
        unfit.retain(|known| *known != server.named);
        remember(read, Arc::clone(server), |known| known.named == server.named);
    }

    /// The metadata of the authorization server of this name was read, and nothing can be done with it.
    pub(crate) fn find_unfit(&mut self, named: &str) {
        let Lessons { read, unfit, .. } = self.lessons();
        read.retain(|known| known.named != named);
        remember(unfit, named.to_owned(), |known| known == named);
    }

    /// Whether the latest metadata of the authorization server of this name was unfit, whatever a record says of it.
    pub(crate) fn is_unfit(&self, named: &str) -> bool {
        self.0.iter().flat_map(|it| &it.unfit).any(|known| known == named)
    }

    /// Whether the metadata that was read says of this authorization server what is said here.
    pub(crate) fn confirms(&self, server: &AuthorizationServer) -> bool {
        self.of(&server.named).is_some_and(|known| *known == *server)
    }

    /// Whether it says otherwise.
    pub(crate) fn contradicts(&self, server: &AuthorizationServer) -> bool {
        self.of(&server.named).is_some_and(|known| *known != *server)
    }

    fn of(&self, named: &str) -> Option<&AuthorizationServer> {
        self.0.iter().flat_map(|it| &it.read).map(Arc::as_ref).find(|known| known.named == named)
    }
}

/// Puts the latest word of a server before those of others, in the place of its earlier one.
fn remember<T>(all: &mut Vec<T>, latest: T, is_earlier: impl Fn(&T) -> bool) {
    all.retain(|known| !is_earlier(known));
    all.truncate(MAX_SERVERS.saturating_sub(1));
    all.insert(0, latest);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client(id: &str) -> Client {
        let client = json!({"id": id, "method": "none", "redirect_uris": [], "origin": "dynamic"});
        serde_json::from_value(client).unwrap()
    }

    fn server(named: &str, token_endpoint: &str) -> Arc<AuthorizationServer> {
        let server = json!({"issuer": named, "named": named, "authorization_endpoint": format!("{named}/authorize"),
            "token_endpoint": token_endpoint, "iss_parameter_supported": true, "legacy": false});
        Arc::new(serde_json::from_value(server).unwrap())
    }

    #[test]
    fn a_client_is_disowned_by_its_own_server() {
        let mut learnt = Learnt::default();
        learnt.disown("https://as.example", &client("c-1"));
        for (issuer, id, is) in [
            ("https://as.example", "c-1", true),
            ("https://as.example", "c-2", false),
            ("https://other.example", "c-1", false),
        ] {
            assert_eq!(learnt.has_disowned(issuer, id), is, "{issuer} {id}");
        }
    }

    #[test]
    fn what_is_unfit_is_so_until_it_is_read_again() {
        let mut learnt = Learnt::default();
        let server = server("https://a.example", "https://a.example/t");
        learnt.read(&server);
        learnt.find_unfit("https://a.example");
        assert!(learnt.is_unfit("https://a.example") && !learnt.confirms(&server));
        assert!(!learnt.is_unfit("https://b.example") && !learnt.contradicts(&server));
        for name in ["https://b.example", "https://c.example", "https://d.example", "https://b.example"] {
            learnt.find_unfit(name);
        }
        assert!(learnt.is_unfit("https://a.example"));
        learnt.read(&server);
        assert!(!learnt.is_unfit("https://a.example") && learnt.is_unfit("https://b.example"));
    }

    #[test]
    fn the_latest_word_of_each_server_counts() {
        let mut learnt = Learnt::default();
        let (before, now) = (
            server("https://a.example", "https://a.example/t"),
            server("https://a.example", "https://b.example/t"),
        );
        let other = server("https://c.example", "https://c.example/t");
        for read in [&before, &other, &now] {
            learnt.read(read);
        }
        assert!(learnt.confirms(&now) && learnt.confirms(&other) && learnt.contradicts(&before));
        assert!(
            !learnt.confirms(&before)
                && !learnt.contradicts(&server("https://d.example", "https://a.example/t"))
        );
    }
}
