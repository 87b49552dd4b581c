//! What environments cost, for people.

use super::{Style, table};
use andamio_spec::price::{Cost, Source};

/// A table for each environment, and the three figures that matter below it.
pub(crate) fn cost(costs: &[Cost], style: Style) -> String {
    let mut out = String::new();
    for cost in costs {
        out.push_str(&one(cost, style));
        out.push('\n');
    }
    if let Some(cost) = costs.first() {
        out.push_str(&style.dim(&format!(
            "Linode's {} of {}, without VAT; 1 USD = {} EUR (ECB, {})",
            if cost.prices == Source::Live { "own prices" } else { "list prices" },
            cost.list_date,
            cost.rate.usd_eur,
            cost.rate.date
        )));
        out.push('\n');
    }
    out
}

fn one(cost: &Cost, style: Style) -> String {
    let currency = cost.currency.as_str();
    let region =
        if cost.region.is_empty() { String::new() } else { format!(" in {}", cost.region) };
    let title = format!("{}@{}{region}", cost.env, cost.place);
    let mut out = format!("{}\n", style.bold(&title));
    let mut rows: Vec<Vec<String>> = cost
        .items
        .iter()
        .map(|item| {
            vec![
                item.name.clone(),
                item.kind.clone(),
                format!("{:>3}", item.count),
                format!("{:>8.2}", item.each_month),
                format!("{:>8.2}", item.month),
                format!("{:>7.4}", item.hour),
                format!("{:>8.2}", item.month_usd),
            ]
        })
        .collect();
    rows.push(vec![
        "total".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        format!("{:>8.2}", cost.total_month),
        format!("{:>7.4}", cost.total_hour),
        format!("{:>8.2}", cost.total_month_usd),
    ]);
    let month = format!("{currency}/month");
    let header = [
        "ITEM",
        "TYPE",
        "  N",
        "    EACH",
        &format!("{month:>8}"),
        &format!("{:>7}", format!("{currency}/h")),
        "     USD",
    ];
    for line in table(&header, &rows).lines() {
        out.push_str(&format!("  {line}\n"));
    }
    out.push_str(&format!("  {}\n", figures(cost, style)));
    for note in &cost.notes {
        out.push_str(&format!("  {} {note}\n", style.dim("note:")));
    }
    out
}

/// Least, expected and most, and what they are beside the budget.
fn figures(cost: &Cost, style: Style) -> String {
    let Cost { total_month, expected_month, max_month, currency, .. } = cost;
    let mut text = if max_month > total_month {
        format!(
            "{total_month:.2} at least, {expected_month:.2} expected, {max_month:.2} at most {currency} a month"
        )
    } else {
        format!("{total_month:.2} {currency} a month")
    };
    match (cost.budget, cost.left_month) {
        (Some(budget), Some(left)) if left < 0.0 => {
            let over = format!("{:.2} over the budget of {budget}", -left);
            text.push_str(&format!("; {}", style.red(&over)));
        }
        (Some(budget), Some(left)) => {
            text.push_str(&format!("; {left:.2} below the budget of {budget}"));
        }
        _ => text.push_str("; no budget"),
    }
    text
}
