//! The figures of a load for people.

use super::drills::time_line;
use andamio_operate::load::LoadFigures;

/// Columns of a time line that fit on a page.
const COLUMNS: usize = 100;

pub(crate) fn load(figures: &LoadFigures, rate: u32) -> String {
    let LoadFigures { requests, failures, longest_gap_ms, p50_ms, p99_ms, .. } = figures;
    let mut out = format!(
        "{requests} requests, {failures} failures, longest gap {longest_gap_ms} ms, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms\n"
    );
    if let (Some(acknowledged), Some(lost)) = (figures.acknowledged, figures.lost()) {
        out.push_str(&format!("{acknowledged} records acknowledged, {lost} lost\n"));
    }
    for (cause, count) in &figures.causes {
        out.push_str(&format!("  {count} × {cause}\n"));
    }
    // A longer one would say less with every mark.
    let line = time_line(&figures.timeline, rate);
    if line.chars().count() <= COLUMNS {
        out.push_str(&format!("{line}\n"));
    }
    out
}
