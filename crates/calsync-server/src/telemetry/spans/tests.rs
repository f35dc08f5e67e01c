//! Which trace work belongs to.

use super::*;

const ALL: Sample = Sample { percent: 100 };

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn span(id: u8, parent: Option<u8>, name: &'static str) -> Ended {
    let parent = parent.map(|id| [id; 8]);
    Ended { id: [id; 8], parent, name, began: 1, ended: 2, attributes: Vec::new() }
}

fn work(notifications: &[u128], run: Option<u128>, spans: Vec<Ended>) -> Work {
    let mut work = Work::default();
    notifications.iter().for_each(|n| work.serves(id(*n)));
    run.into_iter().for_each(|n| work.is_named(id(n)));
    spans.into_iter().for_each(|span| work.add(span));
    work
}

fn told(work: Work) -> Vec<Span> {
    work.finish(ALL, &Ids::from_seed(1)).0
}

#[test]
fn a_receipt_and_the_work_on_it_meet_in_one_trace() {
    // Two processes that know nothing of each other.
    let receipt = told(work(&[5], None, vec![span(2, Some(1), "commit"), span(1, None, "receive")]));
    let step = told(work(&[5], Some(9), vec![span(4, Some(3), "write"), span(3, None, "step")]));
    let [commit, receive] = receipt.as_slice() else { panic!("{receipt:?}") };
    let [write, step] = step.as_slice() else { panic!("{step:?}") };
    for span in [commit, receive, write, step] {
        assert_eq!(span.trace, *id(5).as_bytes());
    }
    assert_eq!((receive.parent, commit.parent), (None, Some(receive.id)));
    assert_eq!((step.parent, write.parent), (Some(receive.id), Some(step.id)));
    assert_eq!((receive.kind, write.kind), (Kind::Server, Kind::Internal));
}

#[test]
fn work_without_a_notification_is_named_after_its_first_run_and_idle_work_is_nothing() {
    let run = told(work(&[], Some(9), vec![span(1, None, "step")]));
    assert_eq!((run[0].trace, run[0].parent), (*id(9).as_bytes(), None));
    assert_eq!(told(work(&[], None, vec![span(2, Some(1), "claim"), span(1, None, "step")])), []);
    // What is not over yet has no outermost span.
    assert_eq!(told(work(&[5], None, vec![span(2, Some(1), "claim")])), []);
}

#[test]
fn work_on_several_notifications_is_found_from_each() {
    let spans = told(work(&[5, 6, 5, 7], None, vec![span(1, None, "step")]));
    let [step, six, seven] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(step.links, [6, 7].map(|n| Link { trace: *id(n).as_bytes(), span: receipt_of(id(n)) }));
    for (n, served) in [(6, six), (7, seven)] {
        assert_eq!((served.trace, served.parent), (*id(n).as_bytes(), Some(receipt_of(id(n)))));
        assert_eq!(served.links, [Link { trace: step.trace, span: step.id }]);
    }
    let thousand: Vec<u128> = (1..1_000).collect();
    assert_eq!(told(work(&thousand, None, vec![span(1, None, "step")])).len(), 1 + LINKS_MAX);
}

#[test]
fn a_piece_of_work_has_so_many_spans_and_the_outermost_is_always_there() {
    let many = (0..600).map(|_| span(2, Some(1), "write")).chain([span(1, None, "step")]);
    let (spans, dropped) = work(&[5], None, many.collect()).finish(ALL, &Ids::from_seed(1));
    assert_eq!((spans.len(), dropped), (SPANS_MAX + 1, 600 - SPANS_MAX as u64));
    assert_eq!(spans.last().unwrap().name, "step");
}

#[test]
fn all_instances_sample_the_same_share() {
    let ids: Vec<Uuid> = (0..10_000u64)
        .map(|n| {
            let random = Sha256::digest(n.to_be_bytes());
            uuid::Builder::from_unix_timestamp_millis(1_800_000_000_000, random[..10].try_into().unwrap())
                .into_uuid()
        })
        .collect();
    let share = |percent| ids.iter().filter(|id| Sample { percent }.takes(id.as_bytes())).count();
    assert_eq!((share(0), share(100)), (0, 10_000));
    for percent in [1, 10, 50, 90] {
        let expected = usize::from(percent) * 100;
        assert!(share(percent).abs_diff(expected) < 200, "{percent}: {}", share(percent));
    }
    let grows = |id: &Uuid| {
        !Sample { percent: 10 }.takes(id.as_bytes()) || Sample { percent: 20 }.takes(id.as_bytes())
    };
    assert!(ids.iter().all(grows), "who is in stays in when it grows");
}

#[test]
fn ids_of_spans_do_not_come_again() {
    let ids = Ids::from_seed(7);
    let drawn: std::collections::BTreeSet<SpanId> = (0..10_000).map(|_| ids.next()).collect();
    assert_eq!(drawn.len(), 10_000);
    assert!(!drawn.contains(&[0; 8]));
}
