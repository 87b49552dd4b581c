//! Why something could not be done, as one sentence for the operator.

use andamio_manifest::Cause;
use std::any::Any;
use std::fmt::{self, Display};

/// A failure on the machine. Its text says what was being done, where, and why it failed; it never
/// contains a secret, because it is sent back in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    text: String,
    cause: Option<Cause>,
}

/// Words of the system and of other programs, and what they mean. The first that is found counts.
const HEARD: [(&str, Cause); 5] = [
    ("No space left on device", Cause::DiskFull),
    ("Read-only file system", Cause::ReadOnlyDisk),
    ("ddress already in use", Cause::PortTaken),
    ("images.json", Cause::ImageStore),
    ("dpkg", Cause::Dpkg),
];

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), cause: None }
    }

    pub(crate) fn because(cause: Cause, text: impl Into<String>) -> Self {
        Self { text: text.into(), cause: Some(cause) }
    }

    /// As it was known where it failed, else as others say it: a service in its journal, a program at its end.
    pub(crate) fn cause(&self) -> Option<Cause> {
        let heard = || HEARD.iter().find(|(words, _)| self.text.contains(words));
        self.cause.or_else(|| heard().map(|(_, cause)| *cause))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Puts what was being done before an error's own text.
pub(crate) trait Context<T> {
    fn during(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display + 'static> Context<T> for std::result::Result<T, E> {
    fn during(self, what: impl Display) -> Result<T> {
        self.map_err(|error| {
            let known = (&error as &dyn Any).downcast_ref::<Failure>();
            Failure { text: format!("{what}: {error}"), cause: known.and_then(|f| f.cause) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_where_it_failed_counts_before_words() {
        let text = "dpkg: error: unable to write: No space left on device";
        assert_eq!(Failure::new(text).cause(), Some(Cause::DiskFull));
        assert_eq!(Failure::new("it was changed and still differs").cause(), None);
        let mirror = Failure::because(Cause::PackageMirror, text);
        let within = Err::<(), _>(mirror).during("installing").unwrap_err();
        assert_eq!(within.cause(), Some(Cause::PackageMirror));
        assert_eq!(within.to_string(), format!("installing: {text}"));
    }
}
