//! What `init` makes of repositories.

use super::{Init, Made, init};
use crate::Kind;
use andamio_spec::{Spec, parse};
use std::fs;
use std::path::Path;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("My Shop").tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn run(folder: &Path) -> Result<Made, crate::Failure> {
    init(&Init {
        file: folder.join("andamio.toml"),
        folder: folder.to_owned(),
        identity: folder.join(".andamio/identity.txt"),
        user: "ana".to_owned(),
    })
}

/// The file that it wrote, without the keys, which are new each time.
fn written(folder: &Path) -> (Spec, String) {
    let text = fs::read_to_string(folder.join("andamio.toml")).unwrap();
    let parsed = parse("andamio.toml", &text);
    let spec = parsed.spec.unwrap_or_else(|| panic!("{text}\n{:?}", parsed.findings));
    let shown: Vec<String> = text
        .lines()
        .map(|line| match line.split_once("\"age1") {
            Some((before, rest)) => format!("{before}\"age1…{}", &rest[58..]),
            None => line.to_owned(),
        })
        .collect();
    (spec, shown.join("\n"))
}

#[test]
fn a_repository_with_everything() {
    let compose = "services:\n  api:\n    build: ./api\n    ports: [\"8080:3000\"]\n    command: node server.js\n  \
                   jobs:\n    build:\n      context: ./api\n    command: [\"node\", \"worker.js\"]\n  \
                   db:\n    image: docker.io/library/mysql:8\n  cache:\n    image: redis:7-alpine\n  \
                   mq:\n    image: rabbitmq:4-management\n  search:\n    image: opensearch:2\n  proxy:\n    image: nginx\n";
    let folder = folder(&[
        ("docker-compose.yml", compose),
        ("api/Dockerfile", "FROM node\nEXPOSE 3000\nVOLUME /data\nCMD [\"node\", \"server.js\"]\n"),
        ("api/package.json", "{ \"name\": \"@acme/Web_Shop\" }"),
        ("api/server.js", "app.get('/healthz', ok)"),
        (".gitignore", "node_modules"),
    ]);
    let made = run(folder.path()).unwrap();
    let (spec, text) = written(folder.path());
    assert_eq!((spec.project.name.as_str(), spec.project.team.len()), ("web-shop", 2));
    insta::assert_snapshot!(text);
    let project = made.project.unwrap();
    assert!(project.recovery.starts_with("AGE-SECRET-KEY-"));
    assert!(!text.contains("AGE-SECRET"), "the recovery key is kept nowhere");
    assert!(spec.project.team.contains(&project.recovery_public));
    assert_eq!(project.warnings.len(), 1, "{:?}", project.warnings);
    let ignored = fs::read_to_string(folder.path().join(".gitignore")).unwrap();
    assert_eq!(ignored, "node_modules\n.andamio/\n");
}

#[test]
fn an_empty_folder_and_a_single_containerfile() {
    let empty = folder(&[]);
    let made = run(empty.path()).unwrap();
    assert!(!made.project.unwrap().containerfile);
    assert!(written(empty.path()).0.project.name.starts_with("my-shop"));

    let small = folder(&[
        (
            "Containerfile",
            "FROM scratch\nCOPY hello /hello\nEXPOSE 9000\nENTRYPOINT [\"/hello\"]\n",
        ),
        ("go.mod", "module example.org/tools/hello\n"),
    ]);
    run(small.path()).unwrap();
    let (spec, _) = written(small.path());
    let web = &spec.app.processes["web"];
    assert_eq!((web.command.as_slice(), web.port), (&["/hello".to_owned()][..], Some(9000)));
    assert_eq!(spec.project.name, "hello");
}

#[test]
fn nothing_is_overwritten_and_a_second_member_gets_an_identity() {
    let folder = folder(&[("andamio.toml", "mine")]);
    let made = run(folder.path()).unwrap();
    assert!(made.project.is_none() && made.new_identity && made.public.starts_with("age1"));
    let failure = run(folder.path()).unwrap_err();
    assert_eq!((failure.kind, failure.error.code.as_str()), (Kind::Refused, "exists"));
    assert_eq!(fs::read_to_string(folder.path().join("andamio.toml")).unwrap(), "mine");
}

#[test]
fn odd_repositories_end_in_a_valid_file() {
    let odd = [
        ("Procfile", "web: bundle exec puma -p $PORT\nworker: sidekiq\nrelease: rake\n::\n"),
        (
            "Containerfile",
            "FROM x\nEXPOSE 0 99999 $P\nCMD \"\\\"quoted\\\" \\t\"\nVOLUME / /a /a:b\n",
        ),
        (
            "compose.yaml",
            "services:\n  \"Ünïcode name\":\n    build: ..\n    ports: [x, 70000]\n  a: {}\n  : :\n",
        ),
        ("package.json", "{ \"name\": 3 }"),
        ("Cargo.toml", "[workspace]\n"),
    ];
    for (name, text) in odd {
        let folder = folder(&[(name, text)]);
        if let Err(failure) = run(folder.path()) {
            panic!("{name}: {failure:?}");
        }
        written(folder.path());
    }
}

#[test]
fn a_compose_file_that_is_no_yaml_is_named_with_its_line() {
    let compose = "services:\n  db:\n    image: mysql\n   web:\n    build: .\n";
    let folder = folder(&[("compose.yml", compose), ("Dockerfile", "FROM x\nCMD [\"/run\"]\n")]);
    let warnings = run(folder.path()).unwrap().project.unwrap().warnings;
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning
            .starts_with("nothing is taken from compose.yml: it cannot be read as YAML, line 4: "),
        "{warning}"
    );
    assert_eq!(written(folder.path()).0.app.processes["web"].command, ["/run"]);
}
