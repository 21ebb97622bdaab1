//! Operations from their beginning to their end, and the history of them.

use super::*;
use crate::store::Lookup;
use crate::store::Operation;

fn ids(operations: &[Operation]) -> Vec<&str> {
    operations.iter().map(|operation| operation.begun.id.as_str()).collect()
}

#[test]
fn an_operation_is_open_until_it_is_finished() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1_000)).unwrap();
    let open = Operation { begun: update("a1", 1_000), finished: None, related: None };
    assert_eq!(store.open_operations().unwrap(), std::slice::from_ref(&open));
    assert_eq!(store.operation("a1").unwrap(), Lookup::Found(Box::new(open.clone())));

    store.finish("a1", &committed(4_100)).unwrap();
    assert_eq!(store.open_operations().unwrap(), []);
    let closed = Operation { finished: Some(committed(4_100)), ..open };
    assert_eq!(store.history(None, 10, None).unwrap(), [closed]);
}

#[test]
fn a_rollback_and_its_update_name_each_other() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.finish("a1", &committed(2)).unwrap();
    store.begin(&NewOperation { action: "rollback".to_owned(), ..update("b2", 3) }).unwrap();

    store.link("a1", "b2").unwrap();
    store.finish("b2", &committed(4)).unwrap();

    let related: Vec<_> =
        store.history(None, 10, None).unwrap().into_iter().map(|found| found.related).collect();
    assert_eq!(related, [Some("a1".to_owned()), Some("b2".to_owned())]);

    let error = store.link("a1", "c3").unwrap_err();
    assert_eq!(error.to_string(), "the store knows no operation c3");
}

#[test]
fn a_stuck_operation_can_be_finished_again() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    let stuck = Finish {
        outcome: "stuck".to_owned(),
        exit_code: 5,
        error_code: Some("undo_failed".to_owned()),
        ..committed(2)
    };
    store.finish("a1", &stuck).unwrap();
    assert_eq!(store.history(None, 1, None).unwrap()[0].finished, Some(stuck));

    store.finish("a1", &committed(9)).unwrap();
    assert_eq!(store.history(None, 1, None).unwrap()[0].finished, Some(committed(9)));
}

#[test]
fn an_id_is_used_once_and_an_unknown_one_is_said_to_be() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.begin(&update("a1", 2)).unwrap_err();
    assert_eq!(store.open_operations().unwrap()[0].begun.started_at, 1);

    let error = store.finish("b2", &committed(3)).unwrap_err();
    assert_eq!(error.to_string(), "the store knows no operation b2");
    assert_eq!(error.code(), "not_found");
}

#[test]
fn the_beginning_of_an_id_is_enough_where_it_fits_one() {
    let (_dir, store) = fresh();
    for id in ["4f", "4f21", "4f33", "5a%0", "5a10"] {
        store.begin(&update(id, 1)).unwrap();
    }
    let found = |text: &str| match store.operation(text).unwrap() {
        Lookup::Found(operation) => operation.begun.id,
        Lookup::Missing => "missing".to_owned(),
        Lookup::Ambiguous(ids) => format!("one of {ids:?}"),
    };

    assert_eq!(found("4f2"), "4f21");
    assert_eq!(found("4f"), "4f", "the whole id wins");
    assert_eq!(found("5"), r#"one of ["5a%0", "5a10"]"#);
    assert_eq!(found("5a%"), "5a%0", "no character is a pattern");
    assert_eq!(found("6"), "missing");
}

#[test]
fn the_history_is_read_page_by_page_with_the_newest_first() {
    let (_dir, store) = fresh();
    // Two of them began in the same millisecond.
    for (id, started_at) in [("a", 10), ("b", 20), ("c", 20), ("d", 30)] {
        store.begin(&update(id, started_at)).unwrap();
    }
    store.begin(&NewOperation { deployment: "api".to_owned(), ..update("e", 25) }).unwrap();

    assert_eq!(ids(&store.history(None, 3, None).unwrap()), ["d", "e", "c"]);
    assert_eq!(ids(&store.history(None, 3, Some("c")).unwrap()), ["b", "a"]);
    assert_eq!(ids(&store.history(Some("web"), 2, None).unwrap()), ["d", "c"]);
    assert_eq!(ids(&store.history(Some("web"), 2, Some("c")).unwrap()), ["b", "a"]);
    assert_eq!(store.history(Some("nothing"), 2, None).unwrap(), []);

    let error = store.history(None, 3, Some("zz")).unwrap_err();
    assert_eq!(error.to_string(), "the store knows no operation zz");
}

#[test]
fn only_what_is_finished_is_pruned_and_what_is_stuck_stays() {
    let (_dir, store) = fresh();
    for (id, started_at) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)] {
        store.begin(&update(id, started_at)).unwrap();
        store.append(id, 0, "opened").unwrap();
        store.add_log(id, "stdout", "hello").unwrap();
    }
    store.finish("a", &Finish { outcome: "stuck".to_owned(), ..committed(9) }).unwrap();
    for id in ["c", "d", "e"] {
        store.finish(id, &committed(9)).unwrap();
    }
    // A recovery that did not help is no more than a line.
    store.begin(&NewOperation { action: "recover".to_owned(), ..update("b1", 2) }).unwrap();
    store.finish("b1", &Finish { outcome: "stuck".to_owned(), ..committed(9) }).unwrap();
    store.begin(&NewOperation { deployment: "api".to_owned(), ..update("z", 0) }).unwrap();
    store.finish("z", &committed(1)).unwrap();

    assert_eq!(store.prune_history(1).unwrap(), 3);

    assert_eq!(ids(&store.history(None, 10, None).unwrap()), ["e", "b", "a", "z"]);
    for id in ["a", "b", "e"] {
        assert_eq!(store.load(id).unwrap(), ["opened"]);
    }
    assert_eq!(store.load("c").unwrap(), [""; 0]);
    assert_eq!(store.logs("d").unwrap(), []);
}

#[test]
fn of_a_long_log_the_end_stays() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    let kib = 1024;

    store.add_log("a1", "stdout", "first").unwrap();
    for _ in 0..4 {
        store.add_log("a1", "stderr", &"e".repeat(64 * kib - 16)).unwrap();
    }
    let kept = store.logs("a1").unwrap();
    assert_eq!(kept[0].text, "first");
    assert_eq!(kept.len(), 5);

    store.add_log("a1", "stdout", "last").unwrap();
    let kept: Vec<_> = store.logs("a1").unwrap().iter().map(|chunk| chunk.text.len()).collect();
    let long = 64 * kib - 16;
    assert_eq!(kept, [long, long, long, long, 4], "the first went");
}

#[test]
fn a_text_longer_than_the_log_is_cut_between_two_characters() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    let text = format!("{}end", "é".repeat(crate::store::LOG_BYTES_MAX));

    store.add_log("a1", "stdout", &text).unwrap();

    let kept = &store.logs("a1").unwrap()[0].text;
    assert!(kept.ends_with("éend") && text.ends_with(kept.as_str()));
    assert_eq!(kept.len(), crate::store::LOG_BYTES_MAX - 1);
}

#[test]
fn many_tiny_pieces_of_a_log_are_bounded_too() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    // One transaction in place of 5,000 that each wait for the disk.
    let fill = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999) \
        INSERT INTO operation_logs SELECT 'a1', i, 'stdout', 64, '.' FROM n";
    store.connection().execute(fill, []).unwrap();

    store.add_log("a1", "stdout", ".").unwrap();

    assert_eq!(store.logs("a1").unwrap().len(), 4_096);
}
