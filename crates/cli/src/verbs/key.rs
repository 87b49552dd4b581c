use crate::args::{Global, KeyVerb, Whom};
use crate::exit::{Exit, Stop};
use crate::output::{Output, Style, table};
use crate::project::ring;
use crate::run::confirm;
use andamio_operate::Purpose;
use andamio_operate::key::{Changed, Key, Keys, Newcomer, Removal, TeamKeys};
use andamio_spec::reserved::is_own_secret;
use serde_json::json;

pub(crate) async fn key(
    global: &Global,
    output: &mut Output,
    what: &KeyVerb,
) -> Result<Exit, Stop> {
    let verb = match what {
        KeyVerb::List => return list(&ring(global)?, output).await,
        KeyVerb::Show => return show(&ring(global)?, output),
        KeyVerb::Add { .. } => "key add",
        KeyVerb::Remove { .. } => "key remove",
    };
    output.result_of = Some((verb.to_owned(), String::new(), String::new()));
    let ring = ring(global)?;
    match what {
        KeyVerb::Add { key, name, purpose } => {
            let purpose = match purpose {
                Whom::Team => Purpose::Team,
                Whom::Runner => Purpose::Runner,
            };
            add(&ring, output, &Newcomer::of(&key.join(" "), name.as_deref(), purpose)).await
        }
        KeyVerb::Remove { key } => remove(&ring, output, &key.join(" "), global.yes).await,
        KeyVerb::List | KeyVerb::Show => Ok(Exit::Done),
    }
}

/// What a member pastes behind `key add`.
fn show(ring: &TeamKeys, output: &Output) -> Result<Exit, Stop> {
    let shown = ring.show()?;
    if output.json {
        output.document(&json!({
            "v": 1, "type": "key", "age": shown.age, "ssh": shown.ssh, "name": shown.name,
            "identity": shown.identity,
        }));
    } else if shown.ssh.starts_with(&shown.age) {
        output.answer(&shown.ssh);
    } else {
        output.answer(&format!("{}\n{}", shown.age, shown.ssh));
    }
    if !output.json {
        output.note(&format!(
            "A member lets you in: andamio key add \"THESE LINES\" --name {}",
            shown.name
        ));
    }
    Ok(Exit::Done)
}

async fn list(ring: &TeamKeys, output: &Output) -> Result<Exit, Stop> {
    let keys = ring.list().await?;
    if output.json {
        let mut document = json!({ "v": 1, "type": "keys" });
        if let (Some(into), Ok(serde_json::Value::Object(from))) =
            (document.as_object_mut(), serde_json::to_value(&keys))
        {
            into.extend(from);
        }
        output.document(&document);
    } else {
        output.answer(&display(&keys, output.style));
    }
    Ok(Exit::Done)
}

fn display(keys: &Keys, style: Style) -> String {
    let mut out = String::new();
    if keys.keys.is_empty() {
        out.push_str("No keys yet: `andamio init` makes yours.\n");
    } else {
        let rows: Vec<Vec<String>> = keys.keys.iter().map(|k| row(k, keys)).collect();
        out.push_str(&table(&["KEY", "NAME", "TEAM", "READS", "SSH"], &rows));
    }
    match keys.you.first() {
        Some(own) => out.push_str(&format!("\nYou are {} ({})\n", short(own), keys.identity)),
        None => out.push_str(&format!(
            "\nYou have no identity at {}: `andamio init` makes one.\n",
            keys.identity
        )),
    }
    if !keys.instances.is_empty() {
        out.push_str("\nWith your identity:\n");
    }
    for one in &keys.instances {
        let (sign, says) = if one.readable {
            (style.green("yes"), "")
        } else {
            (style.red("no "), "  ask a member to run `andamio key add`")
        };
        out.push_str(&format!("  {sign} {}{says}\n", one.instance));
        if one.stale {
            let says = "a member of the team cannot read it: `andamio key add` with their key";
            out.push_str(&format!("      {}\n", style.yellow(says)));
        }
    }
    out
}

fn row(key: &Key, keys: &Keys) -> Vec<String> {
    let team = match (key.team, key.removed) {
        (true, true) => "removed elsewhere",
        (true, false) => "yes",
        (false, true) => "removed",
        (false, _) if key.purpose == Purpose::Runner => "runner",
        (false, _) if key.instances.is_empty() => "no",
        (false, _) => "only in the state",
    };
    let reads = match key.instances.len() {
        0 => "nothing".to_owned(),
        n if n == keys.instances.len() => "everything".to_owned(),
        _ => key.instances.join(" "),
    };
    let you = if key.you { "you" } else { "" };
    let name = [key.name.as_str(), you].join(" ");
    let ssh = match (&key.ssh, key.missing_on.as_slice(), key.removed) {
        (None, ..) => "-".to_owned(),
        (Some(_), [], _) => "everywhere".to_owned(),
        (Some(_), missing, false) => format!("not yet on {}", missing.join(" ")),
        (Some(_), missing, true) => format!("maybe still on {}", missing.join(" ")),
    };
    vec![short(&key.key), name.trim().to_owned(), team.to_owned(), reads, ssh]
}

/// Enough of a key to tell it from others; the rest is in `--json`.
fn short(key: &str) -> String {
    let blob = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let letters: Vec<char> = blob.chars().collect();
    if letters.len() <= 30 {
        return blob;
    }
    // All SSH keys of one type begin alike.
    let head = if key.starts_with("ssh-") { 12 } else { 16 };
    let tail = if key.starts_with("ssh-") { 12 } else { 6 };
    let part = |from: usize, to: usize| letters[from..to].iter().collect::<String>();
    format!("{}…{}", part(0, head), part(letters.len() - tail, letters.len()))
}

async fn add(ring: &TeamKeys, output: &Output, new: &Newcomer) -> Result<Exit, Stop> {
    let changed = ring.add(new.clone()).await?;
    let mut out = String::new();
    for member in &changed.members {
        let name = if member.name.is_empty() { "" } else { &format!(" ({})", member.name) };
        out.push_str(&format!(
            "{}{name} is in `team` of {}.\n",
            short(&member.key),
            ring.file.display()
        ));
    }
    let mut next = Vec::new();
    match &new.recipient {
        Some(key) if changed.members.is_empty() => {
            out.push_str(&format!("{} was in the team already.\n", short(key)));
        }
        Some(_) => next.push(format!("git add {}", ring.file.display())),
        None => {}
    }
    out.push_str(&sealed(&changed, new.recipient.is_some()));
    if new.ssh.is_some() && !changed.missing_on.is_empty() {
        out.push_str("\nThese machines do not let the SSH key in yet:\n");
        out.push_str(&machines(&changed));
    }
    next.extend(changed.missing_on.iter().map(|(name, _)| format!("andamio up {name}")));
    Ok(end(output, "key add", &changed, &out, &next))
}

async fn remove(ring: &TeamKeys, output: &Output, word: &str, yes: bool) -> Result<Exit, Stop> {
    let removal = ring.removal(word).await?;
    if removal.key.you {
        confirm(
            "This is your own key: you will not be able to read the secrets any more. Go on?",
            yes,
        )?;
    }
    let changed = ring.remove(&removal.key).await?;
    let runner = removal.key.purpose == Purpose::Runner && removal.seen.is_empty();
    let was = if runner { "is taken away" } else { "is no member any more" };
    let mut out = format!("{} {was}.\n", short(&removal.key.key));
    out.push_str(&sealed(&changed, !runner));
    if !changed.missing_on.is_empty() {
        out.push_str(
            "\nThese machines have not heard of it, and let the key in until the next `andamio up`:\n",
        );
        out.push_str(&machines(&changed));
    }
    let mut next = Vec::new();
    if !runner {
        next.push(format!("git add {}", ring.file.display()));
    }
    next.extend(changed.missing_on.iter().map(|(name, _)| format!("andamio up {name}")));
    next.extend(rotate(&removal));
    if !removal.seen.is_empty() {
        out.push_str(
            "\nWhoever has that key has seen the values there were, and can read them in older copies \
             of the state.\nChange them:\n",
        );
        for (instance, names) in &removal.seen {
            // The environment's SSH key is changed by now.
            let changed = |name: &&str| name.ends_with("-public") || name.starts_with("ssh-");
            let names: Vec<&str> =
                names.iter().map(String::as_str).filter(|name| !changed(name)).collect();
            out.push_str(&format!("  {instance}: {}\n", names.join(" ")));
        }
        out.push_str(
            "The application's own have commands below. The environment's SSH key is another one now. \
             Passwords of services are\nmade new only with the whole environment: `andamio down`, then `andamio up`.\n",
        );
    }
    Ok(end(output, "key remove", &changed, &out, &next))
}

/// The commands that make new values; services' passwords have no command of their own.
fn rotate(removal: &Removal) -> Vec<String> {
    let mut next = Vec::new();
    for (instance, names) in &removal.seen {
        let given = names.iter().filter(|name| !is_own_secret(name));
        next.extend(given.map(|name| format!("andamio secret set {instance} {name}")));
    }
    next
}

fn machines(changed: &Changed) -> String {
    let line =
        |(name, machines): &(String, Vec<String>)| format!("  {name}: {}\n", machines.join(" "));
    changed.missing_on.iter().map(line).collect()
}

fn sealed(changed: &Changed, reads: bool) -> String {
    match changed.instances.as_slice() {
        [] => "The state has no secrets yet: new ones will be encrypted to the team.\n".to_owned(),
        names if reads => format!("Encrypted anew: {}\n", names.join(", ")),
        names => format!("Noted in: {}\n", names.join(", ")),
    }
}

fn end(output: &Output, verb: &str, changed: &Changed, text: &str, next: &[String]) -> Exit {
    if output.json {
        output.document(&json!({
            "v": 1, "type": "result", "run": "", "verb": verb, "env": "", "place": "",
            "status": "ok", "changed": changed.members.len() + changed.instances.len(),
            "failed": 0, "duration_s": 0.0, "error": null, "next": next,
            "keys": changed.members.iter().map(|m| &m.key).collect::<Vec<_>>(),
            "instances": changed.instances,
            "missing_on": changed.missing_on.iter().map(|(instance, machines)| json!({
                "instance": instance, "machines": machines,
            })).collect::<Vec<_>>(),
        }));
    } else if next.is_empty() {
        output.answer(text);
    } else {
        output.answer(&format!("{text}\nNext:\n  {}\n", next.join("\n  ")));
    }
    Exit::Done
}
