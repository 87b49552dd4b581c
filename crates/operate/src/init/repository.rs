//! Looks at a repository, and says what it found and where. Reads few files and runs nothing.

use super::compose::{Compose, Part};
use super::containerfile::{Image, words};
use super::name;
use crate::containerfile::from_target;
use andamio_spec::Group;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// More of a file than this is not read.
const MOST: u64 = 256 << 10;
const COMPOSE: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const SKIP: [&str; 6] = ["target", "node_modules", "vendor", "dist", "build", "tests"];
/// Paths that frameworks answer when they can serve, the best first.
const READY: [&str; 6] = ["/readyz", "/ready", "/healthz", "/health", "/up", "/ping"];

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) name: String,
    /// Folder with the Containerfile, relative; `None` when there is none yet.
    pub(super) source: Option<String>,
    pub(super) processes: Vec<Process>,
    pub(super) services: BTreeMap<Group, String>,
    pub(super) ready: Option<String>,
    pub(super) files: Vec<String>,
    pub(super) prepare: Vec<String>,
    /// (what, value, why), for people.
    pub(super) says: Vec<[String; 3]>,
    /// What a person has to look after.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) port: Option<u16>,
}

pub(super) fn look(root: &Path) -> Found {
    let mut found = Found::default();
    let compose = COMPOSE.iter().find_map(|name| Some((*name, read(&root.join(name))?)));
    let file = compose.as_ref().map_or("", |(name, _)| *name);
    let parsed = match compose.as_ref().map(|(_, text)| Compose::parse(text)).transpose() {
        Ok(parsed) => parsed.unwrap_or_default(),
        Err(broken) => {
            found
                .warnings
                .push(format!("nothing is taken from {file}: it cannot be read as YAML, {broken}"));
            Compose::default()
        }
    };
    let image = source(root, &parsed, &mut found);
    let (name, why) = name::of(root, found.source.as_deref().unwrap_or("."));
    found.say("name", &name, &why);
    found.name = name;
    processes(root, &image, &parsed.processes, &mut found);
    for (group, why) in parsed.services {
        found.say("service", group.as_str(), &why);
        found.services.entry(group).or_insert(why);
    }
    for other in parsed.others {
        let says = format!(
            "{other} of {file} is nothing that Andamio runs: the application needs it from elsewhere"
        );
        found.warnings.push(says);
    }
    let asked = parsed.processes.iter().find_map(|part| part.ready.clone()).or(image.ready);
    ready(root, asked, &mut found);
    for path in &image.volumes {
        found.say("files", path, "VOLUME of the Containerfile; backups include it");
    }
    found.files = image.volumes;
    found
}

impl Found {
    fn say(&mut self, what: &str, value: &str, why: &str) {
        self.says.push([what, value, why].map(str::to_owned));
    }
}

/// The folder with the Containerfile, and what that file says.
fn source(root: &Path, compose: &Compose, found: &mut Found) -> Image {
    let mut folders = Vec::new();
    containerfiles(root, PathBuf::new(), 3, &mut folders);
    folders.sort_by_key(|folder| (folder.components().count(), folder.clone()));
    // What compose builds first is the application; without it, what lies highest.
    let built = compose.processes.iter().find(|part| folders.contains(&plain(&part.folder)));
    let folder = built.map(|part| plain(&part.folder)).or_else(|| folders.first().cloned());
    let Some(folder) = folder else {
        found.warnings.push(
            "there is no Containerfile or Dockerfile yet: `up` needs one that builds the application's image"
                .to_owned(),
        );
        return Image::default();
    };
    let shown = match folder.to_str() {
        None | Some("") => ".".to_owned(),
        Some(folder) => folder.to_owned(),
    };
    let why =
        if built.is_some() { "what the compose file builds" } else { "it has the Containerfile" };
    found.say("source", &shown, why);
    for other in folders.iter().filter(|other| **other != folder) {
        let says = format!(
            "{} has a Containerfile too: one file declares one application",
            other.display()
        );
        found.warnings.push(says);
    }
    let file =
        ["Containerfile", "Dockerfile"].iter().find_map(|n| read(&root.join(&folder).join(n)));
    let text = file.unwrap_or_default();
    if !from_target(&text).is_empty() {
        found.prepare = ["cargo", "build", "--release"].map(str::to_owned).to_vec();
        found.say("prepare", "cargo build --release", "the Containerfile copies from `target`");
    }
    found.source = Some(shown);
    Image::parse(&text)
}

fn plain(folder: &str) -> PathBuf {
    if folder == "." { PathBuf::new() } else { PathBuf::from(folder) }
}

fn containerfiles(root: &Path, folder: PathBuf, depth: u8, into: &mut Vec<PathBuf>) {
    let here = root.join(&folder);
    if ["Containerfile", "Dockerfile"].iter().any(|name| here.join(name).is_file()) {
        into.push(folder.clone());
    }
    if depth > 0 && into.len() < 20 {
        for name in folders(&here) {
            containerfiles(root, folder.join(name), depth - 1, into);
        }
    }
}

/// Folders that may hold sources, sorted; links are not followed.
fn folders(here: &Path) -> Vec<String> {
    let entries = fs::read_dir(here).into_iter().flatten().flatten().take(2000);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|n| !n.starts_with('.') && !SKIP.contains(&n.as_str())).collect();
    names.sort();
    names
}

/// The compose file's builds of the same folder, a Procfile, or the image's own command.
fn processes(root: &Path, image: &Image, parts: &[Part], found: &mut Found) {
    let source = found.source.clone().unwrap_or_else(|| ".".to_owned());
    let mut processes: Vec<(Process, &str)> = Vec::new();
    for part in parts {
        if part.folder != source {
            let says = format!(
                "`{}` is built from {}: one file declares one application",
                part.name, part.folder
            );
            found.warnings.push(says);
            continue;
        }
        let command = image.run(part.command.as_deref());
        // What listens by the image alone is the web process, unless compose gives another command.
        let port = part.port.or(image.ports.first().copied().filter(|_| part.command.is_none()));
        processes
            .push((Process { name: name::slug(&part.name), command, port }, "the compose file"));
    }
    if processes.is_empty() {
        let text =
            read(&root.join(&source).join("Procfile")).or_else(|| read(&root.join("Procfile")));
        for line in text.as_deref().unwrap_or_default().lines() {
            let Some((name, command)) = line.split_once(':') else { continue };
            let name = name::slug(name);
            let port = image.ports.first().copied().or(Some(8080)).filter(|_| name == "web");
            let process = Process { name, command: words(command.trim()), port };
            // Releases have a step of their own.
            if process.name != "release" && !process.command.is_empty() {
                processes.push((process, "the Procfile"));
            }
        }
    }
    if processes.is_empty() && found.source.is_some() {
        let port = image.ports.first().copied();
        let process = Process { name: "web".to_owned(), command: image.run(None), port };
        processes.push((process, "CMD and EXPOSE of the Containerfile"));
    }
    let mut ports = Vec::new();
    for (mut process, why) in processes {
        if process.command.is_empty() {
            process.command = vec![found.name.clone()];
            let says = format!("what starts `{}` is a guess: correct `command`", process.name);
            found.warnings.push(says);
        }
        if found.processes.iter().any(|other| other.name == process.name) {
            continue;
        }
        if process.port.is_some_and(|port| ports.contains(&port)) {
            let says = format!(
                "`{}` had the port of another process: all of a machine share its ports",
                process.name
            );
            found.warnings.push(says);
            process.port = None;
        }
        ports.extend(process.port);
        let port = process.port.map(|port| format!(", port {port}")).unwrap_or_default();
        found.say(
            "process",
            &format!("{}: {}{port}", process.name, process.command.join(" ")),
            why,
        );
        found.processes.push(process);
    }
}

fn ready(root: &Path, asked: Option<String>, found: &mut Found) {
    let why = if asked.is_some() { "the health check asks it" } else { "a source file names it" };
    let path = asked.or_else(|| {
        let mut texts = Vec::new();
        sources(&root.join(found.source.as_deref().unwrap_or(".")), 4, &mut texts);
        let named = |path: &&&str| {
            let quoted = [format!("\"{path}\""), format!("'{path}'")];
            texts.iter().any(|text| quoted.iter().any(|q| text.contains(q.as_str())))
        };
        READY.iter().find(named).map(|path| (*path).to_owned())
    });
    if let Some(path) = path.filter(|p| p.starts_with('/') && !p.contains(char::is_whitespace)) {
        found.say("ready", &path, why);
        found.ready = Some(path);
    }
}

/// Texts of the source files below a folder, at most a few hundred.
fn sources(folder: &Path, depth: u8, into: &mut Vec<String>) {
    const KINDS: [&str; 10] = ["rs", "go", "js", "ts", "mjs", "py", "rb", "php", "java", "kt"];
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(500);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    for file in files
        .iter()
        .filter(|f| f.extension().and_then(|e| e.to_str()).is_some_and(|e| KINDS.contains(&e)))
    {
        if into.len() < 300 {
            into.extend(read(file));
        }
    }
    if depth > 0 {
        for name in folders(folder) {
            sources(&folder.join(name), depth - 1, into);
        }
    }
}

/// A file's text; nothing when it is no file, too large or not text.
pub(super) fn read(file: &Path) -> Option<String> {
    let meta = fs::metadata(file).ok()?;
    if !meta.is_file() || meta.len() > MOST {
        return None;
    }
    fs::read_to_string(file).ok()
}
