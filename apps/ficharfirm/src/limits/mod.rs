//! How much one employee, or one address, may ask. Counted in Redis across all processes; in this process
//! while Redis is away. Never counted: requests or successful sign-ins of an address, because a whole works
//! may sit behind one.

mod local;

use std::{net::IpAddr, time::Duration};

use local::{Recent, Windows};

use crate::cache::{Admission, Cache};

const REQUESTS: u32 = 20;
const REQUESTS_WINDOW: Duration = Duration::from_secs(1);
const FAILURES: u32 = 10;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);

pub(crate) struct Limits {
    cache: Cache,
    requests: Windows,
    failures: Windows,
    known: Recent,
}

impl Limits {
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            cache,
            requests: Windows::new(REQUESTS as usize, REQUESTS_WINDOW),
            failures: Windows::new(FAILURES as usize, FAILURES_WINDOW),
            known: Recent::default(),
        }
    }

    /// One request of a signed-in employee. Ended sessions are known to Redis only: without it they live on
    /// until they expire, rather than everybody being signed out.
    pub(crate) async fn admit(&self, employee: &str, session: &str) -> Admission {
        match self.cache.admit(employee, session, REQUESTS, REQUESTS_WINDOW).await {
            Some(admission) => admission,
            None => match self.requests.take(employee) {
                None => Admission::Go,
                Some(wait) => Admission::Wait(wait.as_millis() as u64),
            },
        }
    }

    /// Milliseconds to wait before this employee may try to sign in from this address; 0: now.
    ///
    /// Somebody who has signed in from an address before is not kept out by other people's failures there;
    /// their own count in any case.
    pub(crate) async fn sign_in_wait(&self, employee: &str, address: IpAddr) -> u64 {
        let address = source(address);
        let (by_employee, by_address) =
            tokio::join!(self.failures_wait(employee), self.failures_wait(&address));
        if by_employee > 0 {
            return by_employee;
        }
        if by_address > 0 && !self.is_known(&address, employee).await {
            return by_address;
        }
        0
    }

    async fn failures_wait(&self, who: &str) -> u64 {
        match self.cache.failures_wait(who, FAILURES, FAILURES_WINDOW).await {
            Some(wait) => wait,
            None => self.failures.wait(who).map_or(0, |wait| wait.as_millis() as u64),
        }
    }

    async fn is_known(&self, address: &str, employee: &str) -> bool {
        match self.cache.known(address, employee).await {
            Some(known) => known,
            None => self.known.contains(&format!("{address} {employee}")),
        }
    }

    /// Counted here too, so that the limit holds when Redis goes away in the middle of an attack.
    pub(crate) async fn sign_in_failed(&self, employee: &str, address: IpAddr) {
        let address = source(address);
        self.failures.add(employee);
        self.failures.add(&address);
        tokio::join!(
            self.cache.failed(employee, FAILURES, FAILURES_WINDOW),
            self.cache.failed(&address, FAILURES, FAILURES_WINDOW)
        );
    }

    pub(crate) async fn sign_in_succeeded(&self, employee: &str, address: IpAddr) {
        let address = source(address);
        self.known.add(format!("{address} {employee}"));
        self.cache.remember(&address, employee).await;
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 customer's /64.
fn source(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("@{v4}"),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("@{a:x}:{b:x}:{c:x}:{d:x}/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_customer_is_one_source() {
        let of = |text: &str| source(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
