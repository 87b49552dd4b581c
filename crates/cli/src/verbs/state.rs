use crate::args::{Global, StateVerb};
use crate::exit::{Exit, Stop};
use crate::output::{Output, table};
use crate::project::state_of;
use crate::run::confirm;
use andamio_operate::state::{Shown, State};
use serde_json::json;

pub(crate) async fn state(
    global: &Global,
    output: &Output,
    what: &StateVerb,
) -> Result<Exit, Stop> {
    let state = state_of(global)?;
    match what {
        StateVerb::Show { env } => show(&state, output, env.as_deref()).await,
        StateVerb::Adopt { env } => {
            let names = state.instances(env.as_deref()).await?;
            let question = format!(
                "This makes {} the owner of {}: the state that has been it is refused from then on.",
                state.place,
                names.join(", ")
            );
            confirm(&question, global.yes)?;
            for name in &names {
                state.adopt(name).await?;
            }
            done(output, "adopt", &names, &format!("{} belongs to this state.", names.join(", ")))
        }
        StateVerb::Fork { env } => {
            let names = state.instances(env.as_deref()).await?;
            let question = format!(
                "This makes {} in {} an environment of its own, without machines, and forgets the passwords and keys \
                 that Andamio made for it.",
                names.join(", "),
                state.place
            );
            confirm(&question, global.yes)?;
            for name in &names {
                state.fork(name).await?;
            }
            let said =
                format!("{}: nothing of it stands yet; `andamio up` makes it.", names.join(", "));
            done(output, "fork", &names, &said)
        }
    }
}

fn done(output: &Output, verb: &str, names: &[String], said: &str) -> Result<Exit, Stop> {
    if output.json {
        output.document(&json!({ "v": 1, "type": "state", "did": verb, "instances": names }));
    } else {
        output.done(said);
    }
    Ok(Exit::Done)
}

async fn show(state: &State, output: &Output, env: Option<&str>) -> Result<Exit, Stop> {
    let mut shown = Vec::new();
    for name in state.instances(env).await? {
        shown.push(state.show(&name).await?);
    }
    if output.json {
        let place = state.place.to_string();
        output.document(&json!({ "v": 1, "type": "state", "place": place, "instances": shown }));
        return Ok(Exit::Done);
    }
    if shown.is_empty() {
        output.answer(&format!("{}: nothing yet.", state.place));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    let head = ["INSTANCE", "ID", "OWNER", "WANTED", "RELEASE", "SINCE", "BY"];
    let mut text = format!("{}\n\n{}", state.place, table(&head, &rows));
    for one in &shown {
        for held in &one.locks {
            let (by, purpose, since) = (&held.by, &held.purpose, held.since);
            text.push_str(&format!("\n{by} works on `{purpose}` since {since:.0}\n"));
        }
    }
    output.answer(&text);
    Ok(Exit::Done)
}

fn row(shown: &Shown) -> Vec<String> {
    use andamio_operate::state::Ownership::{Copied, Moved, New, Own};
    let owner = match shown.ownership {
        New | Own => "this state".to_owned(),
        Moved => "this state, which was moved".to_owned(),
        Copied => format!("{} (this is a copy)", shown.owner),
    };
    let dash = || "-".to_owned();
    let (wanted, since, by) = shown.desired.as_ref().map_or((dash(), dash(), dash()), |desired| {
        let what = if desired.enabled { "" } else { ": nothing" };
        let number = format!("{}{what}", desired.number);
        (number, format!("{:.0}", desired.written), desired.by.clone())
    });
    let release = shown.release.clone().unwrap_or_else(dash);
    vec![shown.instance.clone(), shown.id.clone(), owner, wanted, release, since, by]
}
