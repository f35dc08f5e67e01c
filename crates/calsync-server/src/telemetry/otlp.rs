//! Spans as OTLP carries them (opentelemetry-proto 1.x, `ExportTraceServiceRequest` in protobuf): the few messages of it that
//! we fill, written by hand. Their numbers can never change. Pure; a test has the real definitions read what is written here.

/// The media type of it.
pub(super) const CONTENT_TYPE: &str = "application/x-protobuf";
/// Where spans go, below the endpoint.
pub(super) const PATH: &str = "v1/traces";

/// `SpanKind`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// Sixteen bytes: the UUID of what it is all about.
pub(super) type TraceId = [u8; 16];
/// Never all zero.
pub(super) type SpanId = [u8; 8];

/// What an attribute holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
}

/// Another span that this one has to do with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Link {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

/// A span that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Nanoseconds since 1970.
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) links: Vec<Link>,
    pub(super) failed: bool,
}

/// Who sends.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) instance: String,
}

/// A request with these spans.
pub(super) fn request(sender: &Sender, spans: &[Span]) -> Vec<u8> {
    let mut resource = Message::default();
    for (key, value) in [
        ("service.name", "calendar-sync"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", sender.instance.as_str()),
    ] {
        resource.message(1, &attribute(key, &Value::Text(value.to_owned())));
    }
    let mut scope = Message::default();
    scope.bytes(1, b"calendar-sync");
    let mut scoped = Message::default();
    scoped.message(1, &scope);
    for span in spans {
        scoped.message(2, &encode(span));
    }
    let mut ours = Message::default();
    ours.message(1, &resource);
    ours.message(2, &scoped);
    let mut request = Message::default();
    request.message(1, &ours);
    request.0
}

fn encode(span: &Span) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.trace);
    message.bytes(2, &span.id);
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
    }
    message.bytes(5, span.name.as_bytes());
    message.number(6, span.kind as u64);
    message.fixed(7, span.began);
    message.fixed(8, span.ended);
    for (key, value) in &span.attributes {
        message.message(9, &attribute(key, value));
    }
    for link in &span.links {
        let mut other = Message::default();
        other.bytes(1, &link.trace);
        other.bytes(2, &link.span);
        message.message(13, &other);
    }
    if span.failed {
        let mut status = Message::default();
        // STATUS_CODE_ERROR
        status.number(3, 2);
        message.message(15, &status);
    }
    message
}

fn attribute(key: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.bytes(1, text.as_bytes()),
        Value::Number(number) => any.number(3, number.cast_unsigned()),
    }
    let mut pair = Message::default();
    pair.bytes(1, key.as_bytes());
    pair.message(2, &any);
    pair
}

/// A message under way.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.0.push(low & 0x7f);
            }
            self.0.push(low | 0x80);
        }
    }

    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, 0);
        self.varint(number);
    }

    fn fixed(&mut self, field: u64, number: u64) {
        self.tag(field, 1);
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_real_definitions_read_what_is_written() {
        let span = Span {
            trace: [7; 16],
            id: [8; 8],
            parent: Some([9; 8]),
            name: "write",
            kind: Kind::Client,
            began: 1_800_000_000_123_456_789,
            ended: u64::MAX,
            attributes: vec![
                ("text", Value::Text("ä".repeat(200))),
                ("number", Value::Number(-1)),
                ("zero", Value::Number(0)),
            ],
            links: vec![Link { trace: [1; 16], span: [2; 8] }],
            failed: true,
        };
        let root = Span { parent: None, failed: false, links: vec![], ..span.clone() };
        let sender = Sender { instance: "one".to_owned() };
        let bytes = request(&sender, &[span.clone(), root]);
        let read = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        let [ours] = read.resource_spans.as_slice() else { panic!("{read:?}") };
        let name = &ours.resource.as_ref().unwrap().attributes[0];
        assert_eq!(name.key, "service.name");
        let [scoped] = ours.scope_spans.as_slice() else { panic!("{read:?}") };
        let [first, second] = scoped.spans.as_slice() else { panic!("{read:?}") };
        assert_eq!((&first.trace_id, &first.span_id), (&vec![7; 16], &vec![8; 8]));
        assert_eq!((&first.parent_span_id, first.name.as_str(), first.kind), (&vec![9; 8], "write", 3));
        assert_eq!((first.start_time_unix_nano, first.end_time_unix_nano), (span.began, span.ended));
        let values: Vec<_> =
            first.attributes.iter().map(|a| a.value.clone().unwrap().value.unwrap()).collect();
        assert_eq!(values, [Any::StringValue("ä".repeat(200)), Any::IntValue(-1), Any::IntValue(0)]);
        assert_eq!((&first.links[0].trace_id, &first.links[0].span_id), (&vec![1; 16], &vec![2; 8]));
        assert_eq!(first.status.as_ref().unwrap().code, 2);
        assert_eq!((second.parent_span_id.len(), second.status.is_none(), second.links.len()), (0, true, 0));
        // Nothing was left over or misread: writing it again gives as many bytes.
        assert_eq!(read.encoded_len(), bytes.len());
    }
}
