//! `team` of andamio.toml, edited in place: every comment stays, and so does everything else.

use crate::secret::same;
use crate::{Failure, Kind};
use toml_edit::{Array, DocumentMut, RawString, Value};

/// A public key of the team, with the comment behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub key: String,
    pub name: String,
}

/// An element of the array with the comments around it.
struct Entry {
    value: Value,
    /// Lines of comment above it.
    above: Vec<String>,
    /// The comment behind it, on its own line.
    behind: String,
}

/// The team that the text declares.
///
/// # Errors
/// When the text is not TOML.
pub fn members(text: &str) -> Result<Vec<Member>, Failure> {
    let mut document = parse(text)?;
    let Some(team) = project(&mut document)?.get_mut("team").and_then(|t| t.as_array_mut()) else {
        return Ok(Vec::new());
    };
    let member = |entry: Entry| {
        let key = entry.value.as_str()?.to_owned();
        let named = entry.behind.trim_start_matches('#').trim();
        // The comment of an SSH key names its owner too.
        let own = key.splitn(3, ' ').nth(2).unwrap_or_default().trim();
        let name = if named.is_empty() { own } else { named }.to_owned();
        Some(Member { key, name })
    };
    Ok(split(team).0.into_iter().filter_map(member).collect())
}

/// The text with these members more; those that are there already stay as they are.
///
/// # Errors
/// When the text is not TOML, or has no `[project]`.
pub fn with(text: &str, new: &[Member]) -> Result<String, Failure> {
    let there = members(text)?;
    let mut new = new.iter().filter(|m| !there.iter().any(|t| same(&t.key, &m.key))).peekable();
    if new.peek().is_none() {
        return Ok(text.to_owned());
    }
    edit(text, |entries| {
        entries.extend(new.map(|member| {
            let behind =
                if member.name.is_empty() { String::new() } else { format!("# {}", member.name) };
            Entry { value: member.key.as_str().into(), above: Vec::new(), behind }
        }));
    })
}

/// The text without a member.
///
/// # Errors
/// When the text is not TOML, or has no `[project]`.
pub fn without(text: &str, key: &str) -> Result<String, Failure> {
    if !members(text)?.iter().any(|m| same(&m.key, key)) {
        return Ok(text.to_owned());
    }
    edit(text, |entries| entries.retain(|e| !e.value.as_str().is_some_and(|k| same(k, key))))
}

fn edit(text: &str, change: impl FnOnce(&mut Vec<Entry>)) -> Result<String, Failure> {
    let mut document = parse(text)?;
    let project = project(&mut document)?;
    let array = match project.get_mut("team").and_then(|team| team.as_array_mut()) {
        Some(array) => array,
        None => {
            project.insert("team", toml_edit::value(Array::new()));
            let inserted = project.get_mut("team").and_then(|team| team.as_array_mut());
            inserted.ok_or_else(unusable)?
        }
    };
    let (mut entries, end) = split(array);
    change(&mut entries);
    join(array, entries, &end);
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, Failure> {
    text.parse().map_err(|e: toml_edit::TomlError| {
        Failure::error(Kind::Usage, "team", &e, "correct it: `andamio check` shows where")
    })
}

fn project(document: &mut DocumentMut) -> Result<&mut dyn toml_edit::TableLike, Failure> {
    document.get_mut("project").and_then(|p| p.as_table_like_mut()).ok_or_else(unusable)
}

fn unusable() -> Failure {
    let message = "andamio.toml has no [project] that a team could be written into";
    Failure::new(Kind::Usage, "team", message, "begin the file with [project] and name = \"…\"")
}

/// Elements with the comments that belong to them, and the comments below the last one.
fn split(array: &Array) -> (Vec<Entry>, Vec<String>) {
    let mut entries: Vec<Entry> = Vec::new();
    let raw =
        |raw: Option<&RawString>| raw.and_then(RawString::as_str).unwrap_or_default().to_owned();
    let mut pending = Vec::new();
    for value in array {
        let decor = value.decor();
        let above = sort(&raw(decor.prefix()), &mut entries, pending);
        let mut bare = value.clone();
        bare.decor_mut().clear();
        entries.push(Entry { value: bare, above, behind: String::new() });
        pending = sort(&raw(decor.suffix()), &mut entries, Vec::new());
    }
    let end = sort(&raw(Some(array.trailing())), &mut entries, pending);
    (entries, end)
}

/// The comments between two elements: one on the line of the element before is that element's.
fn sort(between: &str, entries: &mut [Entry], mut before: Vec<String>) -> Vec<String> {
    let mut lines = between.split('\n').map(str::trim);
    let first = lines.next().unwrap_or_default();
    match entries.last_mut() {
        Some(last) if last.behind.is_empty() => last.behind = first.to_owned(),
        _ => before.extend((!first.is_empty()).then(|| first.to_owned())),
    }
    before.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    before
}

/// One element a line, as a list is written that people add to.
fn join(array: &mut Array, entries: Vec<Entry>, end: &[String]) {
    array.clear();
    let mut behind = String::new();
    let none = entries.is_empty() && end.is_empty();
    for Entry { mut value, above, behind: next } in entries {
        value.decor_mut().set_prefix(lines(&behind, &above) + "\n    ");
        array.push_formatted(value);
        behind = if next.is_empty() { next } else { format!(" {next}") };
    }
    array.set_trailing(if none { String::new() } else { lines(&behind, end) + "\n" });
    array.set_trailing_comma(!array.is_empty());
}

fn lines(first: &str, comments: &[String]) -> String {
    comments.iter().fold(first.to_owned(), |text, comment| format!("{text}\n    {comment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(key: &str, name: &str) -> Member {
        Member { key: key.to_owned(), name: name.to_owned() }
    }

    const WRITTEN: &str = "# top\n[project]   # ours\nname = \"shop\"\nteam = [ # who\n    'age1a', # Ana\n\n    # the office\n    \"ssh-ed25519 AAAA bo@desk\",\n    \"age1c\" # Cid\n    # end\n]\n\n[app] # rest\nsource='.'\n";

    #[test]
    fn names_are_the_comments_behind_keys() {
        let expected = [
            member("age1a", "Ana"),
            member("ssh-ed25519 AAAA bo@desk", "bo@desk"),
            member("age1c", "Cid"),
        ];
        assert_eq!(members(WRITTEN).unwrap(), expected);
        assert_eq!(members("[project]\nname = \"x\"\n").unwrap(), []);
    }

    #[test]
    fn adding_and_removing_keep_every_comment() {
        let added = with(WRITTEN, &[member("age1d", "Dora"), member("age1a", "twice")]).unwrap();
        let expected = "# top\n[project]   # ours\nname = \"shop\"\nteam = [\n    # who\n    'age1a', # Ana\n    # the office\n    \"ssh-ed25519 AAAA bo@desk\",\n    \"age1c\", # Cid\n    \"age1d\", # Dora\n    # end\n]\n\n[app] # rest\nsource='.'\n";
        assert_eq!(added, expected);
        assert_eq!(
            without(&added, "ssh-ed25519 AAAA other").unwrap(),
            expected.replace("    # the office\n    \"ssh-ed25519 AAAA bo@desk\",\n", "")
        );
        assert_eq!(
            without(&added, "age1a").unwrap(),
            expected.replace("    # who\n    'age1a', # Ana\n", "")
        );
        assert_eq!(without(&added, "age1x").unwrap(), expected);
    }

    #[test]
    fn a_first_member_and_the_last_one() {
        let text = "[project]\nname = \"x\" # short\n# more\n\n[app]\n";
        let added = with(text, &[member("age1a", "")]).unwrap();
        assert_eq!(
            added,
            "[project]\nname = \"x\" # short\nteam = [\n    \"age1a\",\n]\n# more\n\n[app]\n"
        );
        assert_eq!(without(&added, "age1a").unwrap(), added.replace("[\n    \"age1a\",\n]", "[]"));
        let inline =
            with("project = { name = \"x\", team = [\"age1a\"] }\n", &[member("age1b", "")]);
        assert_eq!(members(&inline.unwrap()).unwrap().len(), 2);
    }
}
