//! The project's name.

use super::repository::read;
use std::path::Path;
use toml_edit::DocumentMut;

/// As its packages call it, else as its folder is called; and where that is from.
pub(super) fn of(root: &Path, source: &str) -> (String, String) {
    let folders = [source, "."];
    let named = folders.iter().find_map(|folder| {
        let there = root.join(folder);
        let json = |file: &str| {
            let value: serde_json::Value = serde_json::from_str(&read(&there.join(file))?).ok()?;
            Some((value.get("name")?.as_str()?.to_owned(), file.to_owned()))
        };
        let toml = |file: &str, table: &str| {
            let document: DocumentMut = read(&there.join(file))?.parse().ok()?;
            Some((document.get(table)?.get("name")?.as_str()?.to_owned(), file.to_owned()))
        };
        let go = || {
            let text = read(&there.join("go.mod"))?;
            let module = text.lines().find_map(|line| line.trim().strip_prefix("module "))?;
            Some((module.trim().to_owned(), "go.mod".to_owned()))
        };
        toml("Cargo.toml", "package")
            .or_else(|| json("package.json"))
            .or_else(go)
            .or_else(|| json("composer.json"))
            .or_else(|| toml("pyproject.toml", "project"))
    });
    let folder = || {
        let path = root.canonicalize().ok()?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    };
    let (name, why) = match named {
        Some((name, file)) => (name, format!("name in {file}")),
        None => (folder().unwrap_or_default(), "the folder's name".to_owned()),
    };
    // Scopes, vendors and module paths come before the last slash.
    (slug(name.rsplit('/').next().unwrap_or_default()), why)
}

/// What machines and units can be called: small letters, digits and hyphens, at most 20.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    if slug.starts_with(|c: char| c.is_ascii_digit()) {
        slug.insert_str(0, "app-");
    }
    slug.truncate(20);
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "app".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn names_become_labels() {
        let cases = [("My Shop_2", "my-shop-2"), ("3d", "app-3d"), ("ñ", "app"), ("", "app")];
        for (name, expected) in cases {
            assert_eq!(slug(name), expected, "{name}");
        }
        assert_eq!(slug("a-very-long-name-of-a-project"), "a-very-long-name-of");
    }
}
