//! What connections began with, from what tcpdump wrote: who opened one to whom, and the first bytes of theirs.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The link layer of every interface at once, to be asked of tcpdump: 20 bytes before each packet.
pub(crate) const LINK: &str = "LINUX_SLL2";
const LINK_NUMBER: u32 = 276;
const LINK_HEADER: usize = 20;
/// More than MariaDB's request for TLS and the first record after it.
const KEPT: usize = 64;

/// A connection whose beginning was seen.
pub(crate) struct Opening {
    pub(crate) from: Ipv4Addr,
    pub(crate) to: SocketAddrV4,
    /// The first bytes of the side that opened it; none if it said nothing.
    said: Vec<u8>,
}

impl Opening {
    pub(crate) fn is_silent(&self) -> bool {
        self.said.is_empty()
    }

    /// It begins with a TLS handshake: record type 22, major version 3 (RFC 8446, section 5.1).
    pub(crate) fn is_tls(&self) -> bool {
        self.said.starts_with(&[22, 3])
    }

    /// It asks for TLS in MariaDB's own protocol, and then does nothing else. The request is a packet of 32
    /// bytes of which the second has the capability of TLS (`CLIENT_SSL`, 0x800).
    pub(crate) fn is_mariadb_tls(&self) -> bool {
        let request = self.said.starts_with(&[32, 0, 0, 1]);
        let asks = self.said.get(5).is_some_and(|capabilities| capabilities & 8 != 0);
        let then = self.said.get(36..);
        request && asks && then.is_some_and(|then| then.is_empty() || then.starts_with(&[22, 3]))
    }
}

/// Who opened it, and to whom.
type Ends = (SocketAddrV4, SocketAddrV4);

/// The connections of a capture of IPv4.
pub(crate) fn openings(capture: &[u8]) -> Vec<Opening> {
    let word = |at: usize| {
        let bytes = capture.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().unwrap()))
    };
    assert_eq!(word(0), Some(0xa1b2_c3d4), "not a capture");
    assert_eq!(word(20), Some(LINK_NUMBER), "of another link layer");
    // The number of the first byte, and what followed by its distance from that.
    let mut begun: HashMap<Ends, (u32, BTreeMap<usize, Vec<u8>>)> = HashMap::new();
    let mut at = 24;
    while let Some(length) = word(at + 8) {
        let length = length as usize;
        let Some(packet) = capture.get(at + 16..at + 16 + length) else { break };
        at += 16 + length;
        let Some(segment) = segment(packet) else { continue };
        let ends = (segment.from, segment.to);
        if segment.opens {
            begun.entry(ends).or_insert((segment.number.wrapping_add(1), BTreeMap::new()));
        } else if let Some((first, said)) = begun.get_mut(&ends)
            && !segment.bytes.is_empty()
        {
            let offset = segment.number.wrapping_sub(*first) as usize;
            if offset < KEPT {
                said.entry(offset).or_insert_with(|| segment.bytes.to_vec());
            }
        }
    }
    begun
        .into_iter()
        .map(|((from, to), (_, parts))| {
            let mut said = Vec::new();
            for (offset, bytes) in parts {
                if offset == said.len() {
                    said.extend(bytes);
                }
            }
            said.truncate(KEPT);
            Opening { from: *from.ip(), to, said }
        })
        .collect()
}

struct Segment<'a> {
    from: SocketAddrV4,
    to: SocketAddrV4,
    opens: bool,
    number: u32,
    bytes: &'a [u8],
}

/// A TCP segment in an IPv4 packet (RFC 791, RFC 9293); `None` for anything else.
fn segment(packet: &[u8]) -> Option<Segment<'_>> {
    let ip = packet.get(LINK_HEADER..)?;
    let half =
        |from: &[u8], at: usize| Some(u16::from_be_bytes(from.get(at..at + 2)?.try_into().ok()?));
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?));
    if ip.first()? >> 4 != 4 || *ip.get(9)? != 6 {
        return None;
    }
    let tcp = ip.get(usize::from(ip.first()? & 15) * 4..usize::from(half(ip, 2)?))?;
    let flags = *tcp.get(13)?;
    Some(Segment {
        from: SocketAddrV4::new(address(12)?, half(tcp, 0)?),
        to: SocketAddrV4::new(address(16)?, half(tcp, 2)?),
        // SYN without ACK.
        opens: flags & 0b1_0010 == 0b10,
        number: u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?),
        bytes: tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?,
    })
}
