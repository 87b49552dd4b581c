//! `[app.load]`, as it is read.

use crate::common::spec;
use andamio_spec::{Load, LoadRequest};

fn load(line: &str) -> Option<Load> {
    let app = "[app]\nsource = \".\"\n";
    let rest = "[app.processes]\nweb = { command = [\"shop\"], port = 80 }\n[environments.dev]\napp = {}\n";
    spec(&format!("[project]\nname = \"shop\"\n{app}{line}\n{rest}")).app.load
}

#[test]
fn nothing_is_nothing_and_an_array_is_a_program() {
    assert_eq!(load(""), None);
    let program = ["bin/load", "--quiet"].map(str::to_owned).to_vec();
    assert_eq!(load("load = [\"bin/load\", \"--quiet\"]"), Some(Load::Program(program)));
}

#[test]
fn a_request_is_a_get_and_one_with_a_body_a_post() {
    let read = load(
        "load = { requests = [{ path = \"/\" }, { path = \"/cart?x=1\", weight = 3, body = \"{}\", status = [201, 409], \
         headers = { \"Content-Type\" = \"application/json\" } }] }",
    );
    let first = LoadRequest {
        path: "/".to_owned(),
        method: "GET".to_owned(),
        weight: 1,
        headers: [].into(),
        body: None,
        status: Vec::new(),
    };
    let second = LoadRequest {
        path: "/cart?x=1".to_owned(),
        method: "POST".to_owned(),
        weight: 3,
        headers: [("Content-Type".to_owned(), "application/json".to_owned())].into(),
        body: Some("{}".to_owned()),
        status: vec![201, 409],
    };
    assert_eq!(read, Some(Load::Requests(vec![first, second])));
}
