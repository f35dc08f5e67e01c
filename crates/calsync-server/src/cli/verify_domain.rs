//! `verify-google-domain`: takes in the file by which Google lets somebody prove that a domain is theirs, and looks at it
//! from outside, step by step.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::checks::{Check, Findings, Outcome};
use crate::reach::Looker;
use crate::verification::{self, File, steps};

/// Who does it, in the audit log.
const WHO: &str = "command line";

/// `verify-google-domain`
#[derive(Args, Debug)]
pub struct VerifyDomainArgs {
    /// The domain under which this service is reached, such as sync.example.com
    #[arg(long, value_parser = crate::verification::steps::domain, required_unless_present = "remove")]
    pub domain: Option<String>,
    /// The file that Google gave you
    #[arg(long, value_name = "FILE", required_unless_present = "remove")]
    pub verification_file: Option<PathBuf>,
    /// Check the file and whether the domain leads here; store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Stop serving the file that is stored
    #[arg(long, conflicts_with_all = ["domain", "verification_file"])]
    pub remove: bool,
}

/// Runs it.
pub async fn run(args: &VerifyDomainArgs, context: &Context) -> Result<Exit, Failure> {
    let (Some(domain), Some(path)) = (&args.domain, &args.verification_file) else {
        return remove(args, context).await;
    };
    let mut findings = Findings::new(context.out);
    let file = match File::read(path) {
        Ok(file) => file,
        Err(error) => {
            let remedy = "download the HTML file of your property in Google's Search Console";
            findings.add(Check::failed("file", error.to_string(), remedy));
            findings.conclude(&[]);
            return Ok(Exit::Failed);
        }
    };
    findings.add(Check::ok("file", format!("{} is what Google asks for", file.name())));
    let is_stored = take(args, context, &file, &mut findings).await?;
    let looker = Looker::new().map_err(|e| Failure::failed(format!("no calls can go out: {e}")))?;
    findings.extend(steps::look(&looker, &format!("https://{domain}"), is_stored.then_some(&file)).await);
    findings.extend(elsewhere(context, domain));
    let next = if findings.worst() < Outcome::Failed && !args.dry_run { steps::next(domain) } else { vec![] };
    Ok(match findings.conclude(&next) {
        Outcome::Failed => Exit::Failed,
        Outcome::Ok | Outcome::Skipped | Outcome::Warning => Exit::Ok,
    })
}

/// Stores the file, unless this is a rehearsal; whether it is served.
async fn take(
    args: &VerifyDomainArgs,
    context: &Context,
    file: &File,
    findings: &mut Findings,
) -> Result<bool, Failure> {
    const NAME: &str = "stored";
    let store = &*context.store;
    let before = verification::stored(store).await?;
    let is_same = before.as_ref() == Some(file);
    let instead = match &before {
        Some(before) if !is_same => format!(", in place of {}", before.name()),
        _ => String::new(),
    };
    findings.add(match (is_same, args.dry_run) {
        (true, _) => Check::ok(NAME, "it was so before: every instance serves it"),
        (false, true) => Check::skipped(NAME, format!("it would be stored{instead}")),
        (false, false) => {
            verification::store(store, file).await?;
            let what = format!("serves Google's verification file {}{instead}", file.name());
            store.audit(WHO, &what, context.now()).await?;
            Check::ok(NAME, format!("every instance serves it from now on{instead}"))
        }
    });
    Ok(is_same || !args.dry_run)
}

/// A domain that is not the one that providers are told of proves nothing about that one.
fn elsewhere(context: &Context, domain: &str) -> Option<Check> {
    const NAME: &str = "public address";
    let Some(url) = &context.settings.server.public_url else {
        return Some(Check::warning(
            NAME,
            "server.public_url is not set: no provider is asked to push",
            format!("set server.public_url to https://{domain}"),
        ));
    };
    (url.host_str() != Some(domain)).then(|| {
        Check::warning(
            NAME,
            format!("server.public_url is {url}, which is what providers are told of"),
            "verify the domain of server.public_url, or change it",
        )
    })
}

async fn remove(args: &VerifyDomainArgs, context: &Context) -> Result<Exit, Failure> {
    let store = &*context.store;
    let before = verification::stored(store).await?.map(|file| file.name().to_owned());
    let text = match (&before, args.dry_run) {
        (None, _) => "no verification file is stored: nothing to do".to_owned(),
        (Some(name), true) => format!("{name} would no longer be served"),
        (Some(name), false) => {
            verification::remove(store).await?;
            let what = format!("no longer serves Google's verification file {name}");
            store.audit(WHO, &what, context.now()).await?;
            format!("{name} is no longer served; Google may ask you to verify the domain again")
        }
    };
    context.out.result(&text, &json!({"ok": true, "removed": before, "dry_run": args.dry_run}));
    Ok(Exit::Ok)
}
