//! What follows from a configuration, once for all machines that are made with it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::base::guard::{Endpoint, Guard};
use crate::credential::{AuthorizationServer, Credential};

/// The MCP server's URL, and the guard that follows from it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) server: Endpoint,
    pub(crate) guard: Guard,
    common: OnceLock<Common>,
}

/// The texts of the first grant that are not about whose it is. Others are of the same authorization server and for the same
/// resource, as a rule, and there may be very many.
struct Common {
    server: Arc<str>,
    resource: Arc<str>,
    resource_metadata: Option<Arc<str>>,
    authorization_server: Arc<AuthorizationServer>,
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Common")
            .field("authorization_server", &self.authorization_server)
            .finish_non_exhaustive()
    }
}

impl Judged {
    pub(super) fn new(server: Endpoint, guard: Guard) -> Self {
        Self { server, guard, common: OnceLock::new() }
    }

    /// Keeps once what this record says like the first. What it says stays the same.
    pub(crate) fn share(&self, record: &mut Credential) {
        let common = self.common.get_or_init(|| Common {
            server: Arc::clone(&record.server),
            resource: Arc::clone(&record.resource),
            resource_metadata: record.resource_metadata.clone(),
            authorization_server: Arc::clone(&record.authorization_server),
        });
        share(&mut record.server, &common.server);
        share(&mut record.resource, &common.resource);
        if let (Some(own), Some(common)) = (&mut record.resource_metadata, &common.resource_metadata) {
            share(own, common);
        }
        share(&mut record.authorization_server, &common.authorization_server);
    }
}

fn share<T: ?Sized + PartialEq>(own: &mut Arc<T>, common: &Arc<T>) {
    if own == common {
        *own = Arc::clone(common);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const RECORD: &str = r#"{"version":1,"generation":1,"server":"https://mcp.example/","resource":"https://mcp.example/",
        "resource_metadata":"https://mcp.example/.well-known/oauth-protected-resource","authorization_server":{
        "issuer":"https://as.example","named":"https://as.example","authorization_endpoint":"https://as.example/authorize",
        "token_endpoint":"https://as.example/token","iss_parameter_supported":true,"legacy":false},"client":{"id":"c",
        "method":"none","redirect_uris":[],"origin":"dynamic"},"asked":"","granted":"","access_token":"t","obtained_at":1}"#;

    fn record(from: &str, to: &str) -> Credential {
        assert!(RECORD.contains(from));
        serde_json::from_str(&RECORD.replacen(from, to, 1)).unwrap()
    }

    /// Without what may stand in the query of the resource.
    #[test]
    fn what_is_shown_is_whose_it_is() {
        let config = Config::new("https://mcp.example/", "Test", "http://127.0.0.1:3000/callback");
        let place = config.judged().unwrap();
        place.share(&mut record("", ""));
        let shown = format!("{place:?}");
        assert!(
            shown.contains("issuer: \"https://as.example\"") && !shown.contains("oauth-protected-resource")
        );
    }

    #[test]
    fn what_records_say_alike_is_kept_once_and_nothing_else_changes() {
        let config = Config::new("https://mcp.example/", "Test", "http://127.0.0.1:3000/callback");
        let place = config.judged().unwrap();
        let mut first = record("", "");
        place.share(&mut first);
        let others = [
            (("", ""), true),
            ((r#""access_token":"t""#, r#""access_token":"u""#), true),
            (("https://as.example/token", "https://as.example/other"), false),
            ((r#""issuer":"https://as.example""#, r#""issuer":"https://other.example""#), false),
        ];
        for ((from, to), alike) in others {
            let told = record(from, to);
            let mut kept = told.clone();
            place.share(&mut kept);
            assert_eq!(kept, told);
            assert_eq!(Arc::ptr_eq(&kept.authorization_server, &first.authorization_server), alike, "{to}");
            assert!(Arc::ptr_eq(&kept.server, &first.server) && Arc::ptr_eq(&kept.resource, &first.resource));
            assert!(Arc::ptr_eq(
                kept.resource_metadata.as_ref().unwrap(),
                first.resource_metadata.as_ref().unwrap()
            ));
        }
        // A configuration that was changed is another one.
        let mut apart = record("", "");
        config.account("a").protocol_version("2025-11-25").judged().unwrap().share(&mut apart);
        assert!(!Arc::ptr_eq(&apart.server, &first.server));
    }
}
