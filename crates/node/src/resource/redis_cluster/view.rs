//! One member's view of the cluster, from `CLUSTER NODES`.

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) nodes: Vec<Node>,
    /// It copies a master, and the connection to it is up.
    pub(super) linked: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) id: String,
    /// `host:port`.
    pub(super) address: String,
    pub(super) master: bool,
    /// Its place is taken, but who it is has not been found out.
    pub(super) handshake: bool,
    /// The others agree that it is away.
    pub(super) failed: bool,
    /// Id of the master that it copies.
    pub(super) copies: Option<String>,
    /// First and last of each range.
    pub(super) slots: Vec<(u16, u16)>,
}

impl Seen {
    pub(super) fn new(id: String, nodes: &str, info: &str) -> Self {
        let linked = info.lines().any(|line| line.trim_end() == "master_link_status:up");
        Self { id, nodes: nodes.lines().filter_map(node).collect(), linked }
    }

    pub(super) fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Slots that somebody has in this view.
    pub(super) fn assigned(&self) -> usize {
        let ranges = self.nodes.iter().flat_map(|node| &node.slots);
        ranges.map(|(first, last)| usize::from(*last) + 1 - usize::from(*first)).sum()
    }
}

/// `ID HOST:PORT@BUS FLAGS MASTER PING PONG EPOCH LINK [SLOT | FIRST-LAST | [MOVING…]]…`
fn node(line: &str) -> Option<Node> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let flags: Vec<&str> = fields.get(2)?.split(',').collect();
    let has = |flag: &str| flags.contains(&flag);
    let range = |text: &&str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = (first.parse().ok()?, last.parse().ok()?);
        (range.0 <= range.1).then_some(range)
    };
    Some(Node {
        id: (*fields.first()?).to_owned(),
        address: fields.get(1)?.split('@').next()?.to_owned(),
        master: has("master"),
        handshake: has("handshake"),
        failed: has("fail"),
        copies: fields.get(3).filter(|id| **id != "-").map(|id| (*id).to_owned()),
        slots: fields.iter().skip(8).filter_map(range).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_view() {
        let text = "\
aa 198.18.7.60:6379@16379 myself,master - 0 0 1 connected 0-5460 7000 [7001->-bb]
bb 198.18.7.61:6380@16380,redis-2 slave,fail aa 0 1 1 disconnected
cc :0@0 handshake - 0 0 0 connected

nonsense";
        let seen = Seen::new("aa".to_owned(), text, "role:slave\r\nmaster_link_status:up\r\n");
        assert!(seen.linked && seen.nodes.len() == 3);
        assert_eq!(seen.nodes[0].slots, [(0, 5460), (7000, 7000)]);
        assert_eq!(seen.assigned(), 5462);
        let copy = seen.node("bb").unwrap();
        assert_eq!(
            (copy.address.as_str(), copy.copies.as_deref()),
            ("198.18.7.61:6380", Some("aa"))
        );
        assert!(copy.failed && !copy.master && seen.nodes[2].handshake);
    }
}
