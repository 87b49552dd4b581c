//! From a folder to an image, on a real machine: what an ignore file names stays out and everything else arrives
//! as it is, as buildah itself has it; each cause of a failed build is named; a release that came up late is
//! noted; old images go.

use crate::{small, trees};
use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, sandbox::DEADLINE};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "context", need: Need::Machines, run: all };

const M: &str = "app-1";
/// What the smallest application's Containerfile says.
const WORKS: &str = "FROM scratch\nCOPY program /program\n";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = small::project_with(1, ", disk = \"5 GB\"");
    let s = &sandbox;
    steps.must(
        "a build that fails is told once, and leaves a machine that has what every role needs",
        || fails_first(s),
    )?;
    steps.step("each cause of a failed build has a code and a help of its own", || causes(s));
    steps.must(
        "links, empty folders, odd and long names, build products and times arrive",
        || arrives(s),
    )?;
    steps.step("a RUN line builds, and what an ignore file names is no release", || ignored(s));
    steps.step("25 trees with ignore files: the same image as buildah makes by itself", || {
        let [files, images, sent] = trees::compare(s, "one", M, 25);
        assert!(images > 0 && images < files && sent < files, "{files} {images} {sent}");
    });
    steps.step("a release whose run ended before it came up is noted by the next one", || late(s));
    steps.step("old images go: deployments in a row on a disk that has no room for them", || {
        bounded(s)
    });
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })
}

fn app(s: &Sandbox, name: &str) -> PathBuf {
    s.folder.join("app").join(name)
}

fn write(s: &Sandbox, name: &str, content: &str) {
    fs::create_dir_all(app(s, name).parent().unwrap()).unwrap();
    fs::write(app(s, name), content).unwrap();
}

/// `up` fails with that code; what it said.
fn fails(s: &Sandbox, containerfile: &str, code: &str) -> String {
    write(s, "Containerfile", containerfile);
    let last = s.run(&["up", "one", "-y", "--json"]).expect(1).lines().pop().unwrap();
    assert_eq!(last["error"]["code"], code, "{last}");
    last["error"]["message"].as_str().unwrap().to_owned() + last["error"]["help"].as_str().unwrap()
}

fn fails_first(s: &Sandbox) {
    let said =
        fails(s, &format!("{WORKS}RUN [\"/program\", \"--no-such-option\"]\n"), "image-build");
    assert_eq!(said.matches("building at STEP").count(), 1, "{said}");
    let plan = s.run(&["plan", "one", "--exit-code", "--json"]).expect(2).json();
    let resources: Vec<&str> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["resource"].as_str().unwrap())
        .collect();
    assert!(
        resources.iter().all(|r| !r.contains("ssh") && !r.contains("firewall")),
        "{resources:?}"
    );
    assert!(resources.len() < 10, "{resources:?}");
    assert_eq!(s.run(&["up", "one", "-y"]).expect(1).stderr.matches("building at STEP").count(), 1);
}

fn causes(s: &Sandbox) {
    let said = fails(s, &format!("{WORKS}COPY no/such /x\n"), "build-file");
    assert!(said.contains("copies no/such"), "{said}");
    write(s, ".dockerignore", "tools\n");
    write(s, "tools/a.txt", "");
    let said = fails(s, &format!("{WORKS}COPY tools/a.txt /\n"), "build-ignored");
    assert!(said.contains("`tools`") && said.contains("`!tools/a.txt`"), "{said}");
    write(s, ".dockerignore", "a[\n");
    let ended = s.run(&["plan", "one"]).expect(1);
    assert!(ended.stderr.contains("a[") && ended.stderr.contains("#ignore-file"), "{ended}");
    fs::remove_file(app(s, ".dockerignore")).unwrap();
    let said = fails(s, "FROM localhost:1/nothing/here\n", "build-network");
    assert!(said.contains("localhost:1"), "{said}");
    let room =
        "fallocate -l $(($(df --output=avail -B1 / | tail -n 1) - 40000000)) /var/tmp/filler";
    s.on("one", M, room);
    let said = fails(s, WORKS, "build-space");
    s.on("one", M, "rm /var/tmp/filler");
    assert!(said.contains("free; images") && !said.contains("mend"), "{said}");
}

/// What is in the newest image: path, kind, time, target.
fn image(s: &Sandbox) -> String {
    let line = "i=$(podman images -q localhost/small | head -n 1); m=$(podman image mount $i); cd $m; \
                find . -mindepth 1 -printf '%P|%y|%Ts|%l\\n'; podman image unmount $i >/dev/null";
    s.on("one", M, line)
}

fn arrives(s: &Sandbox) {
    fs::remove_dir_all(app(s, "tools")).unwrap();
    fs::remove_file(app(s, "Containerfile")).unwrap();
    write(s, "docker/C", &format!("{WORKS}COPY . /srv/\n"));
    symlink("docker/C", app(s, "Dockerfile")).unwrap();
    symlink("conf/prod.conf", app(s, "current.conf")).unwrap();
    fs::create_dir_all(app(s, "empty/folder")).unwrap();
    for name in ["target/app.jar", "node_modules/x/.git/HEAD", ".andamio/identity.txt"] {
        write(s, name, "x");
    }
    let long = format!("site/{}/{}.js", "d".repeat(180), "b".repeat(180));
    write(s, &long, "x");
    fs::write(app(s, "site").join(OsStr::from_bytes(b"latin1-\xf1.txt")), "x").unwrap();
    let old = Duration::from_secs(1_000_000_000);
    let file = fs::File::open(app(s, "target/app.jar")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + old).unwrap();
    drop(s.ok(&["up", "one", "-y"]));
    let image = image(s);
    for line in [
        "srv/target/app.jar|f|1000000000|",
        "srv/node_modules/x/.git/HEAD|f|",
        "srv/empty/folder|d|",
        "|conf/prod.conf",
        &format!("srv/{long}|f|"),
        "srv/site/latin1-",
        "srv/Dockerfile|l|",
    ] {
        assert!(image.contains(line), "no {line} in {image}");
    }
    assert!(!image.contains("identity"), "{image}");
    // A clone has other times, and is the same release.
    fs::File::open(app(s, "program")).unwrap().set_modified(std::time::UNIX_EPOCH + old).unwrap();
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
}

fn ignored(s: &Sandbox) {
    fs::remove_dir_all(app(s, "site")).unwrap();
    fs::remove_file(app(s, "Dockerfile")).unwrap();
    write(s, "Containerfile", &format!("{WORKS}COPY . /srv/\nRUN [\"/program\", \"--version\"]\n"));
    write(
        s,
        ".dockerignore",
        ".dockerignore\nContainerfile\n*.pem\ndata/*\n**/secrets\nprogram2\n",
    );
    for name in ["server.pem", "conf/secrets/db", "data/a", "kept/server.pem"] {
        write(s, name, "x");
    }
    fs::File::create(app(s, "data/big.bin")).unwrap().set_len(700_000_000).unwrap();
    drop(s.ok(&["up", "one", "-y"]));
    let image = image(s);
    for name in ["srv/server.pem", "secrets", "data/", "ignore", "Containerfile"] {
        assert!(!image.contains(name), "{name} in {image}");
    }
    assert!(image.contains("srv/kept/server.pem|") && image.contains("srv/conf|d"), "{image}");
    write(s, "server.pem", "another one");
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
}

fn release(s: &Sandbox) -> String {
    s.run(&["status", "one", "--json"]).json()["release"].as_str().unwrap().to_owned()
}

fn late(s: &Sandbox) {
    let before = release(s);
    write(s, "kept/version", "two");
    let mut up = s.start(&["up", "one", "-y", "--json"]);
    let event = up.event("the new container", DEADLINE, |e| {
        e["resource"] == "unit:small-web.service" && e["state"] == "changed"
    });
    assert!(event.is_some(), "{}", up.end(DEADLINE));
    up.kill();
    until("the new release to serve", Duration::from_secs(30), || {
        match s.run(&["plan", "one", "--exit-code"]) {
            ended if ended.code == Some(0) => Ok(()),
            ended => Err(ended.to_string()),
        }
    });
    assert_eq!(release(s), before, "nothing is noted while nobody runs");
    drop(s.ok(&["up", "one", "-y"]));
    let running = s.on("one", M, "podman inspect -f '{{.ImageName}}' small-web");
    assert_ne!(release(s), before);
    assert_eq!(running.trim(), format!("localhost/small:{}", release(s)));
}

/// Megabytes of an image, and of what is left of the disk: room for three and a build, which takes five times as much.
const IMAGE: usize = 100;
const ROOM: usize = 1200;

fn bounded(s: &Sandbox) {
    let room = format!(
        "fallocate -l $(($(df --output=avail -B1 / | tail -n 1) - {ROOM}000000)) /var/tmp/filler"
    );
    s.on("one", M, &room);
    for number in 1..=7_u8 {
        let mut state = u64::from(number);
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let payload: Vec<u8> = (0..IMAGE * 1_000_000).map(|_| noise()).collect();
        fs::write(app(s, "kept/payload"), payload).unwrap();
        drop(s.ok(&["up", "one", "-y"]));
    }
    let images = s.on("one", M, "podman images --quiet localhost/small | sort -u");
    assert_eq!(images.lines().count(), 2, "{images}");
    let rest = "buildah containers --quiet; find /var/lib/andamio/images /var/tmp -name '*.tar' 2>/dev/null; \
                ls /var/tmp | grep andamio; true";
    assert_eq!(s.on("one", M, rest), "");
    assert_eq!(s.ok(&["status", "one", "--json"]).json()["healthy"], true);
}
