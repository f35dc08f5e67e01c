//! `accounts connect`: a sign-in by the browser that comes back to a loopback address (RFC 8252 §7.3), or a refresh token
//! from a file for machines without one.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::AccountId;
use calsync_core::secret::{Secret, constant_time_eq};
use calsync_providers::Provider;
use calsync_providers::oauth::Authorization;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::accounts::args::ConnectArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::lookup;
use crate::out::counted;
use crate::secrets::keyfile;
use crate::service::Service;
use crate::service::connect::Callback;

/// How long we wait for the person to come back.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Longest request that a browser may send us; codes have up to 256 bytes (google.md §2.1).
const REQUEST_MAX: usize = 16 * 1024;

/// What the browser shows in the end.
const CONNECTED: &str = "Connected. You can close this window.";
const NOT_CONNECTED: &str = "Not connected. See the terminal.";

/// Runs it.
pub async fn run(args: &ConnectArgs, context: &Context, service: &Service) -> Result<Exit, Failure> {
    let user = lookup::user(&*context.store, &args.user).await?;
    let account = match &args.refresh_token_file {
        Some(file) => {
            let read = keyfile::read(file).map_err(Failure::failed)?;
            if let Some(warning) = read.warning {
                context.out.note(&format!("warning: {warning}"));
            }
            let provider = args.provider.into();
            let connected = client(service, provider)?.adopt(read.secret).await?;
            service.keep_account(provider, user.id, connected).await?
        }
        None => by_browser(args, context, service, user.id).await?,
    };
    tell(context, user.id, account).await
}

/// Our client there: without one it is our settings that are wrong, and not the provider.
fn client(service: &Service, provider: ProviderKind) -> Result<Arc<dyn Provider>, Failure> {
    service.provider(provider).map_err(|error| Failure::new(Exit::Config, error.to_string()))
}

async fn by_browser(
    args: &ConnectArgs,
    context: &Context,
    service: &Service,
    user: calsync_core::ids::UserId,
) -> Result<AccountId, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await;
    let listener = listener.map_err(|e| {
        Failure::failed(format!("cannot listen on 127.0.0.1:{} ({e}): choose another --port", args.port))
    })?;
    let port = listener.local_addr().map_err(|e| Failure::failed(e.to_string()))?.port();
    let redirect_uri = format!("http://{}:{port}/callback", args.provider.loopback());
    let provider = client(service, args.provider.into())?;
    let begun = provider.authorize(&redirect_uri, args.login_hint.as_deref());
    context.out.note(&format!(
        "Open this link in a browser on this machine (the client at {} must allow {redirect_uri}):\n\n{}\n",
        args.provider.name(),
        begun.url
    ));
    let waiting = tokio::time::timeout(PATIENCE, come_back(&listener, provider.as_ref(), &begun));
    let (mut browser, code) =
        waiting.await.map_err(|_| Failure::failed("nobody came back within 15 minutes: run it again"))??;
    let callback = Callback { code: &code, verifier: &begun.verifier, redirect_uri: &redirect_uri };
    let connected = service.connect(args.provider.into(), user, None, &callback).await;
    // Only now is it known: an account without a mailbox signs in as well as any other.
    say(&mut browser, "200 OK", if connected.is_ok() { CONNECTED } else { NOT_CONNECTED }).await;
    Ok(connected?)
}

/// Waits for the browser, which waits for its page then. Requests that are not the answer to this sign-in are sent away.
async fn come_back(
    listener: &TcpListener,
    provider: &dyn Provider,
    begun: &Authorization,
) -> Result<(TcpStream, Secret), Failure> {
    loop {
        let (mut socket, _) = listener.accept().await.map_err(|e| Failure::failed(e.to_string()))?;
        let Some(target) = request_target(&mut socket).await else { continue };
        match read_callback(&target, begun) {
            Answer::Code(code) => return Ok((socket, code)),
            Answer::Refused { error, description } => {
                say(&mut socket, "200 OK", NOT_CONNECTED).await;
                return Err(provider.refusal(&error, description.as_deref()).into());
            }
            Answer::Stranger => {
                say(&mut socket, "404 Not Found", "This is not the page you were sent to.").await
            }
        }
    }
}

/// What a request turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Code(Secret),
    Refused { error: String, description: Option<String> },
    Stranger,
}

fn read_callback(target: &str, begun: &Authorization) -> Answer {
    let Ok(url) = url::Url::parse("http://127.0.0.1").and_then(|base| base.join(target)) else {
        return Answer::Stranger;
    };
    let value = |name: &str| url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned());
    let state = value("state").unwrap_or_default();
    // Without our state somebody else began it (RFC 6749 §10.12).
    if url.path() != "/callback" || !constant_time_eq(state.as_bytes(), begun.state.expose().as_bytes()) {
        return Answer::Stranger;
    }
    match (value("code"), value("error")) {
        (_, Some(error)) => Answer::Refused { error, description: value("error_description") },
        (Some(code), None) => Answer::Code(Secret::new(code)),
        (None, None) => Answer::Stranger,
    }
}

/// The path and query of a GET request.
async fn request_target(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut chunk = [0u8; 1024];
    while !read.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut chunk)).await.ok()?.ok()?;
        if n == 0 || read.len() + n > REQUEST_MAX {
            return None;
        }
        read.extend_from_slice(&chunk[..n]);
    }
    let text = String::from_utf8(read).ok()?;
    let mut words = text.lines().next()?.split(' ');
    (words.next()? == "GET").then_some(())?;
    Some(words.next()?.to_owned())
}

async fn say(socket: &mut TcpStream, status: &str, text: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}

async fn tell(
    context: &Context,
    user: calsync_core::ids::UserId,
    account: AccountId,
) -> Result<Exit, Failure> {
    let state = context.store.user_state(user).await?;
    let state = state.ok_or_else(|| Failure::not_found("the user is gone"))?;
    let email = state.accounts.iter().find(|a| a.id == account).map(|a| a.email.clone()).unwrap_or_default();
    let calendars: Vec<_> = state.calendars.iter().filter(|c| c.account == account).collect();
    let mut text = format!("connected {email} with {}:\n", counted(calendars.len() as u64, "calendar"));
    for calendar in &calendars {
        text.push_str(&format!("  {}  {}\n", calendar.id, calendar.name));
    }
    text.push_str("switch on the ones to keep in step: calendar-sync calendars enable ID");
    let names: Vec<_> = calendars.iter().map(|c| json!({"id": c.id, "name": c.name})).collect();
    context.out.result(&text, &json!({"account": account, "email": email, "calendars": names}));
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Authorization {
        Authorization {
            url: url::Url::parse("https://accounts.example.com/").unwrap(),
            state: Secret::new("our-state"),
            verifier: Secret::new("v"),
        }
    }

    #[test]
    fn only_the_answer_to_this_sign_in_is_heard() {
        let read = |target: &str| read_callback(target, &begun());
        assert_eq!(read("/callback?state=our-state&code=abc%2Fd"), Answer::Code(Secret::new("abc/d")));
        for stranger in [
            "/callback?state=other&code=abc",
            "/callback?code=abc",
            "/other?state=our-state&code=abc",
            "/favicon.ico",
            "/callback?state=our-state",
            "//[",
            "",
        ] {
            assert_eq!(read(stranger), Answer::Stranger, "{stranger}");
        }
        let refused = Answer::Refused {
            error: "access_denied".to_owned(),
            description: Some("AADSTS65004: no".to_owned()),
        };
        assert_eq!(
            read("/callback?state=our-state&error=access_denied&error_description=AADSTS65004:+no"),
            refused
        );
    }
}
