//! Reads what a `.tfvars` file can hold: names with literal values. Expressions are none of it, so a
//! page of code does without a library for the whole language.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// Deeper than this nothing of ours is.
const DEEPEST: u32 = 16;

/// `None`: it is no such file.
pub(super) fn parse(text: &str) -> Option<BTreeMap<String, Value>> {
    let mut reader = Reader { rest: text.chars().peekable() };
    let mut values = BTreeMap::new();
    loop {
        reader.space()?;
        if reader.rest.peek().is_none() {
            return Some(values);
        }
        let name = reader.word()?;
        reader.space()?;
        reader.take('=')?;
        values.insert(name, reader.value(0)?);
    }
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
}

impl Reader<'_> {
    /// Blanks, ends of lines and comments.
    fn space(&mut self) -> Option<()> {
        while let Some(&next) = self.rest.peek() {
            match next {
                '#' => self.line(),
                '/' => {
                    self.rest.next();
                    match self.rest.next()? {
                        '/' => self.line(),
                        '*' => self.comment()?,
                        _ => return None,
                    }
                }
                space if space.is_whitespace() => {
                    self.rest.next();
                }
                _ => break,
            }
        }
        Some(())
    }

    fn line(&mut self) {
        self.rest.by_ref().find(|&next| next == '\n');
    }

    fn comment(&mut self) -> Option<()> {
        loop {
            self.rest.find(|&next| next == '*')?;
            if self.rest.next_if_eq(&'/').is_some() {
                return Some(());
            }
        }
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.rest.next_if_eq(&wanted).map(|_| ())
    }

    fn word(&mut self) -> Option<String> {
        let mut word = String::new();
        let part = |c: &char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(c);
        while let Some(next) = self.rest.next_if(part) {
            word.push(next);
        }
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        self.space()?;
        if depth > DEEPEST {
            return None;
        }
        match self.rest.peek()? {
            '"' => self.text().map(Value::Text),
            '[' => self.list(depth),
            '{' => self.object(depth),
            _ => match self.word()?.as_str() {
                "null" => Some(Value::Null),
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                number => number.parse().ok().map(Value::Number),
            },
        }
    }

    /// Without templates: those are expressions.
    fn text(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '"' => return Some(text),
                '\n' => return None,
                '\\' => text.push(match self.rest.next()? {
                    'n' => '\n',
                    't' => '\t',
                    plain @ ('"' | '\\') => plain,
                    _ => return None,
                }),
                sign @ ('$' | '%') if self.rest.peek() == Some(&sign) => {
                    self.rest.next();
                    text.push(sign);
                }
                '$' | '%' if self.rest.peek() == Some(&'{') => return None,
                plain => text.push(plain),
            }
        }
    }

    fn list(&mut self, depth: u32) -> Option<Value> {
        self.take('[')?;
        let mut values = Vec::new();
        loop {
            self.space()?;
            if self.take(']').is_some() {
                return Some(Value::List(values));
            }
            values.push(self.value(depth + 1)?);
            self.space()?;
            if self.take(',').is_none() && self.rest.peek() != Some(&']') {
                return None;
            }
        }
    }

    fn object(&mut self, depth: u32) -> Option<Value> {
        self.take('{')?;
        let mut values = BTreeMap::new();
        loop {
            self.space()?;
            if self.take('}').is_some() {
                return Some(Value::Object(values));
            }
            let name = match self.rest.peek()? {
                '"' => self.text()?,
                _ => self.word()?,
            };
            self.space()?;
            self.take('=').or_else(|| self.take(':'))?;
            values.insert(name, self.value(depth + 1)?);
            self.space()?;
            // A comma, or the end of the line.
            let _ = self.take(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_every_kind() {
        let text = "# one\na = 1\nb = \"x\\\"$${y}\" // two\n/* three */ c = [true, null,]\n\
                    d = {\n  e = -1.5\n  \"f\" : \"g\", h = {}\n}\n";
        let values = parse(text).unwrap();
        assert_eq!(values["a"], Value::Number(1.0));
        assert_eq!(values["b"], Value::Text("x\"${y}".to_owned()));
        assert_eq!(values["c"], Value::List(vec![Value::Bool(true), Value::Null]));
        let Value::Object(object) = &values["d"] else { panic!("{values:?}") };
        assert_eq!(object["e"], Value::Number(-1.5));
        assert_eq!(object["f"], Value::Text("g".to_owned()));
        assert_eq!(object["h"], Value::Object(BTreeMap::new()));
        assert_eq!(parse(""), Some(BTreeMap::new()));
    }

    #[test]
    fn what_is_no_literal_is_nothing() {
        for text in [
            "a",
            "a =",
            "a = \"${b}\"",
            "a = b",
            "a = [1 2]",
            "a = {",
            "= 1",
            "a = \"\n\"",
            "a = 1 /",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("a = {}", "[".repeat(100_000))), None);
    }
}
