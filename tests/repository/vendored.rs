//! Checks that vendored libraries are the files that their list names, with licence and version.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sgsend::domain::crypto::digest::Sha256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VendoredLibrary {
    name: String,
    version: String,
    licence: String,
    source: String,
    /// Digest of the package, as its registry states it.
    integrity: String,
    /// How a library of several packages became one file, which its package does not have.
    bundle: Option<Bundle>,
    /// SHA-256 of each file, in hex.
    files: BTreeMap<String, String>,
}

/// One file made of several packages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    /// Command that makes the file, with the version of its program.
    command: String,
    /// Digest of each package that the library needs, as its registry states it.
    packages: BTreeMap<String, String>,
}

#[test]
fn vendored_libraries_are_unchanged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/web/scripts/vendor");
    let list = fs::read(folder.join("versions.json")).unwrap();
    let libraries: Vec<VendoredLibrary> = serde_json::from_slice(&list).unwrap();
    let names: Vec<_> = libraries.iter().map(|library| library.name.clone()).collect();
    let folders = |path: &Path| -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(folders(&folder), [&names[..], &["versions.json".to_owned()]].concat());
    for library in libraries {
        let path = folder.join(&library.name);
        assert_eq!(folders(&path), library.files.keys().cloned().collect::<Vec<_>>(), "{}", library.name);
        for (file, digest) in &library.files {
            let found = Sha256::of(&fs::read(path.join(file)).unwrap()).to_string();
            assert_eq!(found, *digest, "{} {file} is not the released file", library.name);
        }
        let licence = fs::read_to_string(path.join("LICENSE.txt")).unwrap();
        let has_text = |name: &str| match name {
            "MIT" => licence.contains("Permission is hereby granted, free of charge"),
            "BSD-3-Clause" => licence.contains("Redistribution and use in source and binary forms"),
            "Apache-2.0" => licence.contains("Apache License"),
            _ => false,
        };
        assert!(library.licence.split(", ").all(has_text), "{}: {}", library.name, library.licence);
        if let Some(Bundle { command, packages }) = library.bundle {
            assert!(command.contains("esbuild@"));
            assert!(packages.values().all(|integrity| integrity.starts_with("sha512-")));
        }
        assert!(library.source.ends_with(&format!("/{}-{}.tgz", library.name, library.version)));
        assert!(library.integrity.starts_with("sha512-"));
    }
}
