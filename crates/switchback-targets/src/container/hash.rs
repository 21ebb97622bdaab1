//! Keyed hashes: enough to say "changed", and nothing about the value.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The key of a store. It never leaves it; its `Debug` shows nothing.
#[derive(Clone)]
pub struct HashKey(Vec<u8>);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl HashKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The hash of a document, as 32 hexadecimal digits. The order of keys does not count.
    pub fn hash(&self, document: &Value) -> String {
        // HMAC takes keys of any length, so this cannot fail; an empty hash equals no other.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(canonical(document).to_string().as_bytes());
        let bytes = mac.finalize().into_bytes();
        hexadecimal(&bytes[..16])
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The same document with its keys in order.
fn canonical(document: &Value) -> Value {
    match document {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(keys.into_iter().map(|(k, v)| (k.clone(), canonical(v))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_count_and_the_key_does() {
        let (one, other) = (json!({"a": 1, "b": [2]}), json!({"b": [2], "a": 1}));
        let key = HashKey::new(b"key");
        assert_eq!(key.hash(&one), key.hash(&other));
        assert_ne!(key.hash(&one), HashKey::new(b"other").hash(&one));
        assert_eq!(key.hash(&one).len(), 32);
    }
}
