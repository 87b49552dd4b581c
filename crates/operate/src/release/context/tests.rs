use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn read(folder: &TempDir) -> Context {
    Context::read(folder.path(), &Build::default(), &folder.path().join("target"), &[]).unwrap()
}

fn archive(context: &Context) -> Vec<u8> {
    let mut out = Vec::new();
    context.write(&mut out, &[]).unwrap();
    out
}

/// What GNU tar makes of the archive, below `context`.
fn unpacked(context: &Context) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tar"), archive(context)).unwrap();
    let mut tar = Command::new("tar");
    let tar = tar
        .args(["-x", "-p", "--warning=no-timestamp", "-f", "tar"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(tar.status.success() && tar.stderr.is_empty(), "{tar:?}");
    folder
}

fn names(context: &Context) -> Vec<String> {
    let folder = unpacked(context);
    let find = Command::new("find")
        .args(["context", "-mindepth", "1", "-printf", "%P\n"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&find.stdout).into_owned();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn everything_arrives_as_it_is() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let folder = tree(&[
        ("Dockerfile", "FROM scratch\nCOPY . /\n"),
        ("target/app.jar", "jar"),
        ("web/node_modules/.git/HEAD", "ref"),
        (&long, "deep"),
        ("run.sh", "#!/bin/sh"),
        ("empty-file", ""),
    ]);
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"latin1-\xf1 \n")), "n").unwrap();
    symlink("conf/prod.conf", at("dangling")).unwrap();
    symlink("x".repeat(300), at("far")).unwrap();
    fs::set_permissions(at("run.sh"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(at("empty"), fs::Permissions::from_mode(0o1770)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(987_654_321);
    for name in ["run.sh", "web", "empty"] {
        fs::File::open(at(name)).unwrap().set_modified(time).unwrap();
    }
    let old = SystemTime::UNIX_EPOCH - Duration::from_secs(86_400);
    fs::File::open(at("empty-file")).unwrap().set_modified(old).unwrap();

    let there = unpacked(&read(&folder));
    let list = |folder: &Path| {
        let line = "find . -mindepth 1 -printf '%p %y %m %Ts %l %s\\0' | sort -z | tr '\\0' '|'; \
                    find . -type f -exec sha256sum -z {} + | sort -z";
        let out = Command::new("sh").args(["-c", line]).current_dir(folder).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    // A folder's size is the file system's own business.
    let sizes = |text: String| {
        let parts = text.split('|').map(|part| match part.split(' ').nth(1) {
            Some("d") => part.rsplit_once(' ').map_or(part, |(part, _)| part).to_owned(),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>()
    };
    assert_eq!(sizes(list(&there.path().join("context"))), sizes(list(folder.path())));
}

#[test]
fn an_ignore_file_that_lists_itself_and_the_containerfile_is_obeyed() {
    let folder = tree(&[
        ("Containerfile", "FROM scratch\nCOPY . /srv/\n"),
        (".dockerignore", ".dockerignore\nContainerfile\n*.pem\n**/secrets\ntools\n!tools/a.txt\n"),
        ("server.pem", ""),
        ("conf/secrets/db", ""),
        ("conf/plain", ""),
        ("tools/a.txt", ""),
        ("tools/b.txt", ""),
        ("tools/c/d.txt", ""),
    ]);
    let context = read(&folder);
    assert_eq!(names(&context), ["conf", "conf/plain", "tools", "tools/a.txt"]);
    let there = unpacked(&context);
    assert!(there.path().join("Containerfile").is_file());
    let before = context.digest;
    for name in ["server.pem", "tools/b.txt"] {
        fs::write(folder.path().join(name), "changed").unwrap();
    }
    fs::set_permissions(folder.path().join("tools"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(read(&folder).digest, before, "what is kept out names no release");
    fs::write(folder.path().join("tools/a.txt"), "changed").unwrap();
    assert_ne!(read(&folder).digest, before);
}

#[test]
fn which_ignore_file_wins() {
    let order = [
        "Dockerfile.dockerignore",
        "Dockerfile.containerignore",
        ".containerignore",
        ".dockerignore",
    ];
    let folder = tree(&[("Dockerfile", "FROM scratch\n")]);
    for name in order {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    for name in order {
        assert_eq!(read(&folder).ignore.unwrap().0, name);
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert!(read(&folder).ignore.is_none());
    fs::write(folder.path().join("elsewhere"), "*.log").unwrap();
    symlink("elsewhere", folder.path().join(".dockerignore")).unwrap();
    assert!(read(&folder).ignore.unwrap().1.keeps_out(b"a.log").is_some());
}

#[test]
fn the_name_covers_names_kinds_modes_contents_and_targets_and_no_times() {
    let make = || {
        let folder =
            tree(&[("Containerfile", "FROM scratch\nCOPY . /\n"), ("a", "1"), ("d/b", "2")]);
        symlink("a", folder.path().join("link")).unwrap();
        folder
    };
    let one = make();
    let digest = read(&one).digest;
    let other = make();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    fs::File::open(other.path().join("a")).unwrap().set_modified(old).unwrap();
    assert_eq!(read(&other).digest, digest);
    assert_ne!(archive(&read(&other)), archive(&read(&one)), "times are sent");
    type Change = fn(&Path);
    let changes: [Change; 6] = [
        |f| fs::write(f.join("a"), "2").unwrap(),
        |f| fs::rename(f.join("a"), f.join("c")).unwrap(),
        |f| fs::set_permissions(f.join("a"), fs::Permissions::from_mode(0o600)).unwrap(),
        |f| fs::set_permissions(f.join("d"), fs::Permissions::from_mode(0o700)).unwrap(),
        |f| fs::create_dir(f.join("empty")).unwrap(),
        |f| {
            fs::remove_file(f.join("link")).unwrap();
            symlink("d", f.join("link")).unwrap();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let folder = make();
        change(folder.path());
        assert_ne!(read(&folder).digest, digest, "change {number}");
    }
}

#[test]
fn keys_of_a_state_are_never_sent() {
    let folder = tree(&[
        ("Containerfile", "FROM scratch\nCOPY . /\n"),
        (".andamio/identity.txt", "AGE-SECRET-KEY"),
        ("part/.andamio/identity.txt", "AGE-SECRET-KEY"),
        ("elsewhere/ledger", ""),
        ("key.txt", "AGE-SECRET-KEY"),
    ]);
    let private = ["elsewhere", "key.txt"].map(|name| folder.path().join(name));
    let context = Context::read(folder.path(), &Build::default(), folder.path(), &private).unwrap();
    assert_eq!(names(&context), ["Containerfile", "part"]);
}

#[test]
fn what_is_left_out_is_not_counted_and_too_much_is_named() {
    let folder = tree(&[("Containerfile", "FROM scratch\n"), ("data/big", ""), ("small", "")]);
    fs::File::create(folder.path().join("data/big")).unwrap().set_len(LIMIT + 1).unwrap();
    let failure =
        Context::read(folder.path(), &Build::default(), folder.path(), &[]).err().unwrap();
    assert_eq!(failure.error.code, "context-size");
    assert!(failure.error.message.contains("data 65536 MiB"), "{}", failure.error.message);
    fs::write(folder.path().join(".dockerignore"), "data/*").unwrap();
    assert_eq!(names(&read(&folder)), [".dockerignore", "Containerfile", "data", "small"]);
}

#[test]
fn prepared_files_change_nothing_in_the_folder() {
    let folder = tree(&[
        ("Containerfile", "FROM scratch\nCOPY --from=target r/app doc /\nCOPY target/r /r\n"),
        ("target/r/app", "binary"),
        ("target/doc/index", ""),
        ("target/other", ""),
    ]);
    let context = read(&folder);
    assert!(names(&context).contains(&"target/other".to_owned()));
    let there = unpacked(&context);
    assert!(there.path().join("target/r/app").is_file());
    assert!(there.path().join("target/doc/index").is_file());
    assert!(!there.path().join("target/other").exists());
    fs::remove_file(folder.path().join("target/r/app")).unwrap();
    assert_eq!(read(&folder).unprepared, [folder.path().join("target/r/app")]);
}

#[test]
fn a_containerfile_may_be_a_link() {
    let folder = tree(&[("docker/C", "FROM scratch\n")]);
    symlink("docker/C", folder.path().join("Containerfile")).unwrap();
    let there = unpacked(&read(&folder));
    assert!(there.path().join("context/Containerfile").is_symlink());
    assert_eq!(fs::read_to_string(there.path().join("Containerfile")).unwrap(), "FROM scratch\n");
    fs::remove_file(folder.path().join("docker/C")).unwrap();
    let failure =
        Context::read(folder.path(), &Build::default(), folder.path(), &[]).err().unwrap();
    assert!(failure.error.message.contains("link to nothing"), "{}", failure.error.message);
}

fn built(folder: &TempDir, build: &Build) -> Context {
    Context::read(folder.path(), build, folder.path(), &[]).unwrap()
}

#[test]
fn a_named_file_has_its_own_ignore_file() {
    let folder = tree(&[
        ("Dockerfile", "FROM other\n"),
        ("docker/web", "FROM scratch\n"),
        ("docker/web.dockerignore", "*.log\n"),
        (".dockerignore", "*.txt\n"),
        ("a.log", ""),
        ("a.txt", ""),
    ]);
    let web = Build { file: Some("docker/web".to_owned()), ..Build::default() };
    let context = built(&folder, &web);
    assert!(names(&context).contains(&"a.txt".to_owned()));
    assert!(!names(&context).contains(&"a.log".to_owned()));
    let there = unpacked(&context);
    assert_eq!(fs::read_to_string(there.path().join("Containerfile")).unwrap(), "FROM scratch\n");
    let none = Build { file: Some("docker".to_owned()), ..Build::default() };
    let failure = Context::read(folder.path(), &none, folder.path(), &[]).err().unwrap();
    assert!(failure.error.message.contains("docker is not a file"), "{}", failure.error.message);
}

#[test]
fn arguments_and_the_stage_name_a_release_and_secrets_do_not() {
    let folder = tree(&[("Containerfile", "FROM scratch\n")]);
    let plain = built(&folder, &Build::default()).digest;
    let secrets = vec!["TOKEN".to_owned()];
    assert_eq!(built(&folder, &Build { secrets, ..Build::default() }).digest, plain);
    let stage = built(&folder, &Build { target: Some("x".to_owned()), ..Build::default() }).digest;
    let arg = |name: &str, value: &str| {
        let args = [(name.to_owned(), value.to_owned())].into();
        built(&folder, &Build { args, ..Build::default() }).digest
    };
    let all = [plain, stage, arg("A", "x"), arg("A", "y"), arg("Ax", "")];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
}

#[test]
fn what_changes_while_it_is_sent_is_not_complete() {
    let folder = tree(&[("Containerfile", "FROM scratch\n"), ("a", "one")]);
    let context = read(&folder);
    let extra = [Extra { name: "secrets/TOKEN".to_owned(), content: b"hidden".to_vec() }];
    let mut out = Vec::new();
    context.write(&mut out, &extra).unwrap();
    let has = |out: &[u8], what: &[u8]| out.windows(what.len()).any(|part| part == what);
    assert!(has(&out, b"hidden") && has(&out, COMPLETE.as_bytes()));
    for content in ["two", "t"] {
        fs::write(folder.path().join("a"), content).unwrap();
        let mut out = Vec::new();
        assert!(context.write(&mut out, &[]).is_err());
        assert!(!has(&out, COMPLETE.as_bytes()));
    }
}
