//! A real OpenID provider, the certified `oidc-provider` in Node: its people sign in as soon as a browser comes. It goes when
//! the value does. It stands in a folder that `script/client-libraries` makes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::account;
use crate::directory::Directory;
use crate::port::Port;
use crate::process::{PATIENCE, Process, within};

const SCRIPT: &str = include_str!("openid/provider.mjs");

/// The id of our client there.
pub const CLIENT: &str = "calendar sync";
/// Its secret, with letters that mean something in a header and in a form.
pub const SECRET: &str = "s~e:c+r%t";

/// Somebody the provider knows.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// By this.
    pub subject: &'static str,
    /// And this address.
    pub email: &'static str,
    /// Whether it has seen that the address is theirs.
    pub standing: Standing,
}

/// What the provider knows of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is theirs.
    Verified,
    /// Nothing.
    Claimed,
}

/// Where the provider tells an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// In the ID token.
    Token,
    /// By userinfo alone.
    UserInfo,
}

/// How a client says there who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// In a header.
    Basic,
    /// In the body.
    Post,
}

/// One that runs.
#[derive(Debug)]
pub struct OpenIdProvider {
    // First, so that it is gone before its directory.
    process: Option<Process>,
    port: Port,
    directory: Directory,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
struct Wanted {
    libraries: std::path::PathBuf,
    arguments: String,
}

impl OpenIdProvider {
    /// Starts one that knows these people and sends them back to this URL, and waits until it answers. `libraries` is the
    /// folder.
    pub fn start(libraries: &Path, back_to: &str, told: Told, method: Method, people: &[Person]) -> Self {
        let (port, directory) = (Port::reserve(), Directory::new());
        let told = if told == Told::Token { "token" } else { "userinfo" };
        let method = if method == Method::Basic { "client_secret_basic" } else { "client_secret_post" };
        let people: Vec<String> = people
            .iter()
            .map(|one| {
                let verified = one.standing == Standing::Verified;
                format!(r#""{}":{{"email":"{}","email_verified":{verified}}}"#, one.subject, one.email)
            })
            .collect();
        let arguments = format!(
            r#"{{"port":{},"claims":"{told}","methods":["{method}"],"client":{{"client_id":"{CLIENT}","client_secret":"{SECRET}","redirect_uris":["{back_to}"],"token_endpoint_auth_method":"{method}"}},"people":{{{}}}}}"#,
            port.number(),
            people.join(",")
        );
        let wanted = Wanted { libraries: libraries.to_owned(), arguments };
        let mut provider = Self { process: None, port, directory, wanted };
        provider.resume();
        provider
    }

    /// What it calls itself.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Who sits before the browser from now on; `nobody` says no.
    pub fn seat(&self, subject: &str) {
        let said = get(self.port.number(), &format!("/test/person/{subject}")).unwrap_or_default();
        assert!(said.contains(subject), "{said}\n{}", self.log());
    }

    /// Somebody has another address from now on.
    pub fn readdress(&self, subject: &str, email: &str) {
        let said = get(self.port.number(), &format!("/test/address/{subject}/{email}")).unwrap_or_default();
        assert!(said.contains(email), "{said}\n{}", self.log());
    }

    /// It goes away.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// It comes back, and remembers nobody.
    pub fn resume(&mut self) {
        let script = self.directory.path().join("provider.mjs");
        account::write(&script, SCRIPT);
        // The libraries may stand where only we can read.
        let mut command = account::own_command(&account::find("node", &[]), "KILL");
        command.arg(&script).arg(&self.wanted.arguments).env("CALSYNC_CLIENTS_DIR", &self.wanted.libraries);
        let mut process = Process::start(command, &self.directory.path().join("log"));
        let port = self.port.number();
        let is_ready = || {
            get(port, "/.well-known/openid-configuration").is_ok_and(|said| said.contains("token_endpoint"))
        };
        let ready = within(PATIENCE, || !process.runs() || is_ready());
        assert!(ready && process.runs(), "the OpenID provider does not start:\n{}", self.log());
        self.process = Some(process);
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut said = String::new();
    let _ = stream.read_to_string(&mut said);
    Ok(said)
}
