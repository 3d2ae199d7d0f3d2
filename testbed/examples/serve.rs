//! Serves the testbed until Ctrl-C, with a page on which a person allows or denies. With `automatic` nobody is asked, with
//! `dpop` tokens must be bound to a key, with `device` there are codes for devices as well.

use std::process::ExitCode;

use mcp_auth_testbed::{Consent, Device, Dials, Dpop, serve};

const USAGE: &str = "\
usage: serve [automatic] [dpop] [device]

  automatic  nobody is asked for consent; otherwise there is a page for a person
  dpop       tokens must be bound to a key
  device     there are codes for devices as well";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let ended = match dials(std::env::args().skip(1)) {
        Ok(Some(dials)) => served(dials).await.map_err(|error| (ExitCode::FAILURE, error.to_string())),
        Ok(None) => {
            println!("{USAGE}");
            Ok(())
        }
        Err(word) => Err((ExitCode::from(2), format!("there is no {word:?}\n\n{USAGE}"))),
    };
    ended.map_or_else(
        |(code, why)| {
            eprintln!("error: {why}");
            code
        },
        |()| ExitCode::SUCCESS,
    )
}

/// The dials that the words name; `None`: help is wanted. A word that names none is given back.
fn dials(words: impl Iterator<Item = String>) -> Result<Option<Dials>, String> {
    let mut dials = Dials { consent: Consent::Page, ..Dials::default() };
    for word in words {
        match word.as_str() {
            "automatic" => dials.consent = Consent::Automatic,
            "dpop" => dials.dpop = Some(Dpop::default()),
            "device" => dials.device = Some(Device::default()),
            "--help" | "-h" => return Ok(None),
            _ => return Err(word),
        }
    }
    Ok(Some(dials))
}

async fn served(dials: Dials) -> std::io::Result<()> {
    let served = serve(dials).await?;
    println!("{}", served.server_url());
    eprintln!("The MCP server answers at the URL above. Its tools are echo, read_file and write_file.");
    eprintln!("The authorization server is {}. Stop with Ctrl-C.", served.world().issuer(0));
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str]) -> Result<Option<Dials>, String> {
        dials(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn help_is_no_error_and_a_word_that_is_none_is_one() {
        assert!(named(&["--help"]).unwrap().is_none() && named(&["dpop", "-h"]).unwrap().is_none());
        assert_eq!(named(&["automatic", "devices"]).unwrap_err(), "devices");
        let dials = named(&["automatic", "device"]).unwrap().unwrap();
        assert!(
            matches!(dials.consent, Consent::Automatic) && dials.device.is_some() && dials.dpop.is_none()
        );
    }
}
