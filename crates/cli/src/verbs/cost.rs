use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, cost as display};
use crate::project::{Project, api};
use andamio_operate::linode::offers;
use andamio_spec::CostError;
use andamio_spec::price::{Cost, Prices, cost_by};
use serde_json::json;

pub(crate) async fn cost(
    global: &Global,
    output: &Output,
    env: Option<&str>,
    place: Option<&str>,
    live: bool,
) -> Result<Exit, Stop> {
    let (_, spec) = Project::valid(global)?;
    let place = place.or(global.on.as_deref());
    let (env, place) = match env.and_then(|env| env.split_once('@')) {
        Some((env, place)) => (Some(env), Some(place)),
        None => (env, place),
    };
    let known = |name: &str| spec.environments.iter().find(|e| e.name == name);
    let own = |name: &str| known(name).map_or("local", |e| e.on.as_str());
    let names: Vec<&str> = match env {
        Some(env) => vec![env],
        None => spec.environments.iter().map(|e| e.name.as_str()).collect(),
    };
    let offers = if live { Some(offers(&api()).await?) } else { None };
    let prices = |region: &str| {
        offers.as_ref().map_or_else(|| Prices::recorded(region), |offers| offers.in_region(region))
    };
    let costs = names
        .iter()
        .map(|name| cost_by(&spec, name, place.unwrap_or_else(|| own(name)), &prices).map_err(stop))
        .collect::<Result<Vec<Cost>, Stop>>()?;
    if !output.json {
        output.answer(&display(&costs, output.style));
        return Ok(Exit::Done);
    }
    let mut documents: Vec<_> = costs.iter().map(document).collect();
    if env.is_some() {
        documents.drain(..).for_each(|document| output.document(&document));
    } else {
        output.document(&json!({ "v": 1, "type": "costs", "environments": documents }));
    }
    Ok(Exit::Done)
}

fn document(cost: &Cost) -> serde_json::Value {
    let mut document = json!({ "v": 1, "type": "cost" });
    if let (Some(whole), Some(fields)) = (document.as_object_mut(), json!(cost).as_object()) {
        whole.extend(fields.clone());
    }
    document
}

fn stop(error: CostError) -> Stop {
    match error {
        CostError::UnknownEnvironment(_) => {
            Stop::new(Exit::Usage, "environment", error, "name one of andamio.toml")
        }
        CostError::UnknownPlace(_) => {
            Stop::new(Exit::Usage, "place", error, "name local, linode or one of andamio.toml")
        }
        CostError::NoMachineType { .. } => {
            Stop::new(Exit::Refused, "quota", error, "declare a smaller size or disk")
        }
    }
}
