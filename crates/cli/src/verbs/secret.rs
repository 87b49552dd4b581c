use crate::args::{Global, SecretVerb};
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::{Source, request};
use crate::run::Terminal;
use andamio_engine::Scope;
use andamio_operate::{Instance, OpenMode};
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
    let request = request(global, env, Source::Any).await?;
    let look = Instance::open(request.clone(), OpenMode::ReadOnly).await?;
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
        SecretVerb::Set { name, exact, .. } => {
            let value = read_value(*exact)?;
            look.fits(name, &value)?;
            Some(value)
        }
        _ => None,
    };
    let empty = value.as_ref().is_some_and(String::is_empty);
    let terminal = Terminal::new(global, output);
    let lock = terminal.runner().lock(&look, Scope::Converge, "secret").await?;
    let result = change(request, what, value).await;
    // A lock that cannot be given back ends with this process.
    let _ = lock.release().await;
    result?;
    if output.json {
        output.document(&json!({ "v": 1, "type": "secret", "changed": true }));
    }
    if empty {
        output.note("The value is empty.");
    }
    output.note(&format!("`andamio up {env}` brings it to the machines."));
    Ok(Exit::Done)
}

async fn change(
    request: andamio_operate::Request,
    what: &SecretVerb,
    value: Option<String>,
) -> Result<(), Stop> {
    let mut instance = Instance::open(request, OpenMode::State).await?;
    match (what, value) {
        (SecretVerb::Set { name, .. }, Some(value)) => instance.set_secret(name, value).await?,
        (SecretVerb::Rm { name, .. }, _) => instance.remove_secret(name).await?,
        (SecretVerb::Renew { .. }, _) => instance.renew_certificates().await?,
        _ => {}
    }
    Ok(())
}

/// From standard input, so that it is in no history and no process list.
fn read_value(exact: bool) -> Result<String, Stop> {
    if std::io::stdin().is_terminal() {
        return Err(Stop::usage(
            "the value is read from standard input",
            "for example: andamio secret set dev SESSION_KEY < key.txt",
        ));
    }
    let mut value = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut value)
        .map_err(|e| Stop::failed("stdin", e, "give the value in a file that can be read"))?;
    let value = String::from_utf8(value).map_err(|_| {
        Stop::usage("the value is not UTF-8 text", "encode it, for example with base64")
    })?;
    Ok(if exact { value } else { value_of(value) })
}

/// One line ends where its text ends, since `echo` and editors add an end of their own. Several lines are
/// kept as they are: a key file has one at its end.
fn value_of(text: String) -> String {
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    match line {
        Some(line) if !line.contains('\n') => line.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::value_of;

    #[test]
    fn only_the_end_of_a_single_line_goes() {
        for (given, value) in [
            ("key\n", "key"),
            ("key\r\n", "key"),
            ("key", "key"),
            ("\n", ""),
            ("", ""),
            ("\n\n", "\n\n"),
            ("a\nb\n", "a\nb\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("key\r", "key\r"),
        ] {
            assert_eq!(value_of(given.to_owned()), value, "{given:?}");
        }
    }
}
