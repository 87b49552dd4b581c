//! Other programs, with a deadline and their last words.

use crate::failure::{Context, Failure, Result};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// How many of a program's last lines go into a failure.
const LAST_WORDS: usize = 20;

/// What a program wrote just before its end is in the pipe already.
const AFTER_EXIT: Duration = Duration::from_millis(300);

/// What a program that succeeded wrote to its standard output.
pub(crate) type Output = String;

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, outlives `deadline` (it is killed), or fails: the message ends with
/// its last lines.
pub(crate) async fn run(argv: &[&str], stdin: &str, deadline: Duration) -> Result<Output> {
    follow(argv, stdin, deadline, &mut |_| {}).await
}

/// Runs a program and hands over every line while it works.
///
/// # Errors
/// As [`run`].
pub(crate) async fn follow(
    argv: &[&str],
    stdin: &str,
    deadline: Duration,
    on_line: &mut dyn FnMut(&str),
) -> Result<Output> {
    let (program, rest) = argv.split_first().ok_or_else(|| Failure::new("empty command"))?;
    let mut child = Command::new(program)
        .args(rest)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", "/root")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("NEEDRESTART_MODE", "l")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .during(format!("starting {program}"))?;
    let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A program may end without reading its input; its status tells.
            let _ = input.write_all(stdin.as_bytes()).await;
        }
    };
    let mut output = String::new();
    let mut last: Vec<String> = Vec::new();
    let listen = async {
        let (sender, mut lines) = tokio::sync::mpsc::channel(64);
        let pipes = async {
            tokio::join!(pump(out, true, sender.clone()), pump(err, false, sender));
        };
        let take = async {
            while let Some((stdout, line)) = lines.recv().await {
                on_line(&line);
                if stdout {
                    output.push_str(&line);
                    output.push('\n');
                }
                if last.len() == LAST_WORDS {
                    last.remove(0);
                }
                last.push(line);
            }
        };
        tokio::join!(pipes, take);
    };
    let status = {
        let mut talk = std::pin::pin!(async { tokio::join!(feed, listen) });
        let whole = async {
            tokio::select! {
                _ = &mut talk => child.wait().await,
                status = child.wait() => {
                    // A daemon that the program started may keep the pipes open for ever.
                    let _ = tokio::time::timeout(AFTER_EXIT, &mut talk).await;
                    status
                }
            }
        };
        tokio::time::timeout(deadline, whole).await
    };
    let status = match status {
        Ok(status) => status.during(format!("waiting for {program}"))?,
        Err(_) => {
            return Err(Failure::new(format!(
                "{program} did not end within {} s",
                deadline.as_secs()
            )));
        }
    };
    if status.success() {
        return Ok(output);
    }
    Err(Failure::new(format!("{program} failed ({status}): {}", last.join("\n"))))
}

/// Sends the lines of a pipe, whatever its encoding, until its end.
async fn pump(
    pipe: Option<impl AsyncRead + Unpin>,
    stdout: bool,
    to: tokio::sync::mpsc::Sender<(bool, String)>,
) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(n) if n > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        line.clear();
        if to.send((stdout, text)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn ends_with_the_last_words() {
        let long = Duration::from_secs(20);
        let out = run(&["sh", "-c", "cat; echo b"], "a\n", long).await.unwrap();
        assert_eq!(out, "a\nb\n");
        let error = run(&["sh", "-c", "echo why >&2; exit 3"], "", long).await.unwrap_err();
        assert!(error.to_string().contains("exit status: 3): why"), "{error}");
        let error = run(&["sleep", "60"], "", Duration::from_millis(50)).await.unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
    }
}
