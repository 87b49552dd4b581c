//! The little that must be known of a Containerfile before it is built: where it is, which files it takes from the
//! build context `target`, so that only these are sent and not a whole folder of build products, and the port of
//! what the image starts.

use crate::{Failure, Kind};
use andamio_spec::model::{App, Build};
use std::path::Path;

/// The Containerfile of a source folder: the one that is named, else one of the usual names; a link counts as what it
/// leads to.
///
/// # Errors
/// When there is none.
pub(crate) fn find(source: &Path, build: &Build) -> Result<String, Failure> {
    let names = match &build.file {
        Some(name) => vec![name.as_str()],
        None => vec!["Containerfile", "Dockerfile"],
    };
    let found = names.iter().find(|name| source.join(name).is_file());
    found.map(|name| (*name).to_owned()).ok_or_else(|| {
        let is_link = |name: &&&str| source.join(name).is_symlink();
        let what = match (names.iter().find(is_link), &build.file) {
            (Some(name), _) => format!("{} is a link to nothing", source.join(name).display()),
            (None, Some(name)) => format!("{} is not a file", source.join(name).display()),
            (None, None) => format!("{} has no Containerfile", source.display()),
        };
        let help = match build.file {
            Some(_) => "correct `build.file` in andamio.toml: it is relative to `source`",
            None => {
                "write one, name another with `build.file`, or correct `source` in andamio.toml"
            }
        };
        Failure::new(Kind::Failed, "containerfile", what, help)
    })
}

/// Port of what the image of a project's application starts, where the Containerfile says it.
pub(crate) fn port(project: &Path, app: &App) -> Option<u16> {
    if app.image.is_some() {
        return None;
    }
    let source = project.join(&app.source);
    let name = find(&source, &app.build).ok()?;
    let text = std::fs::read(source.join(name)).ok()?;
    exposed(&String::from_utf8_lossy(&text), app.build.target.as_deref())
}

/// Instructions in order, each with its words; a comment or blank line has none.
fn instructions(text: &str) -> Vec<(String, Vec<String>)> {
    // A comment between the lines of an instruction is none of its words.
    let comment = |line: &&str| !line.trim_start().starts_with('#');
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(comment).collect();
    let joined = format!("{}\n", lines.join("\n")).replace("\\\n", " ");
    let words = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?.to_ascii_uppercase(), words.collect()))
    };
    joined.lines().filter_map(words).collect()
}

/// One `FROM` and what follows it.
struct Stage {
    image: String,
    name: Option<String>,
    /// What it says that it listens on.
    exposed: Vec<u16>,
}

fn stages(text: &str) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for (instruction, words) in instructions(text) {
        match instruction.as_str() {
            "FROM" => {
                let mut words = words.into_iter().filter(|word| !word.starts_with("--"));
                let image = words.next().unwrap_or_default();
                let name = words.nth(1).map(|name| name.to_ascii_lowercase());
                stages.push(Stage { image, name, exposed: Vec::new() });
            }
            "EXPOSE" => {
                let Some(stage) = stages.last_mut() else { continue };
                for word in words {
                    let (port, protocol) = word.split_once('/').unwrap_or((&word, "tcp"));
                    stage.exposed.extend(port.parse::<u16>().ok().filter(|_| protocol == "tcp"));
                }
            }
            _ => {}
        }
    }
    stages
}

/// The first port that the image exposes: that of the stage at which the build ends, or of an earlier one that it begins
/// with. What an image from elsewhere exposes is not known.
fn exposed(text: &str, target: Option<&str>) -> Option<u16> {
    let stages = stages(text);
    let named = |name: &str, before: usize| {
        let name = name.to_ascii_lowercase();
        stages.iter().take(before).rposition(|stage| stage.name.as_ref() == Some(&name))
    };
    let mut at = match target {
        Some(name) => named(name, stages.len()).or_else(|| name.parse().ok())?,
        None => stages.len().checked_sub(1)?,
    };
    loop {
        let stage = stages.get(at)?;
        if let Some(port) = stage.exposed.first() {
            return Some(*port);
        }
        at = named(&stage.image, at)?;
    }
}

/// Paths of `COPY --from=target PATH… DEST`, in order; none where `target` is a stage of the file's own.
pub(crate) fn from_target(text: &str) -> Vec<String> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut paths = Vec::new();
    for line in joined.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((instruction, words)) = words.split_first() else { continue };
        if instruction.eq_ignore_ascii_case("FROM")
            && let [.., word, name] = words
            && word.eq_ignore_ascii_case("AS")
            && name.eq_ignore_ascii_case("target")
        {
            return Vec::new();
        }
        if !instruction.eq_ignore_ascii_case("COPY") || !words.contains(&"--from=target") {
            continue;
        }
        let plain: Vec<&str> = words.iter().filter(|w| !w.starts_with("--")).copied().collect();
        let plain = plain.join(" ");
        // Both forms: words, and a list in brackets.
        let listed: Vec<String> = serde_json::from_str(&plain)
            .unwrap_or_else(|_| plain.split(' ').map(str::to_owned).collect());
        if let Some((_destination, sources)) = listed.split_last() {
            paths.extend(sources.iter().map(|s| s.trim_matches('/').to_owned()));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::{exposed, from_target};

    #[test]
    fn what_the_last_stage_exposes() {
        let text = "from a as Base\nexpose 81/udp 80/tcp\nFROM --platform=x scratch AS other\nEXPOSE 9 \n\
                    # EXPOSE 1\nFROM base\nRUN x \\\n  EXPOSE 5\n";
        assert_eq!(exposed(text, None), Some(80));
        assert_eq!(exposed(text, Some("other")), Some(9));
        assert_eq!(exposed(text, Some("0")), Some(80));
        assert_eq!(exposed(text, Some("none")), None);
        assert_eq!(exposed("FROM x\nEXPOSE $PORT\n", None), None);
    }

    #[test]
    fn only_what_comes_from_target() {
        let text = "FROM scratch\ncopy --from=target --chmod=755 a/b \\\n  /c /bin/\nCOPY x /y\n\
                    COPY --from=other z /z\nCOPY --from=target [\"d e\", \"/f\"]\n";
        assert_eq!(from_target(text), ["a/b", "c", "d e"]);
    }

    #[test]
    fn a_stage_of_that_name_is_the_file_s_own() {
        assert!(from_target("FROM a AS target\nFROM b\nCOPY --from=target /x /y\n").is_empty());
    }
}
