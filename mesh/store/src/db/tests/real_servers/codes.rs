//! What a server says when it cannot do something now: each code by the server's own word, over the wire.

use mesh_foundation::{
    Reason, Refusal,
    failure::codes::{MYSQL, Meaning, POSTGRES},
};
use tonic::{Code, Status};

use super::{Real, code, on_both};
use crate::db::tests::*;

on_both!(shared:
    whatever_a_server_cannot_do_now_is_unavailable_and_says_when_to_come_again,
    what_is_wrong_with_a_statement_is_a_failure_of_ours,
);

/// What makes the server end a statement with that code.
fn raise(real: &Real, code: &str) -> String {
    match real {
        Real::Postgres(_) => format!("DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$"),
        Real::MariaDb(_) => format!("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'not now'"),
    }
}

/// The codes that the table for the server has. Of a class, one that is in it.
fn codes(real: &Real) -> Vec<(String, Meaning)> {
    match real {
        Real::Postgres(_) => POSTGRES
            .iter()
            .map(|(code, meaning)| (if code.len() == 2 { format!("{code}000") } else { (*code).to_owned() }, *meaning))
            .collect(),
        Real::MariaDb(_) => MYSQL.iter().map(|(code, meaning)| (code.to_string(), *meaning)).collect(),
    }
}

async fn fails(database: &Database, sql: &str) -> StoreError {
    database.for_migrations().execute_unprepared(sql).await.unwrap_err().into()
}

async fn whatever_a_server_cannot_do_now_is_unavailable_and_says_when_to_come_again(real: &Real) {
    let database = real.database("codes").await;
    // What the tables must not lose: a full disk, no memory, no connection, an operator, a deadlock.
    let known: &[&str] = match real {
        Real::Postgres(_) => {
            &["53100", "53200", "53300", "57P01", "57P03", "58030", "08006", "25006", "40P01", "XX001"]
        }
        Real::MariaDb(_) => &[
            "3", "1021", "1026", "1030", "1037", "1038", "1040", "1041", "1047", "1053", "1114", "1180", "1181",
            "1203", "1205", "1213", "1226", "1290", "1836", "1927", "1020", "2006", "2013",
        ],
    };
    let mut seen = HashSet::new();
    let all = codes(real);
    let known = known.iter().map(|code| ((*code).to_owned(), None));
    for (raised, meaning) in all.into_iter().map(|(code, meaning)| (code, Some(meaning))).chain(known) {
        let error = fails(&database, &raise(real, &raised)).await;
        assert_eq!(code(&error), raised);
        if let Some(meaning) = meaning {
            assert_eq!(matches!(error, StoreError::Conflict(_)), meaning == Meaning::Lost, "{raised}");
            let is_outage = matches!(meaning, Meaning::Down | Meaning::Gone | Meaning::ReadOnly);
            assert_eq!(error.is_outage(), is_outage, "{raised}");
            assert_eq!(error.is_dead_connection(), meaning == Meaning::Gone, "{raised}");
            assert_eq!(error.is_demotion(), meaning == Meaning::ReadOnly, "{raised}");
        }
        let status = Status::from(Error::from(error));
        assert_eq!(status.code(), Code::Unavailable, "{raised}");
        let refusal = Refusal::from_status(&status).unwrap();
        assert_eq!(refusal.reason, Reason::UPSTREAM_UNAVAILABLE, "{raised}");
        assert!(refusal.retry_after.is_some(), "{raised} does not say when to come again");
        seen.insert(raised);
    }
    assert!(seen.len() > 15, "{seen:?}");
}

async fn what_is_wrong_with_a_statement_is_a_failure_of_ours(real: &Real) {
    let database = real.database("mistakes").await;
    let codes: &[&str] = match real {
        Real::Postgres(_) => &["22001", "23514", "42601", "42P01", "42501", "25P02", "0A000", "54000"],
        Real::MariaDb(_) => &["1064", "1146", "1406", "1264", "1142", "1153", "1366", "4025"],
    };
    for raised in codes {
        let error = fails(&database, &raise(real, raised)).await;
        assert!(matches!(error, StoreError::Other(_)), "{raised}");
        assert_eq!(Status::from(Error::from(error)).code(), Code::Internal, "{raised}");
    }
}
