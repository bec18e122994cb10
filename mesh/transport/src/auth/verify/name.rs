//! The resource name of a person.

use sha2::{Digest, Sha256};

/// The resource name of the person whom `issuer` calls `subject`: `users/` and a hash of both, in letters and digits that no one can
/// take for a number.
pub fn user_name(issuer: &str, subject: &str) -> String {
    const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize();
    let mut name = String::from("users/");
    // Base32 (RFC 4648) of sixteen bytes: 25 groups of five bits, and three bits left over.
    let (mut bits, mut held) = (0_u32, 0);
    for byte in &hash[..16] {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            name.push(char::from(ALPHABET[(bits >> held & 31) as usize]));
        }
    }
    name.push(char::from(ALPHABET[(bits << (5 - held) & 31) as usize]));
    name
}
