//! What the program waits for, where a person sees it and it takes long.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::Style;
use mcp_auth_reqwest::Observed;
use tokio::task::AbortHandle;
use url::Url;

use crate::args::Talk;
use crate::show::words;

/// How long an answer may take before it is said that it is waited for.
const SOON: Duration = Duration::from_secs(2);

/// Says whose answer is waited for, if it takes long.
#[derive(Clone)]
pub(crate) struct Progress {
    shown: bool,
    /// What will say so.
    waiting: Arc<Mutex<Option<AbortHandle>>>,
}

impl Progress {
    /// Where nobody looks, or everything is shown in any case, nothing is said.
    pub(crate) fn new(talk: Talk) -> Self {
        let shown = !talk.quiet && !talk.verbose && std::io::stderr().is_terminal();
        Self { shown, waiting: Arc::default() }
    }

    pub(crate) fn see(&self, observed: Observed<'_>) {
        if !self.shown {
            return;
        }
        let whom = match observed {
            Observed::Sent { url, .. } | Observed::Requested { url, .. } => Some(host(url)),
            Observed::Answered { .. } | Observed::Responded { .. } | Observed::Finished(_) => None,
            _ => return,
        };
        let next = whom.map(|whom| {
            let says = async move {
                tokio::time::sleep(SOON).await;
                let dim = Style::new().dimmed();
                anstream::eprintln!("{dim}Waiting for the answer of {whom} …{dim:#}");
            };
            tokio::spawn(says).abort_handle()
        });
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = std::mem::replace(&mut *waiting, next) {
            last.abort();
        }
    }
}

fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    words(&host.unwrap_or_else(|| url.to_owned()))
}
