//! mcp-auth-conformance
fn main() {}
