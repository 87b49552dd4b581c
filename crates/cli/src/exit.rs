//! Exit statuses, as the contract lists them.

use andamio_engine::ErrorReport;
use andamio_operate::{Failure, Kind};
use andamio_spec::Finding;
use std::fmt::Display;
use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    /// `plan --exit-code` found changes.
    Changes,
    Refused,
    Locked,
    /// `andamio.toml` is invalid.
    Spec,
    /// The host, a key or a credential is missing.
    Host,
    Unhealthy,
    Usage,
    Interrupted,
    /// What a command on a machine ended with.
    Remote(u8),
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Refused => 3,
            Self::Locked => 4,
            Self::Spec => 5,
            Self::Host => 6,
            Self::Unhealthy => 7,
            Self::Usage => 64,
            Self::Interrupted => 130,
            Self::Remote(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb ended early.
pub(crate) enum Stop {
    /// `andamio.toml` has errors; its name and text go with them.
    Findings {
        file: String,
        text: String,
        findings: Vec<Finding>,
    },
    Report {
        exit: Exit,
        error: ErrorReport,
    },
    /// Everything is said already.
    NodeReport(Exit),
}

impl Stop {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Display, help: &str) -> Self {
        Self::Report { exit, error: ErrorReport::new(code, message, help) }
    }

    pub(crate) fn failed(code: &str, message: impl Display, help: &str) -> Self {
        Self::new(Exit::Failed, code, message, help)
    }

    pub(crate) fn usage(message: impl Display, help: &str) -> Self {
        Self::new(Exit::Usage, "usage", message, help)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Findings { .. } => Exit::Spec,
            Self::Report { exit, .. } | Self::NodeReport(exit) => *exit,
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        let exit = match failure.kind {
            Kind::Failed => Exit::Failed,
            Kind::Refused => Exit::Refused,
            Kind::Locked => Exit::Locked,
            Kind::Host => Exit::Host,
            Kind::Usage => Exit::Usage,
        };
        Self::Report { exit, error: failure.error }
    }
}
