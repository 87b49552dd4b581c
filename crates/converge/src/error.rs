//! Why nothing could be rendered.

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoOperatorKeys => "add a key: `andamio key add`",
            Self::MissingSecrets(_) => "give them a value: `andamio secret set ENV NAME`",
            Self::SecretValue(..) => "give it another one: `andamio secret set ENV NAME`",
            Self::SecretForm(_) => {
                "the state's secrets were changed by hand: put them back from a copy of the state"
            }
            Self::Reference(_) => "see `andamio check`",
            Self::Template { .. } => "this is a fault of Andamio: report it with the whole message",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of keys is exactly this list: an empty one locks everybody out of every machine.
    #[error("no operator has a key")]
    NoOperatorKeys,
    /// A service without its password would be open to whoever reaches it, so nothing is rendered.
    #[error("no value for the secrets {}", .0.join(", "))]
    MissingSecrets(Vec<String>),
    /// No process could be started with it.
    #[error("the value of the secret {0} {1}")]
    SecretValue(String, String),
    /// It stands unquoted in URLs and configuration files.
    #[error("the secret {0} may have letters, digits, -, . and _ only, and at least 16 of them")]
    SecretForm(String),
    /// `check` finds these first, with their place.
    #[error("a variable cannot be made: {0}")]
    Reference(String),
    /// A template of this crate does not fit its values: a mistake in this crate.
    #[error("the template {name} could not be rendered")]
    Template {
        name: &'static str,
        #[source]
        source: minijinja::Error,
    },
}
