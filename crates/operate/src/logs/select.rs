//! Which lines are wanted: a person's words checked, and made into what journalctl is asked. Pure.

use super::time::{EXAMPLES, moment};
use crate::{Failure, Kind};
use andamio_converge::{process_unit, tables, unit_fits};
use andamio_remote::quote;
use andamio_spec::{Spec, Topology, suggest};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Lines that are shown where nothing says how many.
const LINES: u32 = 200;
const LEVELS: [(&str, &[&str]); 8] = [
    ("0", &["emerg", "emergency", "panic"]),
    ("1", &["alert"]),
    ("2", &["crit", "critical"]),
    ("3", &["err", "error"]),
    ("4", &["warning", "warn"]),
    ("5", &["notice"]),
    ("6", &["info"]),
    ("7", &["debug"]),
];
/// What the machine says when somebody has logged in who may, and nothing else does: Andamio itself, all day.
const LOGINS: &str = "(Postponed|Accepted) (publickey|key) |Accepted key |Connection from \\S+ port \\d+ on \
     |Starting session: |Close session: user |Received disconnect from \\S+ port \\d+:11: |Disconnected from user \
     |Connection closed by \\S+ port \\d+$|Closing connection to \\S+ port |Transferred: sent |User child is on pid \
     |Environment: |ssh_signal|Changed root directory|pam_unix\\(sud[o]:session\\): session |\\s*\\S+ : .*COMMAND=/\\S*/sh -c ";

/// What a person asks for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A machine or a group.
    pub machine: Option<String>,
    /// As `status` or systemd calls it.
    pub unit: Option<String>,
    /// Of the application.
    pub process: Option<String>,
    /// journald's name or number: `warning`, `3`.
    pub level: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    /// A regular expression.
    pub grep: Option<String>,
    /// Everything, Andamio's own logins too.
    pub all: bool,
    pub follow: bool,
    /// Most lines of all machines together from before now.
    pub lines: Option<u32>,
}

/// A filter that makes sense.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) machine: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) follow: bool,
    /// `None`: all.
    pub(super) lines: Option<u32>,
    /// journalctl's options.
    options: Vec<String>,
    /// Units of the application that are chosen, and whether warnings of the rest come too.
    app: Option<(Vec<String>, bool)>,
}

fn usage(message: String, help: &str) -> Failure {
    Failure::new(Kind::Usage, "usage", message, help)
}

impl Query {
    /// # Errors
    /// When a time, level or process is none.
    pub fn new(filter: &Filter, spec: &Spec, now: Timestamp) -> Result<Self, Failure> {
        let mut options = Vec::new();
        let mut times = Vec::new();
        for (option, text) in [("--since", &filter.since), ("--until", &filter.until)] {
            let Some(text) = text else { continue };
            let time = moment(text, now)
                .ok_or_else(|| usage(format!("`{text}` of {option} is no time"), EXAMPLES))?;
            options.push(format!("{option}={}", time.strftime("%Y-%m-%d %H:%M:%S%.6f UTC")));
            times.push(time);
        }
        if let [since, until] = times.as_slice()
            && since > until
        {
            return Err(usage("--since is later than --until".to_owned(), EXAMPLES));
        }
        if filter.follow && filter.until.is_some() {
            let help = "leave out one of them";
            return Err(usage("--follow goes on, and --until ends".to_owned(), help));
        }
        if let Some(level) = &filter.level {
            let is = |(number, names): &&(&str, &[&str])| {
                *number == level || names.contains(&level.to_lowercase().as_str())
            };
            let (number, _) = LEVELS.iter().find(is).ok_or_else(|| {
                let names: Vec<&str> = LEVELS.iter().map(|(_, names)| names[0]).collect();
                usage(format!("`{level}` is no level"), &format!("levels are {}", names.join(", ")))
            })?;
            options.push(format!("--priority={number}"));
        }
        let processes: Vec<&str> = spec.app.processes.keys().map(String::as_str).collect();
        let of_app = |process: &str| format!("{}-{process}.service", spec.project.name);
        if let Some(process) = &filter.process
            && !processes.contains(&process.as_str())
        {
            return Err(unknown("process", process, &processes));
        }
        let chosen = filter.machine.is_some() || filter.unit.is_some() || filter.level.is_some();
        let app = match &filter.process {
            Some(process) => Some((vec![of_app(process)], false)),
            None if filter.all || chosen => None,
            None => Some((processes.iter().map(|process| of_app(process)).collect(), true)),
        };
        if let Some(pattern) = pattern(filter, app.is_some()) {
            options.push(format!("--grep={pattern}"));
            options.push("--case-sensitive=yes".to_owned());
        }
        Ok(Self {
            machine: filter.machine.clone(),
            unit: filter.unit.clone(),
            follow: filter.follow,
            lines: match (filter.lines, filter.since.is_some()) {
                (None, true) => None,
                (lines, _) => Some(lines.unwrap_or(LINES)),
            },
            app,
            options,
        })
    }

    /// The command for one machine. `units` are those that were asked for by name; `after`: only what comes after
    /// that place in its journal, as it comes.
    pub(super) fn journalctl(&self, units: Option<&[String]>, after: Option<&str>) -> String {
        let mut argv: Vec<String> =
            ["journalctl", "--output=json", "--all", "--no-pager", "--quiet", "--output-fields"]
                .map(str::to_owned)
                .to_vec();
        argv.push("MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,UNIT".to_owned());
        argv.extend(self.options.iter().cloned());
        match (after, self.lines) {
            (Some(cursor), _) => {
                argv.retain(|word| !word.starts_with("--since="));
                argv.extend(["--follow", "--no-tail"].map(str::to_owned));
                argv.push(format!("--after-cursor={cursor}"));
            }
            (None, Some(lines)) => argv.push(format!("--lines={lines}")),
            (None, None) => {}
        }
        argv.extend(self.matches(units));
        quote(&argv)
    }

    fn matches(&self, units: Option<&[String]>) -> Vec<String> {
        let mut words = Vec::new();
        let mut or = |more: &[String]| {
            if !words.is_empty() {
                words.push("+".to_owned());
            }
            words.extend_from_slice(more);
        };
        if let Some(units) = units {
            for name in units {
                for field in ["_SYSTEMD_UNIT", "UNIT", "SYSLOG_IDENTIFIER"] {
                    // A name with a suffix is a unit's, one without the identifier of a program.
                    if name.contains('.') != (field == "SYSLOG_IDENTIFIER") {
                        or(&[format!("{field}={name}")]);
                    }
                }
                if name == KERNEL {
                    or(&["_TRANSPORT=kernel".to_owned()]);
                }
            }
            return words;
        }
        let Some((app, warnings)) = &self.app else { return words };
        for unit in app {
            or(&[format!("_SYSTEMD_UNIT={unit}")]);
            or(&[format!("UNIT={unit}")]);
        }
        if *warnings {
            let worse: Vec<String> = (0..=4).map(|level| format!("PRIORITY={level}")).collect();
            or(&worse);
        }
        words
    }
}

/// How lines without a unit are shown that the kernel wrote.
pub(super) const KERNEL: &str = "kernel";

fn unknown(what: &str, name: &str, there: &[&str]) -> Failure {
    let list = there.join(", ");
    let help = match suggest(name, there) {
        Some(near) => format!("did you mean `{near}`? there are {list}"),
        None if there.is_empty() => "there is none".to_owned(),
        None => format!("there are {list}"),
    };
    usage(format!("no {what} `{name}`"), &help)
}

/// What a message has to match. Own logins are left out on the machine: they would take the places of others.
fn pattern(filter: &Filter, only_app: bool) -> Option<String> {
    // The application's own lines, and no login is a warning.
    let without_logins = !filter.all && !only_app;
    match (&filter.grep, without_logins) {
        (None, false) => None,
        (Some(pattern), false) => Some(pattern.clone()),
        (None, true) => Some(format!("^(?!{LOGINS})")),
        (Some(pattern), true) => Some(format!("(?s)^(?!{LOGINS})(?=.*?(?:{pattern}))")),
    }
}

/// Units and programs for a name that was given, from those that the machines' journals know.
///
/// # Errors
/// When there is none of that name: the list of those there are.
pub(super) fn units(
    name: &str,
    spec: &Spec,
    topology: &Topology,
    known: &BTreeSet<String>,
) -> Result<Vec<String>, Failure> {
    let shown = shown(spec, topology);
    if let Some((_, units)) = shown.iter().find(|(shown, _)| shown == name) {
        let matching = |pattern: &String| {
            if pattern.contains('*') {
                known.iter().filter(|unit| unit_fits(pattern, unit)).cloned().collect()
            } else {
                vec![pattern.clone()]
            }
        };
        return Ok(units.iter().flat_map(matching).collect());
    }
    let service = format!("{name}.service");
    for candidate in [&service, name] {
        if known.contains(candidate) {
            return Ok(vec![candidate.to_owned()]);
        }
    }
    if name == KERNEL {
        return Ok(vec![KERNEL.to_owned()]);
    }
    let mut there: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
    // Units of one moment only, of sessions for example, help nobody.
    let lasting = |unit: &&String| unit.ends_with(".service") && !unit.contains('@');
    there.extend(known.iter().filter(lasting).map(|unit| unit.trim_end_matches(".service")));
    there.sort_unstable();
    there.dedup();
    Err(unknown("unit", name, &there))
}

/// The names that `status` shows, and what systemd calls them.
fn shown(spec: &Spec, topology: &Topology) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = spec
        .app
        .processes
        .keys()
        .map(|process| (process.clone(), vec![process_unit(spec, process)]))
        .collect();
    let there = tables().filter(|table| topology.with_role(table.role).next().is_some());
    for (name, units) in there.flat_map(|table| table.services) {
        all.push(((*name).to_owned(), units.iter().map(|&unit| unit.to_owned()).collect()));
    }
    all
}
