//! Templates: a value that a template names and does not get is an error, never an empty text.

use crate::error::Error;
use minijinja::{Environment, UndefinedBehavior, Value};

pub(crate) fn render(name: &'static str, source: &str, values: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment
        .render_named_str(name, source, values)
        .map_err(|source| Error::Template { name, source })
}
