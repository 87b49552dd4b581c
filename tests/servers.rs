//! The way into servers that exist: two bare ones, whose logins, shells and sudo are changed one after the other, and
//! `plan` after each. What a person has to do is said in words; what a server is told by others changes nothing.

use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{
    Abandoned, Ended, Need, Running, Sandbox, Scenario, Servers, Steps, command, wait::until,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "servers", need: Need::Machines, run: all };

const ENVIRONMENT: &str = "[project]\nname = \"rack\"\n[environments.shop]\non = \"rack\"\n\
    redis = { machines = 1, size = \"1x1\" }\nmariadb = { machines = 1, size = \"1x1\" }\n";
const PASSPHRASE: &str = "Zwei Wörter";
const SUDOERS: &str = "/etc/sudoers.d/andamio-test";
const SSHD: &str = "/etc/ssh/sshd_config.d/01-test.conf";

struct Rack {
    sandbox: Sandbox,
    servers: Servers,
}

/// What a person has, beside the project.
#[derive(Default, Clone)]
struct Has<'a> {
    key: Option<&'a Path>,
    agent: Option<&'a Path>,
    home: Option<&'a Path>,
}

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let servers = steps.must("two bare servers answer", || {
        Servers::start_with(2, &["fish", "zsh"], andamio_testkit::Shape::default())
    })?;
    let rack = Rack { sandbox: Sandbox::new(ENVIRONMENT), servers };
    rack.declare("root", "", |_, server| server.address.to_string());
    steps.step("each has a host key of its own, and root's file system from the host", || {
        let [a, b] = &rack.servers.list[..] else { panic!("two") };
        assert!(a.host_key != b.host_key && a.root().join("etc/debian_version").exists());
        assert_eq!(b.sh("hostname").trim(), "server-2");
    });
    steps.must("too many failed logins: the server is not away", || penalty(&rack))?;
    steps.step("keys: RSA, ECDSA and Ed25519, in every format", || keys(&rack));
    steps.step("a passphrase: asked for on a terminal, else the way is named", || phrases(&rack));
    steps
        .step("an ssh-agent: with what it holds, and for a key with a passphrase", || agent(&rack));
    steps.step("nobody gets in: which keys were tried, and why others were not", || refused(&rack));
    steps.step("names for addresses, known hosts by name, hashed, and another port", || {
        names(&rack)
    });
    steps.step("a shell that talks, another umask and language, fish, zsh, sh", || shells(&rack));
    steps.step(
        "sshd: one session at a time, no forwarding, no PAM, a banner, a command in front",
        || {
            sshd(&rack);
        },
    );
    steps.step(
        "sudo: without a password, on a terminal of its own, with a path of its own",
        || {
            sudo(&rack);
        },
    );
    steps.step("what stops a server is said in one sentence each", || unfit(&rack));
    steps.step("up waits for another apt, and says for whom", || apt(&rack));
    Ok(())
}

impl Rack {
    /// Writes the place. `entry`: the address of each server.
    fn declare(
        &self,
        user: &str,
        more: &str,
        entry: impl Fn(usize, &andamio_testkit::Server) -> String,
    ) {
        let entries: String = ["redis", "mariadb"]
            .iter()
            .zip(self.servers.list.iter().enumerate())
            .map(|(group, (number, server))| {
                let address = entry(number, server);
                format!("  {{ address = \"{address}\", groups = [\"{group}\"] }},\n")
            })
            .collect();
        self.sandbox.rewrite(&format!(
            "{ENVIRONMENT}[places.rack]\nkind = \"hosts\"\nuser = \"{user}\"\n{more}\
             machines = [\n{entries}]\n"
        ));
    }

    fn root(&self) {
        self.declare("root", "", |_, server| server.address.to_string());
    }

    fn command(&self, has: &Has<'_>, words: &[&str]) -> Command {
        let mut command = self.sandbox.command(words);
        let home = has.home.map_or_else(|| self.home(&self.servers.known_hosts()), PathBuf::from);
        command.env("HOME", home).env_remove("ANDAMIO_SSH_KEY").env_remove("SSH_AUTH_SOCK");
        if let Some(key) = has.key {
            command.env("ANDAMIO_SSH_KEY", key);
        }
        if let Some(agent) = has.agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        command
    }

    /// A home with these known hosts and no key.
    fn home(&self, known_hosts: &str) -> PathBuf {
        let home = self.sandbox.folder.join("home");
        fs::create_dir_all(home.join(".ssh")).unwrap();
        fs::write(home.join(".ssh/known_hosts"), known_hosts).unwrap();
        home
    }

    fn plan(&self, has: &Has<'_>) -> Ended {
        command::run(self.command(has, &["plan", "shop", "--json"]), DEADLINE)
    }

    /// The person's own key opens both, and the plan has what bare servers lack.
    fn fits(&self) {
        let key = Some(&*self.servers.key);
        let plan = self.plan(&Has { key, ..Has::default() }).expect(0).json();
        let changes = plan["changes"].as_array().unwrap();
        let of = |name: &str| changes.iter().filter(|c| c["machine"] == name).count();
        assert!(of("redis-1") > 20 && of("mariadb-1") > 20, "{plan}");
    }

    /// The first server is refused with these words.
    fn stops(&self, words: &[&str]) -> String {
        let key = Some(&*self.servers.key);
        let ended = self.plan(&Has { key, ..Has::default() }).expect(6);
        let said = ended.stderr.clone();
        assert!(words.iter().all(|word| said.contains(word)), "expected {words:?}: {ended}");
        said
    }

    /// Authorizes a key on both servers, beside the person's.
    fn authorize(&self, public: &str) {
        for server in &self.servers.list {
            let keys = format!("{}\n{public}\n", self.servers.public);
            server.write("/root/.ssh/authorized_keys", &keys, 0o600);
        }
    }

    fn on_both(&self, line: &str) {
        for server in &self.servers.list {
            let _ = server.sh(line);
        }
    }
}

/// A new key and its public half.
fn keygen(folder: &Path, name: &str, words: &[&str]) -> (PathBuf, String) {
    let file = folder.join(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-f"]).arg(&file).args(words);
    let _ = command::run(command, DEADLINE).expect(0);
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, public)
}

/// Somebody who fails too often is not listened to for a while, which is told from a server that is away.
fn penalty(rack: &Rack) {
    rack.authorize("");
    let one = &rack.servers.list[0];
    let (key, _) = keygen(rack.servers.folder(), "wrong", &["-t", "ed25519", "-N", ""]);
    rack.declare("root", "", |_, server| server.address.to_string());
    let has = Has { key: Some(&key), ..Has::default() };
    until("sshd to have enough", Duration::from_secs(60), || {
        let ended = rack.plan(&has).expect(6);
        if ended.stderr.contains("PerSourcePenalties") { Ok(()) } else { Err(ended.stderr) }
    });
    // Every further step begins with a failed login.
    rack.on_both(
        "echo PerSourcePenalties no > /etc/ssh/sshd_config.d/00-test.conf && systemctl reset-failed ssh; systemctl restart ssh",
    );
    one.answers(22);
}

fn keys(rack: &Rack) {
    let folder = rack.servers.folder();
    for (name, words) in [
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""][..]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-N", "", "-m", "PKCS8"]),
        ("ecdsa", &["-t", "ecdsa", "-b", "384", "-N", ""]),
    ] {
        let (key, public) = keygen(folder, name, words);
        rack.authorize(&public);
        let _ = rack.plan(&Has { key: Some(&key), ..Has::default() }).expect(0);
    }
    rack.fits();
    // Where ssh looks by itself.
    let home = rack.home(&rack.servers.known_hosts());
    fs::copy(&rack.servers.key, home.join(".ssh/id_ed25519")).unwrap();
    let _ = rack.plan(&Has { home: Some(&home), ..Has::default() }).expect(0);
    fs::remove_dir_all(home).unwrap();
}

fn phrases(rack: &Rack) {
    for (name, words) in [
        ("locked", &["-t", "ed25519"][..]),
        ("locked-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
    ] {
        let words = [words, &["-N", PASSPHRASE]].concat();
        let (key, public) = keygen(rack.servers.folder(), name, &words);
        rack.authorize(&public);
        let has = Has { key: Some(&key), ..Has::default() };
        let ended = rack.plan(&has).expect(6);
        for part in ["SHA256:", name, "has a passphrase", "ssh-agent", "ssh-add"] {
            assert!(ended.stderr.contains(part), "{part}: {ended}");
        }
        let said = on_a_terminal(rack.command(&has, &["plan", "shop"]), &["falsch", PASSPHRASE]);
        assert!(said.contains("That is not its passphrase."), "{said}");
        assert!(said.contains("`andamio up shop` does it."), "{said}");
        assert!(!said.contains(PASSPHRASE), "it was shown: {said}");
    }
}

/// Runs it on a terminal and answers each question for a passphrase; all that was shown.
fn on_a_terminal(of: Command, answers: &[&str]) -> String {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy());
    let line: Vec<String> =
        std::iter::once(of.get_program()).chain(of.get_args()).map(quoted).collect();
    let mut command = Command::new("script");
    command.args(["-qefc", &line.join(" "), "/dev/null"]);
    for (name, value) in of.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = of.get_current_dir() {
        command.current_dir(folder);
    }
    let seen = rack_file("typescript");
    let out = fs::File::create(&seen).unwrap();
    let mut child = command.stdin(Stdio::piped()).stdout(out).spawn().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    for (number, answer) in answers.iter().enumerate() {
        until("the question for a passphrase", Duration::from_secs(60), || {
            let said = fs::read_to_string(&seen).unwrap_or_default();
            let asked = said.matches("Passphrase of").count();
            if asked > number { Ok(()) } else { Err(said) }
        });
        std::io::Write::write_all(&mut keyboard, format!("{answer}\n").as_bytes()).unwrap();
    }
    let status = child.wait().unwrap();
    let said = fs::read_to_string(&seen).unwrap();
    assert!(status.success(), "{status}: {said}");
    said
}

fn rack_file(name: &str) -> PathBuf {
    andamio_testkit::run::folder().join(name)
}

/// An agent that ends with this.
struct Agent {
    child: std::process::Child,
    socket: PathBuf,
}

impl Agent {
    fn start() -> Self {
        let socket = rack_file("agent");
        let mut command = Command::new("ssh-agent");
        let child = command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        until("the agent", Duration::from_secs(20), || {
            if socket.exists() { Ok(()) } else { Err("no socket".to_owned()) }
        });
        Self { child, socket }
    }

    /// Gives it a key, with its passphrase.
    fn add(&self, key: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let ask = rack_file("ask");
        fs::write(&ask, format!("#!/bin/sh\necho '{PASSPHRASE}'\n")).unwrap();
        fs::set_permissions(&ask, fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new("ssh-add");
        command.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket);
        command.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force");
        let _ = command::run(command, DEADLINE).expect(0);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

fn agent(rack: &Rack) {
    let agent = Agent::start();
    let folder = rack.servers.folder();
    // The server ends a login after its third key; the fifth is the right one.
    rack.on_both(&format!("echo MaxAuthTries 3 > {SSHD} && systemctl reload ssh"));
    for number in 0..4 {
        let (other, _) = keygen(folder, &format!("other-{number}"), &["-t", "ed25519", "-N", ""]);
        agent.add(&other);
    }
    let key = folder.join("locked-pem");
    agent.add(&key);
    let has = Has { agent: Some(&agent.socket), ..Has::default() };
    let _ = rack.plan(&has).expect(0);
    // A file with a passphrase, or only its public half: the agent has the rest.
    for file in [key.clone(), key.with_extension("pub")] {
        let _ = rack.plan(&Has { key: Some(&file), ..has.clone() }).expect(0);
    }
    rack.on_both(&format!("rm {SSHD} && systemctl reload ssh"));
}

fn refused(rack: &Rack) {
    rack.authorize("");
    let home = rack.home(&rack.servers.known_hosts());
    fs::write(home.join(".ssh/id_ed25519"), "nonsense").unwrap();
    fs::copy(rack.servers.folder().join("rsa"), home.join(".ssh/id_rsa")).unwrap();
    let nowhere = Path::new("/nowhere");
    let ended = rack.plan(&Has { home: Some(&home), agent: Some(nowhere), ..Has::default() });
    let ended = ended.expect(6);
    for part in ["none of these keys: RSA SHA256:", "id_rsa)", "holds no private key", "/nowhere"] {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
    fs::remove_dir_all(home).unwrap();
    let ended = rack.plan(&Has::default()).expect(6);
    assert!(ended.stderr.contains("there is none to try"), "{ended}");
    let key = Some(Path::new("/nowhere"));
    let ended = rack.plan(&Has { key, ..Has::default() }).expect(6);
    assert!(ended.stderr.contains("cannot use the SSH key /nowhere: it cannot be read"), "{ended}");
}

/// Names are in the hosts file of a mount namespace of its own, so that this machine's is not changed.
fn names(rack: &Rack) {
    let hosts = rack_file("hosts");
    let (one, two) = (&rack.servers.list[0], &rack.servers.list[1]);
    let text = format!(
        "127.0.0.1 localhost\n{} one.rack.test\n{} two.rack.test\n::1 six.rack.test\n",
        one.address, two.address
    );
    fs::write(&hosts, text).unwrap();
    let plan = |known: &str| {
        let inner = rack.command(
            &Has { key: Some(&rack.servers.key), home: Some(&rack.home(known)), ..Has::default() },
            &["plan", "shop", "--json"],
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
        command.arg(&hosts).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command::run(command, DEADLINE)
    };
    let name = |number: usize| ["one.rack.test", "two.rack.test"][number].to_owned();
    rack.declare("root", "", |number, _| name(number));
    let check = rack.command(&Has::default(), &["check"]);
    let _ = command::run(check, DEADLINE).expect(0);
    // Known by name, and hashed; the second one by its address.
    let known = format!("one.rack.test {}\n{} {}\n", one.host_key, two.address, two.host_key);
    let _ = plan(&known).expect(0);
    let file = rack_file("known");
    fs::write(&file, &known).unwrap();
    let mut hash = Command::new("ssh-keygen");
    hash.arg("-H").arg("-f").arg(&file);
    let _ = command::run(hash, DEADLINE).expect(0);
    let _ = plan(&fs::read_to_string(&file).unwrap()).expect(0);
    let ended = plan("").expect(6);
    assert!(ended.stderr.contains("nobody vouches for the host key"), "{ended}");
    for (address, part) in [
        ("none.rack.invalid", "the name none.rack.invalid does not resolve"),
        ("six.rack.test", "six.rack.test has no IPv4 address"),
        ("localhost", "localhost is 127.0.0.1 here"),
    ] {
        rack.declare(
            "root",
            "",
            |number, _| if number == 0 { address.to_owned() } else { name(1) },
        );
        let ended = plan(&known).expect(6);
        assert!(ended.stderr.contains(part) && ended.stderr.contains("host-name"), "{ended}");
    }
    // Another port, in known_hosts too.
    rack.on_both(&format!("printf 'Port 22\\nPort 2222\\n' > {SSHD} && systemctl reset-failed ssh; systemctl restart ssh"));
    for server in &rack.servers.list {
        server.answers(2222);
    }
    rack.declare("root", "port = 2222\n", |number, _| name(number));
    let known =
        format!("[one.rack.test]:2222 {}\n[{}]:2222 {}\n", one.host_key, two.address, two.host_key);
    let _ = plan(&known).expect(0);
    rack.on_both(&format!("rm {SSHD} && systemctl reset-failed ssh; systemctl restart ssh"));
    rack.root();
}

fn shells(rack: &Rack) {
    let one = &rack.servers.list[0];
    let noise = "echo Welcome to one\necho motd >&2\numask 077\nexport LC_ALL=de_DE.UTF-8 LANGUAGE=de\nset -x\n";
    let before = one.sh("cat /root/.bashrc");
    one.write("/root/.bashrc", &format!("{noise}{before}"), 0o644);
    rack.fits();
    one.write("/root/.bashrc", &before, 0o644);
    for shell in ["/bin/sh", "/usr/bin/fish", "/usr/bin/zsh"] {
        // What each of them reads at a login that only runs a command.
        one.write("/root/.zshenv", "echo zsh; echo zsh >&2; umask 002\n", 0o644);
        one.write("/root/.config/fish/config.fish", "echo fish; echo fish >&2\n", 0o644);
        one.sh(&format!("usermod -s {shell} root"));
        rack.fits();
    }
    one.sh("usermod -s /usr/sbin/nologin root");
    rack.stops(&["can log in and run no command", "not available"]);
    one.sh("usermod -s /bin/bash root; rm /root/.zshenv /root/.config/fish/config.fish");
    // Programs are not run from these.
    one.sh("mount -t tmpfs -o noexec none /tmp; mount -t tmpfs -o noexec none /home");
    rack.fits();
    one.sh("umount /tmp /home");
}

fn sshd(rack: &Rack) {
    let one = &rack.servers.list[0];
    let with = |lines: &str| {
        one.write(SSHD, lines, 0o644);
        one.sh("systemctl reset-failed ssh; systemctl restart ssh");
        one.answers(22);
    };
    with("MaxSessions 1\nAllowTcpForwarding no\nUsePAM no\nBanner /etc/issue\nUseDNS yes\n");
    let sftp = one.sh("sed -i 's/^Subsystem/#&/' /etc/ssh/sshd_config; systemctl reset-failed ssh; systemctl restart ssh");
    assert_eq!(sftp, "");
    one.answers(22);
    rack.fits();
    one.sh("sed -i 's/^#Subsystem/Subsystem/' /etc/ssh/sshd_config");
    with("ForceCommand echo noise; echo more >&2; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n");
    rack.fits();
    with("ForceCommand echo only this\n");
    rack.stops(&["can log in and run no command", "only this"]);
    with(
        "AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes\n",
    );
    rack.stops(&["asks for something else besides it"]);
    // RSA is the only host key that is known, and not the only one there.
    with("");
    one.sh(
        "ssh-keygen -q -t rsa -b 2048 -N '' -f /etc/ssh/ssh_host_rsa_key && systemctl reset-failed ssh; systemctl restart ssh",
    );
    one.answers(22);
    let rsa = one.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_rsa_key.pub");
    let two = &rack.servers.list[1];
    let known = format!("{} {rsa}{} {}\n", one.address, two.address, two.host_key);
    let (key, home) = (Some(&*rack.servers.key), rack.home(&known));
    let _ = rack.plan(&Has { key, home: Some(&home), ..Has::default() }).expect(0);
    one.sh(&format!(
        "rm {SSHD} /etc/ssh/ssh_host_rsa_key* && systemctl reset-failed ssh; systemctl restart ssh"
    ));
    one.answers(22);
}

fn sudo(rack: &Rack) {
    rack.on_both(
        "useradd -m -s /bin/bash deb && cp -r /root/.ssh /home/deb/ && chown -R deb: /home/deb",
    );
    rack.on_both("echo 'LANG=es_ES.UTF-8' > /etc/default/locale");
    rack.declare("deb", "", |_, server| server.address.to_string());
    let rule = |lines: &str| {
        for server in &rack.servers.list {
            server.write(SUDOERS, lines, 0o440);
        }
    };
    rule("deb ALL=(ALL) NOPASSWD: ALL\n");
    rack.fits();
    rule(
        "deb ALL=(ALL) NOPASSWD: ALL\nDefaults use_pty\nDefaults lecture=always\n\
         Defaults secure_path=/opt/none\nDefaults umask=0077\n",
    );
    rack.fits();
    let two = &rack.servers.list[1];
    two.write("/home/deb/.bashrc", "echo hola; echo adios >&2; umask 0077\n", 0o644);
    rack.fits();
    rule("deb ALL=(ALL) ALL\n");
    rack.stops(&["deb cannot become root without a password", "NOPASSWD"]);
    rule("deb ALL=(ALL) NOPASSWD: ALL\nDefaults requiretty\n");
    rack.stops(&["sudo wants a terminal there (requiretty)", "!requiretty"]);
    rule("");
    rack.stops(&["deb cannot become root", "sudoers"]);
    rack.on_both("mv /usr/bin/sudo /usr/bin/sudo.away");
    rack.stops(&["deb cannot become root: sudo is not installed there"]);
    rack.on_both(&format!("mv /usr/bin/sudo.away /usr/bin/sudo; rm {SUDOERS} /etc/default/locale"));
    rack.root();
}

fn unfit(rack: &Rack) {
    let one = &rack.servers.list[0];
    let release = one.sh("cat /usr/lib/os-release");
    let other = "ID=ubuntu\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\n";
    one.write("/usr/lib/os-release", other, 0o644);
    let said = rack.stops(&["its system is Ubuntu 24.04.1 LTS, not Debian 13"]);
    assert!(!said.contains("mariadb-1"), "{said}");
    one.write(
        "/usr/lib/os-release",
        &release.replace("VERSION_ID=\"13\"", "VERSION_ID=\"12\""),
        0o644,
    );
    rack.stops(&["not Debian 13"]);
    one.write("/usr/lib/os-release", &release, 0o644);
    let pretend = |program: &str, line: &str| {
        one.write(&format!("/usr/local/bin/{program}"), &format!("#!/bin/sh\n{line}\n"), 0o755);
    };
    pretend("uname", "echo aarch64");
    rack.stops(&["its processor is aarch64, not x86_64"]);
    one.sh("rm /usr/local/bin/uname");
    pretend("date", "echo 1500000000");
    rack.stops(&["its clock is", "years behind"]);
    one.sh("rm /usr/local/bin/date");
    // A disk with no room, and one that takes nothing.
    one.sh("fallocate -l $(( $(df --output=avail -B1 / | tail -n 1) - 50000000 )) /filler");
    rack.stops(&["MB free, and 1000 MB are needed"]);
    one.sh("rm /filler");
    one.sh("mount --bind /var/lib /var/lib && mount -o remount,bind,ro /var/lib");
    rack.stops(&["its disk is read-only"]);
    one.sh("umount /var/lib");
    rack.fits();
}

fn apt(rack: &Rack) {
    let one = &rack.servers.list[0];
    // As unattended-upgrades holds it, for as long as the file is there.
    let holder = "use Fcntl; open my $f, '+>>', '/var/lib/dpkg/lock-frontend' or die; \
                  my $l = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $l) or die; \
                  while (-e '/run/hold') { select undef, undef, undef, 0.1 }";
    one.write("/usr/local/bin/unattended-upgrade", holder, 0o755);
    one.sh("touch /run/hold; systemd-run --quiet perl /usr/local/bin/unattended-upgrade");
    let key = Some(&*rack.servers.key);
    let has = Has { key, ..Has::default() };
    let words = ["up", "shop", "-y", "--json", "--limit", "redis-1"];
    let up = Running::start(rack.command(&has, &words));
    let waits = up.line("the word that it waits", DEADLINE, |line| {
        line.contains("waiting for unattended-upgrade (process ").then(|| line.to_owned())
    });
    let waits = waits.expect("it did not wait");
    assert!(waits.contains("which has the lock of apt and dpkg"), "{waits}");
    one.sh("rm /run/hold");
    let goes_on =
        up.line("the packages", DEADLINE, |line| line.contains("Unpacking").then_some(()));
    assert!(goes_on.is_some(), "it did not go on");
    up.interrupt();
    let _ = up.end(DEADLINE);
}
