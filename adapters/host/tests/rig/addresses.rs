//! Hosts that no driver may connect to where only what is public may be reached. The last ones are addresses only to some
//! parsers, and to some resolvers.

pub(crate) const NOT_PUBLIC: [&str; 14] = [
    "127.0.0.1",
    "[::1]",
    "10.0.0.1",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "0.0.0.0",
    "[::]",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "0",
];
