//! Ports on loopback that stay the same over a restart. A port is reserved among all test processes of this user by a
//! lock, which the kernel lets go with the process. It never takes one that somebody listens on.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::directory;

/// Below the ports that the kernel gives to outgoing connections: one of those could take ours while its server is down.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

/// A port that is ours for as long as this lives, whether its server runs or not.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves one.
    pub fn reserve() -> Self {
        static TRIED: AtomicU32 = AtomicU32::new(0);
        let directory = directory::shared().join("ports");
        fs::create_dir_all(&directory).unwrap();
        for _ in 0..COUNT {
            // Each process begins elsewhere, so that they rarely meet.
            let turn =
                std::process::id().wrapping_mul(101).wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
            let number = u16::try_from(FIRST + turn % COUNT).expect("the range ends below 65536");
            let lock = File::create(directory.join(number.to_string())).unwrap();
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("no port is free between {FIRST} and {}", FIRST + COUNT);
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reservations_differ_and_one_is_free_again_after_it() {
        let (one, two) = (Port::reserve(), Port::reserve());
        assert_ne!(one.number(), two.number());
        let path = directory::shared().join("ports").join(one.number().to_string());
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(one);
        assert!(File::open(&path).unwrap().try_lock().is_ok());
    }
}
