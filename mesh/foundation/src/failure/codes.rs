//! The error codes of databases that mean "not now", and the meaning of each. From PostgreSQL's appendix of error codes, from the error
//! references of MySQL and MariaDB, and from SQLite's list of result codes. Any other code means that the statement is wrong, which is
//! a bug.

use sea_orm::{SqlxMySqlError, SqlxSqliteError, sqlx::error::DatabaseError};

use self::Meaning::{BrokenOff, Down, Gone, Lost, ReadOnly};

/// What an error code says about the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The transaction lost to a concurrent one, or waited for one too long. A retry from its beginning may succeed.
    Lost,
    /// The statement was aborted, or needed more resources than there are. The statement itself may be the cause.
    BrokenOff,
    /// The database cannot serve any statement now.
    Down,
    /// As [`Down`], and this connection is over. Another connection may work.
    Gone,
    /// As [`Down`], and this server accepts no writes (any more). Another server may have taken over.
    ReadOnly,
}

/// PostgreSQL: a code, or a class of codes by its first two characters. A code counts before its class.
pub const POSTGRES: &[(&str, Meaning)] = &[
    ("08", Down),         // connection exceptions; poolers in front of PostgreSQL use them as well
    ("08P01", BrokenOff), // protocol_violation: by a message of ours perhaps, or how a pooler says that its server is gone
    ("25006", ReadOnly),  // read_only_sql_transaction
    ("25P03", BrokenOff), // idle_in_transaction_session_timeout
    ("25P04", BrokenOff), // transaction_timeout
    ("28", Down),         // invalid_authorization_specification: nobody gets in, whatever they want
    ("3D000", Down),      // invalid_catalog_name: the database is not there (yet)
    ("40001", Lost),      // serialization_failure
    ("40P01", Lost),      // deadlock_detected
    ("53", Down),         // insufficient resources: disk_full, out_of_memory, too_many_connections
    ("53400", BrokenOff), // configuration_limit_exceeded: too large a temporary file, say
    ("55006", BrokenOff), // object_in_use
    ("55P03", Lost),      // lock_not_available: it was waited for too long
    ("57", Down),         // operator intervention: cannot_connect_now, database_dropped
    ("57014", BrokenOff), // query_canceled: it took too long
    ("57P01", Gone),      // admin_shutdown
    ("57P02", Gone),      // crash_shutdown
    ("57P05", Gone),      // idle_session_timeout
    ("58", Down),         // system errors: io_error, undefined_file
    ("XX001", Down),      // data_corrupted
    ("XX002", Down),      // index_corrupted
];

/// MySQL and MariaDB.
pub const MYSQL: &[(u16, Meaning)] = &[
    // Files, by the functions beneath the server: cannot create, read, write, close; out of memory; end of file; disk full; out of
    // file descriptors.
    (1, Down),
    (2, Down),
    (3, Down),
    (4, Down),
    (5, Down),
    (9, Down),
    (20, Down),
    (23, Down),
    (1004, Down),      // ER_CANT_CREATE_FILE
    (1016, Down),      // ER_CANT_OPEN_FILE
    (1020, Lost),      // ER_CHECKREAD: MariaDB's snapshot isolation
    (1021, Down),      // ER_DISK_FULL
    (1023, Down),      // ER_ERROR_ON_CLOSE
    (1024, Down),      // ER_ERROR_ON_READ
    (1026, Down),      // ER_ERROR_ON_WRITE
    (1030, Down),      // ER_GET_ERRNO: what a storage engine has no other number for, as 28, no space left on device
    (1034, Down),      // ER_NOT_KEYFILE
    (1035, Down),      // ER_OLD_KEYFILE
    (1036, ReadOnly),  // ER_OPEN_AS_READONLY
    (1037, Down),      // ER_OUTOFMEMORY
    (1038, BrokenOff), // ER_OUT_OF_SORTMEMORY
    (1040, Down),      // ER_CON_COUNT_ERROR
    (1041, Down),      // ER_OUT_OF_RESOURCES
    (1042, Down),      // ER_BAD_HOST_ERROR
    (1043, Down),      // ER_HANDSHAKE_ERROR
    (1045, Down),      // ER_ACCESS_DENIED_ERROR
    (1047, ReadOnly),  // ER_UNKNOWN_COM_ERROR: Galera, of a node that is not in its cluster
    (1049, Down),      // ER_BAD_DB_ERROR
    (1053, Gone),      // ER_SERVER_SHUTDOWN
    (1114, Down),      // ER_RECORD_FILE_FULL: "the table is full", of InnoDB when the disk is
    (1129, Down),      // ER_HOST_IS_BLOCKED
    (1130, Down),      // ER_HOST_NOT_PRIVILEGED
    (1135, Down),      // ER_CANT_CREATE_THREAD
    (1152, Gone),      // ER_ABORTING_CONNECTION
    (1154, Gone),      // ER_NET_READ_ERROR_FROM_PIPE
    (1158, Gone),      // ER_NET_READ_ERROR
    (1159, Gone),      // ER_NET_READ_INTERRUPTED
    (1160, Gone),      // ER_NET_ERROR_ON_WRITE
    (1161, Gone),      // ER_NET_WRITE_INTERRUPTED
    (1180, Down),      // ER_ERROR_DURING_COMMIT
    (1181, Down),      // ER_ERROR_DURING_ROLLBACK
    (1182, Down),      // ER_ERROR_DURING_FLUSH_LOGS
    (1184, Gone),      // ER_NEW_ABORTING_CONNECTION
    (1194, Down),      // ER_CRASHED_ON_USAGE
    (1195, Down),      // ER_CRASHED_ON_REPAIR
    (1203, Down),      // ER_TOO_MANY_USER_CONNECTIONS
    (1205, Lost),      // ER_LOCK_WAIT_TIMEOUT
    (1206, BrokenOff), // ER_LOCK_TABLE_FULL
    (1213, Lost),      // ER_LOCK_DEADLOCK
    (1226, Down),      // ER_USER_LIMIT_REACHED
    (1290, ReadOnly),  // ER_OPTION_PREVENTS_STATEMENT: read_only
    (1317, BrokenOff), // ER_QUERY_INTERRUPTED
    (1598, Down),      // ER_BINLOG_LOGGING_IMPOSSIBLE
    (1637, Down),      // ER_TOO_MANY_CONCURRENT_TRXS
    (1689, Lost),      // ER_LOCK_ABORTED
    (1712, Down),      // ER_INDEX_CORRUPT
    (1792, ReadOnly),  // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    (1836, ReadOnly),  // ER_READ_ONLY_MODE
    (1878, Down),      // ER_TEMP_FILE_WRITE_FAILURE
    (1881, ReadOnly),  // ER_INNODB_FORCED_RECOVERY
    (1927, Gone),      // ER_CONNECTION_KILLED
    (1969, BrokenOff), // ER_STATEMENT_TIMEOUT, MariaDB's
    (2006, Gone),      // CR_SERVER_GONE_ERROR, of a proxy in between, as the next one
    (2013, Gone),      // CR_SERVER_LOST
    (3024, BrokenOff), // ER_QUERY_TIMEOUT, MySQL's
    (3100, Down),      // ER_RUN_HOOK_ERROR: group replication
    (3101, Lost),      // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: group replication
    (3168, Down),      // ER_SERVER_ISNT_AVAILABLE
    (3169, Gone),      // ER_SESSION_WAS_KILLED
];

/// SQLite: the primary result code, which is the lowest byte of an extended one.
pub const SQLITE: &[(u32, Meaning)] = &[
    (3, Down),      // PERM
    (4, BrokenOff), // ABORT
    (5, Lost),      // BUSY
    (6, Lost),      // LOCKED
    (7, Down),      // NOMEM
    (8, Down),      // READONLY
    (9, BrokenOff), // INTERRUPT
    (10, Down),     // IOERR
    (11, Down),     // CORRUPT
    (13, Down),     // FULL
    (14, Down),     // CANTOPEN
    (15, Lost),     // PROTOCOL: somebody else is just beginning or ending with the write-ahead log
    (26, Down),     // NOTADB
];

/// The meaning of the code, if it is one of these.
pub(super) fn meaning(error: &dyn DatabaseError) -> Option<Meaning> {
    if let Some(mysql) = error.try_downcast_ref::<SqlxMySqlError>() {
        return find(MYSQL, mysql.number());
    }
    let code = error.code()?;
    if error.try_downcast_ref::<SqlxSqliteError>().is_some() {
        return find(SQLITE, code.parse::<u32>().ok()? & 0xff);
    }
    find(POSTGRES, &*code).or_else(|| find(POSTGRES, code.get(..2)?))
}

fn find<C: Copy + PartialEq>(table: &[(C, Meaning)], code: C) -> Option<Meaning> {
    table.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}
