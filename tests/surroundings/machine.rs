//! Bad days of a machine.

use super::{M, complains, is_empty};
use andamio_testkit::{Abandoned, Sandbox, Steps};

/// A package is missing, and there is no list of what the mirror has.
const NO_PACKAGE: &str = "apt-get -qq purge -y unattended-upgrades >/dev/null 2>&1; \
                          rm -rf /var/lib/apt/lists/*; apt-get clean";
const OTHER_MIRROR: &str = "mkdir /root/apt; mv /etc/apt/sources.list* /root/apt; \
                            echo 'deb http://127.0.0.1:9/debian trixie main' >/etc/apt/sources.list";
const OWN_MIRROR: &str = "rm /etc/apt/sources.list; mv /root/apt/* /etc/apt; rmdir /root/apt";
/// Whatever is sent there is lost, without a word.
const SILENT_MIRROR: &str = "nft 'table inet silent { chain out { type filter hook output priority 0; \
                             oifname \"host0\" tcp dport { 80, 443 } drop; }; }'";

pub(super) fn all(steps: &mut Steps, s: &Sandbox) -> Result<(), Abandoned> {
    steps.must("the package mirror refuses", || {
        s.on("one", M, NO_PACKAGE);
        s.on("one", M, OTHER_MIRROR);
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "package mirror", "127.0.0.1"]);
        s.on("one", M, OWN_MIRROR);
    })?;
    steps.must("the package mirror is silent", || {
        s.on("one", M, SILENT_MIRROR);
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "package mirror"]);
        s.on("one", M, "nft delete table inet silent");
    })?;
    steps.must("both are over when it answers", || completes(s))?;
    steps.step("no room for the node", || {
        s.on("one", M, "chmod 600 /etc/hosts; mount -t tmpfs -o size=64k none /var/lib/andamio");
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "No space left"]);
        s.on("one", M, "umount /var/lib/andamio");
        completes(s);
    });
    steps.step("no room for the node's state", || {
        let fill = "chmod 600 /etc/redis/redis-6379.conf; mv /var/lib/andamio/units /root/units; \
                    mkdir /var/lib/andamio/units; mount -t tmpfs -o size=4k none /var/lib/andamio/units; \
                    head -c 1M /dev/zero >/var/lib/andamio/units/full || true; \
                    cp -a /root/units/. /var/lib/andamio/units/ 2>/dev/null || true";
        s.on("one", M, fill);
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "No space left"]);
        let back = "umount /var/lib/andamio/units; rmdir /var/lib/andamio/units; mv /root/units /var/lib/andamio/units";
        s.on("one", M, back);
        completes(s);
    });
    steps.step("/etc is read-only", || {
        s.on(
            "one",
            M,
            "chmod 600 /etc/hosts; mount --bind /etc /etc; mount -o remount,ro,bind /etc",
        );
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "/etc/hosts", "Read-only"]);
        s.on("one", M, "umount -l /etc");
        completes(s);
    });
    steps.step("another program has the service's port", || {
        let squat = "systemctl stop redis-server@6379.service; systemd-run --quiet --unit=squatter perl -MIO::Socket::INET \
                     -e 'my $s = IO::Socket::INET->new(LocalPort => 6379, Listen => 5) or die; sleep 600'; \
                     until ss -ltn | grep -q :6379; do sleep 0.1; done";
        s.on("one", M, squat);
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "redis-server@6379.service", "in use"]);
        s.on("one", M, "systemctl stop squatter");
        completes(s);
    });
    steps.step("what the node remembers is garbage: its owner is asked for, the rest is made anew", || {
        s.on("one", M, "cp /var/lib/andamio/generation.json /root; echo '{' >/var/lib/andamio/generation.json");
        s.on("one", M, "chmod 600 /etc/hosts");
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "generation.json", "remove it"]);
        s.on("one", M, "mv /root/generation.json /var/lib/andamio; cd /var/lib/andamio; echo '[' >firewall.json; \
                        for f in units/*; do : >$f; done");
        completes(s);
    });
    steps.step("nobody reaches its SSH: said at once, and nothing is restarted unasked", || {
        let drop_ssh = "nft 'table inet nossh { chain in { type filter hook input priority -10; tcp dport 22 drop; }; }'";
        drop(s.enter("one", M, drop_ssh));
        complains(s.run(&["exec", "one", M, "--", "true"]), 1, &[M, "SSH"]);
        let status = s.run(&["status", "one"]).expect(7);
        assert!(status.stdout.contains("unreachable") && status.took < super::SOON, "{status}");
        complains(s.run(&["up", "one"]), 3, &["one@local"]);
        drop(s.enter("one", M, "nft delete table inet nossh"));
        is_empty(s);
    });
    steps.step("another host key than the known one: refused in plain words", || {
        let other = "mkdir /root/key; cp -a /etc/ssh/ssh_host_ed25519_key* /root/key; rm /etc/ssh/ssh_host_ed25519_key*; \
                     ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl reload ssh";
        drop(s.enter("one", M, other));
        complains(s.run(&["exec", "one", M, "--", "true"]), 1, &[M, "another host key"]);
        complains(s.run(&["up", "one", "-y"]), 1, &[M, "another host key"]);
        let back = "mv -f /root/key/* /etc/ssh; rmdir /root/key; systemctl reload ssh";
        drop(s.enter("one", M, back));
        is_empty(s);
    });
    Ok(())
}

/// The cause is gone: the same command makes everything right.
fn completes(s: &Sandbox) {
    drop(s.ok(&["up", "one", "-y"]));
    is_empty(s);
}
