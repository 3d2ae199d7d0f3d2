//! mcp-auth-cli
fn main() {}
