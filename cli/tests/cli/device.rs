//! `mcp-auth login --device`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use mcp_auth_testbed::{Device, Dials, Purpose, serve};

use crate::recorded::recorded;
use crate::support::{Home, between, blocking, browse, ended, ends_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_shown_typed_elsewhere_and_leads_to_a_token() {
    let device = Device { interval: 1, ..Device::default() };
    let served = serve(Dials { device: Some(device), ..Dials::default() }).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let output = blocking(|| {
        let mut command = home.program();
        let command = command.args(["login", "--device", &url]).stdout(Stdio::piped()).stderr(Stdio::piped());
        recorded(command, |command| {
            let mut child = command.spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
            let page = lines.find(|line| line.trim_start().starts_with("http://")).unwrap();
            lines.find(|line| line.starts_with("and type this code")).unwrap();
            let code = lines.find(|line| !line.trim().is_empty()).unwrap();
            let form = browse(&format!("{}?user_code={}", page.trim(), code.trim()), None);
            let ticket = between(&form, "name=\"request\" value=\"", "\"");
            let action = between(&form, "<form method=\"post\" action=\"", "\"");
            browse(action, Some(&format!("request={ticket}&decision=allow")));
            ended(child, 20)
        })
    });
    let shown = ends_with(&output, 0);
    assert!(shown.contains("Logged in.") && home.opened().is_empty(), "{shown}");
    // What was begun with a code goes on like any other login.
    home.expire(&served);
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert_eq!(served.world().count(Purpose::Refresh), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_codes_says_so() {
    let served = serve(Dials::default()).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let said = ends_with(&blocking(|| home.run(&["login", "--device", &url])), 1);
    assert!(said.contains("does not offer what is needed") && said.contains("RFC 8628"), "{said}");
}
