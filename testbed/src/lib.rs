//! mcp-auth-testbed
