//! `simulate`: the simulated calendar cloud alone, for anyone who tests a calendar client.

use std::process::ExitCode;

use calsync_core::ports::Clock;
use calsync_sim::cloud::CloudError;
use calsync_sim::cloud::calendar::{NewCalendar, Origin};
use calsync_sim::cloud::names::CalendarId;
use calsync_sim::google::{GoogleConfig, OauthClient, Stage};
use calsync_sim::microsoft::{self, Audience, MicrosoftConfig};
use calsync_sim::{RunningSimulator, SimConfig, Simulator};
use clap::Args;
use serde_json::json;

use crate::out::Out;
use crate::system::SystemClock;

/// The seeded person at Google.
const PERSON: &str = "ada@example.com";
/// The same at Microsoft, with calendars of its own: who connects both connects two accounts.
const AT_WORK: &str = "ada@work.example.com";

/// Runs the simulated calendar cloud alone, for testing any calendar client.
///
/// It looks like Google Calendar API v3 and like Microsoft Graph v1.0, each with its OAuth endpoints, and pushes to
/// webhooks on this machine. It prints one JSON line with base URLs and the ids of the seeded person's calendars, and
/// runs until Ctrl-C. Point google.api_base, google.auth_url, google.token_url, microsoft.graph_base and
/// microsoft.authority of a `calendar-sync serve` here, or any other client.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example:\n  calendar-sync simulate --google-port 9000 --microsoft-port 9001 --token secret-token"
)]
pub struct SimulateArgs {
    /// Port of Google's look-alike; any free one if not given
    #[arg(long, value_name = "PORT")]
    pub google_port: Option<u16>,
    /// Port of Microsoft's look-alike; any free one if not given
    #[arg(long, value_name = "PORT")]
    pub microsoft_port: Option<u16>,
    /// A bearer token that is the seeded person's
    #[arg(long, value_name = "TOK", default_value = "simulated-token")]
    pub token: String,
    /// Calendars of the seeded person at each of the two
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub calendars: u8,
    /// The cloud's seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Id of the OAuth client that is known there
    #[arg(long, default_value = "simulated-client")]
    pub client_id: String,
    /// Its secret
    #[arg(long, default_value = "simulated-secret")]
    pub client_secret: String,
    /// Where it may send people back to; can be given several times
    #[arg(long, value_name = "URL", default_values = ["http://127.0.0.1:8765/callback", "http://localhost:8765/callback"])]
    pub redirect_uri: Vec<String>,
}

/// Runs it until Ctrl-C.
pub async fn run(args: SimulateArgs, out: Out) -> ExitCode {
    let program = microsoft::OauthClient {
        id: args.client_id.clone(),
        secret: args.client_secret.clone(),
        secret_until: None,
        redirect_uris: args.redirect_uri.clone(),
        audience: Audience::Everybody,
    };
    let client = OauthClient {
        id: args.client_id,
        secret: args.client_secret,
        redirect_uris: args.redirect_uri,
        project: "simulated-project".to_owned(),
        stage: Stage::InProduction,
    };
    let google = GoogleConfig { clients: vec![client], ..GoogleConfig::default() };
    let config = SimConfig {
        google_port: args.google_port,
        microsoft_port: args.microsoft_port,
        seed: args.seed,
        google,
        microsoft: MicrosoftConfig { clients: vec![program], ..MicrosoftConfig::default() },
        ..SimConfig::starting_at(SystemClock.now())
    };
    let zone = config.time_zone.clone();
    let simulator = match Simulator::start(config).await {
        Ok(simulator) => simulator,
        Err(error) => {
            out.error("port", &format!("{error}: choose another one with --google-port or --microsoft-port"));
            return ExitCode::from(1);
        }
    };
    let seeded = simulator.seed_person(PERSON, &args.token).and_then(|_| {
        let work = simulator.cloud().with(|c| c.add_person(AT_WORK, "ada", &zone, SystemClock.now()))?;
        simulator.microsoft().seed_token(&work, &args.token);
        let all = |owner| -> Result<Vec<CalendarId>, CloudError> {
            (1..=args.calendars).map(|nth| calendar(&simulator, owner, &zone, nth)).collect()
        };
        Ok((all(PERSON)?, all(AT_WORK)?))
    });
    let (at_google, at_microsoft) = match seeded {
        Ok(ids) => ids,
        Err(error) => {
            out.error("seed", &error.to_string());
            return ExitCode::from(1);
        }
    };
    let (base, graph) = (simulator.google_base_url(), simulator.microsoft_base_url());
    let graph_id = |id| simulator.microsoft().calendar_id_for(&AT_WORK.into(), id);
    let graph_ids: Vec<String> = at_microsoft.iter().map(graph_id).collect();
    let ids: Vec<String> = at_google.iter().map(ToString::to_string).collect();
    let line = json!({
        "google": {
            "base_url": base,
            "api_base": format!("{base}/calendar/v3"),
            "auth_url": format!("{base}/o/oauth2/v2/auth"),
            "token_url": format!("{base}/token"),
            "revoke_url": format!("{base}/revoke"),
            "userinfo_url": format!("{base}/v1/userinfo"),
            "person": PERSON,
            "calendars": ids,
        },
        "microsoft": {
            "base_url": graph,
            "graph_base": format!("{graph}/v1.0"),
            "authority": graph,
            "tenant": "common",
            "auth_url": format!("{graph}/common/oauth2/v2.0/authorize"),
            "token_url": format!("{graph}/common/oauth2/v2.0/token"),
            "person": AT_WORK,
            "calendars": graph_ids,
        },
    });
    out.line(&line.to_string());
    let _ = tokio::signal::ctrl_c().await;
    simulator.shutdown().await;
    ExitCode::SUCCESS
}

/// The first calendar of somebody, which they have, or another one, which people fill.
fn calendar(
    simulator: &RunningSimulator,
    owner: &'static str,
    zone: &str,
    nth: u8,
) -> Result<CalendarId, CloudError> {
    if nth == 1 {
        return Ok(CalendarId::from(owner));
    }
    let group = if owner == PERSON { "group" } else { "group.work" };
    let new = NewCalendar {
        id: CalendarId::from(format!("calendar-{nth}@{group}.calendar.example.com")),
        summary: format!("Calendar {nth}"),
        time_zone: zone.to_owned(),
        owner: owner.into(),
        origin: Origin::People,
    };
    simulator.cloud().with(|cloud| cloud.add_calendar(new, SystemClock.now()))
}
