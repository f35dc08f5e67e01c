//! `doctor`: looks at an installation and tells what stands in its way.

use std::path::Path;

use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::checks::{Findings, Outcome};
use crate::config::Loaded;
use crate::doctor::{self, daily};
use crate::out::Out;
use crate::storage::{self, Migrate};
use crate::system::SystemClock;
use crate::telemetry::logging::{self, Console};

/// `doctor`
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Also open an alert for each thing that fails or lapses soon, and end those that are over, as the running service does daily
    #[arg(long)]
    pub send_alerts: bool,
}

/// Runs it.
pub fn run(args: &DoctorArgs, config: Option<&Path>, out: Out) -> Result<Exit, Failure> {
    let mut findings = Findings::new(out);
    if let Some(loaded) = doctor::configuration(config, &mut findings) {
        let _log = logging::start(&super::quiet(&loaded.settings.log), Console::Stderr)?;
        super::block_on(Box::pin(doctor::examine(&loaded.settings, &SystemClock, &mut findings)))?;
        if args.send_alerts {
            super::block_on(Box::pin(alert(loaded, &findings, out)))??;
        }
    }
    Ok(match findings.conclude(&[]) {
        Outcome::Failed => Exit::Failed,
        Outcome::Ok | Outcome::Skipped | Outcome::Warning => Exit::Ok,
    })
}

/// Brings the alerts in line; whoever watches tells people.
async fn alert(loaded: Loaded, findings: &Findings, out: Out) -> Result<(), Failure> {
    let store = storage::open(&loaded.settings.database, Migrate::Check).await?;
    let context = Context::new(out, loaded, store.clone());
    let heeded = context
        .engine()
        .heed_found(&daily::told(findings.checks()), &daily::unjudged(findings.checks()))
        .await;
    store.close().await;
    Ok(heeded?)
}
