//! As much YAML as compose files are written in: maps, lists and texts by indentation, inline lists,
//! quotes, comments. What it does not know it leaves out; it never fails.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
}

/// Deeper than this no compose file goes, and no stack is spent on what goes deeper.
const DEPTH: usize = 24;

impl Node {
    pub(super) fn parse(text: &str) -> Self {
        let lines: Vec<(usize, String)> = text
            .lines()
            .map(|line| line.replace('\t', "  "))
            .map(|line| (line.len() - line.trim_start().len(), uncomment(line.trim()).to_owned()))
            .filter(|(_, line)| !line.is_empty() && line != "---")
            .collect();
        block(&mut lines.as_slice(), 0, DEPTH)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }
}

/// A comment begins at a `#` after a space, outside of quotes.
fn uncomment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '#') if before.is_whitespace() => return line[..at].trim_end(),
            _ => {}
        }
        before = c;
    }
    line
}

/// The lines from here on that are indented by `indent` or more.
fn block(lines: &mut &[(usize, String)], indent: usize, depth: usize) -> Node {
    let (mut map, mut list) = (Vec::new(), Vec::new());
    while let Some(((own, line), rest)) = lines.split_first() {
        if *own < indent {
            break;
        }
        *lines = rest;
        if let Some(item) = line.strip_prefix("- ").or_else(|| (line == "-").then_some("")) {
            list.push(item_of(item.trim(), lines, *own, depth));
        } else if let Some((key, value)) = key_value(line) {
            map.push((key, value_of(value, lines, *own, depth)));
        }
    }
    if list.is_empty() { Node::Map(map) } else { Node::List(list) }
}

fn item_of(text: &str, lines: &mut &[(usize, String)], own: usize, depth: usize) -> Node {
    match key_value(text) {
        // A map whose first key stands behind the dash.
        Some((key, value)) if !text.starts_with(['"', '\'', '[']) && depth > 0 => {
            let mut map = vec![(key, value_of(value, lines, own + 2, depth - 1))];
            if let Node::Map(more) = below(lines, own, depth - 1) {
                map.extend(more);
            }
            Node::Map(map)
        }
        _ => scalar(text),
    }
}

fn value_of(text: &str, lines: &mut &[(usize, String)], own: usize, depth: usize) -> Node {
    // Anchors name a place; what is there follows.
    let text =
        if text.starts_with('&') { text.split_once(' ').map_or("", |(_, t)| t) } else { text };
    match text {
        "" => {
            // A list may stand as far left as its key.
            let list = lines.first().is_some_and(|(i, l)| *i == own && l.starts_with('-'));
            if !list {
                return below(lines, own, depth);
            }
            let mut items = Vec::new();
            while let Some(((indent, line), rest)) = lines.split_first() {
                let Some(item) = line.strip_prefix('-').filter(|_| *indent == own) else { break };
                *lines = rest;
                items.push(item_of(item.trim(), lines, own, depth));
            }
            Node::List(items)
        }
        "|" | "|-" | ">" | ">-" => {
            let mut words = Vec::new();
            while let Some(((indent, line), rest)) = lines.split_first() {
                if *indent <= own {
                    break;
                }
                words.push(line.clone());
                *lines = rest;
            }
            Node::Text(words.join(if text.starts_with('|') { "\n" } else { " " }))
        }
        text => scalar(text),
    }
}

fn below(lines: &mut &[(usize, String)], own: usize, depth: usize) -> Node {
    if depth > 0 {
        return block(lines, own + 1, depth - 1);
    }
    while let Some(((indent, _), rest)) = lines.split_first().filter(|((i, _), _)| *i > own) {
        let _ = indent;
        *lines = rest;
    }
    Node::Map(Vec::new())
}

fn key_value(line: &str) -> Option<(String, &str)> {
    let (key, value) = match line.strip_suffix(':') {
        Some(key) if !key.contains(": ") => (key, ""),
        _ => line.split_once(": ")?,
    };
    Some((unquote(key.trim()), value.trim()))
}

fn scalar(text: &str) -> Node {
    match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        Some(inner) => Node::List(
            split(inner)
                .iter()
                .map(|t| Node::Text(unquote(t)))
                .filter(|t| t.text().is_some())
                .collect(),
        ),
        None => Node::Text(unquote(text)),
    }
}

/// At commas outside of quotes.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut quote) = (vec![String::new()], None);
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        if c == ',' && quote.is_none() {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn unquote(text: &str) -> String {
    let inner = |quote| text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn the_forms_of_compose_files() {
        let text = "# c\nservices:\n  db: # the data\n    image: \"mariadb:11\"\n    ports:\n    - '3306:3306'\n  \
                    web:\n    build: { context: . }\n    command: [\"a\", 'b, c']\n    ports:\n      - target: 80\n        \
                    published: 8080\n      - 9090:90\n    note: >\n      one\n      two\n";
        let node = Node::parse(text);
        let services = node.get("services").unwrap();
        assert_eq!(services.entries().len(), 2);
        let (db, web) = (services.get("db").unwrap(), services.get("web").unwrap());
        assert_eq!(db.get("image").unwrap().text(), Some("mariadb:11"));
        assert_eq!(db.get("ports").unwrap().items()[0].text(), Some("3306:3306"));
        assert_eq!(web.get("command").unwrap().items()[1].text(), Some("b, c"));
        let ports = web.get("ports").unwrap().items();
        assert_eq!(ports[0].get("target").unwrap().text(), Some("80"));
        assert_eq!(ports[1].text(), Some("9090:90"));
        assert_eq!(web.get("note").unwrap().text(), Some("one two"));
    }

    #[test]
    fn garbage_ends() {
        for text in
            ["", ":", "- - -", "\u{0}", "a:\n b\n  c:\n- x", "[", "a: [b", "'", "- a: b\n  - c"]
        {
            let _ = Node::parse(text);
        }
        let deep: String = (0..5000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        let _ = Node::parse(&deep);
    }
}
