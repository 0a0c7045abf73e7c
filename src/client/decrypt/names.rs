//! Alternative names for a file whose name is taken.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::domain::file_name::MAX_NAME_BYTES;

/// Longest extension in bytes, without the dot, that a shortened name keeps.
const MAX_EXTENSION_BYTES: usize = 31;

/// Returns `name (1).ext`, `name (2).ext`, … in the directory of `path`, shortened to 255 bytes.
pub(super) fn alternatives(path: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    numbered(path, path.file_stem(), path.extension())
}

/// Returns `name (1)`, `name (2)`, … for the directory `path`; a directory name has no extension.
pub(super) fn alternatives_of_directory(path: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    numbered(path, path.file_name(), None)
}

fn numbered<'a>(
    path: &'a Path,
    name: Option<&'a OsStr>,
    extension: Option<&'a OsStr>,
) -> impl Iterator<Item = PathBuf> + use<'a> {
    let (name, extension) = match extension {
        Some(extension) if extension.len() > MAX_EXTENSION_BYTES => (path.file_name(), None),
        extension => (name, extension),
    };
    (1_u32..).map(move |number| {
        let mut suffix = OsString::from(format!(" ({number})"));
        if let Some(extension) = extension {
            suffix.push(".");
            suffix.push(extension);
        }
        let mut name = shortened(name.unwrap_or_default(), MAX_NAME_BYTES - suffix.len());
        name.push(suffix);
        path.with_file_name(name)
    })
}

/// Returns the first `max` bytes of a name, without a partial character.
fn shortened(name: &OsStr, max: usize) -> OsString {
    if name.len() <= max {
        return name.to_owned();
    }
    if let Some(text) = name.to_str() {
        return text[..text.floor_char_boundary(max)].into();
    }
    #[cfg(unix)]
    return <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name.as_encoded_bytes()[..max]).to_owned();
    #[cfg(not(unix))]
    return name.to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_precedes_the_extension() {
        for (path, other) in [
            ("/d/a.txt", "/d/a (2).txt"),
            ("a", "a (2)"),
            (".bashrc", ".bashrc (2)"),
            ("/d.x/a.tar.gz", "/d.x/a.tar (2).gz"),
            ("a (1).txt", "a (1) (2).txt"),
        ] {
            assert_eq!(alternatives(Path::new(path)).nth(1), Some(PathBuf::from(other)));
        }
    }

    #[test]
    fn long_names_are_shortened() {
        let second = |name: &str| alternatives(Path::new(name)).nth(1).unwrap();
        assert_eq!(second(&"n".repeat(255)), PathBuf::from("n".repeat(251) + " (2)"));
        let name = format!("{}.txt", "ü".repeat(125));
        assert_eq!(second(&name), PathBuf::from(format!("{} (2).txt", "ü".repeat(123))));
        assert_eq!(second(&format!("a.{}", "x".repeat(253))), PathBuf::from(format!("a.{} (2)", "x".repeat(249))));
        let directory = "d".repeat(254);
        let other = alternatives_of_directory(Path::new(&directory)).next().unwrap();
        assert_eq!(other, PathBuf::from("d".repeat(251) + " (1)"));
    }
}
