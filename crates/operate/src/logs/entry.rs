//! A line of journalctl's JSON, as this program shows it. Pure.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Line {
    pub v: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Microseconds since 1970.
    #[serde(skip)]
    pub at: i64,
    /// Its place in the machine's journal.
    #[serde(skip)]
    pub(super) cursor: String,
    pub time: String,
    pub machine: String,
    pub unit: String,
    /// 0 (emergency) to 7 (debug).
    pub level: u8,
    pub message: String,
    /// The message's bytes, where it is not text.
    #[serde(skip)]
    pub raw: Option<Vec<u8>>,
}

pub(super) fn parse(machine: &str, text: &[u8]) -> Option<Line> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let at: i64 = field("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let (message, raw) = match value.get("MESSAGE") {
        Some(Value::String(text)) => (text.clone(), None),
        Some(Value::Array(parts)) => parts_of(parts),
        _ => (String::new(), None),
    };
    let unit =
        field("UNIT").or_else(|| field("_SYSTEMD_UNIT")).or_else(|| field("SYSLOG_IDENTIFIER"));
    let time = andamio_engine::Timestamp::from_microsecond(at).ok()?;
    Some(Line {
        v: 1,
        kind: "log",
        at,
        cursor: field("__CURSOR").unwrap_or_default().to_owned(),
        time: format!("{time:.3}"),
        machine: machine.to_owned(),
        unit: unit.unwrap_or(super::select::KERNEL).to_owned(),
        level: field("PRIORITY").and_then(|p| p.parse().ok()).unwrap_or(6),
        message,
        raw,
    })
}

/// journald writes what is not printable text as numbers, and a field that is there several times as a list.
fn parts_of(parts: &[Value]) -> (String, Option<Vec<u8>>) {
    if parts.iter().all(Value::is_number) {
        let bytes = parts.iter().filter_map(|b| b.as_u64().and_then(|b| u8::try_from(b).ok()));
        return match String::from_utf8(bytes.collect()) {
            Ok(text) => (text, None),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (text, Some(error.into_bytes()))
            }
        };
    }
    let texts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Value::String(text) => text.clone(),
            Value::Array(bytes) => parts_of(bytes).0,
            _ => String::new(),
        })
        .collect();
    (texts.join("\n"), None)
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
        assert_eq!(line.raw.as_deref(), Some(&b"hi\xff"[..]));
        assert!(line.time.ends_with(".123Z"), "{}", line.time);
        assert!(parse("app-1", b"nonsense").is_none());
        let twice = br#"{"__REALTIME_TIMESTAMP":"1790000000123456","MESSAGE":["a",[98,27]]}"#;
        assert_eq!(parse("app-1", twice).unwrap().message, "a\nb\u{1b}");
    }
}
