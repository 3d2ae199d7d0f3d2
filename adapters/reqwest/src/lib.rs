//! mcp-auth-reqwest
