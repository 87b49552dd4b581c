//! Folders with ignore files, made up from a number: what Andamio makes of one must be what buildah itself
//! puts into an image of it.

use andamio_operate::release::{Context, script};
use andamio_spec::model::Build;
use andamio_testkit::Sandbox;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Builds each tree on the machine twice, by buildah alone and from Andamio's archive, and compares. Answers how
/// many files there were, how many were in the images, and how many were sent.
pub(crate) fn compare(s: &Sandbox, env: &str, machine: &str, count: u64) -> [usize; 3] {
    let folder = s.folder.join("trees");
    let mut sent = 0;
    for number in 1..=count {
        let tree = folder.join(number.to_string());
        fs::create_dir_all(&tree).unwrap();
        make(&tree.join("tree"), &mut Dice(number));
        let context = Context::read(&tree.join("tree"), &Build::default(), &folder, &[])
            .unwrap_or_else(|f| panic!("tree {number}: {}", f.error.message));
        let mut archive = Vec::new();
        context.write(&mut archive, &[]).unwrap();
        sent += names(&archive);
        fs::write(tree.join("archive"), archive).unwrap();
    }
    fs::write(folder.join("build"), script("localhost/trees:andamio", false, &Build::default()))
        .unwrap();
    fs::write(folder.join("compare"), COMPARE).unwrap();
    let archive = s.folder.join("trees.tar");
    let mut tar = Command::new("tar");
    tar.arg("-cf").arg(&archive).arg("-C").arg(&s.folder).arg("trees");
    assert!(tar.status().unwrap().success());
    s.put(env, machine, &archive, "/var/tmp/trees.tar");
    let said = s.on(
        env,
        machine,
        "cd /var/tmp && tar -xpf trees.tar && rm trees.tar && bash trees/compare; s=$?; rm -rf /var/tmp/trees; exit $s",
    );
    let of = |word: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(word));
        line.unwrap_or_else(|| panic!("no {word} in {said}")).trim().parse().unwrap()
    };
    let different: usize = of("different");
    assert!(different == 0, "{said}");
    assert_eq!(of("trees"), usize::try_from(count).unwrap(), "{said}");
    [of("files"), of("images"), sent]
}

/// Everything of an image but the times of folders, some of which buildah makes itself.
const COMPARE: &str = r#"
cd /var/tmp/trees
list() {
    m=$(podman image mount "$1") || exit 1
    ( cd "$m" && find . -mindepth 1 \( -type d -printf '%p %y %m\0' -o -printf '%p %y %m %Ts %l %s\0' \) | sort -z
      find . -type f -print0 | sort -z | xargs -0r sha256sum -z )
    podman image unmount "$1" >/dev/null
    podman rmi "$1" >/dev/null
}
trees=0 different=0 files=0 images=0
for i in $(ls | grep '^[0-9]*$' | sort -n); do
    f=Containerfile; [ -e $i/tree/$f ] || f=Dockerfile
    ( cd $i/tree && buildah build --quiet --isolation chroot --layers=false -f $f -t localhost/trees:own . ) >$i/said 2>&1 \
        && list localhost/trees:own >$i/own || { echo "tree $i, buildah: $(cat $i/said)"; different=$((different + 1)); continue; }
    sh build <$i/archive >$i/said 2>&1 \
        && list localhost/trees:andamio >$i/andamio || { echo "tree $i, andamio: $(cat $i/said)"; different=$((different + 1)); continue; }
    trees=$((trees + 1))
    files=$((files + $(find $i/tree -mindepth 1 ! -type d -printf x | wc -c)))
    images=$((images + $(grep -zcv ' d [0-7]*$' $i/own) - $(grep -zc '^[0-9a-f]\{64\} ' $i/own)))
    cmp -s $i/own $i/andamio && continue
    different=$((different + 1))
    echo "tree $i differs; its ignore files:"
    tail -n +1 $i/tree/*ignore $i/tree/.*ignore 2>/dev/null
    diff <(tr '\0' '\n' <$i/own) <(tr '\0' '\n' <$i/andamio)
done
echo "trees $trees"; echo "files $files"; echo "images $images"; echo "different $different"
"#;

/// Names in an archive's `context/` that are not folders.
fn names(archive: &[u8]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), archive).unwrap();
    let list = Command::new("tar").args(["-tf", "a"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    text.lines().filter(|l| l.starts_with("context/") && !l.ends_with('/')).count()
}

/// Numbers that look random, the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        for _ in 0..2 {
            self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
        }
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"src",
    b"docs",
    b"target",
    b"node_modules",
    b".git",
    b".env",
    b"a.log",
    b"b.log",
    b"r.md",
    b"main.c",
    b"-rf",
    b"two words",
    b"new\nline",
    b"caf\xc3\xa9",
    b"latin1-\xf1",
    b"a+b",
    b"{a,b}",
    b"st*r",
    b"what?",
    b"[ab]",
    b"back\\slash",
    b"'",
    b"UP",
    b"x.pem",
    b"secrets",
    b".dockerignore",
    b"#hash",
    b"!bang",
    b"%p",
    b"~",
];
/// With `N` for a name and `P` for a path of the tree.
const PATTERNS: &[&str] = &[
    "P",
    "P",
    "P/",
    "/P",
    "./P",
    "*",
    "**",
    "N",
    "**/N",
    "**/*.log",
    "*.log",
    "*.md",
    "P/*",
    "P/**",
    "N/**/N",
    "!P",
    "!P",
    "!P/N",
    "!/P",
    "!**/N",
    "!*.md",
    "!N/*",
    "[a-c]*",
    "[^a]*",
    "?",
    "??",
    "*/N",
    "*/*",
    "*/*/N",
    "N*",
    "*N",
    ".*",
    "# P",
    "  P  ",
    "",
    "a+b",
    "{a,b}",
    "st\\*r",
    "docs/../src",
    "P/.",
    "!./P",
    "**/.git",
    "node_modules",
    "#hash",
    "caf?",
    "latin1-?",
];

fn make(tree: &Path, dice: &mut Dice) {
    fs::create_dir_all(tree).unwrap();
    let mut paths: Vec<PathBuf> = vec![PathBuf::new()];
    for _ in 0..4 + dice.below(20) {
        let parent = paths[dice.below(paths.len())].clone();
        let long = vec![b'n'; 90 + dice.below(150)];
        let name = if dice.below(25) == 0 { &long } else { dice.of(NAMES) };
        let path = parent.join(OsString::from_vec(name.to_vec()));
        let at = tree.join(&path);
        // A file with that name, or a path that is too long, is no tree.
        if at.symlink_metadata().is_ok() || !tree.join(&parent).is_dir() {
            continue;
        }
        match dice.below(8) {
            0..=2 => {
                fs::create_dir(&at).unwrap();
                paths.push(path.clone());
                let mode = *dice.of(&[&0o755, &0o700, &0o1777, &0o2775]);
                fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
            }
            3 => {
                let target =
                    dice.of(&["a", "docs", "../b", "/etc/passwd", "no/where", ".", "src/main.c"]);
                symlink(target, &at).unwrap();
            }
            _ => {
                fs::write(&at, vec![b'x'; dice.below(3000)]).unwrap();
                let mode = *dice.of(&[&0o644, &0o755, &0o600, &0o400, &0o4755]);
                fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
                let time = Duration::from_secs(dice.below(2_000_000_000) as u64);
                let file = fs::File::open(&at).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH + time).unwrap();
            }
        }
    }
    ignore(tree, &paths, dice);
    // A folder of that name is no Containerfile.
    let name = dice.of(&["Containerfile", "Dockerfile"]);
    let text = "FROM scratch\nCOPY . /\n";
    if dice.below(4) == 0 {
        fs::create_dir_all(tree.join("docker")).unwrap();
        fs::write(tree.join("docker/C"), text).unwrap();
        symlink("docker/C", tree.join(name)).unwrap();
    } else {
        fs::write(tree.join(name), text).unwrap();
    }
}

/// One ignore file or two, of any name.
fn ignore(tree: &Path, folders: &[PathBuf], dice: &mut Dice) {
    let files = [
        ".dockerignore",
        ".containerignore",
        "Containerfile.containerignore",
        "Dockerfile.dockerignore",
        "Containerfile.dockerignore",
    ];
    // A folder is no ignore file, to no builder.
    for name in files.map(|name| tree.join(name)).iter().filter(|name| name.is_dir()) {
        fs::remove_dir_all(name).unwrap();
    }
    for _ in 0..1 + dice.below(2) {
        let name = tree.join(dice.of(&files));
        let end = dice.of(&["\n", "\n", "\r\n"]);
        let mut text = dice.of(&["", "", "", "\u{feff}"]).to_owned();
        for _ in 0..1 + dice.below(6) {
            let mut line = dice.of(PATTERNS).to_owned();
            while let Some(at) = line.find(['P', 'N']) {
                let own = if line.as_bytes()[at] == b'P' {
                    let folder = folders[dice.below(folders.len())].join(word(dice));
                    folder.to_string_lossy().into_owned()
                } else {
                    word(dice)
                };
                // What is put in is not looked at again.
                let own = own.replace('P', "\u{1}").replace('N', "\u{2}");
                line.replace_range(at..=at, &own);
            }
            text.push_str(&line.replace('\u{1}', "P").replace('\u{2}', "N"));
            text.push_str(end);
        }
        let _ = fs::remove_file(&name);
        if dice.below(6) == 0 {
            text.push_str("*ignore");
            text.push_str(end);
        }
        fs::write(name, text).unwrap();
    }
}

/// A name of the list as a pattern that any builder can use: one line, closed brackets.
fn word(dice: &mut Dice) -> String {
    let name = String::from_utf8_lossy(dice.of(NAMES)).into_owned();
    name.replace('\n', "?").replace('\\', "\\\\").replace('#', "?")
}
