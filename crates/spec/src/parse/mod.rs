//! From text to [`Spec`]. Every problem is collected and located; only a syntax error stops early.

mod app;
mod backup;
mod build;
mod check;
mod container;
mod cross;
mod environment;
mod group;
mod hidden;
mod hosts;
mod limits;
mod load;
mod places;
mod process;
mod project;
mod reader;
mod ready;
mod secrets;
mod syntax;
mod tls;
mod tree;
mod variables;

pub use hidden::excerpt;

use crate::finding::{Finding, Parsed, Severity};
use crate::model::Spec;
use reader::{Reader, Table};
use toml::de::DeTable;

/// A megabyte is three hundred times ficharfirm's file; beyond it something else was given.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads and checks an `andamio.toml`. `file` is only a name for the findings.
#[must_use]
pub fn parse(file: &str, text: &str) -> Parsed {
    if text.len() > MAX_BYTES {
        return Parsed { spec: None, findings: vec![too_large(file, text.len())] };
    }
    let mut reader = Reader::new(file, text);
    hidden::check(&mut reader, text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            reader.syntax_error(&error);
            return Parsed { spec: None, findings: reader.finish() };
        }
    };
    let root = Table::root(document.get_ref());
    let spec = read(&mut reader, &root);
    let findings = reader.finish();
    let broken = findings.iter().any(Finding::is_error);
    Parsed { spec: (!broken).then_some(spec), findings }
}

fn read(reader: &mut Reader<'_>, root: &Table<'_>) -> Spec {
    reader.known(root, &["project", "app", "environments", "places", "backup"]);
    let project = project::read(reader, root);
    let (places, place_names) = places::read(reader, root);
    let app = app::read(reader, root);
    let environments = environment::read_all(reader, root, &place_names, &app);
    let backup = backup::read(reader, root);
    let spec = Spec { project, app, environments, places, backup };
    cross::check(reader, root, &spec);
    spec
}

fn too_large(file: &str, bytes: usize) -> Finding {
    Finding {
        code: "too-large",
        severity: Severity::Error,
        message: format!("the file has {bytes} bytes; at most {MAX_BYTES} are read"),
        line: 1,
        column: 1,
        key: String::new(),
        help: "is this the right file? `andamio init` writes a small one".to_owned(),
        file: file.to_owned(),
        offset: 0,
        length: 0,
    }
}
