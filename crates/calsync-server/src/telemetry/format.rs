//! How a line looks: as text or JSON, and with the name of the instance where there are several. It adds nothing else.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;

/// Field that every line carries once the instance has a name.
const FIELD: &str = "instance";

/// The instance's name, as soon as it is known.
pub(super) type Name = Arc<OnceLock<String>>;

/// Lines of `inner` with the instance's name in them.
pub(super) struct Named<F> {
    pub(super) inner: F,
    pub(super) format: LogFormat,
    pub(super) name: Name,
}

impl<S, N, F> FormatEvent<S, N> for Named<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(name) = self.name.get() else { return self.inner.format_event(context, writer, event) };
        let mut line = String::with_capacity(512);
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&with_name(&line, self.format, name))
    }
}

fn with_name(line: &str, format: LogFormat, name: &str) -> String {
    match (format, line.strip_prefix('{')) {
        (LogFormat::Json, Some(rest)) => format!("{{\"{FIELD}\":\"{name}\",{rest}"),
        _ => format!("{} {FIELD}={name}\n", line.trim_end_matches('\n')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_in_every_line() {
        let text = with_name("INFO said a=1\n", LogFormat::Text, "one");
        assert_eq!(text, "INFO said a=1 instance=one\n");
        let json = with_name("{\"level\":\"INFO\"}\n", LogFormat::Json, "one");
        let value: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
        assert_eq!(value, serde_json::json!({"level": "INFO", "instance": "one"}));
    }
}
