//! Compose files as people write them, and files that are none.

use super::{Compose, Part};
use andamio_spec::Group;

fn compose(text: &str) -> Compose {
    Compose::parse(text).unwrap_or_else(|broken| panic!("{broken}\n{text}"))
}

fn groups(compose: &Compose) -> Vec<Group> {
    compose.services.iter().map(|(group, _)| *group).collect()
}

fn names(compose: &Compose) -> Vec<&str> {
    compose.processes.iter().map(|part| part.name.as_str()).collect()
}

fn command(part: &Part) -> Vec<&str> {
    part.command.iter().flatten().map(String::as_str).collect()
}

/// Of a web framework's starter: what is common stands above, in an extension.
#[test]
fn anchors_and_merge_keys() {
    let compose = compose(
        r#"
x-app: &app
  build:
    context: ./backend
    dockerfile: Dockerfile
  environment: &env
    DATABASE_URL: mysql://app:${DB_PASSWORD:-secret}@db:3306/app
    RAILS_ENV: production
  depends_on: [db, cache]
  healthcheck:
    test: ["CMD", "curl", "-fsS", "http://localhost:3000/up?full=1"]
    interval: 10s

services:
  web:
    <<: *app
    command: bundle exec puma -C config/puma.rb
    ports:
      - "127.0.0.1:${WEB_PORT:-8080}:3000"
  worker:
    <<: *app
    command: bundle exec sidekiq
    environment:
      <<: *env
      QUEUES: default,mailers
    healthcheck: {}
  scheduler:
    <<: [{command: never used}, *app]
    command: &tick [bundle, exec, clockwork, "clock.rb"]
  again: {<<: *app, command: *tick}
  db:
    image: mariadb:11.4@sha256:0f3c
    volumes: ["data:/var/lib/mysql"]
  cache:
    image: 'valkey/valkey:8-alpine'

volumes:
  data:
"#,
    );
    assert_eq!(names(&compose), ["web", "worker", "scheduler", "again"]);
    assert!(compose.processes.iter().all(|part| part.folder == "backend"));
    let [web, worker, scheduler, again] = &compose.processes[..] else { panic!() };
    assert_eq!((web.port, worker.port), (Some(3000), None));
    assert_eq!(command(web), ["bundle", "exec", "puma", "-C", "config/puma.rb"]);
    assert_eq!(command(scheduler), ["bundle", "exec", "clockwork", "clock.rb"]);
    assert_eq!(command(again), command(scheduler));
    assert_eq!(web.ready.as_deref(), Some("/up?full=1"));
    assert_eq!((&worker.ready, &scheduler.ready), (&None, &web.ready));
    assert_eq!(groups(&compose), [Group::Mariadb, Group::Redis]);
}

/// Of a team on Windows, in version 2's habits: dashes as far left as their key, ends of lines of two
/// characters, numbers without quotes, comments everywhere.
#[test]
fn old_habits_and_windows() {
    let text = r#"# docker-compose for the shop # v2
version: '2.4'
services:
  api:            # the API
    build: "./src/Api/"
    container_name: shop_api   # not 'api'
    ports:
    - 5000:80
    - target: 443
      published: "5443"
    expose:
    - 9000
    environment:
    - ASPNETCORE_URLS=http://+:80   # a '#' in a value: next line
    - COLOR=#ff0000
    command: >-
      dotnet Shop.Api.dll
      --urls http://+:80
  rabbit:
    image: "rabbitmq:3-management"
    ports: [5672:5672, "15672:15672"]
  sql:
    image: mcr.microsoft.com/mssql/server:2022-latest
"#;
    for text in [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        let compose = compose(&text);
        let [api] = &compose.processes[..] else { panic!("{compose:?}") };
        assert_eq!(
            (api.name.as_str(), api.folder.as_str(), api.port),
            ("api", "src/Api", Some(80))
        );
        assert_eq!(command(api), ["dotnet", "Shop.Api.dll", "--urls", "http://+:80"]);
        assert_eq!(groups(&compose), [Group::Rabbitmq]);
        assert_eq!(compose.others, ["sql (mcr.microsoft.com/mssql/server:2022-latest)"]);
    }
}

/// Scripts in blocks, JSON in between, nothing where something could be.
#[test]
fn blocks_json_and_nothing() {
    let compose = compose(
        r#"---
name: "notes"
services: {
  "front": {"build": {"context": ".", "args": {"V": "1"}}, "ports": ["80:8080/tcp"]},
  "jobs": {
    "build": ".",   # JSON with comments
    "command": ["/bin/app", "work", "--note", "a, b: [c] #d"],
  },
  "migrate": {build: ., command: ~, expose: null},
  "edge": {image: traefik:v3},
  "empty":
}
...
"#,
    );
    assert_eq!(names(&compose), ["front", "jobs", "migrate"]);
    let [front, jobs, migrate] = &compose.processes[..] else { panic!() };
    assert_eq!((front.folder.as_str(), front.port), (".", Some(8080)));
    assert_eq!(command(jobs), ["/bin/app", "work", "--note", "a, b: [c] #d"]);
    assert_eq!((&migrate.command, migrate.port), (&None, None));
    assert_eq!(compose.others, ["empty ()"]);

    let script = "services:\n  app:\n    build: .\n    command: |\n      set -e\n      \n      \
                  exec ./app  # not a comment\n    healthcheck:\n      test: >\n        wget -q\n        \
                  http://127.0.0.1/healthz || exit 1\n";
    let app = &self::compose(script).processes[0];
    assert_eq!(command(app), ["/bin/sh", "-c", "set -e\n\nexec ./app  # not a comment"]);
    assert_eq!(app.ready.as_deref(), Some("/healthz"));
}

/// Of two keys with one name the later counts, and of two documents with one service.
#[test]
fn twice() {
    let twice =
        "services:\n  a: {image: nginx, image: redis}\n  b: {build: x}\n  a: {image: mysql}\n";
    assert_eq!(groups(&compose(twice)), [Group::Mariadb]);
    let documents = "services:\n  a: {build: ./x, expose: [1]}\n  b: {image: redis}\n---\n# more\nvolumes: {}\n\
                     ---\nservices:\n  a: {command: run, expose: [2]}\n  c: {image: mysql}\n";
    let compose = compose(documents);
    let [a] = &compose.processes[..] else { panic!("{compose:?}") };
    assert_eq!((a.folder.as_str(), a.port, command(a)), ("x", Some(2), vec!["run"]));
    assert_eq!(groups(&compose), [Group::Redis, Group::Mariadb]);
}

#[test]
fn what_is_no_yaml_says_its_line() {
    let broken = [
        ("services:\n  a:\n    image: [redis\n", "line 3: "),
        ("services:\n\ta:\n\t\timage: redis\n", "line 2: "),
        ("services:\n  a: *base\n", "line 2: "),
        (
            "services:\n  a: &a\n    build: .\n    x: [*a]\n",
            "line 4: an alias inside of what it stands for",
        ),
        ("a:\n  <<: text\n", "line 2: `<<` takes a map, or a list of maps"),
        ("services:\n  a: \"unfinished\n  b: c\n", "line "),
        ("FROM scratch\nCOPY app: /app: x\n", "line 2: "),
        ("a: b\n: : [\n", "line "),
    ];
    for (text, line) in broken {
        let says = Compose::parse(text).map(|_| String::new()).unwrap_or_else(|e| e.to_string());
        assert!(says.starts_with(line) && says.len() > "line 1: ".len() + 5, "{text}\n{says}");
    }
    for nothing in
        ["", "\n\n", "# only this\n", "just words", "- a\n- b", "services: 3", "services:\n- a\n"]
    {
        let compose = compose(nothing);
        assert!(compose.processes.is_empty() && compose.services.is_empty(), "{nothing}");
    }
}

/// A file of 256 KiB can ask for more than any machine has; none does more than be refused, or be read.
#[test]
fn bombs_end() {
    let mut laughs = "a0: &a0 {build: .}\n".to_owned();
    for i in 1..60 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
        laughs += &format!("a{i}: &a{i} [{aliases}]\n");
    }
    assert!(compose(&laughs).processes.is_empty());

    let mut chain = "a0: &a0 [x]\n".to_owned();
    let mut merges =
        format!("m: &m {{{}}}\n", (0..900).map(|i| format!("k{i}: ,")).collect::<String>());
    for i in 1..9000 {
        chain += &format!("a{i}: &a{i} [*a{}]\n", i - 1);
        merges += &format!("b{i}: {{<<: *m}}\n");
    }
    let deep = "[".repeat(200_000);
    let steps: String = (0..600).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let blocks = "- ".repeat(100_000);
    for bomb in [chain, merges, deep, steps, blocks, "{a: ".repeat(60_000), "? ".repeat(100_000)] {
        assert!(Compose::parse(&bomb).is_err(), "{}", &bomb[..20]);
    }
    let many: String = (0..40_000).map(|i| format!("{i}:\n")).collect();
    assert!(compose(&many).processes.is_empty());
}
