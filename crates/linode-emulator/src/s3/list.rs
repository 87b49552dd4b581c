//! A page of a bucket's names: in order, below a prefix, and what has a delimiter behind it in one.

use crate::store::{Kind, Record, State};
use std::sync::Arc;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// The page begins behind this name.
    pub after: &'a str,
    pub most: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    pub objects: Vec<Arc<Record>>,
    pub prefixes: Vec<String>,
    /// The last name of this page, when there are more.
    pub next: Option<String>,
}

impl Wanted<'_> {
    /// The part of a name up to the delimiter behind the prefix.
    fn group<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = name.get(self.prefix.len()..)?;
        let at = (!self.delimiter.is_empty()).then(|| rest.find(self.delimiter)).flatten()?;
        name.get(..self.prefix.len() + at + self.delimiter.len())
    }

    pub(crate) fn page(&self, state: &State, bucket: u64) -> Page {
        let mut page = Page::default();
        let mut last = String::new();
        for record in state.objects_from(bucket, self.prefix.max(self.after)) {
            let name = record.text("name");
            if !name.starts_with(self.prefix) {
                break;
            }
            let group = self.group(name);
            let shown = group.unwrap_or(name);
            // A group that the last page ended with goes on behind it.
            let told = name <= self.after || group.is_some_and(|g| g == self.after || g == last);
            if told {
                continue;
            }
            if page.objects.len() + page.prefixes.len() >= self.most {
                page.next = (self.most > 0).then_some(last);
                break;
            }
            shown.clone_into(&mut last);
            match group {
                Some(group) => page.prefixes.push(group.to_owned()),
                None => page.objects.push(Arc::clone(record)),
            }
        }
        page
    }
}

/// A version in a listing, and whether it is the newest of its name.
pub(super) type Version = (Arc<Record>, bool);

/// Versions of a bucket below a prefix: by name, newest first, behind `after` (a name and an id).
pub(super) fn versions(
    state: &State,
    bucket: u64,
    prefix: &str,
    after: (&str, u64),
    most: usize,
) -> (Vec<Version>, bool) {
    let kinds = [Kind::Object, Kind::ObjectVersion];
    let all = kinds.into_iter().flat_map(|kind| state.of(kind, bucket));
    let mut all: Vec<_> = all.filter(|r| r.text("name").starts_with(prefix)).collect();
    all.sort_by(|a, b| a.text("name").cmp(b.text("name")).then(b.id.cmp(&a.id)));
    let mut found = Vec::new();
    let mut name = "";
    for record in all {
        let newest = record.text("name") != name;
        name = record.text("name");
        if name < after.0 || name == after.0 && record.id >= after.1 {
            continue;
        }
        if found.len() == most {
            return (found, true);
        }
        found.push((Arc::clone(record), newest));
    }
    (found, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Body, Tx};

    fn state(names: &[&str]) -> State {
        let mut state = State::default();
        let mut tx = Tx::new(&mut state);
        for name in names {
            let mut body = Body::new();
            body.insert("name".to_owned(), (*name).into());
            let id = tx.next_id();
            tx.put(Kind::Object, Record { id, parent: 1, body, hidden: Body::new() });
        }
        drop(tx);
        state
    }

    /// All pages, as one text each.
    fn pages(state: &State, prefix: &str, delimiter: &str, most: usize) -> Vec<String> {
        let (mut after, mut pages) = (String::new(), Vec::new());
        loop {
            let page = Wanted { prefix, delimiter, after: &after, most }.page(state, 1);
            let names = page.objects.iter().map(|r| r.text("name").to_owned());
            let mut all: Vec<String> = names.chain(page.prefixes).collect();
            all.sort();
            pages.push(all.join(" "));
            match page.next {
                Some(next) => after = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn names_in_order_by_page() {
        let state = state(&["b", "a/2", "a/1", "B", "a/x/1", "c/1"]);
        assert_eq!(pages(&state, "", "", 4), ["B a/1 a/2 a/x/1", "b c/1"]);
        assert_eq!(pages(&state, "", "/", 2), ["B a/", "b c/"]);
        assert_eq!(pages(&state, "a/", "/", 10), ["a/1 a/2 a/x/"]);
        assert_eq!(pages(&state, "a/", "/", 1), ["a/1", "a/2", "a/x/"]);
        assert_eq!(pages(&state, "a", "", 10), ["a/1 a/2 a/x/1"]);
        assert_eq!(pages(&state, "d", "/", 10), [""]);
    }
}
