//! Where secrets come from: the environment, a file, standard input or a prompt. Never the command line, which every
//! process of the machine can read.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use mcp_auth::Secret;
use zeroize::Zeroizing;

use crate::args::ClientArgs;

/// The most that is read of a file with a secret, in bytes. A key of RSA 4096 in PEM has 3300.
const MOST: u64 = 64 << 10;

/// The environment variable of the client's secret.
pub(crate) const VARIABLE: &str = "MCP_CLIENT_SECRET";

/// The client's secret, if one is given, and where it comes from.
pub(crate) fn client_secret(args: &ClientArgs) -> Result<Option<(Secret, &'static str)>, String> {
    if let Some(file) = &args.client_secret_file {
        let text = if file.as_os_str() == "-" { standard_input()? } else { read(file, "client secret")? };
        // Editors and `echo` end a file with a line feed, and no secret does.
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(format!("--client-secret-file {}: nothing is in it", file.display()));
        }
        return Ok(Some((Secret::from(secret.to_owned()), "--client-secret-file")));
    }
    if args.client_secret_prompt {
        return Ok(Some((ask("Client secret")?, "--client-secret-prompt")));
    }
    // A variable that is set to nothing is not set.
    match std::env::var(VARIABLE) {
        Ok(secret) if !secret.is_empty() => Ok(Some((Secret::from(secret), VARIABLE))),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{VARIABLE} is no UTF-8 text")),
    }
}

/// Asks on the terminal, which does not show what is typed.
pub(crate) fn ask(what: &str) -> Result<Secret, String> {
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "{what}: standard input is no terminal, so nobody can be asked for it. Put it into {VARIABLE}, or name a \
             file with --client-secret-file"
        ));
    }
    let secret = rpassword::prompt_password(format!("{what} (it is not shown): "));
    let secret = secret.map_err(|error| format!("{what}: the terminal could not be read: {error}"))?;
    if secret.is_empty() { Err(format!("{what}: nothing was typed")) } else { Ok(Secret::from(secret)) }
}

/// A file that holds a secret. On Unix one that everybody may read is refused.
pub(crate) fn read(file: &Path, what: &str) -> Result<Zeroizing<String>, String> {
    let name = file.display();
    let refuse = |error: std::io::Error| format!("the file with the {what}, {name}, cannot be read: {error}");
    let mut open = File::open(file).map_err(refuse)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = open.metadata().map_err(refuse)?;
        let mode = found.permissions().mode() & 0o777;
        // What comes through a pipe has no readers but this one.
        if found.is_file() && mode & 0o007 != 0 {
            return Err(format!(
                "the file with the {what}, {name}, has mode {mode:04o}, so every user of this machine may read it. Close it \
                 with `chmod 600`, and renew the {what} if others may have read it"
            ));
        }
    }
    let mut text = Zeroizing::new(String::new());
    let read = open.by_ref().take(MOST + 1).read_to_string(&mut text).map_err(refuse)?;
    if u64::try_from(read).is_ok_and(|read| read > MOST) {
        return Err(format!("the file with the {what}, {name}, is larger than {} KiB", MOST >> 10));
    }
    Ok(text)
}

fn standard_input() -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().take(MOST).read_to_string(&mut text);
    read.map_err(|error| format!("--client-secret-file -: standard input cannot be read: {error}"))?;
    Ok(text)
}
