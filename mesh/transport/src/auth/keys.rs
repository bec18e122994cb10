//! Signing keys: Ed25519, in a PKCS#8 PEM file that only its owner can read.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding,
};
use jsonwebtoken::EncodingKey;
use mesh_foundation::text;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Why a key cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the key file {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Users other than its owner can read the file, so any user of this machine may have the key.
    #[error("the key file {} can be read by others (mode {mode:03o}); run `chmod 600` on it, or delete it for a new key", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds no key: it is empty, cut short, or another kind of file or key.
    #[error("the key file {} holds no Ed25519 private key in PKCS#8 PEM; put the key back from a backup, or delete the file for a new key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The text is not an Ed25519 key of the expected kind.
    #[error("not an Ed25519 {0}")]
    Malformed(&'static str),
}

/// A private key, with which a context or the built-in issuer signs its tokens.
#[derive(Clone)]
pub struct SigningKey {
    encoding: EncodingKey,
    public: PublicKey,
}

impl SigningKey {
    /// A new key that is not saved.
    pub fn generate() -> Self {
        // `rand::random` draws from a cryptographic generator that the system seeds.
        Self::of(&ed25519_dalek::SigningKey::from_bytes(&rand::random()))
    }

    /// The key in the file at `path`. If the file is missing, it is created with a new key. Processes that start at once end up with the
    /// same key.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
                Self::load(path)
            }
            outcome => outcome,
        }
    }

    /// The key in the file at `path`.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        // The permissions are those of the open file, so that nobody can replace the file in between.
        let mode = permissions(&file).map_err(failed)?;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
        let mut pem = Vec::new();
        file.read_to_end(&mut pem).map_err(failed)?;
        Self::from_pem(&text::decode(pem).map_err(failed)?).map_err(|_| KeyError::NoKey { path: path.to_owned() })
    }

    /// The key in a PKCS#8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem.trim())
            .map_err(|_| KeyError::Malformed("private key in PKCS#8 PEM"))?;
        Ok(Self::of(&key))
    }

    fn of(key: &ed25519_dalek::SigningKey) -> Self {
        let public = PublicKey::of(key.verifying_key());
        // The bare PKCS#8 v1 form: sixteen fixed bytes before the seed.
        let mut der = PKCS8_PREFIX.to_vec();
        der.extend_from_slice(&key.to_bytes());
        Self { encoding: EncodingKey::from_ed_der(&der), public }
    }

    /// The key's id: it stands in the header of every token that the key signs.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The public half, for the parties that verify.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

/// Never shows the private half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// RFC 8410: SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING { seed } } }.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The public half of a [`SigningKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: ed25519_dalek::VerifyingKey,
    kid: String,
}

impl PublicKey {
    fn of(key: ed25519_dalek::VerifyingKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
        // RFC 7638: the hash of the members that make the key, in the order of their names.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self { key, kid: URL_SAFE_NO_PAD.encode(thumbprint) }
    }

    /// The key's id: the thumbprint of its JWK, the same wherever it is computed.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key in a SubjectPublicKeyInfo PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_public_key_pem(pem.trim())
            .map_err(|_| KeyError::Malformed("public key in PEM"))?;
        Ok(Self::of(key))
    }

    /// The key as a SubjectPublicKeyInfo PEM.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.key.to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Malformed("public key that PEM can hold"))
    }

    /// The key in a JWK (RFC 8037).
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed("public key in JWK");
        if jwk["kty"] != "OKP" || jwk["crv"] != "Ed25519" {
            return Err(malformed());
        }
        let x = jwk["x"].as_str().and_then(|x| URL_SAFE_NO_PAD.decode(x).ok()).ok_or_else(malformed)?;
        let bytes = <[u8; 32]>::try_from(x).map_err(|_| malformed())?;
        Ok(Self::of(ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| malformed())?))
    }

    /// The key as a JWK, as it stands in a JWKS document.
    pub fn to_jwk(&self) -> serde_json::Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(self.key.as_bytes()),
        })
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Creates a new key at `path` atomically: a crash leaves no partial key, and an existing key stays.
fn create(path: &Path) -> io::Result<()> {
    let key = ed25519_dalek::SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft =
        folder.join(format!(".{}.{:016x}", path.file_name().unwrap_or_default().display(), rand::random::<u64>()));
    let outcome = write_private(&draft, pem.as_bytes())
        .and_then(|()| publish(|| fs::hard_link(&draft, path), || write_private(path, pem.as_bytes())));
    fs::remove_file(&draft)?;
    outcome?;
    File::open(folder)?.sync_all()
}

/// Publishes the key with `link`; on a file system without links with `write`, which a crash can cut short. An existing key stays: it
/// was created by another process in the meantime.
fn publish(link: impl FnOnce() -> io::Result<()>, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let is_there = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    match link().or_else(|error| if is_there(&error) { Err(error) } else { write() }) {
        Err(error) if is_there(&error) => Ok(()),
        published => published,
    }
}

fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(unix)]
fn permissions(file: &File) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o777)
}

/// On other systems a file has the permissions of its folder, which belongs to the user.
#[cfg(not(unix))]
fn permissions(_file: &File) -> io::Result<u32> {
    Ok(0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_then_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/issuer.pem");
        let first = SigningKey::load_or_create(&path).unwrap();
        let second = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(first.public(), second.public());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the draft is gone");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_key_file_is_its_owners_alone_and_an_exposed_one_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.pem");
        SigningKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SigningKey::load_or_create(&path).unwrap_err();
        assert!(error.to_string().contains("mode 640"), "{error}");
    }

    #[test]
    fn processes_that_start_at_once_share_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.pem");
        let kids: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..8).map(|_| scope.spawn(|| SigningKey::load_or_create(&path).unwrap().kid().to_owned())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(kids.iter().all(|kid| *kid == kids[0]));
    }

    #[test]
    fn a_key_is_made_on_a_file_system_without_links_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.pem");
        let no_links = || Err(io::Error::from(io::ErrorKind::Unsupported));
        publish(no_links, || write_private(&path, b"first")).unwrap();
        publish(no_links, || write_private(&path, b"second")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_broken_key_file_is_an_error_and_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.pem");
        write_private(&path, b"half a key").unwrap();
        let error = SigningKey::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("issuer.pem holds no Ed25519 private key"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"half a key");
    }

    #[test]
    fn a_key_file_is_read_as_an_editor_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.pem");
        let key = SigningKey::load_or_create(&path).unwrap();
        let pem = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("\u{feff}{}", pem.replace('\n', "\r\n"))).unwrap();
        assert_eq!(SigningKey::load(&path).unwrap().public(), key.public());
    }

    #[test]
    fn a_public_key_survives_pem_and_jwk() {
        let public = SigningKey::generate().public().clone();
        assert_eq!(PublicKey::from_pem(&public.to_pem().unwrap()).unwrap(), public);
        assert_eq!(PublicKey::from_jwk(&public.to_jwk()).unwrap(), public);
    }

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn a_kid_is_the_keys_thumbprint() {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        assert_eq!(PublicKey::from_jwk(&jwk).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_private_key_is_never_printed() {
        let key = SigningKey::generate();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, .. }}", key.kid()));
    }
}
