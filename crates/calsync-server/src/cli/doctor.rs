//! `doctor`: looks at an installation and tells what stands in its way.

use std::path::Path;

use super::exit::{Exit, Failure};
use crate::checks::{Findings, Outcome};
use crate::doctor;
use crate::out::Out;
use crate::system::SystemClock;
use crate::telemetry::logging::{self, Console};

/// Runs it.
pub fn run(config: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let mut findings = Findings::new(out);
    if let Some(loaded) = doctor::configuration(config, &mut findings) {
        let _log = logging::start(&super::quiet(&loaded.settings.log), Console::Stderr)?;
        super::block_on(doctor::examine(&loaded.settings, &SystemClock, &mut findings))?;
    }
    Ok(match findings.conclude(&[]) {
        Outcome::Failed => Exit::Failed,
        Outcome::Ok | Outcome::Skipped | Outcome::Warning => Exit::Ok,
    })
}
