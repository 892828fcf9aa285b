//! Files under `/static/`: ours, which are in the program, and those of the application's
//! `static/` folder, which are read when they are asked for.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Embedded;

/// The most that a file of the application may have; a larger one is not served.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What is under `/static/`.
#[derive(Debug)]
pub struct Assets {
    own: Vec<Own>,
    /// The application's folder, canonical.
    folder: Option<PathBuf>,
}

#[derive(Debug)]
struct Own {
    /// As templates call it: `carafe.css`.
    name: String,
    /// As it is served: `carafe-0123456789abcdef.css`.
    served: String,
    /// Where it is served.
    url: String,
    content_type: &'static str,
    bytes: Bytes,
    /// The application has a file of this name, which stands in its place.
    replaced: bool,
}

/// One file, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    pub bytes: Bytes,
    pub content_type: &'static str,
    pub freshness: Freshness,
}

/// How long a client may keep a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// For good: another content has another address.
    Immutable,
    /// Until it asks again with this strong entity tag, quotes included.
    Revalidate(String),
}

impl Assets {
    /// Where all of them are.
    pub const ROOT: &'static str = "/static/";

    /// Our own files, and those of `folder` if it is there.
    ///
    /// # Errors
    ///
    /// The folder is there and cannot be read.
    pub fn open(folder: Option<&Path>) -> io::Result<Self> {
        let folder = match folder.map(Path::canonicalize) {
            Some(Ok(folder)) => Some(folder),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Some(Err(error)) => return Err(error),
            None => None,
        };
        let own = Embedded::iter().filter_map(|name| {
            let bytes = match Embedded::get(&name)?.data {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
            };
            let (stem, extension) = name.rsplit_once('.')?;
            let replaced = folder
                .as_ref()
                .is_some_and(|folder| folder.join(&*name).is_file());
            let served = format!("{stem}-{}.{extension}", hash(&bytes));
            Some(Own {
                url: url(&served),
                served,
                content_type: content_type(&name),
                name: name.into_owned(),
                bytes,
                replaced,
            })
        });
        Ok(Self {
            own: own.collect(),
            folder,
        })
    }

    /// The address of the file that templates call `name`: hashed where it is ours.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let mut own = self.own.iter();
        let own = own.find(|own| own.name == name && !own.replaced);
        own.map_or_else(|| url(name), |own| own.url.clone())
    }

    /// The file at `path`, which is what follows [`ROOT`](Self::ROOT) in the URL, still
    /// percent-encoded. `None` for what is not there or is nobody's business: hidden files, and
    /// whatever is not inside the folder once links are followed.
    pub async fn find(&self, path: &str) -> Option<Asset> {
        if let Some(own) = self.own.iter().find(|own| own.served == path) {
            return Some(Asset {
                bytes: own.bytes.clone(),
                content_type: own.content_type,
                freshness: Freshness::Immutable,
            });
        }
        let folder = self.folder.clone()?;
        let relative = relative(path)?;
        let content_type = content_type(path);
        let read = tokio::task::spawn_blocking(move || read_inside(&folder, &relative));
        let bytes = read.await.ok()??;
        Some(Asset {
            freshness: Freshness::Revalidate(format!("\"{}\"", hash(&bytes))),
            bytes: Bytes::from(bytes),
            content_type,
        })
    }
}

/// Where the file at a path of `/static/` is.
fn url(path: &str) -> String {
    let segments = path.trim_start_matches('/').split('/');
    let segments: Vec<String> = segments.map(crate::link::segment).collect();
    format!("{}{}", Assets::ROOT, segments.join("/"))
}

/// The path inside a folder that a URL path names, if every segment is a plain file name.
fn relative(path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for segment in path.split('/') {
        let name = percent_decode_str(segment).decode_utf8().ok()?;
        let plain = !name.is_empty()
            && !name.starts_with('.')
            && !name.contains(['/', '\\', ':'])
            && !name.chars().any(char::is_control);
        if !plain {
            return None;
        }
        relative.push(&*name);
    }
    Some(relative)
}

/// The content of a regular file that is inside `folder`, wherever links lead.
fn read_inside(folder: &Path, relative: &Path) -> Option<Vec<u8>> {
    let path = folder.join(relative).canonicalize().ok()?;
    let inside = path.strip_prefix(folder).ok()?;
    let hidden =
        |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().starts_with('.');
    if inside.components().any(hidden) {
        return None;
    }
    let metadata = fs::metadata(&path).ok()?;
    let fits = metadata.is_file() && metadata.len() <= FILE_BYTES_MAX;
    fits.then(|| fs::read(&path).ok())?
}

/// The first 64 bits of SHA-256, in hexadecimal: enough to tell the versions of a file apart.
fn hash(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(16);
    for byte in &Sha256::digest(bytes)[..8] {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
    }
    text
}

fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/vnd.microsoft.icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn our_own_files_are_served_under_a_hashed_name_for_good() {
        let assets = Assets::open(None).unwrap();
        let url = assets.url("carafe.css");
        let path = url.strip_prefix(Assets::ROOT).unwrap();
        assert_eq!(path.len(), "carafe-0123456789abcdef.css".len());
        let asset = assets.find(path).await.unwrap();
        assert_eq!(asset.freshness, Freshness::Immutable);
        assert_eq!(asset.content_type, "text/css; charset=utf-8");
        assert_eq!(assets.find("carafe.css").await, None);
    }

    #[tokio::test]
    async fn only_plain_files_inside_the_folder_are_served() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("static");
        fs::create_dir_all(folder.join("css")).unwrap();
        fs::create_dir_all(folder.join(".git")).unwrap();
        for (name, text) in [
            ("static/css/style.css", "a"),
            ("static/a b.txt", "b"),
            ("static/.env", "secret"),
            ("static/.git/config", "secret"),
            ("notes.db", "secret"),
        ] {
            fs::write(root.path().join(name), text).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path().join("notes.db"), folder.join("link.txt")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.join(".env"), folder.join("env.txt")).unwrap();
        let assets = Assets::open(Some(&folder)).unwrap();
        let cases = [
            ("css/style.css", true),
            ("a%20b.txt", true),
            ("", false),
            ("css", false),
            ("css/", false),
            ("css//style.css", false),
            ("/css/style.css", false),
            ("/etc/passwd", false),
            ("%2fetc%2fpasswd", false),
            ("../notes.db", false),
            ("css/../../notes.db", false),
            ("%2e%2e/notes.db", false),
            ("..%2fnotes.db", false),
            ("%252e%252e/notes.db", false),
            ("..\\notes.db", false),
            ("..%5cnotes.db", false),
            ("./css/style.css", false),
            (".env", false),
            ("%2eenv", false),
            (".git/config", false),
            ("css/style.css%00", false),
            ("css/style.css%ff", false),
            ("C:%5cnotes.db", false),
            ("link.txt", false),
            ("env.txt", false),
        ];
        for (path, expected) in cases {
            let found = assets.find(path).await.is_some();
            assert_eq!(found, expected, "path: {path:?}");
        }
    }

    #[test]
    fn a_file_of_the_application_stands_in_place_of_ours() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("carafe.css"), "").unwrap();
        let assets = Assets::open(Some(root.path())).unwrap();
        assert_eq!(assets.url("carafe.css"), "/static/carafe.css");
        assert_eq!(assets.url("css/my style.css"), "/static/css/my%20style.css");
    }
}
