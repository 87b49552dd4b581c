//! The build context: the source folder and the prepared files, as one reproducible tar archive.

use super::containerfile::from_target;
use crate::{Failure, Kind};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Most bytes a context may have: it travels over SSH and is read into memory.
const LIMIT: u64 = 512 << 20;
/// Never part of an image, whatever the ignore file says.
const NEVER: [&str; 4] = [".git", "target", "node_modules", ".andamio"];

pub struct Context {
    /// (name in the archive, executable, content), sorted by name.
    entries: Vec<(String, bool, Vec<u8>)>,
    /// Files that the Containerfile wants and that are not there yet.
    pub unprepared: Vec<PathBuf>,
}

impl Context {
    pub(super) fn read(source: &Path, target: &Path) -> Result<Self, Failure> {
        let name = ["Containerfile", "Dockerfile"].into_iter().find(|n| source.join(n).exists());
        let Some(name) = name else {
            return Err(Failure::new(
                Kind::Failed,
                "containerfile",
                format!("{} has no Containerfile", source.display()),
                "write one, or correct `source` in andamio.toml",
            ));
        };
        let mut context = Self { entries: Vec::new(), unprepared: Vec::new() };
        let ignored = ignore_list(source);
        let mut size = 0;
        context.walk(source, "", &ignored, &mut size).map_err(|e| unreadable(source, &e))?;
        let text = fs::read_to_string(source.join(name)).map_err(|e| unreadable(source, &e))?;
        // One name for it in the archive.
        context.entries.retain(|(path, ..)| path != "context/Dockerfile" || name != "Dockerfile");
        if name == "Dockerfile" {
            let content = text.clone().into_bytes();
            context.entries.push(("context/Containerfile".to_owned(), false, content));
        }
        for wanted in from_target(&text) {
            let file = target.join(&wanted);
            match fs::read(&file) {
                Ok(content) => context.entries.push((format!("target/{wanted}"), true, content)),
                Err(_) => context.unprepared.push(file),
            }
        }
        context.entries.sort();
        Ok(context)
    }

    fn walk(
        &mut self,
        folder: &Path,
        prefix: &str,
        ignored: &[String],
        size: &mut u64,
    ) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            if NEVER.contains(&name.as_str()) || ignored.contains(&path) {
                continue;
            }
            // Links are not followed: a context must not reach outside its folder.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"), ignored, size)?;
            } else if kind.is_file() {
                let meta = entry.metadata()?;
                *size += meta.len();
                if *size > LIMIT {
                    let why = "the folder is larger than 512 MiB; list what is not needed in .containerignore";
                    return Err(std::io::Error::other(why));
                }
                let executable = meta.permissions().mode() & 0o111 != 0;
                let content = fs::read(entry.path())?;
                self.entries.push((format!("context/{path}"), executable, content));
            }
        }
        Ok(())
    }

    /// Names the content: equal for equal files, wherever and whenever they were made.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, executable, content) in &self.entries {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update([u8::from(*executable)]);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        }
        hex::encode(&hash.finalize()[..6])
    }

    /// A tar archive (ustar) with `context/` and `target/`.
    #[must_use]
    pub fn tar(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, executable, content) in &self.entries {
            if let Some(header) = header(name, *executable, content.len()) {
                out.extend_from_slice(&header);
                out.extend_from_slice(content);
                out.resize(out.len().next_multiple_of(512), 0);
            }
        }
        out.resize(out.len() + 1024, 0);
        out
    }
}

/// A ustar header; `None` for a name that the format cannot hold.
fn header(name: &str, executable: bool, size: usize) -> Option<[u8; 512]> {
    let mut block = [0_u8; 512];
    let (prefix, short) = if name.len() <= 100 {
        ("", name)
    } else {
        let mut cut = name.char_indices().filter(|&(i, c)| c == '/' && i <= 155).map(|(i, _)| i);
        let at = cut.rfind(|i| name.len() - i - 1 <= 100)?;
        (&name[..at], &name[at + 1..])
    };
    let mut put = |at: usize, bytes: &[u8]| {
        block[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, short.as_bytes());
    put(100, if executable { b"0000755\0" } else { b"0000644\0" });
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// Plain paths of `.containerignore` or `.dockerignore`; patterns are left to buildah.
fn ignore_list(source: &Path) -> Vec<String> {
    let text = [".containerignore", ".dockerignore"]
        .into_iter()
        .find_map(|n| fs::read_to_string(source.join(n)).ok())
        .unwrap_or_default();
    let lines = text.lines().map(|l| l.trim().trim_matches('/').to_owned());
    lines.filter(|l| !l.is_empty() && !l.starts_with(['#', '!']) && !l.contains('*')).collect()
}

fn unreadable(source: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Failed,
        "context",
        format!("cannot read the application's folder {}: {error}", source.display()),
        "correct `source` in andamio.toml",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_content_same_digest_and_tar_reads_it() {
        let make = || {
            let folder = tempfile::tempdir().unwrap();
            let long = "d".repeat(90);
            fs::create_dir_all(folder.path().join(&long)).unwrap();
            fs::write(folder.path().join(&long).join("x".repeat(60)), "deep").unwrap();
            fs::write(
                folder.path().join("Containerfile"),
                "FROM scratch\nCOPY --from=target r/app /\n",
            )
            .unwrap();
            fs::create_dir_all(folder.path().join("target/r")).unwrap();
            fs::write(folder.path().join("target/r/app"), "binary").unwrap();
            folder
        };
        let (one, two) = (make(), make());
        let read =
            |f: &tempfile::TempDir| Context::read(f.path(), &f.path().join("target")).unwrap();
        assert_eq!(read(&one).digest(), read(&two).digest());
        let archive = one.path().join("all.tar");
        fs::write(&archive, read(&two).tar()).unwrap();
        let listed = std::process::Command::new("tar").arg("-tf").arg(&archive).output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.status.success());
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("target/r/app") && text.contains("context/Containerfile"));
        fs::remove_file(one.path().join("target/r/app")).unwrap();
        assert_eq!(read(&one).unprepared.len(), 1);
    }
}
