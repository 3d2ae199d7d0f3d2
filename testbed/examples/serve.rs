//! Serves the testbed until Ctrl-C, with a page on which a person allows or denies. With `automatic` nobody is asked, with
//! `dpop` tokens must be bound to a key, with `device` there are codes for devices as well.

use mcp_auth_testbed::{Consent, Device, Dials, Dpop, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut dials = Dials { consent: Consent::Page, ..Dials::default() };
    for dial in std::env::args().skip(1) {
        match dial.as_str() {
            "automatic" => dials.consent = Consent::Automatic,
            "dpop" => dials.dpop = Some(Dpop::default()),
            "device" => dials.device = Some(Device::default()),
            other => {
                return Err(std::io::Error::other(format!(
                    "expected automatic, dpop or device, got {other:?}"
                )));
            }
        }
    }
    let served = serve(dials).await?;
    println!("{}", served.server_url());
    eprintln!("The MCP server answers at the URL above. Its tools are echo, read_file and write_file.");
    eprintln!("The authorization server is {}. Stop with Ctrl-C.", served.world().issuer(0));
    tokio::signal::ctrl_c().await
}
