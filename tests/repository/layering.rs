//! Checks the dependency rules of the architecture. A layer's files may use certain modules and crates only.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and crates that files in one folder must not use.
struct Layer {
    folder: &'static str,
    /// Subfolders with their own rule or without a rule.
    except: &'static [&'static str],
    modules: &'static [&'static str],
    crates: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        folder: "src/domain",
        except: &[],
        modules: &["server", "client", "cli"],
        crates: &[
            "http",
            "http_body",
            "http_body_util",
            "axum",
            "clap",
            "reqwest",
            "rusqlite",
            "hyper",
            "hyper_util",
            "tower",
            "indicatif",
            "directories",
            "aws_sdk_s3",
        ],
    },
    Layer {
        folder: "src/server",
        except: &["src/server/store"],
        modules: &["client", "cli"],
        crates: &["clap", "reqwest", "rusqlite", "indicatif", "directories", "anyhow", "aws_sdk_s3"],
    },
    Layer {
        folder: "src/server/store",
        except: &["src/server/store/s3/diagnose"],
        modules: &["client", "cli"],
        crates: &["clap", "reqwest", "axum", "hyper", "indicatif", "directories", "anyhow"],
    },
    // The bucket checks send plain HTTP requests, so they may use reqwest's URL types.
    Layer {
        folder: "src/server/store/s3/diagnose",
        except: &[],
        modules: &["client", "cli"],
        crates: &["clap", "axum", "hyper", "rusqlite", "indicatif", "directories", "anyhow"],
    },
    Layer {
        folder: "src/client",
        except: &[],
        modules: &["server", "cli"],
        crates: &["clap", "axum", "rusqlite", "indicatif", "directories", "anyhow", "aws_sdk_s3"],
    },
    Layer {
        folder: "src/cli",
        except: &[
            "src/cli/commands/serve",
            "src/cli/commands/doctor",
            "src/cli/commands/store",
            "src/cli/commands/sweep.rs",
            "src/cli/input/s3_options.rs",
        ],
        modules: &["server"],
        crates: &["axum", "rusqlite", "hyper", "reqwest", "aws_sdk_s3"],
    },
    // Within a layer: what serves others names none of those it serves.
    Layer {
        folder: "src/server/net",
        except: &[],
        modules: &["server::api", "server::middleware", "server::web", "server::store"],
        crates: &[],
    },
    Layer { folder: "src/server/middleware", except: &[], modules: &["server::web", "server::store"], crates: &[] },
    Layer { folder: "src/server/api", except: &[], modules: &["server::middleware", "server::store"], crates: &[] },
    Layer {
        folder: "src/server/store",
        except: &[],
        modules: &["server::api", "server::middleware", "server::net", "server::web"],
        crates: &[],
    },
    Layer {
        folder: "src/client/http",
        except: &[],
        modules: &["client::upload", "client::download", "client::pack", "client::unpack", "client::decrypt"],
        crates: &[],
    },
    Layer { folder: "src/cli/input", except: &[], modules: &["cli::commands"], crates: &[] },
    Layer { folder: "src/cli/output", except: &[], modules: &["cli::commands"], crates: &[] },
    Layer { folder: "src/cli/failure", except: &[], modules: &["cli::commands"], crates: &[] },
    Layer { folder: "src/cli/config", except: &[], modules: &["cli::commands"], crates: &[] },
    Layer {
        folder: "src/cli/commands/doctor",
        except: &[],
        modules: &[],
        crates: &["axum", "rusqlite", "hyper", "reqwest", "aws_sdk_s3"],
    },
    Layer {
        folder: "src/cli/commands/serve",
        except: &[],
        modules: &["client"],
        crates: &["axum", "rusqlite", "hyper", "reqwest", "aws_sdk_s3"],
    },
];

#[test]
fn no_layer_uses_forbidden_modules_or_crates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for layer in LAYERS {
        let files = rust_files(&root.join(layer.folder));
        assert!(!files.is_empty(), "no files in {}", layer.folder);
        for file in files {
            let elsewhere = layer.except.iter().any(|folder| file.starts_with(root.join(folder)));
            if !elsewhere {
                let source = fs::read_to_string(&file).unwrap();
                let named = forbidden(&source, layer).into_iter();
                wrong.extend(named.map(|named| format!("{} names {named}", file.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_check_can_fail() {
    let layer = &LAYERS[0];
    for source in [
        "use crate::server::Settings;",
        "fn f(_: reqwest::Client) {}",
        "use crate::{cli, domain};",
        "use axum::Router;",
        "fn f(_: http::StatusCode) {}",
    ] {
        assert_eq!(forbidden(source, layer).len(), 1, "{source}");
    }
    for source in
        ["use crate::domain::id;", "// reqwest::Client", "let server = 1; my_axum::x();", "//! [`crate::server`]"]
    {
        assert_eq!(forbidden(source, layer), [""; 0], "{source}");
    }
}

/// Folders and files stay small enough to be read as a whole.
#[test]
fn folders_and_files_are_small() {
    const MAX_ENTRIES: usize = 24;
    const MAX_LINES: usize = 350;
    // One text for each command, read one at a time.
    const EXCEPT: &str = "src/cli/reference/examples";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut large) = (vec![root.join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        if entries.len() > MAX_ENTRIES && folder != root.join(EXCEPT) {
            large.push(format!("{} has {} entries", folder.display(), entries.len()));
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    for file in rust_files(&root.join("src")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > MAX_LINES {
            large.push(format!("{} has {lines} lines", file.display()));
        }
    }
    assert!(large.is_empty(), "{large:#?}");
}

/// Returns the modules and crates in a source file that its layer must not use.
fn forbidden(source: &str, layer: &Layer) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n");
    let module = |name: &&&str| {
        let path = format!("crate::{name}");
        let grouped = code.split("crate::{").skip(1).any(|group| {
            group
                .split('}')
                .next()
                .is_some_and(|group| group.split(',').any(|part| part.trim().split("::").next() == Some(name)))
        });
        grouped || occurs(&code, &path)
    };
    let modules = layer.modules.iter().filter(module).map(|name| format!("crate::{name}"));
    let crates = layer.crates.iter().filter(|name| occurs(&code, &format!("{name}::"))).map(|name| (*name).to_owned());
    modules.chain(crates).collect()
}

/// Returns whether `path` occurs in the code as a complete path, not as a part of a longer name.
fn occurs(code: &str, path: &str) -> bool {
    let part_of_name = |found: char| found.is_alphanumeric() || found == '_';
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + path.len()..].chars().next();
        let ends = path.ends_with(':') || !after.is_some_and(part_of_name);
        ends && !before.is_some_and(|found| part_of_name(found) || found == ':')
    })
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let nested = |path: PathBuf| {
        if path.is_dir() {
            rust_files(&path)
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            vec![path]
        } else {
            Vec::new()
        }
    };
    entries.flat_map(nested).collect()
}
