//! Where a state is, as `state` of andamio.toml and `--state` write it.

use std::fmt;

/// Longest prefix inside a bucket. An object's name may have 1,024 bytes (Amazon S3 user guide,
/// "Naming Amazon S3 objects"); what Andamio adds takes less than the other half.
const LONGEST_PREFIX: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateUrl {
    /// An absolute folder: `file:///FOLDER`.
    Folder(String),
    /// `s3://NAME[/PREFIX]`; the prefix has no slash at its ends and may be empty.
    Bucket { name: String, prefix: String },
}

impl StateUrl {
    /// Reads a URL; a path without `://` is none.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("has no s3:// or file://")?;
        match scheme {
            "file" if rest.starts_with('/') => Ok(Self::Folder(rest.to_owned())),
            "file" => Err("needs an absolute folder"),
            "s3" => bucket(rest),
            _ => Err("is no kind of place that this version knows"),
        }
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file://{path}"),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

fn bucket(rest: &str) -> Result<StateUrl, &'static str> {
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    // Amazon S3 user guide, "General purpose bucket naming rules".
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    if !(3..=63).contains(&name.len())
        || !bytes.iter().all(|&b| inner(b))
        || !end(bytes.first())
        || !end(bytes.last())
    {
        return Err("has no bucket's name: 3 to 63 of a-z, 0-9, `-` and `.`");
    }
    let prefix = prefix.trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let part = |p: &str| !matches!(p, "" | "." | "..") && p.bytes().all(plain);
    if !prefix.is_empty() && (prefix.len() > LONGEST_PREFIX || !prefix.split('/').all(part)) {
        return Err("has a prefix that is not made of a-z, A-Z, 0-9, `-`, `_`, `.` and `/`");
    }
    Ok(StateUrl::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_states() {
        for text in ["s3://abc", "s3://my.bucket-1/a/b_c", "file:///var/state"] {
            assert_eq!(StateUrl::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(StateUrl::parse("s3://abc/x/").unwrap().to_string(), "s3://abc/x");
        for text in [
            "state",
            "s3://",
            "s3://ab",
            "s3://Shop",
            "s3://-abc",
            "s3://user:secret@abc",
            "s3://abc//x",
            "s3://abc/../x",
            "s3://abc/x y",
            "s3://abc/x?y=1",
            "file://state",
            "gs://abc",
        ] {
            assert!(StateUrl::parse(text).is_err(), "{text}");
        }
    }
}
