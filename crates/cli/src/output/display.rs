//! A plan for people.

use super::Style;
use andamio_operate::plan::{CostChange, MachineAction, PlanReport, Reason};

/// The whole plan. A plan with nothing in it is one line.
pub(crate) fn plan(report: &PlanReport, style: Style) -> String {
    let instance = format!("{}@{}", report.env, report.place);
    if report.empty && report.refusals.is_empty() {
        // Where no machine was looked at, only files were.
        return if report.machines.is_empty() {
            format!(
                "{instance}: terraform.tfvars says what andamio.toml does. {}\n",
                report.notes.join("; ")
            )
        } else {
            format!("{instance} is as declared; nothing to do.\n")
        };
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
        // A file of the project is on no machine.
        let machine = match change.machine.as_str() {
            "" => String::new(),
            name => format!("{} ", style.bold(name)),
        };
        out.push_str(&format!(
            "  {} {machine}{} {}{disrupts}{}\n",
            style.yellow("~"),
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
        out.push_str(&format!("  {} {}\n", style.dim("cost:"), money(cost)));
    }
    for refusal in &report.refusals {
        let rule =
            if refusal.rule.is_empty() { String::new() } else { format!(" [{}]", refusal.rule) };
        out.push_str(&format!(
            "  {} {}{}\n        {}\n",
            style.red("refused:"),
            refusal.message,
            style.dim(&rule),
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

/// Before, after, the difference, and the budget.
fn money(cost: &CostChange) -> String {
    let budget = cost.budget.map_or(String::new(), |b| format!(", budget {b:.0}"));
    let change = cost.month_after - cost.month_before;
    // Less than a cent is none.
    let change = if change.abs() < 0.005 { String::new() } else { format!(" ({change:+.2})") };
    format!(
        "{:.0} → {:.0} {} a month{change} at Linode's list prices{budget}",
        cost.month_before, cost.month_after, cost.currency
    )
}
