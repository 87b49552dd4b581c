//! A command as any login shell takes it, and its output without what that shell said before.
//!
//! `.bashrc` prints, sets a umask and a language; the shell may be fish or csh; sudo may have a path of its own.
//! A mark on both streams says where the command begins.

use crate::Stream;
use crate::shell::quote;
use std::io;

/// Written in two parts, so that a shell that prints what it runs (`set -x`) does not write it.
const MARK: &[u8] = b"andamio-begins:";
/// What stands before the command: words that all shells read alike between single quotes. bash where it is, because
/// a person's line is for it.
const MARKS: &str = "printf %s-%s andamio begins:; printf %s-%s andamio begins: >&2; ";
const BEGIN: &str = "\
    LC_ALL=C.UTF-8; LANGUAGE=; PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; \
    export LC_ALL LANGUAGE PATH; umask 022; [ -x /bin/bash ] && exec /bin/bash --norc -c \"$1\"; eval \"$1\"";
/// More before the mark is not kept.
const NOISE: usize = 64 * 1024;

/// The line for the login shell. `sudo`: who logs in is not root. `marked`: for [`Quiet`].
pub(crate) fn wrap(command: &str, sudo: bool, marked: bool) -> String {
    // In English, because sudo's refusals are read.
    let mut words = vec!["/usr/bin/env", "LC_ALL=C.UTF-8", "LANGUAGE="];
    if sudo {
        words.extend(["sudo", "-n"]);
    }
    let begin = format!("{}{BEGIN}", if marked { MARKS } else { "" });
    words.extend(["/bin/sh", "-c", &begin, "andamio", command]);
    quote(&words)
}

/// Holds back what comes before the mark.
#[derive(Default)]
pub(crate) struct Quiet {
    out: Held,
    err: Held,
}

#[derive(Default)]
struct Held {
    before: Vec<u8>,
    begun: bool,
}

impl Quiet {
    /// Hands on what belongs to the command.
    pub(crate) fn pass(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        each: &mut impl FnMut(Stream, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let held = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        if held.begun {
            return each(stream, bytes);
        }
        held.before.extend_from_slice(bytes);
        let Some(at) = held.before.windows(MARK.len()).position(|part| part == MARK) else {
            let from = held.before.len().saturating_sub(NOISE);
            held.before.drain(..from);
            return Ok(());
        };
        held.begun = true;
        let before = std::mem::take(&mut held.before);
        match before.get(at + MARK.len()..) {
            Some(rest) if !rest.is_empty() => each(stream, rest),
            _ => Ok(()),
        }
    }

    /// Hands on what was held back where the command never began.
    pub(crate) fn end(
        &mut self,
        each: &mut impl FnMut(Stream, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for (stream, held) in [(Stream::Out, &mut self.out), (Stream::Err, &mut self.err)] {
            if !held.before.is_empty() {
                each(stream, &std::mem::take(&mut held.before))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What the command says after a shell has said something of its own.
    fn through(shell: &[&str], before: &str, command: &str) -> (String, String) {
        let line = format!("{before}{}", wrap(command, false, true));
        let output = Command::new(shell[0]).args(&shell[1..]).arg("-c").arg(line).output().unwrap();
        let (mut quiet, mut said) = (Quiet::default(), [Vec::new(), Vec::new()]);
        let mut each = |stream: Stream, bytes: &[u8]| {
            said[usize::from(stream == Stream::Err)].extend_from_slice(bytes);
            Ok(())
        };
        for (stream, bytes) in [(Stream::Out, output.stdout), (Stream::Err, output.stderr)] {
            // As pieces of a network come.
            bytes.chunks(7).for_each(|part| quiet.pass(stream, part, &mut each).unwrap());
        }
        quiet.end(&mut each).unwrap();
        said.map(|text| String::from_utf8(text).unwrap()).into()
    }

    #[test]
    fn what_a_shell_says_by_itself_is_not_the_commands() {
        let noise = "echo Welcome; echo motd >&2; umask 077; ";
        let said = through(&["sh"], noise, "echo out; echo err >&2; umask; echo $LC_ALL");
        assert_eq!(said, ("out\n0022\nC.UTF-8\n".to_owned(), "err\n".to_owned()));
        let (_, err) = through(&["bash", "-x"], "", "true");
        assert_eq!(err, "");
        assert_eq!(through(&["sh"], "echo Not available; exit 1; ", "true").0, "Not available\n");
    }

    #[test]
    fn every_shell_hands_on_the_same_words() {
        let command = r#"printf '%s|' 'a\b' "it's" '\\' "\$HOME" '!x' ñ "two
lines"; [[ a == a ]]"#;
        let expected = "a\\b|it's|\\\\|$HOME|!x|ñ|two\nlines|";
        for shell in
            [&["sh"][..], &["bash"], &["dash"], &["zsh", "-f"], &["fish", "-N"], &["busybox", "sh"]]
        {
            if Command::new(shell[0]).arg("-c").arg("true").output().is_err() {
                continue; // Not here; the scenario has the other ones.
            }
            assert_eq!(through(shell, "", command).0, expected, "{shell:?}");
        }
    }
}
