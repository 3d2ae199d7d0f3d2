//! A flow as it is shown: who took part, and what passed between them. Whatever stands here may be shown: it comes
//! from a scrubbed trace, is clean, and has a bounded length.

/// Who takes part, the client first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Client,
    Person,
    McpServer,
    AuthorizationServer,
    IdentityProvider,
    /// Everybody else, where there are too many.
    Others,
}

impl Party {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Person => "browser",
            Self::McpServer => "MCP server",
            Self::AuthorizationServer => "authorization server",
            Self::IdentityProvider => "identity provider",
            Self::Others => "other servers",
        }
    }
}

/// One lane of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) party: Party,
    /// Who in particular, such as its origin.
    pub(super) name: String,
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    /// Not as one would wish, and lived with.
    Odd,
    Bad,
}

/// A parameter of a request, or a member of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
    /// Whether the value is a pseudonym.
    pub(super) secret: bool,
    /// Whether it is left to the details.
    pub(super) minor: bool,
}

/// What goes from one to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// What it is for, such as `token`.
    pub(super) purpose: String,
    /// Method and path, or status.
    pub(super) head: String,
    /// The whole URL, without its query.
    pub(super) url: Option<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) tone: Tone,
}

/// What the machine wrote into its trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) clause: String,
    /// The URL and the status that it is about.
    pub(super) about: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    PassedOver,
    Checked,
    Decided,
    Deviation,
    Failed,
}

impl Verdict {
    pub(super) const ALL: [Self; 6] =
        [Self::Checked, Self::Taken, Self::Decided, Self::PassedOver, Self::Deviation, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::PassedOver => "passed over",
            Self::Checked => "checked",
            Self::Decided => "decided",
            Self::Deviation => "deviation by policy",
            Self::Failed => "failed",
        }
    }
}

/// What the client asks of its own host: little of it matters to anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    Store,
    Key,
    Assertion,
    Event,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Something begins.
    Begin {
        title: String,
        why: String,
    },
    /// A request, and what came of it; `None`: nothing yet.
    Exchange {
        from: usize,
        to: usize,
        request: Message,
        answer: Option<Message>,
    },
    /// A message that is not answered in kind.
    Message {
        from: usize,
        to: usize,
        message: Message,
    },
    Aside {
        sort: Aside,
        text: String,
        tone: Tone,
    },
    /// Something ends.
    End {
        title: String,
        lines: Vec<String>,
        tone: Tone,
    },
    /// Time passes.
    Gap(String),
}

/// What goes on while a row happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Going {
    /// An attempt is under way.
    pub(super) attempt: bool,
    /// The person is asked.
    pub(super) person: bool,
    /// The grant in use is being renewed beside.
    pub(super) beside: bool,
}

/// One row of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Seconds since the first.
    pub(super) at: u64,
    /// The number of a message; 0: it has none.
    pub(super) number: usize,
    pub(super) what: What,
    pub(super) remarks: Vec<Remark>,
    pub(super) going: Going,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) title: String,
    /// What the client was told at its birth, in a sentence.
    pub(super) setting: String,
    pub(super) lanes: Vec<Lane>,
    pub(super) rows: Vec<Row>,
    /// How many lines of the trace are not shown.
    pub(super) left_out: usize,
}

impl Flow {
    /// The same, and nothing of it is left to the details.
    pub(super) fn whole(mut self) -> Self {
        for row in &mut self.rows {
            let (message, answer) = match &mut row.what {
                What::Exchange { request, answer, .. } => (Some(request), answer.as_mut()),
                What::Message { message, .. } => (Some(message), None),
                _ => (None, None),
            };
            let messages = message.into_iter().chain(answer);
            messages.flat_map(|it| &mut it.parameters).for_each(|it| it.minor = false);
        }
        self
    }
}
