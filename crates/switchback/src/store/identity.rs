//! Who a store is: its id, its key for hashes of secrets, its format.

use std::fmt;

use rusqlite::Connection;

use super::random::from_hex;
use super::transact::statement;

/// 32 random bytes of this store, the key of every keyed hash that stands in for a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// The bytes, for the hash function and nothing else.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashKey(…)")
    }
}

/// What `store_meta` says.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// The format of the tables.
    pub(super) schema_version: u32,
    /// The program that wrote that format.
    pub(super) written_by: String,
    /// 32 hexadecimal digits, made with the store.
    pub(super) id: String,
    pub(super) key: HashKey,
}

pub(super) const READ_META: &str = "SELECT name, value FROM store_meta";

/// Reads who the store is; a value that is missing or makes no sense is damage.
pub(super) fn read_identity(connection: &Connection) -> rusqlite::Result<Identity> {
    let mut statement = statement(connection, READ_META)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<std::collections::HashMap<_, _>>>()?;
    let value = |name: &str| rows.get(name).ok_or_else(|| damaged(name));
    let schema_version = value("schema_version")?.parse();
    Ok(Identity {
        schema_version: schema_version.map_err(|_| damaged("schema_version"))?,
        written_by: value("written_by")?.clone(),
        id: value("store_id")?.clone(),
        key: HashKey(from_hex(value("hash_key")?).ok_or_else(|| damaged("hash_key"))?),
    })
}

/// The same error as for a damaged page: the remedy is the same.
fn damaged(name: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(format!("store_meta has no usable {name}")),
    )
}
