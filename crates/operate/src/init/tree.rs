//! A file of YAML as a tree of maps, lists and texts. What is behind an anchor is shared, not copied, so a file
//! of aliases of aliases costs no more than its own size.

use granit_parser::{Event, Parser, ScalarStyle, ScanError};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A scalar is its text as written, whatever type YAML sees in it; one that stands for nothing is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Map(Entries),
    List(Vec<Rc<Node>>),
    Text(String),
}

/// In the order of the file.
pub(super) type Entries = IndexMap<String, Rc<Node>>;

#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub(super) struct Broken {
    line: usize,
    why: String,
}

/// As many entries may `<<` copy in a file: hundreds of times what people write, and soon read.
const MOST_MERGED: usize = 20_000;
/// Aliases of aliases can go deeper than the parser's own limit for what is written. A tree is dropped by
/// recursion; compose files have ten levels.
const DEEPEST: usize = 100;

/// One node for each document of the file.
pub(super) fn documents(text: &str) -> Result<Vec<Rc<Node>>, Broken> {
    let mut reader = Reader::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|e| broken(&e))?;
        let at = span.start.line();
        reader.take(event).map_err(|why| Broken { line: at, why: why.to_owned() })?;
    }
    Ok(reader.documents)
}

/// Entries of `from` that `into` does not have.
pub(super) fn fill_in(into: &mut Entries, from: &Entries) {
    for (key, node) in from {
        into.entry(key.clone()).or_insert_with(|| Rc::clone(node));
    }
}

fn broken(error: &ScanError) -> Broken {
    Broken { line: error.marker().line(), why: error.info() }
}

#[derive(Default)]
struct Reader {
    documents: Vec<Rc<Node>>,
    /// Collections that were begun, the innermost last.
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Rc<Node>, usize)>,
    merged: usize,
}

struct Open {
    /// 0 is none.
    anchor: usize,
    /// Levels below it, so far.
    depth: usize,
    what: What,
}

enum What {
    List(Vec<Rc<Node>>),
    Map { entries: Entries, merges: Vec<Rc<Node>>, key: Option<Key> },
}

enum Key {
    Text(String),
    Merge,
    /// A list or a map: nothing that is looked for has such a key.
    Other,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::MappingStart(_, anchor, _) => {
                let what = What::Map { entries: Entries::new(), merges: Vec::new(), key: None };
                self.open.push(Open { anchor, depth: 0, what });
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open { anchor, depth: 0, what: What::List(Vec::new()) });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(Open { anchor, depth, what }) = self.open.pop() else { return Ok(()) };
                let node = Rc::new(self.close(what)?);
                self.name(anchor, &node, depth);
                self.place(node, depth, false)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let nothing = plain && matches!(&*text, "~" | "null" | "Null" | "NULL");
                let merge = plain && text == "<<";
                let text = if nothing { String::new() } else { text.into_owned() };
                let node = Rc::new(Node::Text(text));
                self.name(anchor, &node, 0);
                self.place(node, 0, merge)?;
            }
            Event::Alias(anchor) => {
                let named = self.anchors.get(&anchor).cloned();
                let (node, depth) = named.ok_or("an alias inside of what it stands for")?;
                self.place(node, depth, false)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&mut self, anchor: usize, node: &Rc<Node>, depth: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (Rc::clone(node), depth));
        }
    }

    fn place(&mut self, node: Rc<Node>, depth: usize, merge: bool) -> Result<(), &'static str> {
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth + 1);
        if open.depth > DEEPEST {
            return Err("nested deeper than any compose file");
        }
        match &mut open.what {
            What::List(items) => items.push(node),
            What::Map { entries, merges, key } => match key.take() {
                None if merge => *key = Some(Key::Merge),
                None => *key = Some(node.as_key()),
                Some(Key::Other) => {}
                Some(Key::Merge) => match &*node {
                    Node::Map(_) => merges.push(node),
                    Node::List(maps) => merges.extend(maps.iter().cloned()),
                    Node::Text(_) => return Err("`<<` takes a map, or a list of maps"),
                },
                // Of two with one name the later counts.
                Some(Key::Text(key)) => {
                    entries.insert(key, node);
                }
            },
        }
        Ok(())
    }

    /// What is written counts before what is merged, and the first merged before the later.
    fn close(&mut self, what: What) -> Result<Node, &'static str> {
        let (mut entries, merges) = match what {
            What::List(items) => return Ok(Node::List(items)),
            What::Map { entries, merges, .. } => (entries, merges),
        };
        for merge in merges.iter().filter_map(|merge| merge.entries()) {
            self.merged += merge.len() + 1;
            if self.merged > MOST_MERGED {
                return Err("`<<` copies more than any compose file needs");
            }
            fill_in(&mut entries, merge);
        }
        Ok(Node::Map(entries))
    }
}

impl Node {
    fn as_key(&self) -> Key {
        match self {
            Self::Text(text) => Key::Text(text.clone()),
            _ => Key::Other,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.get(key).map(|node| &**node)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Rc<Self>] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn entries(&self) -> Option<&Entries> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }
}
