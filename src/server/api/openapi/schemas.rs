//! Schemas as code generators need them: named variants and list items, a discriminator, and examples.

use serde_json::{Map, Value, json};

/// Unions of the API, each with its discriminator property.
const UNIONS: &[(&str, &str)] = &[("UploadInstruction", "kind"), ("Record", "type")];

/// Examples of request bodies, by schema. The first is for the payload `tests/vectors/hello.sealed`.
fn examples() -> [(&'static str, Value); 5] {
    [
        (
            "CreateTransfer",
            json!({
                "size_bytes": 142,
                "expires_in_s": 86_400,
                "max_downloads": 3,
                "access_sha256": "fe83d8d7bd1511bf047aefbb5f3d702525d4168bfe0248a7c26caf7da951c588",
                "access_from_passphrase": false,
            }),
        ),
        ("CreateToken", json!({ "name": "build server", "expires_in_s": 2_592_000, "max_transfers": 100 })),
        ("DownloadRequest", json!({ "grant": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" })),
        ("AddEvent", json!({ "kind": "decrypt_succeeded" })),
        ("PartNumbers", json!({ "numbers": [1] })),
    ]
}

/// Completes the schemas of an `OpenAPI` document.
pub(super) fn finish(schemas: &mut Map<String, Value>) {
    for (union, tag) in UNIONS {
        name_variants(schemas, union, tag);
    }
    // The generated list schemas contain copies of the schemas of their items.
    let names: Vec<String> = schemas.keys().cloned().collect();
    for item in names.iter().filter_map(|name| name.strip_prefix("Page_")) {
        if schemas.contains_key(item) {
            schemas[&format!("Page_{item}")]["properties"]["items"]["items"] = reference(item);
        }
    }
    for (name, example) in examples() {
        // Each document has the schemas of its own service only.
        if let Some(schema) = schemas.get_mut(name) {
            schema["examples"] = json!([example]);
        }
    }
}

/// Moves the variants of a union into schemas of their own, and adds the discriminator.
fn name_variants(schemas: &mut Map<String, Value>, union: &str, tag: &str) {
    // Each document has the schemas of its own service only.
    let Some(schema) = schemas.get(union) else { return };
    let variants = schema["oneOf"].as_array().cloned().expect("the schema of a union lists its variants");
    let (mut references, mut mapping) = (Vec::new(), Map::new());
    for variant in variants {
        let value = value_of(&variant, tag).expect("each variant has a value of the discriminator");
        let name = format!("{union}{}{}", value[..1].to_uppercase(), &value[1..]);
        references.push(reference(&name));
        mapping.insert(value, format!("#/components/schemas/{name}").into());
        schemas.insert(name, variant);
    }
    schemas[union]["oneOf"] = references.into();
    schemas[union]["discriminator"] = json!({ "propertyName": tag, "mapping": mapping });
}

/// Returns the only value of the member `tag` in a variant.
fn value_of(variant: &Value, tag: &str) -> Option<String> {
    let parts = variant["allOf"].as_array().map_or(std::slice::from_ref(variant), Vec::as_slice);
    let value = parts.iter().find_map(|part| part["properties"][tag]["enum"][0].as_str())?;
    (!value.is_empty() && value.is_ascii()).then(|| value.to_owned())
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
