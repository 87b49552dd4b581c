//! The one place that writes: answers to standard output, progress to standard error.

mod cost;
mod display;
mod drills;
mod explain;
mod harmless;
mod load;
mod more;
mod progress;
mod style;
mod table;

pub(crate) use cost::cost;
pub(crate) use display::plan;
pub(crate) use drills::drills;
pub(crate) use explain::explain;
pub(crate) use harmless::harmless;
pub(crate) use load::load;
pub(crate) use more::of as more;
pub(crate) use progress::Progress;
pub(crate) use style::Style;
pub(crate) use table::table;

use crate::args::Global;
use crate::exit::{Exit, Stop};
use andamio_spec::{Finding, Severity, excerpt};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource};
use serde::Serialize;
use serde_json::json;
use std::io::{IsTerminal, Write};

pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) style: Style,
    /// Verbs that run end with an object of type `result`, also when they fail early.
    pub(crate) result_of: Option<(String, String, String)>,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            style: Style::detect(std::io::stdout().is_terminal()),
            result_of: None,
        }
    }

    /// Text of the answer. A reader that went away (`| head`) is no error.
    pub(crate) fn answer(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// Text that says no more than that all went well, which `-q` does not want to hear.
    pub(crate) fn done(&self, text: &str) {
        if !self.json && !self.quiet {
            self.answer(text);
        }
    }

    /// Columns of the terminal that reads the answer; 80 where there is none.
    pub(crate) fn width(&self) -> usize {
        console::Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns))
    }

    /// One JSON document, or one line of a stream.
    pub(crate) fn document(&self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.answer(&text);
        }
    }

    /// Progress, unless it is not wanted.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    fn complain(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{text}");
    }

    /// The end of a verb that could not do its work.
    pub(crate) fn stop(&self, stop: &Stop) {
        match stop {
            Stop::NodeReport(_) => {}
            Stop::Findings { file, text, findings } => {
                if self.json {
                    self.document(&findings_document(findings));
                } else {
                    self.complain(&render_findings(file, text, findings));
                    self.more(more(findings.iter().map(|finding| finding.code)));
                }
            }
            Stop::Report { exit, error } => {
                if self.json {
                    let status = if *exit == Exit::Refused { "refused" } else { "failed" };
                    let (verb, env, place) = self.result_of.clone().unwrap_or_default();
                    self.document(&json!({
                        "v": 1, "type": "result", "run": "", "verb": verb, "env": env,
                        "place": place, "status": status, "changed": 0, "failed": 0,
                        "duration_s": 0.0, "error": error, "next": [],
                    }));
                }
                let style = Style::detect(std::io::stderr().is_terminal());
                let mut text = format!("{} {}", style.red("error:"), error.message);
                let sudo = if lacks_rights(&error.code, &error.message) { SUDO } else { "" };
                if !error.help.is_empty() || !sudo.is_empty() {
                    text.push_str(&format!("\n{} {sudo}{}", style.bold(" help:"), error.help));
                }
                self.complain(&text);
                self.more(more([error.code.as_str()]));
            }
        }
    }

    /// The last line of an error: where more is written about it.
    pub(crate) fn more(&self, address: Option<String>) {
        if let Some(address) = address {
            let style = Style::detect(std::io::stderr().is_terminal());
            self.complain(&format!("{} {address}", style.bold(" more:")));
        }
    }
}

const SUDO: &str = "it belongs to another account: run the same command with sudo; or ";

/// Something on this host, not on a machine, belongs to another account than this one, which is not root's.
fn lacks_rights(code: &str, message: &str) -> bool {
    let here = ["state", "ledger", "identity", "local", "init"].contains(&code);
    here && message.contains("(os error 13)") && !nix::unistd::geteuid().is_root()
}

/// The contract's `check` document.
pub(crate) fn findings_document(findings: &[Finding]) -> serde_json::Value {
    let ok = !findings.iter().any(Finding::is_error);
    json!({ "v": 1, "type": "check", "ok": ok, "findings": findings })
}

/// Bytes of a source line that is still shown around a finding.
const LONGEST_LINE: usize = 400;

/// Every finding with the lines it points at.
pub(crate) fn render_findings(file: &str, text: &str, findings: &[Finding]) -> String {
    let mut out = String::new();
    // A line that no terminal can show helps nobody.
    let excerpts = text.lines().all(|line| line.len() <= LONGEST_LINE);
    for finding in findings {
        if !excerpts {
            out.push_str(&format!("{finding}\n  help: {}\n", finding.help));
            continue;
        }
        let severity = match finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        };
        let mut diagnostic = MietteDiagnostic::new(&finding.message)
            .with_code(finding.code)
            .with_severity(severity)
            .with_label(LabeledSpan::underline(finding.offset..finding.offset + finding.length));
        if !finding.help.is_empty() {
            diagnostic = diagnostic.with_help(&finding.help);
        }
        let source = NamedSource::new(file, excerpt(text));
        let report = miette::Report::new(diagnostic).with_source_code(source);
        out.push_str(&format!("{report:?}\n"));
    }
    out
}

/// One line of the answer, where there is no [`Output`].
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// One line of JSON for a reader on another machine; an error when it is gone.
pub(crate) fn line_or_end(value: &impl Serialize) -> std::io::Result<()> {
    let text = serde_json::to_string(value).map_err(std::io::Error::other)?;
    writeln!(std::io::stdout().lock(), "{text}")
}

/// One line of complaint, where there is no [`Output`].
pub(crate) fn complaint(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
