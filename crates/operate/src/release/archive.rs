//! A tar archive in GNU's form: it holds names of any length and any bytes, and every tar on Linux reads it.

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

#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    /// `body` is a file's content or a link's target.
    pub(super) fn add(&mut self, name: &[u8], facts: Facts, body: &[u8]) {
        let mut name = name.to_vec();
        if facts.kind == Kind::Folder {
            name.push(b'/');
        }
        let (target, content) =
            if facts.kind == Kind::Link { (body, &[][..]) } else { (&[][..], body) };
        for (letter, long) in [(b'K', target), (b'L', &name)] {
            if long.len() > NAME {
                let facts = Facts { kind: Kind::File, mode: 0o644, modified: 0 };
                self.header(b"././@LongLink", letter, facts, &[], long.len() + 1);
                self.content(&[long, b"\0"].concat());
            }
        }
        self.header(&name, facts.kind.letter(), facts, target, content.len());
        self.content(content);
    }

    /// With the two empty blocks that end an archive.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }

    fn content(&mut self, content: &[u8]) {
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
    }

    fn header(&mut self, name: &[u8], letter: u8, facts: Facts, target: &[u8], size: usize) {
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
        self.bytes.extend_from_slice(&block);
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
