//! A plan for people.

use super::Style;
use andamio_engine::{MachineAction, PlanReport, Reason};

/// The whole plan. A plan with nothing in it is one line.
pub(crate) fn plan(report: &PlanReport, style: Style) -> String {
    let instance = format!("{}@{}", report.env, report.place);
    if report.empty {
        return format!("{instance} is as declared; nothing to do.\n");
    }
    let mut out = format!("{}\n", style.bold(&format!("Plan for {instance}")));
    for machine in &report.machines {
        let (sign, word) = match machine.action {
            MachineAction::None => continue,
            MachineAction::Create => (style.green("+"), "create"),
            MachineAction::Start => (style.yellow("~"), "start"),
            MachineAction::Replace => (style.red("±"), "replace"),
            MachineAction::Delete => (style.red("-"), "delete"),
            MachineAction::Unreachable => (style.red("?"), "unreachable"),
        };
        let note =
            if machine.note.is_empty() { String::new() } else { format!(" ({})", machine.note) };
        out.push_str(&format!(
            "  {sign} {word} {}{}\n",
            style.bold(&machine.name),
            style.dim(&note)
        ));
    }
    for change in &report.changes {
        let reason = match change.reason {
            Reason::Drift => "drift",
            Reason::Spec => "spec",
            Reason::Release => "release",
        };
        let disrupts = if change.disrupts { style.red(", disrupts users") } else { String::new() };
        out.push_str(&format!(
            "  {} {} {} {}{disrupts}{}\n",
            style.yellow("~"),
            style.bold(&change.machine),
            change.resource,
            style.dim(&format!("({reason}")),
            style.dim(")"),
        ));
        for line in change.diff.lines() {
            out.push_str(&format!("      {}\n", style.diff_line(line)));
        }
    }
    for note in &report.notes {
        out.push_str(&format!("  {} {note}\n", style.dim("note:")));
    }
    if let Some(cost) = &report.cost {
        let budget = cost.budget.map_or(String::new(), |b| format!(", budget {b:.0}"));
        out.push_str(&format!(
            "  {} {:.0} → {:.0} {} a month at Linode's list prices{budget}\n",
            style.dim("cost:"),
            cost.month_before,
            cost.month_after,
            cost.currency
        ));
    }
    for refusal in &report.refusals {
        out.push_str(&format!(
            "  {} {}\n        {}\n",
            style.red("refused:"),
            refusal.message,
            refusal.help
        ));
    }
    let count = |action| report.machines.iter().filter(|m| m.action == action).count();
    out.push_str(&format!(
        "{} to create, {} to start, {} to delete, {} to change\n",
        count(MachineAction::Create),
        count(MachineAction::Start),
        count(MachineAction::Delete),
        report.changes.len()
    ));
    out
}
