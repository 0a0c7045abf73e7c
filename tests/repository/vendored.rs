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
    /// Bundling of the released modules into one file, for a library that browsers cannot load as it is.
    bundle: Option<Bundle>,
    /// SHA-256 of each file, in hex.
    files: BTreeMap<String, String>,
}

/// Bundle of a library with its dependencies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    /// Program and version.
    tool: String,
    /// The module that was bundled.
    entry: String,
    options: String,
    /// Digests of the dependencies, by name and version.
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
        // Some libraries contain others with licences of their own.
        let licences = library.files.keys().filter(|file| file.starts_with("LICENSE"));
        let licence: String = licences.map(|file| fs::read_to_string(path.join(file)).unwrap()).collect();
        let has_text = |name: &str| match name {
            "MIT" => licence.contains("Permission is hereby granted, free of charge"),
            "BSD-2-Clause" | "BSD-3-Clause" => licence.contains("Redistribution and use in source and binary forms"),
            "Apache-2.0" => licence.contains("Apache License"),
            _ => false,
        };
        assert!(library.licence.split(", ").all(has_text), "{}: {}", library.name, library.licence);
        if let Some(bundle) = &library.bundle {
            assert!(bundle.tool.starts_with("esbuild ") && bundle.options.contains("--bundle"));
            assert!(bundle.entry.contains(&library.name));
            assert!(bundle.packages.values().all(|digest| digest.starts_with("sha512-")));
        }
        assert!(library.source.ends_with(&format!("/{}-{}.tgz", library.name, library.version)));
        assert!(library.integrity.starts_with("sha512-"));
    }
}
