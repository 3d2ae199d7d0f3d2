//! How a record is written down, for stores that keep text: `{"format":1,"key":{…},"credential":{…}}` and a line end.

use mcp_auth::{Credential, Key, VERSION};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use zeroize::Zeroizing;

/// The form that is written and read here.
const FORMAT: u64 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    key: &'a Key,
    credential: &'a Credential,
}

#[derive(Deserialize)]
struct Formed {
    format: u64,
}

#[derive(Deserialize)]
struct Versioned {
    credential: Version,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize)]
struct Record {
    key: Key,
    credential: Box<Credential>,
}

#[derive(Deserialize)]
struct Keyed {
    key: Key,
}

/// What a text is found to be.
#[derive(Debug)]
pub enum Judged {
    /// The record that was asked for.
    Sound(Box<Credential>),
    /// Somebody else's, whole as it may be: of another format or version, or another record. The text says how. A store
    /// leaves it alone.
    Unknown(String),
    /// Nobody's. The text says where reading ended, and quotes nothing. A store sets it aside.
    Corrupt(String),
}

/// A record as it is written. It holds the key besides, so that one that is found under a wrong name is known.
pub fn write(key: &Key, credential: &Credential) -> Result<Zeroizing<Vec<u8>>, String> {
    let written = Written { format: FORMAT, key, credential };
    let mut text = serde_json::to_vec(&written).map_err(|error| format!("no record: {}", place(&error)))?;
    text.push(b'\n');
    Ok(Zeroizing::new(text))
}

/// Judges what was read under the name of `key`: first the format, then the version, as each says what the rest looks
/// like.
pub fn read(text: &[u8], key: &Key) -> Judged {
    fn step<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Judged> {
        serde_json::from_slice(text).map_err(|error| Judged::Corrupt(place(&error)))
    }
    let judge = || {
        let Formed { format } = step(text)?;
        if format != FORMAT {
            return Err(Judged::Unknown(format!("its format is {format}, and {FORMAT} is known")));
        }
        let Versioned { credential: Version { version } } = step(text)?;
        if version != u64::from(VERSION) {
            let why = format!("its credential is of version {version}, and {VERSION} is known");
            return Err(Judged::Unknown(why));
        }
        let record: Record = step(text)?;
        if record.key != *key {
            return Err(Judged::Unknown("it holds the record of another server or account".to_owned()));
        }
        Ok(record.credential)
    };
    judge().map_or_else(|judged| judged, Judged::Sound)
}

/// Whose record a text says that it is; or why it does not say, which quotes nothing.
pub fn key(text: &[u8]) -> Result<Key, String> {
    let Formed { format } = serde_json::from_slice(text).map_err(|error| place(&error))?;
    if format != FORMAT {
        return Err(format!("its format is {format}, and {FORMAT} is known"));
    }
    let Keyed { key } = serde_json::from_slice(text).map_err(|error| place(&error))?;
    Ok(key)
}

/// Where reading ended. What serde_json itself says may quote the text, and the text holds secrets.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Eof => "it ends too soon",
        Category::Syntax => "it is not JSON",
        Category::Data => "it has not the form of a record",
        Category::Io => "it cannot be read",
    };
    format!("{what}, line {} column {}", error.line(), error.column())
}
