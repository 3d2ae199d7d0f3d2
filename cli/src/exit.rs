//! How the program ends when it does not end well: a code for scripts, and for a person what happened and what is next.

use std::fmt::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::show::plain;

/// What a script can tell apart. `EXIT_CODES` in the help says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Failed = 1,
    Usage = 2,
    ServerError = 3,
    LoginNeeded = 4,
    ToolError = 5,
    Later = 6,
    Interrupted = 130,
}

/// Why the program ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) code: Code,
    pub(crate) why: String,
    /// A command that comes next, if there is one.
    pub(crate) next: Option<String>,
    /// How it came to that.
    pub(crate) trail: Option<String>,
}

impl Stop {
    pub(crate) fn new(code: Code, why: impl Into<String>) -> Self {
        Self { code, why: why.into(), next: None, trail: None }
    }

    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self::new(Code::Usage, why)
    }

    /// The command that comes next.
    pub(crate) fn next(self, command: impl Into<String>) -> Self {
        Self { next: Some(command.into()), ..self }
    }

    /// Says it on standard error, and gives the code.
    pub(crate) fn tell(&self) -> ExitCode {
        let bad = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let bold = Style::new().bold();
        let mut text = format!("{bad}error{bad:#}: {}", plain(self.why.trim_end()));
        if let Some(next) = &self.next {
            let _ = write!(text, "\n\n  {bold}{}{bold:#}", plain(next));
        }
        if let Some(trail) = &self.trail {
            let _ = write!(text, "\n\nHow it came to that:\n{}", plain(trail.trim_end()));
        }
        anstream::eprintln!("{text}");
        self.code()
    }

    pub(crate) fn code(&self) -> ExitCode {
        // The number is the discriminant.
        #[allow(clippy::as_conversions)]
        ExitCode::from(self.code as u8)
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::new(Code::Failed, why)
    }
}

/// A command line that a person can copy: whatever others have named stands in quotes that no shell looks into.
pub(crate) fn command(words: &[&str]) -> String {
    let quoted = |word: &&str| {
        let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
        if !word.is_empty() && word.chars().all(safe) {
            (*word).to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_that_is_copied_runs_nothing_else() {
        assert_eq!(
            command(&["mcp-auth", "login", "https://mcp.example/mcp"]),
            "mcp-auth login https://mcp.example/mcp"
        );
        for (word, quoted) in [
            ("https://a/?x=1&y=$(id)", "'https://a/?x=1&y=$(id)'"),
            ("a'; id; '", r"'a'\''; id; '\'''"),
            ("`id`", "'`id`'"),
            ("", "''"),
            ("~x", "'~x'"),
        ] {
            assert_eq!(command(&[word]), quoted);
        }
    }
}
