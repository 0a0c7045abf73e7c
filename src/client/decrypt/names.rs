//! Alternative names for a file whose name is taken.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Returns `name (1).ext`, `name (2).ext`, … in the directory of `path`.
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
    (1_u32..).map(move |number| {
        let mut name = OsString::from(name.unwrap_or_default());
        name.push(format!(" ({number})"));
        if let Some(extension) = extension {
            name.push(".");
            name.push(extension);
        }
        path.with_file_name(name)
    })
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
}
