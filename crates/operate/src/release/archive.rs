//! A tar archive in GNU's form: it holds names of any length and any bytes, and every tar on Linux reads it.

use std::io::{self, Read, Write};

/// What is read at once.
const PIECE: usize = 256 * 1024;

/// What is in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Pipe,
}

impl Kind {
    pub(super) fn letter(self) -> u8 {
        match self {
            Self::File => b'0',
            Self::Link => b'2',
            Self::Folder => b'5',
            Self::Pipe => b'6',
        }
    }
}

/// What a header says beside the name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    /// Permissions, with the three special bits.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified: i64,
}

/// Longest name and link target that a header holds.
const NAME: usize = 100;

/// Written as it is made: nothing of it is kept.
pub(super) struct Archive<W> {
    out: W,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }

    /// What has no content; `target` is a link's.
    pub(super) fn add(&mut self, name: &[u8], facts: Facts, target: &[u8]) -> io::Result<()> {
        self.begin(name, facts, target, 0)
    }

    /// A file of exactly `size` bytes; `seen` gets each piece of them.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        facts: Facts,
        size: u64,
        mut content: impl Read,
        mut seen: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        self.begin(name, facts, &[], size)?;
        let mut piece = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
        let mut left = size;
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(PIECE));
            let Some(free) = piece.get_mut(..most) else { break };
            let count = content.read(free)?;
            if count == 0 {
                let why =
                    format!("{} became smaller while it was read", String::from_utf8_lossy(name));
                return Err(io::Error::other(why));
            }
            let Some(read) = piece.get(..count) else { break };
            seen(read);
            self.out.write_all(read)?;
            left -= count as u64;
        }
        self.fill(size)
    }

    /// With the two empty blocks that end an archive.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 1024])?;
        self.out.flush()
    }

    fn begin(&mut self, name: &[u8], facts: Facts, target: &[u8], size: u64) -> io::Result<()> {
        let mut name = name.to_vec();
        if facts.kind == Kind::Folder {
            name.push(b'/');
        }
        for (letter, long) in [(b'K', target), (b'L', &name)] {
            if long.len() > NAME {
                let facts = Facts { kind: Kind::File, mode: 0o644, modified: 0 };
                let size = long.len() as u64 + 1;
                self.header(b"././@LongLink", letter, facts, &[], size)?;
                self.out.write_all(&[long, b"\0"].concat())?;
                self.fill(size)?;
            }
        }
        self.header(&name, facts.kind.letter(), facts, target, size)
    }

    /// To the end of the block.
    fn fill(&mut self, size: u64) -> io::Result<()> {
        let rest = usize::try_from(size % 512).unwrap_or(0);
        self.out.write_all(&vec![0; rest.next_multiple_of(512) - rest])
    }

    fn header(
        &mut self,
        name: &[u8],
        letter: u8,
        facts: Facts,
        target: &[u8],
        size: u64,
    ) -> io::Result<()> {
        let mut block = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &name[..name.len().min(NAME)]);
        put(100, format!("{:07o}\0", facts.mode).as_bytes());
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, &number(i64::try_from(size).unwrap_or(i64::MAX)));
        put(136, &number(facts.modified));
        put(148, b"        ");
        put(156, &[letter]);
        put(157, &target[..target.len().min(NAME)]);
        put(257, b"ustar  \0");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&block)
    }
}

/// Eleven octal digits, or binary where they do not do: times before 1970 and after 2242.
fn number(value: i64) -> [u8; 12] {
    let mut field = [0; 12];
    if (0..1 << 33).contains(&value) {
        field[..11].copy_from_slice(format!("{value:011o}").as_bytes());
    } else {
        field[..4].fill(if value < 0 { 0xff } else { 0 });
        field[0] |= 0x80;
        field[4..].copy_from_slice(&value.to_be_bytes());
    }
    field
}
