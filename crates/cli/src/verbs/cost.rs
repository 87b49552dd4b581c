use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, table};
use crate::project::Project;
use andamio_spec::cost as price;
use serde_json::json;

pub(crate) fn cost(global: &Global, output: &Output, env: Option<&str>) -> Result<Exit, Stop> {
    let (_, spec) = Project::valid(global)?;
    let names: Vec<&str> = match env {
        Some(env) => vec![env],
        None => spec.environments.iter().map(|e| e.name.as_str()).collect(),
    };
    let mut documents = Vec::new();
    for name in names {
        let cost = price(&spec, name)
            .map_err(|e| Stop::new(Exit::Usage, "environment", e, "name one of andamio.toml"))?;
        if output.json {
            let mut document = json!({ "v": 1, "type": "cost" });
            if let (Some(whole), Some(fields)) = (document.as_object_mut(), json!(cost).as_object())
            {
                whole.extend(fields.clone());
            }
            documents.push(document);
            continue;
        }
        let rows: Vec<Vec<String>> = cost
            .items
            .iter()
            .map(|i| {
                let month = format!("{:>8.2}", i.month);
                vec![i.name.clone(), i.machine_type.clone(), i.count.to_string(), month]
            })
            .collect();
        let budget = cost.budget.map_or(String::new(), |b| format!(" of a budget of {b:.0}"));
        output.answer(&format!(
            "{name}: {:.2} {}{budget} a month\n{}",
            cost.total_month,
            spec.project.currency.as_str(),
            table(&["ITEM", "TYPE", "COUNT", "   MONTH"], &rows)
        ));
    }
    if let (true, Some(first)) = (output.json, documents.first_mut()) {
        if env.is_some() {
            output.document(first);
        } else {
            output.document(&json!({ "v": 1, "type": "costs", "environments": documents }));
        }
    }
    Ok(Exit::Done)
}
