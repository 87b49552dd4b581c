//! A run over standard input and output: a manifest in, a JSON line per event out.

use crate::machine::Mode;
use crate::run::apply;
use andamio_manifest::{Event, Manifest, Report, VERSION};
use std::io::{Read, Write};
use std::ops::ControlFlow;

/// Largest manifest that is read: hundreds of times what a machine needs.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads a manifest to the end of `input`, runs it and writes its events to `output`, each line
/// flushed. When `output` can no longer be written, the operator went away: the resource at work is
/// finished and the run ends.
///
/// A manifest that cannot be read is a report with [`Report::error`], written as any other.
pub async fn serve(input: impl Read, output: &mut impl Write, mode: Mode) -> Report {
    let mut write = |event: Event| {
        let mut line = serde_json::to_vec(&event).unwrap_or_default();
        line.push(b'\n');
        match output.write_all(&line).and_then(|()| output.flush()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    match read(input) {
        Ok(manifest) => apply(manifest, mode, &mut write).await,
        Err(error) => {
            let report = Report { v: VERSION, error: Some(error), ..Report::default() };
            let _ = write(Event::Done(report.clone()));
            report
        }
    }
}

fn read(input: impl Read) -> Result<Manifest, String> {
    let mut bytes = Vec::new();
    let read = input.take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|error| format!("reading the manifest: {error}"))?;
    // The position is enough; serde's own text may quote a value, and values may be secret.
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
        format!(
            "the manifest cannot be read (line {} column {}): is this node older than its operator?",
            error.line(),
            error.column()
        )
    })?;
    if manifest.v > VERSION {
        return Err(format!("the manifest has version {}, this node {VERSION}", manifest.v));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn nonsense_is_answered() {
        let mut out = Vec::new();
        let report = serve(&b"{\"v\":1,\"machine\":\"hunter22\"}"[..], &mut out, Mode::Check).await;
        assert!(report.error.is_some());
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("{\"type\":\"done\"") && text.ends_with("}\n"), "{text}");
        assert!(!text.contains("hunter22"));
    }
}
