use super::*;
use std::fs;

fn context(ignore: &str) -> Context {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Containerfile"), "FROM scratch\n").unwrap();
    if !ignore.is_empty() {
        fs::write(folder.path().join(".dockerignore"), ignore).unwrap();
    }
    Context::read(folder.path(), &andamio_spec::model::Build::default(), folder.path(), &[])
        .unwrap()
}

fn code(said: &str) -> String {
    fault(said, &context("tools\n"), "app-1").code
}

#[test]
fn causes() {
    let step = "Error: building at STEP \"RUN x\": ";
    for (said, expected) in [
        ("tar: context/a: Cannot write: No space left on device\n", "build-space"),
        (
            "Error: committing container: write /srv/payload.bin: no space left on device\n",
            "build-space",
        ),
        (
            &format!("{step}setting \"RLIMIT_NOFILE\" limit: operation not permitted\n"),
            "build-permission",
        ),
        ("wget: bad address 'mirror.example'\nError: exit status 1\n", "build-network"),
        ("Temporary failure resolving 'mirror.example'\n", "build-network"),
        (
            "Error: creating build container: pinging container registry: dial tcp: lookup x: no such host\n",
            "build-network",
        ),
        (
            "Error: building at STEP \"COPY x /\": copier: stat: \"/x\": no such file or directory\n",
            "build-file",
        ),
        ("Error: copier: stat: \"/tools/a\": no such file or directory\n", "build-ignored"),
        (
            "cat: /x: No such file or directory\nError: building at STEP \"RUN cat /x\": exit status 1\n",
            "image-build",
        ),
        (
            "Error: building at STEP \"COPY --from=a /x /\": copier: stat: \"/x\": no such file or directory\n",
            "image-build",
        ),
        ("Error: no FROM statement found\n", "image-build"),
    ] {
        assert_eq!(code(said), expected, "{said}");
    }
}

#[test]
fn the_line_that_keeps_a_file_out_is_named() {
    let said = "Error: building at STEP \"COPY tools/a.txt /\": no items matching glob \
                \"/var/tmp/andamio-build.X/context/tools/a.txt\" copied (1 filtered out using /x): \
                no such file or directory\n";
    let found = fault(said, &context("# comment\ntools\n"), "app-1");
    assert_eq!(found.code, "build-ignored");
    assert!(found.message.contains("the line `tools` of .dockerignore"), "{}", found.message);
    assert!(found.help.contains("`!tools/a.txt`"), "{}", found.help);
}

#[test]
fn each_line_once() {
    let said = "Error: building at STEP \"RUN false\": exit status 1\nError: building at STEP \"RUN false\": exit status 1\n";
    assert_eq!(fault(said, &context(""), "app-1").message.matches("RUN false").count(), 1);
}
