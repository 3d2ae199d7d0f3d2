//! What a scenario works with: the servers, an adapter, a person, a place for records.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_auth::{Authorized, Config, Credential, Kind};
use mcp_auth_jose::Key;
use mcp_auth_store::{FileStore, Store as _};
use serde_json::{Value, json};

use crate::adapter::{Adapter, Refused, Session, Setting};
use crate::person::{Desk, Person, Wish};
use crate::rpc::Wire;
use crate::servers::{Log, Servers};

/// How a scenario ends: with what was seen, for the table, or with what was not as it must be.
pub(crate) type Verdict = Result<String, String>;

pub(crate) struct Rig<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) desk: &'a Desk,
    pub(crate) adapter: &'a dyn Adapter,
    /// A directory of this scenario's own.
    pub(crate) scratch: PathBuf,
    /// The scenario's name, as pictures and directories have it.
    pub(crate) name: String,
}

type Change = Box<dyn FnOnce(Config) -> Config>;

/// A client that is being put together.
pub(crate) struct Making<'a> {
    rig: &'a Rig<'a>,
    path: &'static str,
    wish: Wish,
    wire: Wire,
    key: Option<Arc<Key>>,
    change: Change,
}

/// A client of one MCP endpoint, its person and its records.
pub(crate) struct Client<'a> {
    rig: &'a Rig<'a>,
    pub(crate) session: Arc<dyn Session>,
    pub(crate) person: Person,
    pub(crate) path: &'static str,
    config: Config,
    since: usize,
}

impl Rig<'_> {
    /// A client for the MCP endpoint at `path`, for whom a person consents.
    pub(crate) fn client(&self, path: &'static str) -> Making<'_> {
        Making {
            rig: self,
            path,
            wish: Wish::Give,
            wire: Wire::Stateless,
            key: None,
            change: Box::new(|config| config),
        }
    }
}

impl<'a> Making<'a> {
    pub(crate) fn wish(mut self, wish: Wish) -> Self {
        self.wish = wish;
        self
    }

    pub(crate) fn wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    pub(crate) fn key(mut self, key: Arc<Key>) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) fn config(mut self, change: impl FnOnce(Config) -> Config + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    pub(crate) fn build(self) -> Result<Client<'a>, String> {
        let rig = self.rig;
        let person = Person::new(rig.desk, &rig.name, self.wish)?;
        let config = (self.change)(configuration(rig.servers, self.path, &person.redirect_uri()));
        let setting = Setting {
            config: config.clone(),
            store: Some(rig.scratch.join("store")),
            person: Some(person.clone()),
            key: self.key,
            wire: self.wire,
        };
        let session = rig.adapter.build(setting)?.into();
        Ok(Client { rig, session, person, path: self.path, config, since: rig.servers.entries()? })
    }
}

fn configuration(servers: &Servers, path: &str, redirect_uri: &str) -> Config {
    Config::new(servers.mcp(path), "Interop", redirect_uri)
}

impl Client<'_> {
    /// Calls the tool that the first scopes allow.
    pub(crate) fn echo(&self) -> Result<(), Refused> {
        self.tool("echo")
    }

    /// Calls this tool, and takes nothing but the server's own words for an answer.
    pub(crate) fn tool(&self, name: &str) -> Result<(), Refused> {
        let answer =
            self.session.call("tools/call", json!({"name": name, "arguments": {"text": "hello"}}))?;
        match answer["content"][0]["text"].as_str() {
            Some(text) if text.starts_with("hello (") => Ok(()),
            _ => Err(Refused::Other(format!("{name} answered {answer}"))),
        }
    }

    /// What both servers have done since this client was made.
    pub(crate) fn log(&self) -> Result<Log, String> {
        self.rig.servers.log(self.since)
    }

    /// Forgets what the servers have done so far.
    pub(crate) fn look_from_here(&mut self) -> Result<(), String> {
        self.since = self.rig.servers.entries()?;
        Ok(())
    }

    /// The grant in use.
    pub(crate) fn grant(&self) -> Result<Authorized, String> {
        self.session.authorized().ok_or_else(|| "there is no grant".to_owned())
    }

    /// The record in the store.
    pub(crate) fn record(&self) -> Result<Option<Credential>, String> {
        FileStore::new(self.rig.scratch.join("store"))?.load(&self.config.key())
    }

    /// The tokens in the store.
    pub(crate) fn tokens(&self) -> Result<(String, Option<String>), String> {
        let record = self.record()?.ok_or("there is no record")?;
        Ok((record.access_token.expose().to_owned(), record.refresh_token.map(|it| it.expose().to_owned())))
    }

    /// Waits until the access token has expired.
    pub(crate) fn wait_for_expiry(&self) -> Result<(), String> {
        let expires_at = self.grant()?.expires_at.ok_or("the token does not say when it expires")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_secs(expires_at.as_secs()).saturating_sub(now);
        std::thread::sleep(left + Duration::from_millis(200));
        Ok(())
    }

    /// Another process with the same store, in which nobody can be asked. It restores, and then calls `echo`.
    pub(crate) fn process(&self) -> Result<Child, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        Command::new(program)
            .arg("--servers")
            .arg(&self.rig.servers.directory)
            .args(["--adapter", self.rig.adapter.name(), "--child", self.path])
            .args(["--redirect-uri", self.config.redirect_url()])
            .arg("--scratch")
            .arg(&self.rig.scratch)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())
    }

    /// Ends what is common to all scenarios: every visit to the browser is over and went as wished, the machine has done
    /// nothing that it must never do, and no refresh token was used twice.
    pub(crate) fn end(&self) -> Result<(), String> {
        for visit in self.person.visits() {
            let ok = visit["ok"] == true;
            check(ok, || format!("the browser's way went wrong: {visit}\n{}", self.session.trail()))?;
        }
        same("breaches seen by the watch", &self.session.breaches(), &Vec::new())?;
        same("refresh tokens that were used twice", &self.log()?.reused(), &0)
    }
}

/// What the second process does: restores what stands in the store, calls `echo`, and prints how that went.
pub(crate) fn child(
    servers: &Servers,
    adapter: &dyn Adapter,
    path: &str,
    redirect_uri: &str,
    scratch: &Path,
) -> Result<(), String> {
    let setting = Setting {
        config: configuration(servers, path, redirect_uri),
        store: Some(scratch.join("store")),
        person: None,
        key: None,
        wire: Wire::Stateless,
    };
    let session = adapter.build(setting)?;
    let restored = session.restore()?.ok_or("nothing was restored")?;
    session.call("tools/call", json!({"name": "echo", "arguments": {"text": "hello"}}))?;
    same("breaches seen by the watch", &session.breaches(), &Vec::new())?;
    println!("{}", json!({"source": restored.source, "generation": restored.generation}));
    Ok(())
}

/// How the process came by its token.
pub(crate) fn source(process: Child) -> Result<String, String> {
    let output = process.wait_with_output().map_err(|error| error.to_string())?;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let source = said["source"].as_str().map(str::to_owned);
    source.ok_or_else(|| format!("a second process failed: {}", String::from_utf8_lossy(&output.stderr)))
}

pub(crate) fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

pub(crate) fn same<T: PartialEq + Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    check(got == expected, || format!("{what}: expected {expected:?}, got {got:?}"))
}

/// The failure must be of this kind.
pub(crate) fn fails<T: Debug>(what: &str, result: Result<T, Refused>, kind: Kind) -> Result<Refused, String> {
    match result {
        Ok(got) => Err(format!("{what}: expected {kind:?}, got {got:?}")),
        Err(refused) if refused.kind() == Some(kind) => Ok(refused),
        Err(refused) => Err(format!("{what}: expected {kind:?}, got {:?}: {refused}", refused.kind())),
    }
}
