//! Static imports between the scripts, so that a page can announce all of its scripts at once.

use super::asset::Asset;

/// Returns the URL paths of a script and of all its static imports, the script itself first.
///
/// Without the announcement, a browser would learn of each level of imports only after it has the level before.
pub(super) fn with_imports(entry: &str, assets: &[&'static Asset]) -> Vec<String> {
    let mut found = vec![entry.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let Some(script) = assets.iter().find(|asset| asset.url_path() == path) else { continue };
        for import in imports(script.text()) {
            let resolved = resolve(&path, import);
            if !found.contains(&resolved) {
                found.push(resolved);
            }
        }
    }
    found
}

/// Returns the specifiers of the static imports. Prettier writes them as `} from "./name.js";`.
fn imports(source: &str) -> impl Iterator<Item = &str> {
    source.lines().take_while(|line| !line.starts_with("function")).filter_map(|line| {
        let is_code = !line.trim_start().starts_with(['/', '*']);
        let (_, specifier) = line.split_once(" from \"").filter(|_| is_code)?;
        specifier.strip_suffix("\";")
    })
}

/// Resolves a relative specifier against the path of the importing script.
fn resolve(from: &str, specifier: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_imports_are_found_once() {
        const A: Asset = Asset {
            path: "scripts/x/a.js",
            content: b"// a\n/** @import { T } from \"./types.js\" */\nimport { b } from \"./b.js\";\nimport {\n  c,\n} from \"../c.js\";\n",
        };
        const B: Asset = Asset { path: "scripts/x/b.js", content: b"import { c } from \"../c.js\";\n" };
        const C: Asset = Asset { path: "scripts/c.js", content: b"const d = () => import(\"./d.js\");\n" };
        assert_eq!(with_imports("x/a.js", &[&A, &B, &C]), ["x/a.js", "x/b.js", "c.js"]);
    }
}
