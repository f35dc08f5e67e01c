use jiff::tz::TimeZone;

use super::*;

const FROM: i64 = 1_795_392_000;

fn chart(unit: Unit, form: Form, values: &[Option<f64>]) -> Chart {
    let series = Series {
        name: "a",
        title: "A",
        unit,
        form,
        from: Ts::from_secs(FROM),
        width: SignedDuration::from_hours(1),
        values,
    };
    Chart::of(&series, &Times::new(Ts::from_secs(FROM + 86_400), TimeZone::UTC))
}

#[test]
fn where_nothing_is_known_a_line_is_broken() {
    let table: [(&[Option<f64>], usize, usize); 6] = [
        (&[], 0, 0),
        (&[None, None], 0, 0),
        (&[Some(1.0)], 0, 1),
        (&[Some(1.0), Some(2.0)], 1, 0),
        (&[Some(1.0), None, Some(2.0), Some(3.0)], 1, 1),
        (&[None, Some(1.0), Some(f64::NAN), Some(2.0), None], 0, 2),
    ];
    for (values, lines, dots) in table {
        let chart = chart(Unit::Count, Form::Line, values);
        assert_eq!((chart.lines.len(), chart.dots.len()), (lines, dots), "{values:?}");
    }
}

#[test]
fn everything_stands_on_the_sheet() {
    let values: Vec<_> = (0..168).map(|n| Some(f64::from(n * n))).collect();
    for form in [Form::Line, Form::Bars] {
        let chart = chart(Unit::Count, form, &values);
        let xs = chart.bars.iter().map(|bar| bar.x.clone()).chain(
            chart
                .lines
                .iter()
                .flat_map(|line| line.split(' '))
                .map(|point| point.split(',').next().unwrap().to_owned()),
        );
        for x in xs {
            let x: f64 = x.parse().unwrap();
            assert!((LEFT..=RIGHT).contains(&x), "{x}");
        }
        assert_eq!(chart.rows.len(), 168);
        assert_eq!(chart.names.len(), NAMES);
    }
}

#[test]
fn an_empty_bar_is_not_drawn_and_still_in_the_table() {
    let chart = chart(Unit::Count, Form::Bars, &[Some(0.0), Some(5.0), None]);
    assert_eq!((chart.bars.len(), chart.rows.len()), (1, 2));
    assert_eq!(chart.rows[0], ("23 Nov 2026, 01:00".to_owned(), "5".to_owned()));
}

#[test]
fn a_chart_says_in_words_what_it_shows() {
    let table: [(Unit, Form, &[Option<f64>], &str); 6] = [
        (Unit::Count, Form::Line, &[None], "Nothing is known of this time yet."),
        (Unit::Percent, Form::Line, &[Some(100.0), None, Some(100.0)], "100 % throughout."),
        (Unit::Percent, Form::Line, &[Some(100.0), Some(96.25)], "96.2 % last; between 96.2 % and 100 %."),
        (Unit::Time, Form::Line, &[Some(350.0), Some(1_250.0)], "1.2 s last; between 350 ms and 1.2 s."),
        (Unit::Count, Form::Bars, &[Some(1_200.0), Some(3.0)], "1,203 in all; 1,200 at most at once."),
        (Unit::Count, Form::Line, &[Some(5.0), Some(4.0)], "4 last; between 4 and 5."),
    ];
    for (unit, form, values, says) in table {
        assert_eq!(chart(unit, form, values).says, says);
    }
}

#[test]
fn hours_are_named_by_their_time_and_days_by_their_date() {
    let names = |count: usize| chart(Unit::Count, Form::Line, &vec![Some(1.0); count]).names;
    assert_eq!(
        names(24).iter().map(|name| name.label.as_str()).collect::<Vec<_>>(),
        ["00:00", "06:00", "12:00", "18:00", "00:00"]
    );
    assert_eq!(names(168)[4].label, "30 Nov");
    assert_eq!(names(24).first().map(|name| name.anchor), Some("start"));
    assert!(names(0).is_empty());
}
