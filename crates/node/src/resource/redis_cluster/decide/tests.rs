//! A cluster of three pairs in every state it can be in.

use super::*;

fn members() -> Vec<RedisMember> {
    let member = |address: &str, slots, copy_of: Option<&str>| RedisMember {
        address: address.to_owned(),
        slots,
        copy_of: copy_of.map(str::to_owned),
    };
    vec![
        member("a:1", Some((0, 5460)), None),
        member("b:1", Some((5461, 10922)), None),
        member("c:1", Some((10923, 16383)), None),
        member("b:2", None, Some("a:1")),
        member("c:2", None, Some("b:1")),
        member("a:2", None, Some("c:1")),
    ]
}

/// `id address copies slots`, as all members see it; `-` for nothing.
fn cluster(lines: &[&str]) -> BTreeMap<String, Seen> {
    let nodes: Vec<Node> = lines.iter().map(|line| node(line)).collect();
    let there = nodes.iter().filter(|node| !node.failed);
    let linked = |node: &Node| node.copies.is_some();
    there
        .map(|node| {
            let seen = Seen { id: node.id.clone(), nodes: nodes.clone(), linked: linked(node) };
            (node.address.clone(), seen)
        })
        .collect()
}

fn node(line: &str) -> Node {
    let f: Vec<&str> = line.split(' ').collect();
    let copies = (f[2] != "-").then(|| f[2].to_owned());
    let slots = f[3].split_once('-').filter(|(a, _)| !a.is_empty());
    Node {
        id: f[0].to_owned(),
        address: f[1].to_owned(),
        master: copies.is_none(),
        failed: f.len() > 4,
        copies,
        slots: slots.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).into_iter().collect(),
        ..Node::default()
    }
}

const WHOLE: [&str; 6] = [
    "A1 a:1 - 0-5460",
    "B1 b:1 - 5461-10922",
    "C1 c:1 - 10923-16383",
    "B2 b:2 A1 -",
    "C2 c:2 B1 -",
    "A2 a:2 C1 -",
];

fn commands(seen: &BTreeMap<String, Seen>) -> Vec<String> {
    let next = decide(&members(), seen);
    next.commands.iter().map(|c| format!("{} {}", c.at, c.words.join(" "))).collect()
}

#[test]
fn a_whole_one_is_left_alone() {
    assert_eq!(decide(&members(), &cluster(&WHOLE)), Next::default());
}

#[test]
fn new_servers_meet_first() {
    let alone = |id: &str, address: &str| {
        let nodes = vec![node(&format!("{id} {address} - -"))];
        (address.to_owned(), Seen { id: id.to_owned(), nodes, linked: false })
    };
    let seen = [("A1", "a:1"), ("B1", "b:1"), ("A2", "a:2")].map(|(id, at)| alone(id, at));
    assert_eq!(commands(&seen.into()), ["a:1 CLUSTER MEET b 1", "a:1 CLUSTER MEET a 2"]);
}

#[test]
fn then_get_slots_and_copies() {
    let mut lines =
        WHOLE.map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ") + " - -");
    let seen = cluster(&lines.each_ref().map(String::as_str));
    assert_eq!(commands(&seen).len(), 3);
    assert_eq!(commands(&seen)[0], "a:1 CLUSTER ADDSLOTSRANGE 0 5460");
    for (line, whole) in lines.iter_mut().zip(WHOLE).take(3) {
        whole.clone_into(line);
    }
    let seen = cluster(&lines.each_ref().map(String::as_str));
    assert_eq!(commands(&seen)[0], "b:2 CLUSTER REPLICATE A1");
}

#[test]
fn a_second_master_goes_back() {
    let mut lines = WHOLE;
    lines[0] = "A1 a:1 B2 -";
    lines[3] = "B2 b:2 - 0-5460";
    assert_eq!(commands(&cluster(&lines)), ["a:1 CLUSTER FAILOVER"]);
}

#[test]
fn an_empty_member_takes_the_place_of_a_lost_one() {
    let mut lines = WHOLE.to_vec();
    // B2 was elected; another server answers at a:1 that nobody knows.
    lines[0] = "A1 a:1 - - lost";
    lines[3] = "B2 b:2 - 0-5460";
    let mut seen = cluster(&lines);
    let new = Seen { id: "X".to_owned(), nodes: vec![node("X a:1 - -")], linked: false };
    seen.insert("a:1".to_owned(), new);
    let forgets = commands(&seen);
    assert!(forgets.len() == 5 && forgets.iter().all(|c| c.ends_with("CLUSTER FORGET A1")));
    // Not elected yet, or never: its copy takes over before it is forgotten.
    lines[0] = "A1 a:1 - 0-5460 lost";
    lines[3] = "B2 b:2 A1 -";
    let mut seen = cluster(&lines);
    let new = Seen { id: "X".to_owned(), nodes: vec![node("X a:1 - -")], linked: false };
    seen.insert("a:1".to_owned(), new);
    assert_eq!(commands(&seen), ["b:2 CLUSTER FAILOVER TAKEOVER"]);
    // In, and empty.
    lines[0] = "X a:1 - -";
    lines[3] = "B2 b:2 - 0-5460";
    assert_eq!(commands(&cluster(&lines)), ["a:1 CLUSTER REPLICATE B2"]);
}

#[test]
fn silent_members_are_named_and_the_rest_goes_on() {
    let mut lines = WHOLE;
    lines[0] = "A1 a:1 - - lost";
    lines[3] = "B2 b:2 - 0-5460";
    let next = decide(&members(), &cluster(&lines));
    assert_eq!(next.open, ["a:1 does not answer"]);
    assert!(next.commands.is_empty());
    assert_eq!(decide(&members(), &BTreeMap::new()).open.len(), 6);
}

#[test]
fn free_parts_of_a_range() {
    let nodes = [node("A a - 3-4"), node("B b - 8-8")];
    assert_eq!(free((0, 9), &nodes), [(0, 2), (5, 7), (9, 9)]);
    assert!(free((3, 4), &nodes).is_empty());
}
