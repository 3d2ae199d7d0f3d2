//! The command line of this program.

use std::path::PathBuf;

use crate::ADAPTERS;
use crate::adapter::Adapter;

/// What the command line has in the place of an adapter's name.
pub(crate) const CLI: &str = "cli";

#[derive(Default)]
pub(crate) struct Arguments {
    /// Where `serve.mjs` has written of the servers of each lane: `LANE.json`.
    pub(crate) servers: PathBuf,
    pub(crate) browser: PathBuf,
    pub(crate) shots: PathBuf,
    pub(crate) scratch: PathBuf,
    /// The program `mcp-auth`.
    pub(crate) cli: PathBuf,
    /// None: all, and the command line.
    adapters: Vec<String>,
    pub(crate) filter: String,
    /// Only the names of the lanes are wanted.
    pub(crate) list: bool,
    /// The path of the MCP endpoint, in a process that another one started.
    pub(crate) child: Option<String>,
    pub(crate) redirect_uri: String,
}

impl Arguments {
    pub(crate) fn read(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self::default();
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--servers" => read.servers = value()?.into(),
                "--browser" => read.browser = value()?.into(),
                "--shots" => read.shots = value()?.into(),
                "--scratch" => read.scratch = value()?.into(),
                "--cli" => read.cli = value()?.into(),
                "--adapter" => read.adapters.push(value()?),
                "--list" => read.list = true,
                "--child" => read.child = Some(value()?),
                "--redirect-uri" => read.redirect_uri = value()?,
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                _ => read.filter = argument,
            }
        }
        Ok(read)
    }

    /// What is tried: adapters by their names, and the command line.
    pub(crate) fn lanes(&self) -> Result<Vec<Lane>, String> {
        let all = || ADAPTERS.into_iter().map(Lane::Adapter).chain([Lane::Cli]);
        let named = |name: &String| {
            let known: Vec<_> = all().map(Lane::name).collect();
            let unknown = || format!("there is no adapter {name}; there are {}", known.join(", "));
            all().find(|lane| lane.name() == name).ok_or_else(unknown)
        };
        if self.adapters.is_empty() { Ok(all().collect()) } else { self.adapters.iter().map(named).collect() }
    }
}

/// What goes its way beside the others, with servers of its own.
#[derive(Clone, Copy)]
pub(crate) enum Lane {
    Adapter(&'static dyn Adapter),
    Cli,
}

impl Lane {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adapter(adapter) => adapter.name(),
            Self::Cli => CLI,
        }
    }
}
