//! The mail server: it keeps what it takes, and refuses what it should.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use calsync_testbed::mail::{MailServer, MailTls};

/// Says the lines one by one, and gives the last line of each answer.
fn talk(server: &MailServer, lines: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut last = || {
        loop {
            let mut line = String::new();
            answers.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    };
    let mut heard = vec![last()];
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        heard.push(last());
    }
    heard
}

#[test]
fn it_keeps_what_it_takes_and_refuses_what_it_should() {
    let mut server = MailServer::start(MailTls::Off, None);
    let to = [
        "EHLO test",
        "MAIL FROM:<ada@example.com>",
        "RCPT TO:<refused@example.com>",
        "RCPT TO:<later@example.com>",
    ];
    let heard = talk(
        &server,
        &[&to[..], &["RCPT TO:<bob@example.com>", "DATA", "Subject: hello\r\n\r\nworld\r\n."]].concat(),
    );
    let codes: Vec<&str> = heard.iter().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "550", "451", "250", "354", "250"], "{heard:?}");
    let letters = server.letters();
    assert!(letters.len() == 1 && letters[0].contains(r#""to": ["bob@example.com"]"#), "{letters:?}");
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.start_again();
    assert_eq!(server.letters(), letters);
}

#[test]
fn who_does_not_sign_in_is_not_heard() {
    let server = MailServer::start(MailTls::StartTls, Some(("ada", "hunter2")));
    let heard = talk(&server, &["EHLO test", "MAIL FROM:<ada@example.com>"]);
    assert!(heard[2].starts_with("530"), "{heard:?}");
}
