//! Rules for the fields of a request, as tables: what is wrong is told field by field, all at once.

use crate::error::Errors;
use crate::store::Body;
use serde_json::Value;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Number of characters, least and most.
    Text(usize, usize),
    /// A label: number of characters, and what else than letters and digits may be in it.
    Label(usize, usize, &'static str),
    Integer(i64, i64),
    Boolean,
    OneOf(&'static [&'static str]),
    /// A list whose members keep this rule.
    List(&'static Rule),
    Object,
    Address,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    rule: Rule,
    required: bool,
    fixed: bool,
    nullable: bool,
}

/// A field that may be left out, and changed later.
pub(crate) const fn field(name: &'static str, rule: Rule) -> Field {
    Field { name, rule, required: false, fixed: false, nullable: false }
}

impl Field {
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Taken at creation only; later it is ignored, as an answer that is sent back has it.
    pub(crate) const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    /// `null` is a value, and not the same as leaving it out.
    pub(crate) const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
}

pub(crate) const TAGS: Field = field("tags", Rule::List(&Rule::Text(3, 50)));

/// The fields of a new thing that are given, in the order of the table.
///
/// # Errors
/// One is missing, or breaks its rule.
pub(crate) fn create(fields: &[Field], body: &Body) -> Result<Body, Errors> {
    let mut wrong = Vec::new();
    let mut given = Body::new();
    for field in fields {
        match body.get(field.name) {
            None | Some(Value::Null) if field.required => {
                wrong.push((field.name.to_owned(), format!("{} is required", field.name)));
            }
            None | Some(Value::Null) => {}
            Some(value) => {
                field.rule.check(field.name, value, &mut wrong);
                given.insert(field.name.to_owned(), value.clone());
            }
        }
    }
    Errors::unless_empty(wrong).map(|()| given)
}

/// The fields that a change gives.
///
/// # Errors
/// One breaks its rule.
pub(crate) fn update(fields: &[Field], body: &Body) -> Result<Body, Errors> {
    let mut wrong = Vec::new();
    let mut given = Body::new();
    for field in fields.iter().filter(|f| !f.fixed) {
        match body.get(field.name) {
            None => {}
            Some(Value::Null) if field.nullable => {
                given.insert(field.name.to_owned(), Value::Null);
            }
            Some(Value::Null) => {}
            Some(value) => {
                field.rule.check(field.name, value, &mut wrong);
                given.insert(field.name.to_owned(), value.clone());
            }
        }
    }
    Errors::unless_empty(wrong).map(|()| given)
}

impl Rule {
    fn check(&self, name: &str, value: &Value, wrong: &mut Vec<(String, String)>) {
        let mut say = |reason: String| wrong.push((name.to_owned(), reason));
        match (self, value) {
            (Self::Boolean, Value::Bool(_)) | (Self::Object, Value::Object(_)) => {}
            (Self::Text(least, most), Value::String(text)) => {
                length(text, *least, *most).into_iter().for_each(say);
            }
            (Self::Label(least, most, others), Value::String(text)) => {
                length(text, *least, *most).into_iter().for_each(&mut say);
                characters(text, others).into_iter().for_each(say);
            }
            (Self::Integer(least, most), Value::Number(number)) => {
                if !number.as_i64().is_some_and(|n| (*least..=*most).contains(&n)) {
                    say(format!("Must be an integer between {least} and {most}"));
                }
            }
            (Self::OneOf(words), Value::String(word)) => {
                if !words.contains(&word.as_str()) {
                    say(format!("Must be one of {}", words.join(", ")));
                }
            }
            (Self::List(rule), Value::Array(list)) => {
                for (number, item) in list.iter().enumerate() {
                    rule.check(&format!("{name}[{number}]"), item, wrong);
                }
            }
            (Self::Address, Value::String(text)) => {
                if text.parse::<std::net::IpAddr>().is_err() {
                    say("Must be a valid IP address".to_owned());
                }
            }
            (rule, _) => say(rule.wanted().to_owned()),
        }
    }

    fn wanted(&self) -> &'static str {
        match self {
            Self::Text(..) | Self::Label(..) | Self::OneOf(_) | Self::Address => {
                "Must be of type String"
            }
            Self::Integer(..) => "Must be of type Integer",
            Self::Boolean => "Must be of type Boolean",
            Self::List(_) => "Must be of type Array",
            Self::Object => "Must be of type Object",
        }
    }
}

fn length(text: &str, least: usize, most: usize) -> Option<String> {
    let count = text.chars().count();
    (!(least..=most).contains(&count)).then(|| format!("Length must be {least}-{most} characters"))
}

fn characters(text: &str, others: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    if !text.chars().all(fits) {
        let others = others.chars().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(" ");
        return Some(format!("Must only use ASCII letters, numbers, and {others}"));
    }
    let doubled = others.chars().map(|c| format!("{c}{c}")).any(|pair| text.contains(&pair));
    doubled.then(|| "Must not have two dashes, underscores or periods in a row".to_owned())
}

/// What a request gives, by name.
pub(crate) trait Given {
    fn text(&self, field: &str) -> Option<&str>;
    fn number(&self, field: &str) -> Option<u64>;
    fn flag(&self, field: &str) -> Option<bool>;
    fn list(&self, field: &str) -> &[Value];
    fn object(&self, field: &str) -> Option<&Body>;
}

impl Given for Body {
    fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.get(field).and_then(Value::as_u64)
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.get(field).and_then(Value::as_bool)
    }

    fn list(&self, field: &str) -> &[Value] {
        self.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn object(&self, field: &str) -> Option<&Body> {
        self.get(field).and_then(Value::as_object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FIELDS: &[Field] = &[
        field("label", Rule::Label(3, 8, "-_.")).required(),
        field("size", Rule::Integer(10, 20)),
        field("kind", Rule::OneOf(&["a", "b"])).fixed(),
        TAGS,
    ];

    fn body(value: &Value) -> Body {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let given = json!({"size": 9, "kind": "c", "tags": ["abc", 1]});
        let errors = create(FIELDS, &body(&given)).unwrap_err().to_json();
        let fields: Vec<&str> = errors["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["label", "size", "kind", "tags[1]"]);
        assert_eq!(errors["errors"][0]["reason"], "label is required");
    }

    #[test]
    fn labels() {
        for (label, good) in [
            ("web-1", true),
            ("ab", false),
            ("a--b", false),
            ("a b", false),
            ("ñandu", false),
            ("a.b_c", true),
        ] {
            assert_eq!(create(FIELDS, &body(&json!({"label": label}))).is_ok(), good, "{label}");
        }
    }

    #[test]
    fn a_change_takes_what_may_change() {
        let given = json!({"label": "other", "kind": "c", "size": null, "id": 4});
        let taken = update(FIELDS, &body(&given)).unwrap();
        assert_eq!(Value::from(taken), json!({"label": "other"}));
    }
}
