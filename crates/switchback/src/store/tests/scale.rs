//! 1,000 deployments and 100,000 operations with their records: nothing that a person waits for
//! reads more than it shows. Counted in the steps of SQLite's machine, since a clock proves nothing.

use rusqlite::StatementStatus;
use rusqlite::params_from_iter;

use super::*;
use crate::store::checks;
use crate::store::deployments;
use crate::store::holds;
use crate::store::journal;
use crate::store::logs;
use crate::store::operations;
use crate::store::quarantine;
use crate::store::releases;
use crate::store::transact::with_numbers;

/// Operations `first..=last` with a record each, spread over `deployments`; the last one is open.
fn fill(store: &Store, operations: u32, deployments: u32) {
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {operations})"
    );
    let sql = format!(
        "BEGIN;
         {numbers} INSERT INTO deployments (name, kind, engine, target_key, created_at, updated_at,
                observed_at, status, target)
             SELECT printf('d%04d', i), 'container', 'local', 'c', 1, 1, 1, '{{}}', '{{}}'
             FROM n WHERE i <= {deployments};
         {numbers} INSERT INTO operations (id, deployment, target_key, action, triggered_by,
                user_name, host_name, process_id, command_line, started_at, finished_at, outcome,
                exit_code, result)
             SELECT printf('%08x', i), printf('d%04d', i % {deployments} + 1), 'c', 'update',
                'manual', 'ada', 'laptop', 1, 'x', i, CASE WHEN i < {operations} THEN i END,
                'committed', 0, '{{}}'
             FROM n;
         {numbers} INSERT INTO journal SELECT printf('%08x', i), 0, '{{}}' FROM n;
         COMMIT;"
    );
    store.connection().execute_batch(&sql).unwrap();
}

/// The steps that SQLite takes for a whole query.
fn steps(store: &Store, sql: &str, parameters: &[&str]) -> i32 {
    let connection = store.connection();
    let mut statement = connection.prepare(&with_numbers(sql)).unwrap();
    let mut rows = statement.query(params_from_iter(parameters)).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    statement.get_status(StatementStatus::VmStep)
}

fn plan(store: &Store, sql: &str) -> String {
    let connection = store.connection();
    let mut statement =
        connection.prepare(&format!("EXPLAIN QUERY PLAN {}", with_numbers(sql))).unwrap();
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let lines: rusqlite::Result<Vec<String>> =
        statement.query_map(params_from_iter(nulls), |row| row.get("detail")).unwrap().collect();
    lines.unwrap().join("; ")
}

#[test]
fn a_hundred_times_more_history_costs_no_step_more() {
    let (_small_dir, small) = fresh();
    let (_large_dir, large) = fresh();
    fill(&small, 1_000, 10);
    fill(&large, 100_000, 1_000);
    let newest = i64::MAX.to_string();

    for (sql, parameters) in [
        (operations::HISTORY, vec![newest.as_str(), "", "20"]),
        (operations::HISTORY_OF, vec!["d0001", &newest, "", "20"]),
        (operations::OPEN, vec![]),
        (operations::BY_PREFIX, vec!["0000000a", "0000000a\u{10ffff}"]),
        (journal::LOAD, vec!["0000000a"]),
        (journal::NEXT, vec!["0000000a"]),
        (deployments::ONE, vec!["d0001"]),
    ] {
        let (few, many) = (steps(&small, sql, &parameters), steps(&large, sql, &parameters));
        assert!(few > 0 && many <= few, "{few} became {many} steps: {sql}");
    }
}

#[test]
fn the_list_of_deployments_reads_nothing_but_deployments() {
    let (_dir, store) = fresh();
    fill(&store, 100_000, 1_000);

    let steps = steps(&store, deployments::OBSERVATIONS, &[]);
    assert!(steps < 20 * 1_000, "{steps} steps for 1,000 deployments");
    assert_eq!(store.observations().unwrap().len(), 1_000);
    assert_eq!(store.open_operations().unwrap().len(), 1);
    assert_eq!(store.history(None, 20, None).unwrap().len(), 20);
    assert_eq!(store.history(Some("d0001"), 20, None).unwrap().len(), 20);
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let (_dir, store) = fresh();
    let statements = [
        operations::FINISH,
        operations::LINK,
        operations::BY_PREFIX,
        operations::POSITION,
        operations::HISTORY,
        operations::HISTORY_OF,
        operations::OPEN,
        journal::LOAD,
        journal::NEXT,
        journal::ERASE,
        logs::READ,
        deployments::ONE,
        deployments::ALL,
        deployments::OBSERVATIONS,
        deployments::OBSERVE,
        releases::ALL,
        releases::ONE,
        releases::NEXT,
        releases::COUNT_UP,
        releases::SET_CURRENT,
        releases::REMOVE,
        quarantine::CLEAR_ONE,
        quarantine::CLEAR_ALL,
        quarantine::MATCH,
        holds::GET,
        holds::ALL,
        holds::RELEASE,
        checks::GET,
        checks::ALL,
    ];
    for sql in statements {
        let plan = plan(&store, sql);
        let by_index = plan.contains("USING INDEX") || plan.contains("USING COVERING INDEX");
        assert!(by_index && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    assert_eq!(
        plan(&store, operations::OPEN),
        "SCAN operations USING INDEX operations_open",
        "only what is open is in that index"
    );
    // The list of one deployment's few entries is sorted by time; there is no index for that.
    assert!(plan(&store, quarantine::LIST).starts_with("SEARCH quarantine USING INDEX"));
}
