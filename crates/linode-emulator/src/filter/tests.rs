use super::*;
use serde_json::json;

fn bodies() -> Vec<(u64, Body)> {
    let all = json!([
        {"id": 1, "label": "web-1", "tags": ["a"], "entity": {"id": 7}, "size": 10, "at": "2026-01-01T00:00:00"},
        {"id": 2, "label": "web-2", "tags": ["a", "b"], "entity": {"id": 8}, "size": 20, "at": "2026-01-01T00:00:00"},
        {"id": 3, "label": "db", "tags": [], "entity": null, "size": 9, "at": "2026-01-02T00:00:00"},
    ]);
    let all = all.as_array().unwrap().iter().enumerate();
    all.map(|(n, b)| (n as u64 + 1, b.as_object().unwrap().clone())).collect()
}

fn taken(filter: &str) -> Vec<u64> {
    let filter = Filter::parse(filter).unwrap();
    let found: Vec<_> = bodies().into_iter().filter(|(_, b)| filter.takes(b)).collect();
    let found = filter.sorted(found, |r| &r.1, |r| r.0);
    found.into_iter().map(|(id, _)| id).collect()
}

#[test]
fn fields_operators_and_their_combinations() {
    for (filter, ids) in [
        (r"{}", &[1, 2, 3][..]),
        (r#"{"label": "db"}"#, &[3]),
        (r#"{"label": {"+contains": "WEB"}}"#, &[1, 2]),
        (r#"{"label": {"+neq": "db"}}"#, &[1, 2]),
        (r#"{"size": {"+gt": 9, "+lte": 20}}"#, &[1, 2]),
        (r#"{"size": {"+gte": 10, "+lt": 20}}"#, &[1]),
        (r#"{"tags": "b"}"#, &[2]),
        (r#"{"tags": {"+neq": "b"}}"#, &[1, 3]),
        (r#"{"entity.id": 8}"#, &[2]),
        (r#"{"entity.id": "8"}"#, &[2]),
        (r#"{"+or": [{"size": 20}, {"label": "db"}]}"#, &[2, 3]),
        (r#"{"+or": []}"#, &[1, 2, 3]),
        (r#"{"+and": [{"tags": "a"}, {"+or": [{"size": 10}, {"size": 9}]}]}"#, &[1]),
        (r#"{"at": {"+gte": "2026-01-02"}}"#, &[3]),
        (r#"{"+order_by": "size"}"#, &[3, 1, 2]),
        (r#"{"+order_by": "at", "+order": "desc"}"#, &[3, 2, 1]),
    ] {
        assert_eq!(taken(filter), ids, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let nested = format!("{}{}", r#"{"+and":["#.repeat(40), "{}".to_owned() + &"]}".repeat(40));
    for text in
        ["", "[]", r#"{"+what": []}"#, r#"{"a": {"+near": 1}}"#, r#"{"+order": "up"}"#, &nested]
    {
        assert_eq!(Filter::parse(text).unwrap_err().status, 400, "{text}");
    }
}

#[test]
fn a_field_that_nothing_has_is_a_mistake() {
    let all = bodies();
    let check = |text: &str| Filter::parse(text).unwrap().check_fields(all.iter().map(|(_, b)| b));
    assert!(check(r#"{"entity.id": 1, "label": "x"}"#).is_ok());
    let error = check(r#"{"lable": "x"}"#).unwrap_err();
    assert_eq!(error.to_json()["errors"][0]["reason"], "Cannot filter on lable");
    assert!(check(r#"{"+order_by": "nothing"}"#).is_err());
    assert!(Filter::parse(r#"{"x": 1}"#).unwrap().check_fields(std::iter::empty()).is_ok());
}
