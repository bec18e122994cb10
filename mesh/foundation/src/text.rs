//! Reads text files without a byte order mark: some editors write one, and parsers of JSON and PEM do not accept it.

use std::{fs, io, path::Path};

/// The byte order mark in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();
/// The same in UTF-16, with either byte first. Windows PowerShell writes such files with `>`.
const WIDE: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

/// The text of the file at `path`, without a byte order mark.
pub fn read(path: &Path) -> io::Result<String> {
    decode(fs::read(path)?)
}

/// `bytes` as text, without a byte order mark.
pub fn decode(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |problem: &'static str| io::Error::new(io::ErrorKind::InvalidData, problem);
    if WIDE.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(invalid("it is UTF-16; save it as UTF-8"));
    }
    String::from_utf8(without_mark(&bytes).to_owned()).map_err(|_| invalid("it is not text in UTF-8"))
}

/// `bytes` without the byte order mark, if there is one.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        assert_eq!(decode(b"\xef\xbb\xbf{}\r\n".to_vec()).unwrap(), "{}\r\n");
        assert_eq!(decode(b"{}".to_vec()).unwrap(), "{}");
        assert_eq!(decode(b"".to_vec()).unwrap(), "");
    }

    #[test]
    fn what_is_no_utf_8_says_what_to_do() {
        for wide in [b"\xff\xfe{\0".to_vec(), b"\xfe\xff\0{".to_vec()] {
            assert!(decode(wide).unwrap_err().to_string().contains("save it as UTF-8"));
        }
        assert!(decode(b"\xe9".to_vec()).unwrap_err().to_string().contains("not text in UTF-8"));
    }
}
