use super::up::release_lock;
use crate::args::{Global, SecretVerb};
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::request;
use crate::run;
use andamio_operate::Instance;
use serde_json::json;
use std::io::{IsTerminal, Read};

pub(crate) async fn secret(
    global: &Global,
    output: &Output,
    what: &SecretVerb,
) -> Result<Exit, Stop> {
    let env = match what {
        SecretVerb::Set { env, .. }
        | SecretVerb::List { env }
        | SecretVerb::Rm { env, .. }
        | SecretVerb::Renew { env } => env,
    };
    let request = request(global, env)?;
    let look = Instance::look(request.clone()).await?;
    if let SecretVerb::List { .. } = what {
        let names: Vec<&str> = look.secret_list();
        if output.json {
            output.document(&json!({ "v": 1, "type": "secrets", "names": names }));
        } else {
            output.answer(&names.join("\n"));
        }
        return Ok(Exit::Done);
    }
    if let SecretVerb::Set { name, .. } | SecretVerb::Rm { name, .. } = what {
        look.declared(name)?;
    }
    let value = match what {
        SecretVerb::Set { .. } => Some(read_value()?),
        _ => None,
    };
    let lock = run::lock(&look, "secret", output).await?;
    let result = change(request, what, value).await;
    release_lock(lock).await;
    result?;
    if output.json {
        output.document(&json!({ "v": 1, "type": "secret", "changed": true }));
    }
    output.note(&format!("`andamio up {env}` brings it to the machines."));
    Ok(Exit::Done)
}

async fn change(
    request: andamio_operate::Request,
    what: &SecretVerb,
    value: Option<String>,
) -> Result<(), Stop> {
    let mut instance = Instance::state(request).await?;
    match (what, value) {
        (SecretVerb::Set { name, .. }, Some(value)) => instance.set_secret(name, value).await?,
        (SecretVerb::Rm { name, .. }, _) => instance.remove_secret(name).await?,
        (SecretVerb::Renew { .. }, _) => instance.renew_certificates().await?,
        _ => {}
    }
    Ok(())
}

/// From standard input, so that it is in no history and no process list.
fn read_value() -> Result<String, Stop> {
    if std::io::stdin().is_terminal() {
        return Err(Stop::usage(
            "the value is read from standard input",
            "for example: andamio secret set dev SESSION_KEY < key.txt",
        ));
    }
    let mut value = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut value)
        .map_err(|e| Stop::usage(format!("the value cannot be read: {e}"), "give it as text"))?;
    let value = value.trim_end_matches(['\n', '\r']).to_owned();
    if value.is_empty() {
        return Err(Stop::usage("the value is empty", "give it on standard input"));
    }
    Ok(value)
}
