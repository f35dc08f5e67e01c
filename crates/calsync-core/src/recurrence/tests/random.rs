//! Random rules, starts and windows for the laws and for the comparison with other engines.

use super::*;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// So many times the usual number of cases; `PROPTEST_CASES` raises it for a long run.
pub(super) fn many(times: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases * times,
        failure_persistence: None,
        max_global_rejects: 100_000,
        ..usual
    }
}

/// A random rule, part by part, so that a comparison can leave out what another engine reads otherwise.
#[derive(Clone, Debug)]
pub(super) struct RandomRule {
    pub(super) freq: &'static str,
    pub(super) interval: u32,
    pub(super) by_day: Vec<String>,
    pub(super) by_month_day: Vec<i8>,
    pub(super) by_month: Vec<u8>,
    pub(super) by_set_pos: Vec<i16>,
    pub(super) wkst: &'static str,
    pub(super) end: End,
    /// More parts, ready to append.
    pub(super) more: String,
}

#[derive(Clone, Debug)]
pub(super) enum End {
    Never,
    Count(u32),
    Until(String),
}

impl RandomRule {
    pub(super) fn value(&self) -> String {
        let mut parts = vec![format!("FREQ={}", self.freq), format!("INTERVAL={}", self.interval)];
        let mut list = |name: &str, items: Vec<String>| {
            if !items.is_empty() {
                parts.push(format!("{name}={}", items.join(",")));
            }
        };
        list("BYDAY", self.by_day.clone());
        list("BYMONTHDAY", self.by_month_day.iter().map(ToString::to_string).collect());
        list("BYMONTH", self.by_month.iter().map(ToString::to_string).collect());
        list("BYSETPOS", self.by_set_pos.iter().map(ToString::to_string).collect());
        parts.push(format!("WKST={}", self.wkst));
        match &self.end {
            End::Never => {}
            End::Count(n) => parts.push(format!("COUNT={n}")),
            End::Until(until) => parts.push(format!("UNTIL={until}")),
        }
        parts.join(";") + &self.more
    }

    pub(super) fn line(&self) -> String {
        format!("RRULE:{}", self.value())
    }

    /// BYSETPOS needs something to choose from (RFC 5545 §3.3.10).
    fn tidy(mut self) -> RandomRule {
        if self.by_day.is_empty() && self.by_month_day.is_empty() && self.by_month.is_empty() {
            self.by_set_pos.clear();
        }
        if self.freq == "WEEKLY" {
            self.by_month_day.clear();
        }
        self
    }
}

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

fn by_day(freq: &'static str) -> impl Strategy<Value = Vec<String>> {
    let ordinals: Vec<String> = match freq {
        "MONTHLY" => ["", "", "1", "2", "4", "5", "-1", "-2", "-5"].map(String::from).into(),
        "YEARLY" => ["", "", "1", "-1", "2", "5", "20", "-20", "53", "-53"].map(String::from).into(),
        _ => vec![String::new()],
    };
    let one = (select(ordinals), select(DAYS.to_vec())).prop_map(|(n, day)| format!("{n}{day}"));
    prop_oneof![2 => Just(Vec::new()), 3 => proptest::collection::vec(one, 1..4)]
}

fn some<T: Clone + std::fmt::Debug + 'static>(of: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 2 => subsequence(of, 1..4)]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        2 => Just(End::Never),
        1 => (1..60_u32).prop_map(End::Count),
        1 => (1995..2045_i32, 1..13_u8, 1..29_u8, 0..24_u8).prop_map(|(y, m, d, h)| {
            End::Until(format!("{y:04}{m:02}{d:02}T{h:02}0000Z"))
        }),
    ]
}

/// Rules as calendars write them.
pub(super) fn plain_rule() -> impl Strategy<Value = RandomRule> {
    select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]).prop_flat_map(|freq| {
        let month_days = vec![1, 2, 13, 15, 28, 29, 30, 31, -1, -2, -15, -28, -29, -31];
        let months = (1..=12).collect::<Vec<u8>>();
        let positions = vec![1, 2, 3, 10, -1, -2, -3, -10];
        (
            1..5_u32,
            by_day(freq),
            some(month_days),
            some(months),
            some(positions),
            select(DAYS.to_vec()),
            end(),
        )
            .prop_map(move |(interval, by_day, by_month_day, by_month, by_set_pos, wkst, end)| {
                let more = String::new();
                RandomRule { freq, interval, by_day, by_month_day, by_month, by_set_pos, wkst, end, more }
                    .tidy()
            })
    })
}

/// Rules with the parts that hardly anybody writes as well.
pub(super) fn any_rule() -> impl Strategy<Value = RandomRule> {
    let more = select(vec![
        "",
        "",
        "",
        ";BYHOUR=0,9,23",
        ";BYHOUR=17;BYMINUTE=0,30",
        ";BYYEARDAY=1,60,100,-1",
        ";BYYEARDAY=366,-366",
        ";BYWEEKNO=1",
        ";BYWEEKNO=20,53,-1",
        ";RSCALE=GREGORIAN;SKIP=FORWARD",
        ";RSCALE=GREGORIAN;SKIP=BACKWARD",
    ]);
    let interval = prop_oneof![4 => 1..5_u32, 1 => 5..40_u32];
    (plain_rule(), more, interval, 0..12_u8).prop_map(|(mut rule, more, interval, hourly)| {
        rule.more = more.to_owned();
        rule.interval = interval;
        if hourly == 0 {
            rule.freq = "HOURLY";
        }
        rule
    })
}

/// A wall-clock time between 1990 and 2026, ends of months included.
pub(super) fn local() -> impl Strategy<Value = DateTime> {
    let day = prop_oneof![3 => 1..29_i8, 1 => 28..32_i8];
    (1990..2027_i16, 1..13_i8, day, 0..24_i8, select(vec![0_i8, 15, 30])).prop_map(
        |(y, m, d, hour, minute)| {
            let last = Date::new(y, m, 1).unwrap().days_in_month();
            Date::new(y, m, d.min(last)).unwrap().at(hour, minute, 0, 0)
        },
    )
}

pub(super) fn some_zone() -> impl Strategy<Value = TimeZone> {
    let ids = [
        "UTC",
        "Europe/Vienna",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Cairo",
        "Asia/Kolkata",
    ];
    select(ids.to_vec()).prop_map(|id| zone::find(id).unwrap())
}

pub(super) fn series() -> impl Strategy<Value = SeriesStart> {
    (local(), some_zone(), 0..4_u8).prop_map(|(local, zone, kind)| match kind {
        0 => SeriesStart::AllDay(local.date()),
        _ => SeriesStart::Timed { local, zone },
    })
}

/// A window of up to four months between 1995 and 2040, and a moment inside it.
pub(super) fn split_window() -> impl Strategy<Value = (Window, Ts)> {
    (788_918_400..2_208_988_800_i64, 1..10_000_000_i64, 0.0..1.0_f64).prop_map(|(from, length, cut)| {
        let window = Window { from: Ts::from_secs(from), to: Ts::from_secs(from + length) };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "any moment inside will do"
        )]
        let middle = Ts::from_secs(from + (length as f64 * cut) as i64);
        (window, middle)
    })
}
