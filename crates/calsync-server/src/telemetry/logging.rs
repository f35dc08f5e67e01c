//! Logs: lines on standard output (or standard error, beside a command's result), as text or JSON, and in files where
//! configured. Secrets do not come here, because `Secret` prints as `[secret]`.

use std::io::IsTerminal;
use std::sync::Arc;

use calsync_core::ports::{Clock, IdGen};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::files::LogFiles;
use super::format::{Name, Named};
use super::layer::{Outbox, TraceLayer, is_ours};
use super::spans::{Ids, Sample};
use super::traces::{self, Collector};
use crate::config::{LogFormat, LogSettings, TraceSettings};

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
pub struct LogGuard {
    files: Option<LogFiles>,
    name: Name,
    traces: Option<Tracing>,
}

/// What is traced waits here.
struct Tracing {
    outbox: Arc<Outbox>,
    collector: Collector,
}

impl LogGuard {
    /// From here on every line carries the name of this instance: there are others.
    pub fn name(&self, instance: &str) {
        // An instance has one name for as long as it lives.
        let _ = self.name.set(instance.to_owned());
    }

    /// Sends traces until `stopping`, and then what is left; ends at once where none are asked for.
    pub fn send_traces(
        &mut self,
        instance: &str,
        stopping: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (traces, instance) = (self.traces.take(), instance.to_owned());
        async move {
            if let Some(Tracing { outbox, collector }) = traces {
                traces::send(outbox, collector, instance, stopping).await;
            }
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(files) = &self.files {
            files.end();
        }
    }
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
    start_with(settings, console, None)
}

/// The same with traces, where somebody collects them.
pub fn start_traced(
    settings: &LogSettings,
    traces: &TraceSettings,
    console: Console,
    clock: Arc<dyn Clock>,
    ids: &dyn IdGen,
) -> Result<LogGuard, NoLog> {
    let collector = Collector::configured(traces);
    let tracing = collector.map(|collector| Tracing { outbox: Arc::default(), collector });
    let layer = tracing.as_ref().map(|tracing| TraceLayer {
        clock,
        ids: Ids::from_seed(ids.below(u64::MAX)),
        sample: Sample { percent: traces.sample_percent },
        outbox: tracing.outbox.clone(),
    });
    let mut guard = start_with(settings, console, layer)?;
    guard.traces = tracing;
    Ok(guard)
}

fn start_with(
    settings: &LogSettings,
    console: Console,
    traces: Option<TraceLayer>,
) -> Result<LogGuard, NoLog> {
    let (writer, colour) = match console {
        Console::Stdout => (BoxMakeWriter::new(std::io::stdout), std::io::stdout().is_terminal()),
        Console::Stderr => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
    };
    let name = Name::default();
    let colour = if colour { Colour::Terminal } else { Colour::Plain };
    let mut layers = vec![lines(settings.format, writer, colour, &name)];
    let files = files(settings)?;
    if let Some(files) = files.clone() {
        layers.push(lines(settings.format, BoxMakeWriter::new(files), Colour::Plain, &name));
    }
    let filter = EnvFilter::new(&settings.level);
    let started = match traces {
        // One filter before everything: what nobody reads costs nothing.
        None => tracing_subscriber::registry().with(layers).with(filter).try_init(),
        Some(traces) => {
            // Spans are wanted whatever is logged.
            let ours = FilterFn::new(is_ours).with_max_level_hint(LevelFilter::DEBUG);
            let layers = vec![layers.with_filter(filter).boxed(), traces.with_filter(ours).boxed()];
            tracing_subscriber::registry().with(layers).try_init()
        }
    };
    started.map_err(|_| NoLog::Twice)?;
    Ok(LogGuard { files, name, traces: None })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    Terminal,
    Plain,
}

fn lines(
    format: LogFormat,
    writer: BoxMakeWriter,
    colour: Colour,
    name: &Name,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().with_ansi(colour == Colour::Terminal).with_writer(writer);
    let name = name.clone();
    match format {
        LogFormat::Text => layer.event_format(Named { inner: fmt::format(), format, name }).boxed(),
        LogFormat::Json => {
            let inner = fmt::format().json().flatten_event(true);
            layer.fmt_fields(JsonFields::new()).event_format(Named { inner, format, name }).boxed()
        }
    }
}

fn files(settings: &LogSettings) -> Result<Option<LogFiles>, NoLog> {
    let Some(directory) = &settings.directory else { return Ok(None) };
    let started = LogFiles::start(directory, settings).map_err(|error| NoLog::Directory {
        directory: directory.display().to_string(),
        reason: crate::secrets::keyfile::reason(&error),
    });
    started.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::secret::Secret;

    fn settings(directory: &std::path::Path, format: LogFormat) -> LogSettings {
        LogSettings {
            format,
            level: "info".to_owned(),
            directory: Some(directory.to_owned()),
            max_bytes: 10_000,
            max_files: 3,
            max_error_files: 3,
        }
    }

    /// What stands in the file for all lines, and in the one for errors.
    fn logged(format: LogFormat) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&settings(dir.path(), format)).unwrap().unwrap();
        let name = Name::default();
        let layer = lines(format, BoxMakeWriter::new(files.clone()), Colour::Plain, &name);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(vec![layer]), || {
            let token = Secret::new("hunter2");
            tracing::info!(calendar = "work", %token, shown = ?token, "a line");
            name.set("one".to_owned()).unwrap();
            tracing::error!("another");
        });
        files.end();
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        (read("calendar-sync.log"), read("calendar-sync-errors.log"))
    }

    #[test]
    fn lines_reach_the_file_without_secrets_or_colours() {
        let (text, errors) = logged(LogFormat::Text);
        assert!(text.contains("a line") && text.contains("[secret]") && text.contains("work"), "{text}");
        assert_eq!(errors, text.lines().last().unwrap().to_owned() + "\n", "errors apart as well");
        assert!(errors.ends_with(" another instance=one\n"), "{errors}");
        let (json, errors) = logged(LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&line["message"], &line["level"], &line["token"], &line["instance"]),
            (&"a line".into(), &"INFO".into(), &"[secret]".into(), &serde_json::Value::Null)
        );
        let line: serde_json::Value = serde_json::from_str(errors.trim()).unwrap();
        assert_eq!((&line["message"], &line["instance"]), (&"another".into(), &"one".into()));
        for log in [text, json] {
            assert!(!log.contains("hunter2") && !log.contains('\u{1b}'), "{log}");
        }
    }

    #[test]
    fn an_unwritable_directory_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let settings = settings(&dir.path().join("file"), LogFormat::Text);
        let error = files(&settings).err().unwrap().to_string();
        assert!(error.contains("log.directory"), "{error}");
    }
}
