//! Packets and their answers, from this host or from inside of a machine's network.

use crate::local::resolver;
use nix::sched::{CloneFlags, setns, unshare};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A name server; any answer counts, also a refusal.
    Names(Ipv4Addr),
    /// Whoever answers `ping`.
    Echo(Ipv4Addr),
}

pub(super) type Answers = BTreeSet<Target>;

/// For one of two attempts: a packet can be lost where everything is right.
const PATIENCE: Duration = Duration::from_millis(700);
/// What is already there is read, nothing is waited for.
const AT_ONCE: Duration = Duration::from_millis(1);
/// Ours among the echoes that come by.
const MARK: [u8; 2] = *b"An";
const DNS: u16 = 53;
/// Asks for the name servers of the root, which every resolver knows: id, "recursion desired", one question.
const QUESTION: [u8; 17] = [b'A', b'n', 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// A machine's network and files, by its first process.
pub(super) struct Inside {
    net: File,
    mounts: File,
}

impl Inside {
    /// `None` where there is no such process any more, or this is not root.
    pub(super) fn of(process: Option<PathBuf>) -> Option<Self> {
        let open = |kind| File::open(process.as_deref()?.join("ns").join(kind)).ok();
        Some(Self { net: open("net")?, mounts: open("mnt")? })
    }

    /// Name servers of the machine's own file. Read in there: no link in it leads out.
    pub(super) fn servers(&self) -> Vec<Ipv4Addr> {
        let read = std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                unshare(CloneFlags::CLONE_FS).ok()?;
                setns(&self.mounts, CloneFlags::CLONE_NEWNS).ok()?;
                let mut text = String::new();
                let file = File::open(Path::new("/etc/resolv.conf")).ok()?;
                file.take(1 << 16).read_to_string(&mut text).ok()?;
                Some(text)
            });
            inside.join().ok().flatten()
        });
        resolver::servers(&read.unwrap_or_default())
    }

    /// Asks from within. The calling thread stays there.
    pub(super) fn ask(&self, targets: &[Target]) -> Option<Answers> {
        setns(&self.net, CloneFlags::CLONE_NEWNET).ok()?;
        Some(ask(targets))
    }
}

/// Asks all at once, and those that do not answer a second time.
pub(super) fn ask(targets: &[Target]) -> Answers {
    let mut sockets: Vec<(Target, UdpSocket)> = Vec::new();
    let mut echo =
        Socket::new(Domain::IPV4, Type::from(nix::libc::SOCK_RAW), Some(Protocol::ICMPV4)).ok();
    for target in targets {
        if let Target::Names(server) = target
            && let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
            // No way there at all is an answer too, and comes at once.
            && socket.connect((*server, DNS)).is_ok()
        {
            sockets.push((*target, socket));
        }
    }
    let mut answers = Answers::new();
    let mut hopeless = Answers::new();
    for attempt in 0..2_u8 {
        let open = |answers: &Answers, target: &Target| !answers.contains(target);
        for (target, socket) in sockets.iter().filter(|(target, _)| open(&answers, target)) {
            if socket.send(&QUESTION).is_err() {
                hopeless.insert(*target);
            }
        }
        let mut waiting = BTreeSet::new();
        for target in targets.iter().filter(|target| open(&answers, target)) {
            if let (Target::Echo(address), Some(echo)) = (target, &mut echo) {
                let to = SocketAddrV4::new(*address, 0);
                if echo.send_to(&request(attempt), &to.into()).is_ok() {
                    waiting.insert(*address);
                }
            }
        }
        let deadline = Instant::now() + PATIENCE;
        for (target, socket) in &sockets {
            if open(&answers, target) && !hopeless.contains(target) && answered(socket, deadline) {
                answers.insert(*target);
            }
        }
        if let Some(echo) = &mut echo {
            for address in echoes(echo, waiting, deadline) {
                answers.insert(Target::Echo(address));
            }
        }
        if targets.iter().all(|target| answers.contains(target)) {
            break;
        }
    }
    answers
}

fn left(deadline: Instant) -> Option<Duration> {
    Some(deadline.saturating_duration_since(Instant::now()).max(AT_ONCE))
}

fn answered(socket: &UdpSocket, deadline: Instant) -> bool {
    let mut answer = [0; 512];
    let _ = socket.set_read_timeout(left(deadline));
    // A refusal of the port comes as an error: nobody serves there.
    socket.recv(&mut answer).is_ok_and(|bytes| bytes >= 12 && answer.starts_with(&MARK))
}

/// Who of `waiting` answers.
fn echoes(
    socket: &mut Socket,
    mut waiting: BTreeSet<Ipv4Addr>,
    deadline: Instant,
) -> Vec<Ipv4Addr> {
    let mut heard = Vec::new();
    let mut packet = [0; 256];
    while !waiting.is_empty() {
        let _ = socket.set_read_timeout(left(deadline));
        let Ok(bytes) = socket.read(&mut packet) else { break };
        let from = packet.get(..bytes).and_then(reply);
        heard.extend(from.filter(|address| waiting.remove(address)));
        if Instant::now() >= deadline {
            break;
        }
    }
    heard
}

/// An ICMP echo request with its checksum.
fn request(sequence: u8) -> [u8; 8] {
    let mut packet = [8, 0, 0, 0, MARK[0], MARK[1], 0, sequence];
    let words = packet.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let check = !u16::try_from(sum).unwrap_or(u16::MAX);
    [packet[2], packet[3]] = check.to_be_bytes();
    packet
}

/// Whose answer to our request it is. A raw socket shows the IP header too.
fn reply(packet: &[u8]) -> Option<Ipv4Addr> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let icmp = packet.get(header..)?;
    let ours = icmp.first() == Some(&0) && icmp.get(4..6) == Some(&MARK);
    let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    ours.then(|| from.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_echo() {
        let request = request(1);
        let sum: u32 =
            request.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        assert_eq!(sum, 0xffff);
        let mut packet =
            vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 198, 18, 2, 10, 198, 18, 2, 1];
        packet.extend([0, 0, 0, 0]);
        packet.extend(&request[4..]);
        assert_eq!(reply(&packet), Some(Ipv4Addr::new(198, 18, 2, 10)));
        packet[20] = 8;
        assert_eq!(reply(&packet), None);
        assert_eq!(reply(&[0x45]), None);
    }
}
