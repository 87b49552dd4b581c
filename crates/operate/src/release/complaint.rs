//! Why a build failed, from what tar and buildah said. Pure: who calls adds what it knows of the machine.

use super::Context;
use andamio_engine::ErrorReport;

const AGAIN: &str = "then run the same command again";

/// Code of a machine without room, whose disk is worth a look.
pub(super) const SPACE: &str = "build-space";

/// Words of a cause; the first cause with one that is found counts.
const FULL: &[&str] = &["no space left on device", "disk quota exceeded"];
const NETWORK: &[&str] = &[
    "temporary failure in name resolution",
    "temporary failure resolving",
    "could not resolve",
    "no such host",
    "network is unreachable",
    "dial tcp",
    "connection refused",
    "no route to host",
    "connection timed out",
    "i/o timeout",
    "bad address",
    "temporary error (try again later)",
    "eai_again",
];
const PERMISSION: &[&str] = &["rlimit_", "operation not permitted"];

/// What the failure of a build on `machine` means.
pub(super) fn fault(said: &str, context: &Context, machine: &str) -> ErrorReport {
    let lower = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let text = once(said);
    if has(FULL) {
        return ErrorReport::new(
            SPACE,
            format!("no space left on the disk of {machine} while the image was built:\n{text}"),
            "make the image smaller, or declare a larger `disk`; old images are removed already",
        );
    }
    if let Some(path) = missing(said) {
        let message = match &context.ignore {
            Some((file, ignore)) => match ignore.keeps_out(path.as_bytes()) {
                Some(line) => {
                    let help =
                        format!("take the line out of {file}, or add `!{path}` below it, {AGAIN}");
                    let message = format!(
                        "the Containerfile copies {path}, which the line `{line}` of {file} keeps out of \
                         the build:\n{text}"
                    );
                    return ErrorReport::new("build-ignored", message, &help);
                }
                None => format!("the Containerfile copies {path}, which is not there:\n{text}"),
            },
            None => format!("the Containerfile copies {path}, which is not there:\n{text}"),
        };
        let help = format!("correct the path: it is read from the folder of `source`, {AGAIN}");
        return ErrorReport::new("build-file", message, &help);
    }
    if has(NETWORK) {
        return ErrorReport::new(
            "build-network",
            format!("{machine} did not reach what the build asked for:\n{text}"),
            &format!("see what {machine} reaches with `andamio exec`, {AGAIN}"),
        );
    }
    if has(PERMISSION) {
        return ErrorReport::new(
            "build-permission",
            format!("{machine} does not allow what the build does:\n{text}"),
            &format!(
                "leave that out of the Containerfile: a machine may neither mount, nor make devices, nor raise \
                 its limits; {AGAIN}"
            ),
        );
    }
    ErrorReport::new(
        "image-build",
        format!("buildah could not build the Containerfile:\n{text}"),
        &format!("mend the Containerfile, {AGAIN}"),
    )
}

/// Why `machine` has no image of a registry.
pub(super) fn pull(said: &str, reference: &str, machine: &str) -> ErrorReport {
    let lower = said.to_lowercase();
    let text = once(said);
    if FULL.iter().any(|word| lower.contains(word)) {
        let message = format!("no space left on the disk of {machine} for {reference}:\n{text}");
        return ErrorReport::new(SPACE, message, "declare a larger `disk`");
    }
    ErrorReport::new(
        "image-pull",
        format!("{machine} did not get {reference}:\n{text}"),
        &format!(
            "correct `image` in andamio.toml, or see that {machine} reaches the registry, {AGAIN}"
        ),
    )
}

/// The path of a `COPY` or `ADD` that found nothing.
fn missing(said: &str) -> Option<String> {
    let line = said.lines().rev().find(|line| {
        // What another stage lacks is the Containerfile's own matter.
        line.contains("no such file or directory")
            && !line.contains("--from=")
            && (line.contains("copier: stat:") || line.contains("no items matching glob"))
    })?;
    let (_, rest) =
        line.split_once("copier: stat: \"").or_else(|| line.split_once("matching glob \""))?;
    let (path, _) = rest.split_once('"')?;
    let path = path.split_once("/context/").map_or(path, |(_, path)| path);
    Some(path.trim_start_matches('/').to_owned())
}

/// The last lines, each once, without what buildah notes beside its error.
fn once(said: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let noted = |line: &&str| line.starts_with("time=\"") && said.contains("Error: ");
    for line in said.lines().map(str::trim_end).filter(|line| !line.is_empty() && !noted(line)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.split_off(lines.len().saturating_sub(12)).join("\n")
}

#[cfg(test)]
mod tests;
