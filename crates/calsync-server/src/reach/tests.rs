//! How answers from our public address are judged, each once.

use calsync_testbed::port::Port;

use super::*;

fn answer(status: u16, content_type: &str, body: &str) -> Answer {
    let location = if status == 301 { "https://sign-in.example.com/".to_owned() } else { String::new() };
    Answer { status, content_type: content_type.into(), location, date: None, body: body.into() }
}

fn redirect() -> Unreached {
    Unreached::Redirect { status: 301, to: "https://sign-in.example.com/".to_owned() }
}

#[test]
fn trap_18_what_stands_in_between_is_found() {
    let judged = |status, content_type: &str, body: &str| {
        judge_handshake(&answer(status, content_type, body), "a token + %")
    };
    assert_eq!(judged(200, "text/plain; charset=utf-8", "a token + %"), Ok(()));
    assert_eq!(judged(200, "TEXT/PLAIN", "a token + %"), Ok(()));
    assert_eq!(judged(200, "text/plain", "a+token+%2B+%25"), Err(Unreached::Altered));
    assert_eq!(judged(200, "text/plain", "\"a token + %\""), Err(Unreached::Altered));
    assert_eq!(judged(200, "text/plain", ""), Err(Unreached::Altered));
    assert_eq!(judged(200, "text/html", "a token + %"), Err(Unreached::Type("text/html".into())));
    assert_eq!(judged(200, "", "a token + %"), Err(Unreached::Type(String::new())));
    for status in [202, 401, 403, 404, 503] {
        assert_eq!(judged(status, "text/plain", "a token + %"), Err(Unreached::Status(status)));
    }
    assert_eq!(judged(301, "text/plain", "a token + %"), Err(redirect()));
}

#[test]
fn the_time_of_an_answer_is_read() {
    let at = |date: Option<&str>| Answer { date: date.map(str::to_owned), ..answer(200, "", "") }.time();
    assert_eq!(at(Some("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Ts::from_secs(784_111_777)));
    for none in [None, Some(""), Some("yesterday")] {
        assert_eq!(at(none), None, "{none:?}");
    }
}

#[test]
fn only_our_own_health_counts() {
    let ours = |status: &str, processing: &str| {
        format!(r#"{{"status":"{status}","checks":{{"database":"healthy","processing":"{processing}"}}}}"#)
    };
    let health = |status: &str, unwell: &[&str]| {
        Ok(Health { status: status.to_owned(), unwell: unwell.iter().map(|u| (*u).to_owned()).collect() })
    };
    for (status, body, judged) in [
        (200, ours("healthy", "healthy"), health("healthy", &[])),
        (200, ours("degraded", "degraded"), health("degraded", &["processing"])),
        // It says no, but it is us who say it: a provider reaches us.
        (503, ours("critical", "critical"), health("critical", &["processing"])),
        (503, "<h1>no upstream</h1>".to_owned(), Err(Unreached::Status(503))),
        (200, "<h1>Welcome</h1>".to_owned(), Err(Unreached::Stranger)),
        (200, r#"{"status":"ok"}"#.to_owned(), Err(Unreached::Stranger)),
        (200, r#"{"status":"healthy","checks":{}}"#.to_owned(), Err(Unreached::Stranger)),
        (200, ours("splendid", "healthy"), Err(Unreached::Stranger)),
        (404, ours("healthy", "healthy"), Err(Unreached::Status(404))),
        (301, ours("healthy", "healthy"), Err(redirect())),
    ] {
        assert_eq!(judge_health(&answer(status, "application/json", &body)), judged, "{status} {body}");
    }
}

#[test]
fn a_file_is_there_to_the_letter_or_not_at_all() {
    let content = "google-site-verification: google0123456789abcdef.html";
    let judged = |status, body: &str| judge_content(&answer(status, "text/html", body), content);
    assert_eq!(judged(200, content), Ok(()));
    assert_eq!(judged(200, &format!("{content}\n")), Err(Unreached::Stranger));
    assert_eq!(judged(200, "<h1>Welcome</h1>"), Err(Unreached::Stranger));
    assert_eq!(judged(404, content), Err(Unreached::Status(404)));
    assert_eq!(judged(301, content), Err(redirect()));
}

#[test]
fn why_nobody_answers_is_told_apart() {
    let wrapped = |tls| io::Error::new(io::ErrorKind::InvalidData, tls);
    let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let no_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    for (error, why) in [
        (io::ErrorKind::ConnectionRefused.into(), Silence::Refused),
        (io::ErrorKind::TimedOut.into(), Silence::Slow),
        (io::Error::other("failed to lookup address information: Name or service not known"), Silence::Name),
        (wrapped(untrusted), Silence::Certificate),
        (wrapped(no_tls.clone()), Silence::NoTls),
        (io::Error::other(wrapped(no_tls)), Silence::NoTls),
        (io::ErrorKind::ConnectionReset.into(), Silence::Other),
    ] {
        let Unreached::Silent { why: found, words } = silent(&error) else { panic!("{error}") };
        assert_eq!((found, words), (why, error.to_string()));
    }
}

/// Answers one connection with these bytes; its port.
async fn once(bytes: &'static [u8]) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut heard = [0; 4096];
        let _ = socket.read(&mut heard).await;
        let _ = socket.write_all(bytes).await;
        let _ = socket.shutdown().await;
        // What is left unread would reset the connection under the answer.
        let _ = socket.read(&mut heard).await;
    });
    port
}

#[tokio::test]
async fn what_listens_there_is_seen_as_it_is() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let looker = Looker::new().unwrap();
    let why = async |url: String| match looker.health(&url).await {
        Err(Unreached::Silent { why, .. }) => why,
        other => panic!("{url}: {other:?}"),
    };
    let gone = Port::reserve();
    assert_eq!(why(format!("http://127.0.0.1:{}", gone.number())).await, Silence::Refused);
    let plain = once(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(why(format!("https://127.0.0.1:{plain}")).await, Silence::NoTls);
    let moved = once(
        b"HTTP/1.1 301 Moved Permanently\r\nlocation: https://sign-in.example.com/\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    // It is not followed: nothing is asked of anybody else.
    assert_eq!(looker.health(&format!("http://127.0.0.1:{moved}")).await, Err(redirect()));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    static LONG: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
        while socket.write_all(&LONG).await.is_ok() {}
    });
    let answer = Looker::new().unwrap().get(&format!("http://127.0.0.1:{port}/")).await.unwrap();
    assert!(answer.body.len() < 2 * LONG.len(), "{}", answer.body.len());
}
