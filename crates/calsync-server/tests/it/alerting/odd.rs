//! Mail servers that no package brings: ones that hang, break off or talk nonsense, word by word as a test wants it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use calsync_core::alert::{Again, Occasion};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::letters::with;
use super::{MARKER, Names, deliver, message, settings, world};

/// How long a try may take here.
const PATIENCE: Duration = Duration::from_millis(800);

/// What it does when a line begins like this; the first that fits counts.
type Rule = (&'static str, Does);

#[derive(Clone, Copy, Debug)]
enum Does {
    Says(&'static str),
    Hangs,
    HangsUp,
}

/// A server that goes by rules. The greeting is what it does at "".
struct Odd {
    port: String,
    heard: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl Odd {
    async fn start(rules: &'static [Rule]) -> Odd {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let heard = Arc::new(Mutex::new(String::new()));
        let kept = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, rules, &kept).await;
            }
        });
        Odd { port, heard, task }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, rules: &[Rule], heard: &Mutex<String>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let rule = rules
            .iter()
            .find(|(begin, _)| if begin.is_empty() { line.is_empty() } else { line.starts_with(begin) });
        match rule.map(|(_, does)| does) {
            Some(Does::Says(words)) if stream.write_all(words.as_bytes()).await.is_err() => return,
            Some(Does::Says(_)) | None => {}
            Some(Does::Hangs) => {
                // Until they hang up.
                let mut rest = Vec::new();
                let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&rest));
                return;
            }
            Some(Does::HangsUp) => return,
        }
        line.clear();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return;
        }
        heard.lock().unwrap().push_str(&line);
    }
}

const OK: Does = Does::Says("250 ok\r\n");
const GREETS: Rule = ("", Does::Says("220 odd\r\n"));
const EHLO: Rule = ("EHLO", OK);

#[tokio::test]
async fn who_hangs_anywhere_is_left_in_time_and_told_for_what_it_did() {
    let later = Again::Later(None);
    let cases: [(&'static [Rule], &str); 7] = [
        (&[("", Does::Hangs)], "did not greet us in time"),
        (&[GREETS, ("EHLO", Does::Hangs)], "did not greet us in time"),
        (&[GREETS, EHLO, ("MAIL", Does::Hangs)], "whether it takes a letter"),
        (&[GREETS, EHLO, ("MAIL", OK), ("RCPT", Does::Hangs)], "whether it takes a letter"),
        (&[GREETS, EHLO, ("MAIL", OK), ("RCPT", OK), ("DATA", Does::Hangs)], "it may come twice"),
        (
            &[
                GREETS,
                EHLO,
                ("MAIL", OK),
                ("RCPT", OK),
                ("DATA", Does::Says("354 go on\r\n")),
                (".\r\n", Does::Hangs),
            ],
            "it may come twice",
        ),
        // It never stops greeting.
        (&[("", Does::Says("220-odd\r\n")), GREETS], "did not greet us in time"),
    ];
    for (rules, words) in cases {
        let odd = Odd::start(rules).await;
        let settings = settings(&with(&odd.port, "none", &[]));
        let began = Instant::now();
        let told = deliver(&settings, &world(&Names::default(), PATIENCE), &message(Occasion::Opened)).await;
        let told = told.unwrap_err();
        assert!(told.reason.contains(words), "{rules:?}: {told}");
        assert_eq!(told.again, later, "{told}");
        assert!(began.elapsed() < PATIENCE * 4, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn who_breaks_off_or_talks_nonsense_is_told() {
    let cases: [(&'static [Rule], Again, &str); 8] = [
        (&[("", Does::HangsUp)], Again::Later(None), "broke off, or is no mail server"),
        (&[("", Does::Says("HTTP/1.1 400 Bad Request\r\n\r\n"))], Again::Later(None), "is no mail server"),
        (&[("", Does::Says("554 go away\r\n"))], Again::Later(None), "does not want us (554 go away)"),
        (&[("", Does::Says("421 too busy\r\n"))], Again::Later(None), "421 too busy"),
        (
            &[GREETS, EHLO, ("MAIL", Does::Says("550 who are you\r\n"))],
            Again::Never,
            "smtp.from (550 who are you)",
        ),
        (
            &[
                GREETS,
                EHLO,
                ("MAIL", OK),
                ("RCPT", OK),
                ("DATA", Does::Says("354 go on\r\n")),
                (".\r\n", Does::HangsUp),
            ],
            Again::Later(None),
            "it may come twice",
        ),
        (
            &[
                GREETS,
                EHLO,
                ("MAIL", OK),
                ("RCPT", OK),
                ("DATA", Does::Says("354 go on\r\n")),
                (".\r\n", Does::Says("552 5.2.2 too\u{1b}[31m large\r\n")),
            ],
            Again::Never,
            "does not take the letter (552 5.2.2 too [31m large)",
        ),
        (
            &[
                GREETS,
                EHLO,
                ("MAIL", OK),
                ("RCPT", OK),
                ("DATA", Does::Says("354 go on\r\n")),
                (".\r\n", Does::Says("452 full\r\n")),
            ],
            Again::Later(None),
            "452 full",
        ),
    ];
    for (rules, again, words) in cases {
        let odd = Odd::start(rules).await;
        let settings = settings(&with(&odd.port, "none", &[]));
        let told =
            deliver(&settings, &world(&Names::default(), PATIENCE * 5), &message(Occasion::Opened)).await;
        let told = told.unwrap_err();
        assert!(told.reason.contains(words), "{rules:?}: {told}");
        assert_eq!(told.again, again, "{told}");
    }
}

/// Somebody in between takes STARTTLS out of the offer, and asks for the password.
#[tokio::test]
async fn who_hides_starttls_hears_neither_password_nor_letter() {
    let odd =
        Odd::start(&[GREETS, ("EHLO", Does::Says("250-odd\r\n250 AUTH PLAIN LOGIN\r\n")), ("", OK)]).await;
    let others = [("SMTP__USERNAME", "sync@example.org"), ("SMTP__PASSWORD", MARKER)];
    let settings = settings(&with(&odd.port, "starttls", &others));
    let told = deliver(&settings, &world(&Names::default(), PATIENCE), &message(Occasion::Opened))
        .await
        .unwrap_err();
    assert!(told.reason.contains("offers no STARTTLS") && told.again == Again::Never, "{told}");
    let heard = odd.heard.lock().unwrap().clone();
    assert!(heard.starts_with("EHLO ") && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

/// TLS from the first byte to one that speaks first: both wait for the other, or one talks nonsense.
#[tokio::test]
async fn the_wrong_port_for_tls_is_told() {
    let odd = Odd::start(&[GREETS]).await;
    let settings = settings(&with(&odd.port, "tls", &[]));
    let told = deliver(&settings, &world(&Names::default(), PATIENCE), &message(Occasion::Opened))
        .await
        .unwrap_err();
    assert!(told.reason.contains("speaks no TLS here") && told.reason.contains("smtp.security"), "{told}");
}

#[tokio::test]
async fn a_goodbye_that_does_not_come_does_not_matter() {
    let odd = Odd::start(&[
        GREETS,
        EHLO,
        ("MAIL", OK),
        ("RCPT", OK),
        ("DATA", Does::Says("354 go on\r\n")),
        (".\r\n", OK),
        ("QUIT", Does::Hangs),
    ])
    .await;
    let settings = settings(&with(&odd.port, "none", &[]));
    deliver(&settings, &world(&Names::default(), Duration::from_secs(10)), &message(Occasion::Opened))
        .await
        .unwrap();
}
