//! Logs: lines on standard output (or standard error, beside a command's result), as text or JSON, and in daily files
//! where configured. Secrets do not come here, because `Secret` prints as `[secret]`.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{LogFormat, LogSettings};

/// First part of a log file's name; the day and `.log` follow.
pub const FILE_PREFIX: &str = "calendar-sync";

/// Where lines go besides the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Console {
    /// Standard output: the program is a service.
    Stdout,
    /// Standard error: standard output carries a result.
    Stderr,
}

/// Keeps the log alive: what is still to be written is written when it is dropped.
#[must_use = "lines that are not yet written are lost when this is dropped early"]
#[derive(Debug)]
pub struct LogGuard {
    _file: Option<WorkerGuard>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum NoLog {
    /// The files.
    #[error(
        "cannot write log files into {directory}: {reason}. Make the directory writable, or change log.directory"
    )]
    Directory {
        /// Where.
        directory: String,
        /// Why.
        reason: String,
    },
    /// Somebody was faster.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging for the whole process.
pub fn start(settings: &LogSettings, console: Console) -> Result<LogGuard, NoLog> {
    let (writer, colour) = match console {
        Console::Stdout => (BoxMakeWriter::new(std::io::stdout), std::io::stdout().is_terminal()),
        Console::Stderr => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
    };
    let mut layers =
        vec![lines(settings.format, writer, if colour { Colour::Terminal } else { Colour::Plain })];
    let mut guard = None;
    if let Some((file, file_guard)) = file_writer(settings)? {
        layers.push(lines(settings.format, file, Colour::Plain));
        guard = Some(file_guard);
    }
    let filter = EnvFilter::new(&settings.level);
    tracing_subscriber::registry().with(layers).with(filter).try_init().map_err(|_| NoLog::Twice)?;
    Ok(LogGuard { _file: guard })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    Terminal,
    Plain,
}

fn lines(format: LogFormat, writer: BoxMakeWriter, colour: Colour) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        LogFormat::Text => fmt::layer().with_ansi(colour == Colour::Terminal).with_writer(writer).boxed(),
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_ansi(false).with_writer(writer).boxed()
        }
    }
}

fn file_writer(settings: &LogSettings) -> Result<Option<(BoxMakeWriter, WorkerGuard)>, NoLog> {
    let Some(directory) = &settings.directory else { return Ok(None) };
    let refused = |reason: String| NoLog::Directory { directory: directory.display().to_string(), reason };
    std::fs::create_dir_all(directory).map_err(|e| refused(crate::secrets::keyfile::reason(&e)))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(FILE_PREFIX)
        .filename_suffix("log")
        .max_log_files(settings.max_files)
        .build(directory)
        .map_err(|e| refused(e.to_string()))?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    Ok(Some((BoxMakeWriter::new(writer), guard)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::secret::Secret;

    fn settings(directory: &std::path::Path, format: LogFormat) -> LogSettings {
        LogSettings { format, level: "info".to_owned(), directory: Some(directory.to_owned()), max_files: 3 }
    }

    fn logged(format: LogFormat) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (writer, guard) = file_writer(&settings(dir.path(), format)).unwrap().unwrap();
        let subscriber = tracing_subscriber::registry().with(vec![lines(format, writer, Colour::Plain)]);
        tracing::subscriber::with_default(subscriber, || {
            let token = Secret::new("hunter2");
            tracing::info!(calendar = "work", %token, shown = ?token, "a line");
        });
        drop(guard);
        let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
        let name = file.file_name().into_string().unwrap();
        assert!(name.starts_with("calendar-sync.2") && name.ends_with(".log"), "{name}");
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn lines_reach_the_file_without_secrets_or_colours() {
        let text = logged(LogFormat::Text);
        assert!(text.contains("a line") && text.contains("[secret]") && text.contains("work"), "{text}");
        let json = logged(LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
        assert_eq!(
            (&line["message"], &line["level"], &line["token"]),
            (&"a line".into(), &"INFO".into(), &"[secret]".into())
        );
        for log in [text, json] {
            assert!(!log.contains("hunter2") && !log.contains('\u{1b}'), "{log}");
        }
    }

    #[test]
    fn an_unwritable_directory_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let settings = settings(&dir.path().join("file"), LogFormat::Text);
        let error = file_writer(&settings).err().unwrap().to_string();
        assert!(error.contains("log.directory"), "{error}");
    }
}
