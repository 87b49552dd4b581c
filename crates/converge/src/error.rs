//! Why nothing could be rendered.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of keys is exactly this list: an empty one locks everybody out of every machine.
    #[error("no operator has a key; `andamio key add` adds one")]
    NoOperatorKeys,
    /// A service without its password would be open to whoever reaches it, so nothing is rendered.
    #[error("no value for the secrets {}; `andamio secret set NAME` gives one", .0.join(", "))]
    MissingSecrets(Vec<String>),
    /// Container environment files have one line per name and no way to escape a line's end.
    #[error(
        "the value of the secret {0} has more than one line; encode it, for example with base64"
    )]
    SecretLines(String),
    /// It stands unquoted in URLs and configuration files.
    #[error("the secret {0} may have letters, digits, -, . and _ only, and at least 16 of them")]
    SecretForm(String),
    /// The name would change the service's own environment or not be one.
    #[error(
        "{0} is not a name that an application secret can have: letters, digits and _, and not \
             one of the names that Andamio sets itself"
    )]
    SecretName(String),
    /// A template of this crate does not fit its values: a mistake in this crate.
    #[error("the template {name} could not be rendered")]
    Template {
        name: &'static str,
        #[source]
        source: minijinja::Error,
    },
}
