//! `logs`: the journals of all machines, merged by time.

use crate::{Failure, Instance, command};
use andamio_remote::{Stream, quote};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

/// What to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub machine: Option<String>,
    pub unit: Option<String>,
    /// journald's name or number: `warning`, `3`.
    pub level: Option<String>,
    /// journald's words: `1 hour ago`, `2026-01-31 12:00`.
    pub since: Option<String>,
    pub follow: bool,
    /// Most lines of each machine from before now.
    pub lines: u32,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Line {
    pub v: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Microseconds since 1970.
    #[serde(skip)]
    pub at: i64,
    pub time: String,
    pub machine: String,
    pub unit: String,
    /// 0 (emergency) to 7 (debug).
    pub level: u8,
    pub message: String,
}

/// All matching lines up to now, oldest first; with `follow`, new ones go to `live` until the
/// connections end.
///
/// # Errors
/// When a machine does not run or cannot be reached, or journalctl refuses the filter.
pub async fn read(
    instance: &Instance,
    filter: &Filter,
    live: Option<UnboundedSender<Line>>,
) -> Result<Vec<Line>, Failure> {
    let names: Vec<String> = match &filter.machine {
        Some(machine) => vec![machine.clone()],
        None => instance.topology.machines.iter().map(|m| m.name.clone()).collect(),
    };
    let asked = names.iter().map(|name| one(instance, name, filter, live.clone()));
    let mut lines = Vec::new();
    for answer in join_all(asked).await {
        lines.extend(answer?);
    }
    lines.sort_by_key(|l| l.at);
    Ok(lines)
}

async fn one(
    instance: &Instance,
    name: &str,
    filter: &Filter,
    live: Option<UnboundedSender<Line>>,
) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for found in command::machines(instance, name, true)? {
        let session = command::session(instance, &found).await?;
        let (mut rest, mut said) = (Vec::new(), Vec::new());
        let exit = session
            .stream(&journalctl(filter, live.is_some()), &[], |stream, bytes| {
                if stream == Stream::Err {
                    said.extend_from_slice(bytes);
                    return Ok(());
                }
                rest.extend_from_slice(bytes);
                while let Some(end) = rest.iter().position(|&b| b == b'\n') {
                    let text: Vec<u8> = rest.drain(..=end).collect();
                    let Some(line) = parse(&found.name, &text) else { continue };
                    match &live {
                        Some(live) => {
                            let _ = live.send(line);
                        }
                        None => lines.push(line),
                    }
                }
                Ok(())
            })
            .await?;
        if !exit.success() {
            let text = String::from_utf8_lossy(&said).trim().to_owned();
            return Err(Failure::new(
                crate::Kind::Failed,
                "journal",
                format!("journalctl on {}: {text}", found.name),
                "correct --since, --level or --unit",
            ));
        }
    }
    Ok(lines)
}

fn journalctl(filter: &Filter, follow: bool) -> String {
    let mut argv =
        vec!["journalctl".to_owned(), "--output=json".to_owned(), "--no-pager".to_owned()];
    argv.push("--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,UNIT".to_owned());
    argv.push(format!("--lines={}", filter.lines));
    for (option, value) in
        [("--unit", &filter.unit), ("--priority", &filter.level), ("--since", &filter.since)]
    {
        if let Some(value) = value {
            argv.push(format!("{option}={value}"));
        }
    }
    if follow {
        argv.push("--follow".to_owned());
    }
    quote(&argv)
}

fn parse(machine: &str, text: &[u8]) -> Option<Line> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let at: i64 = field("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let message = match value.get("MESSAGE") {
        Some(Value::String(text)) => text.clone(),
        // journald writes text that is not UTF-8 as numbers.
        Some(Value::Array(bytes)) => {
            let bytes: Vec<u8> = bytes
                .iter()
                .filter_map(|b| b.as_u64().and_then(|b| u8::try_from(b).ok()))
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    let unit =
        field("UNIT").or_else(|| field("_SYSTEMD_UNIT")).or_else(|| field("SYSLOG_IDENTIFIER"));
    let time = andamio_engine::Timestamp::from_microsecond(at).ok()?;
    Some(Line {
        v: 1,
        kind: "log",
        at,
        time: format!("{time:.3}"),
        machine: machine.to_owned(),
        unit: unit.unwrap_or("kernel").to_owned(),
        level: field("PRIORITY").and_then(|p| p.parse().ok()).unwrap_or(6),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_line_is_read_even_when_it_is_not_text() {
        let text = br#"{"__REALTIME_TIMESTAMP":"1790000000123456","MESSAGE":[104,105,255],"PRIORITY":"3","_SYSTEMD_UNIT":"a.service"}"#;
        let line = parse("app-1", text).unwrap();
        assert_eq!((line.level, line.unit.as_str()), (3, "a.service"));
        assert_eq!(line.message, "hi\u{fffd}");
        assert!(line.time.ends_with(".123Z"), "{}", line.time);
        assert!(parse("app-1", b"nonsense").is_none());
    }
}
