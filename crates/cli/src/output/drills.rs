//! Drills for people: a table, and each one's time line.

use super::{Style, table};
use andamio_operate::drill::Drill;

/// Columns of a time line: one for every half second.
const SLICES: usize = 2;

/// Table and time lines; below the table why something did not pass.
pub(crate) fn drills(drills: &[Drill], style: Style) -> String {
    let rows: Vec<Vec<String>> = drills
        .iter()
        .map(|drill| {
            let word = if drill.passed { style.green("passed") } else { style.red("failed") };
            vec![
                drill.target.as_str().to_owned(),
                drill.fault.as_str().to_owned(),
                drill.machine.clone(),
                format!("{} of {}", drill.failures, drill.requests),
                format!("{} ms", drill.longest_gap_ms),
                drill.lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
                format!("{:.1} s", drill.redundant_after_s),
                word,
            ]
        })
        .collect();
    let head = ["TARGET", "FAULT", "MACHINE", "FAILED", "LONGEST GAP", "LOST", "WHOLE AFTER", ""];
    let mut out = table(&head, &rows);
    out.push_str(&format!(
        "\n{}\n",
        style.dim("Good answers over time, half a second a mark; × is a failure among them.")
    ));
    for drill in drills {
        let name = format!("{} {}", drill.target.as_str(), drill.fault.as_str());
        out.push_str(&format!("{name:24} {}\n", time_line(&drill.timeline, drill.rate)));
        out.push_str(&format!("{:24} {}\n", "", style.dim(&marks(drill))));
        if !drill.passed {
            out.push_str(&format!("{:24} {}\n", "", style.red(&drill.why)));
        }
    }
    out
}

/// Good answers over time, half a second a mark.
pub(super) fn time_line(timeline: &[[u32; 2]], rate: u32) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    // What the rate gives in half a second is three quarters of the height: what piled up shows above.
    let whole = rate.div_ceil(2).max(1);
    let mark = |slices: &[[u32; 2]]| {
        let (good, bad) = slices.iter().fold((0, 0), |(g, b), [x, y]| (g + x, b + y));
        if bad > 0 {
            return '×';
        }
        let height = usize::try_from(good * 6 / whole).unwrap_or(0).min(HEIGHTS.len());
        height.checked_sub(1).and_then(|index| HEIGHTS.get(index)).copied().unwrap_or(' ')
    };
    timeline.chunks(SLICES).map(mark).collect()
}

/// Where it was broken and where it was put back.
fn marks(drill: &Drill) -> String {
    let column = |seconds: f64| (seconds * 2.0).max(0.0) as usize;
    let (broken, mended) = (column(drill.broken_at_s), column(drill.mended_at_s));
    format!("{}^ broken{}^ back", " ".repeat(broken), " ".repeat(mended.saturating_sub(broken + 8)))
}
