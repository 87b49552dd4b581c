//! Machines that sign for their own services: what each shows, asked as a client would, before and after it
//! was made anew on the machine.

use crate::flows::topology;
use andamio_spec::topology::{Machine, Role, ports};
use andamio_testkit::Sandbox;
use andamio_testkit::wait::until;
use std::time::Duration;

/// RabbitMQ reads files again every two minutes.
const TAKEN_UP: Duration = Duration::from_secs(150);

/// On these machines, or on all, the certificates are gone, and are there and in use again, signed by the machine
/// alone.
pub(crate) fn by_themselves(s: &Sandbox, env: &str, names: &[&str]) {
    let topology = topology(s, env);
    let asked = |m: &&Machine| names.is_empty() || names.contains(&m.name.as_str());
    let machines = topology.machines.iter().filter(|machine| !doors(machine).is_empty());
    let machines: Vec<&Machine> = machines.filter(asked).collect();
    assert!(!machines.is_empty());
    let before: Vec<Vec<String>> =
        machines.iter().map(|machine| shown(s, env, machine).unwrap()).collect();
    for machine in &machines {
        let line = "rm -f /etc/*/identity.pem /etc/*/member.pem && \
                    systemctl start andamio-identity.service";
        s.on(env, &machine.name, line);
    }
    for (machine, before) in machines.iter().zip(&before) {
        until(&format!("{} to show what is new", machine.name), TAKEN_UP, || {
            let now = shown(s, env, machine)?;
            let same = now.iter().zip(before).filter(|(new, old)| new == old).count();
            if same == 0 { Ok(()) } else { Err(format!("{same} are what they were")) }
        });
    }
}

/// Where a machine shows who it is, and in which protocol.
fn doors(machine: &Machine) -> Vec<(u16, &'static str)> {
    let of = |role: &Role| match role {
        Role::Mariadb => vec![
            (ports::MARIADB, "-starttls mysql"),
            (ports::GALERA, ""),
            (ports::MARIADB_HEALTH, ""),
        ],
        Role::Redis => vec![(ports::REDIS, "")],
        Role::Rabbitmq => vec![(ports::AMQPS, "")],
        Role::App => vec![(ports::APP_TLS, "")],
        Role::Balancer => vec![(ports::HTTPS, "")],
        Role::Base | Role::Ops => Vec::new(),
    };
    machine.roles.iter().flat_map(of).collect()
}

/// The serial numbers that it shows there; the chain and the address have to hold.
fn shown(s: &Sandbox, env: &str, machine: &Machine) -> Result<Vec<String>, String> {
    let identity = if machine.roles.contains(&Role::Mariadb) {
        "-cert /etc/mysql/identity.pem -key /etc/mysql/identity.pem"
    } else {
        ""
    };
    let address = machine.address;
    let ask = |(port, protocol): &(u16, &str)| {
        format!(
            "openssl s_client {protocol} {identity} -connect {address}:{port} -verify_ip {address} \
             -verify_return_error -CAfile /etc/ssl/andamio-authority.pem </dev/null 2>/dev/null \
             | openssl x509 -noout -serial"
        )
    };
    let lines: Vec<String> = doors(machine).iter().map(ask).collect();
    let said = s.on(env, &machine.name, &lines.join("; "));
    let serials: Vec<String> = said.lines().map(str::to_owned).collect();
    if serials.len() == lines.len() { Ok(serials) } else { Err(format!("it shows {said}")) }
}

/// What a machine's authority signs for itself is believed, and what it signs for another machine is not.
pub(crate) fn for_nobody_else(s: &Sandbox, env: &str, machine: &str, other: &str) {
    let topology = topology(s, env);
    let address = |name: &str| topology.machine(name).unwrap().address;
    let signed = |names: &str| {
        let line = format!(
            "cd $(mktemp -d) && openssl ecparam -name prime256v1 -genkey -noout -out key && \
             openssl req -new -key key -subj /CN=x -out request && \
             echo subjectAltName={names} >names && \
             openssl x509 -req -in request -CA /etc/andamio/signer.pem -CAkey /etc/andamio/signer.pem \
             -extfile names -days 1 -out it 2>/dev/null && \
             openssl verify -CAfile /etc/ssl/andamio-authority.pem -untrusted /etc/andamio/signer.pem it 2>&1; \
             rm -r $PWD"
        );
        s.on(env, machine, &line)
    };
    let own = signed(&format!("DNS:{machine},IP:{}", address(machine)));
    assert_eq!(own, "it: OK\n");
    for names in [format!("DNS:{other}"), format!("IP:{}", address(other))] {
        let said = signed(&names);
        assert!(said.contains("permitted subtree violation"), "{names}: {said}");
    }
}
