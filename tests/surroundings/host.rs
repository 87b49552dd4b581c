//! Bad days of the host.

use super::{M, SOON, TOML, among, complains};
use andamio_testkit::{Ended, Sandbox, Steps, command, sandbox::DEADLINE};
use std::process::Command;

/// `up` of a project that has nothing yet, among these mounts; afterwards it still has nothing.
fn refused(setup: &str, code: i32, says: &[&str]) {
    let sandbox = Sandbox::new(TOML);
    let ended = command::run(among(setup, &sandbox.command(&["up", "one"])), DEADLINE);
    drop(complains(ended, code, says));
    assert!(sandbox.leftovers("one").is_empty(), "{:?}", sandbox.leftovers("one"));
}

pub(super) fn without_machines(steps: &mut Steps) {
    steps.step("no systemd-nspawn, and no apt-get that could bring it", || {
        // A character device 0:0 in the upper layer of an overlay hides what is below.
        let hide = "d=$(mktemp -d); mount -t tmpfs none $d; mkdir $d/upper $d/work; \
                    mknod $d/upper/systemd-nspawn c 0 0; mknod $d/upper/apt-get c 0 0; \
                    mount -t overlay -o lowerdir=/usr/bin,upperdir=$d/upper,workdir=$d/work none /usr/bin; \
                    umount -l $d; rmdir $d";
        refused(hide, 6, &["systemd-container", "apt-get install"]);
    });
    steps.step("no room for machines", || {
        let full = "mkdir -p /var/lib/andamio; mount -t tmpfs -o size=1m none /var/lib/andamio";
        refused(full, 6, &["/var/lib/andamio", "free"]);
    });
    steps.step("where machines go is read-only", || {
        let closed = "mkdir -p /var/lib/andamio; mount --bind /var/lib/andamio /var/lib/andamio; \
                      mount -o remount,ro,bind /var/lib/andamio";
        refused(closed, 1, &["/var/lib/andamio", "Read-only"]);
    });
    steps.step("the bridge's name is taken", || {
        let sandbox = Sandbox::new(TOML);
        let name = format!("andamio-{}", sandbox.id("one"));
        ip(&["link", "add", &name, "type", "veth"]);
        let ended = sandbox.run(&["up", "one"]);
        ip(&["link", "delete", &name]);
        drop(complains(ended, 1, &[&name, "interface"]));
        assert!(sandbox.leftovers("one").is_empty(), "{:?}", sandbox.leftovers("one"));
    });
    steps.step("a machine image that does not boot", || {
        let digest = andamio_operate::machine_image().digest();
        let hollow = format!(
            "i=/var/cache/andamio/images; mkdir -p $i; mount -t tmpfs none $i; cd $i; mkdir {digest}; cd {digest}; \
             mkdir -p etc usr/lib/systemd usr/sbin usr/bin var/lib/dpkg; touch etc/os-release usr/sbin/sshd var/lib/dpkg/status; \
             printf 'no program' >usr/lib/systemd/systemd; chmod 755 usr/lib/systemd/systemd; cd /"
        );
        let sandbox = Sandbox::new(TOML);
        let ended = command::run(among(&hollow, &sandbox.command(&["up", "one"])), DEADLINE);
        drop(complains(ended, 1, &[M, "did not start", "/var/cache/andamio/images"]));
        drop(sandbox.ok(&["down", "one", "-y"]));
        assert!(sandbox.leftovers("one").is_empty(), "{:?}", sandbox.leftovers("one"));
    });
}

pub(super) fn with_machines(steps: &mut Steps, s: &Sandbox) {
    steps.step("a kernel without IPv6", || {
        // Its parameters are covered, as if they were not there.
        drop(s.enter(
            "one",
            M,
            "mount -t tmpfs none /proc/sys/net/ipv6; rm /etc/sysctl.d/60-andamio-net.ipv6.*",
        ));
        drop(s.ok(&["up", "one", "-y"]));
        drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
        drop(s.enter("one", M, "umount /proc/sys/net/ipv6"));
    });
    steps.step("a search path without the system's folders, as cron has it", || {
        s.cut_power("one", M);
        let mut up = s.command(&["up", "one"]);
        up.env("PATH", "/nonexistent");
        let ended: Ended = command::run(up, DEADLINE).expect(0);
        assert!(ended.took < SOON, "{ended}");
    });
}

fn ip(arguments: &[&str]) {
    let mut ip = Command::new("ip");
    ip.args(arguments);
    drop(command::run(ip, DEADLINE).expect(0));
}
