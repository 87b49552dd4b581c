//! Images as people build them, on a real machine: from a Debian that no registry gave, with packages, stages, arguments,
//! a secret and an authority, from a file of another name; what did not change is not built again. And an image by its name.

use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, command};
use std::fs;

pub(crate) const SCENARIO: Scenario = Scenario { name: "builds", need: Need::Machines, run: all };

const M: &str = "app-1";
const SECRET: &str = "hidden 'value' $HOME of nobody";
const GREETING: &str = "a \"b\" $HOME 'c' `d` ñ \\n;";

/// No process is declared: `web` is what the image starts and exposes.
fn toml(app: &str) -> String {
    format!(
        "[project]\nname = \"shop\"\n[app]\nready = \"/index.html\"\n{app}\n\
         [environments.one]\ntls = \"off\"\napp = {{ machines = 1, size = \"1x1\", disk = \"5 GB\" }}\n"
    )
}

fn built(target: &str, more: &str) -> String {
    let greeting = serde_json::to_string(GREETING).unwrap();
    toml(&format!(
        "source = \"app\"\nbuild = {{ file = \"docker/Web\", target = \"{target}\", \
         args = {{ GREETING = {greeting} }}, secrets = [\"TOKEN\"]{more} }}"
    ))
}

const FILE: &str = r#"FROM localhost/andamio-debian:13 AS base
RUN apt-get update && apt-get install -y --no-install-recommends busybox && rm -rf /var/lib/apt/lists/*
FROM base AS tools
RUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN | sha256sum | cut -c 1-64 >/digest
RUN cat /proc/sys/kernel/random/uuid >/made
FROM base AS served
EXPOSE 8080/tcp
CMD ["busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
FROM served AS web
ARG GREETING
RUN mkdir -p /srv && printf '%s' "$GREETING" >/srv/greeting
COPY --from=tools /digest /made /srv/
COPY . /srv/
FROM web AS believing
RUN openssl s_client -connect 127.0.0.1:4433 -verify_return_error </dev/null >/said \
    && grep issuer= /said >/srv/believed && rm /said
"#;

fn write(s: &Sandbox, name: &str, content: &str) {
    let path = s.folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new(&built("web", ""));
    let s = &sandbox;
    write(s, "app/docker/Web", FILE);
    write(s, "app/docker/Web.dockerignore", "docker\n*.log\n");
    write(s, "app/.dockerignore", "index.html\n");
    write(s, "app/index.html", "one");
    write(s, "app/debug.log", "");
    steps.must(
        "packages, stages, arguments and a secret, and a process that no file declares",
        || {
            first(s);
        },
    )?;
    steps.step("a changed line of source installs nothing again", || changed(s));
    steps.step("what is recorded needs no source to know the process", || recorded(s));
    steps.step("RUN believes the authority that the file names, and no image has it", || {
        believes(s)
    });
    steps.step("no process and no port is an error that says what to add", || silent(s));
    steps.step("an image by its name instead of a source", || named(s));
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })
}

fn page(s: &Sandbox, name: &str) -> String {
    s.on("one", M, &format!("podman exec shop-web cat /srv/{name}"))
}

fn first(s: &Sandbox) {
    let refused = s.run(&["up", "one", "-y", "--json"]);
    assert!(refused.to_string().contains("secret-missing"), "{refused}");
    let set = command::run_with(s.command(&["secret", "set", "one", "TOKEN"]), SECRET, DEADLINE);
    drop(set.expect(0));
    let up = s.ok(&["up", "one", "-y", "--json"]);
    assert!(!up.to_string().contains(SECRET));
    assert_eq!(page(s, "index.html"), "one");
    assert_eq!(page(s, "greeting"), GREETING);
    let digest =
        s.on("one", M, &format!("printf %s {} | sha256sum", andamio_remote::quote(&[SECRET])));
    assert_eq!(page(s, "digest").trim(), digest.split(' ').next().unwrap());
    let names = s.on("one", M, "podman exec shop-web ls /srv");
    assert!(!names.contains("docker") && !names.contains("log"), "{names}");
    hidden(s, SECRET);
    let state = s.on(
        "one",
        M,
        "podman inspect -f '{{.Config.Env}}' shop-web; curl -s localhost:8080/index.html || :",
    );
    assert!(!state.contains("TOKEN"), "{state}");
}

/// In no layer, no image's description, no log and no file of a build.
fn hidden(s: &Sandbox, what: &str) {
    let line = "p=$(cat); grep -rlaF -e \"$p\" /var/lib/containers /var/tmp /run/systemd/journal && exit 1; \
                journalctl --no-pager | grep -cF -e \"$p\"";
    let line = format!(
        "printf %s {} | sh -c {}; true",
        andamio_remote::quote(&[what]),
        andamio_remote::quote(&[line])
    );
    let found = s.on("one", M, &line);
    // podman's own store has none: no process gets it.
    assert_eq!(found.trim(), "0", "{found}");
}

fn changed(s: &Sandbox) {
    let made = page(s, "made");
    write(s, "app/index.html", "two");
    drop(s.ok(&["up", "one", "-y"]));
    assert_eq!(page(s, "index.html"), "two");
    assert_eq!(page(s, "made"), made, "the stage was built again");
    let left = "buildah containers --quiet; ls /var/tmp | grep andamio; true";
    assert_eq!(s.on("one", M, left), "");
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
}

fn recorded(s: &Sandbox) {
    let (here, away) = (s.folder.join("app"), s.folder.join("away"));
    fs::rename(&here, &away).unwrap();
    let plan = s.run(&["plan", "one", "--as-recorded", "--exit-code"]);
    fs::rename(&away, &here).unwrap();
    drop(plan.expect(0));
}

fn believes(s: &Sandbox) {
    let make = "cd /root && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority-of-a-test \
                -addext subjectAltName=IP:127.0.0.1 -keyout k.pem -out c.pem 2>/dev/null && \
                systemd-run --quiet --unit served openssl s_server -accept 4433 -www -key /root/k.pem -cert /root/c.pem; \
                cat c.pem";
    let authority = s.on("one", M, make);
    s.rewrite(&built("believing", ""));
    let refused = s.run(&["up", "one", "-y"]).expect(1);
    assert!(refused.stderr.contains("verif"), "{refused}");
    write(s, "authority.pem", &authority);
    s.rewrite(&built("believing", ", trust = \"authority.pem\""));
    drop(s.ok(&["up", "one", "-y"]));
    assert!(page(s, "believed").contains("authority-of-a-test"));
    let inside = "podman exec shop-web sh -c 'env; ls -A /run/andamio'";
    let inside = s.on("one", M, inside);
    assert!(!inside.contains("SSL_CERT") && !inside.contains(".pem"), "{inside}");
    let body = authority.lines().nth(3).unwrap();
    let found =
        s.on("one", M, &format!("grep -rlaF -e '{body}' /var/lib/containers /var/tmp; true"));
    assert_eq!(found, "");
    s.on("one", M, "systemctl stop served; rm /root/k.pem /root/c.pem");
}

fn silent(s: &Sandbox) {
    s.rewrite(&built("base", ""));
    let plan = s.run(&["plan", "one"]).expect(1);
    assert!(plan.stderr.contains("#no-processes") && plan.stderr.contains("EXPOSE"), "{plan}");
}

fn named(s: &Sandbox) {
    s.on("one", M, "podman tag localhost/shop:$(podman images --format '{{.Tag}}' localhost/shop | head -n 1) localhost/foreign:1");
    let web = "\n[app.processes]\nweb = { port = 8080 }";
    s.rewrite(&toml(&format!("image = \"localhost/foreign:1\"{web}")));
    drop(s.ok(&["up", "one", "-y"]));
    assert_eq!(page(s, "index.html"), "two");
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
    s.rewrite(&toml(&format!("image = \"localhost:1/none@sha256:{}\"{web}", "0".repeat(64))));
    let last = s.run(&["up", "one", "-y", "--json"]).expect(1).lines().pop().unwrap();
    assert_eq!(last["error"]["code"], "image-pull", "{last}");
}
