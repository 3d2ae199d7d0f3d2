//! Serves the testbed until Ctrl-C, with a page on which a person allows or denies.

use mcp_auth_testbed::{Consent, Dials, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let served = serve(Dials { consent: Consent::Page, ..Dials::default() }).await?;
    println!("{}", served.server_url());
    eprintln!("The MCP server answers at the URL above. Its tools are echo, read_file and write_file.");
    eprintln!("The authorization server is {}. Stop with Ctrl-C.", served.world().issuer(0));
    tokio::signal::ctrl_c().await
}
