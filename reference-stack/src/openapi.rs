//! The `OpenAPI` document, written from the table of the API.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::api::{ENDPOINTS, Endpoint, Gives, Kind, Param};

/// The document as JSON text.
pub fn document() -> Bytes {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        let text = serde_json::to_vec_pretty(&build()).expect("a JSON value is JSON text");
        text.into()
    });
    TEXT.clone()
}

fn build() -> Value {
    let mut paths = Map::new();
    for endpoint in &ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_lowercase()] = operation(endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "plimsoll reference stack",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Find and play music",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": schemas(),
            "responses": {"Problem": {
                "description": "What went wrong, and what to do instead",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/Id"}}))
        .collect();
    parameters.extend(endpoint.query.iter().map(parameter));
    if endpoint.of_user {
        let schema = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "default": "guest"});
        parameters
            .push(json!({"name": "x-user", "in": "header", "description": "whose it is", "schema": schema}));
    }
    let problem = || json!({"$ref": "#/components/responses/Problem"});
    let mut responses = Map::new();
    match endpoint.gives {
        Gives::Nothing(status) => {
            responses.insert(status.to_string(), json!({"description": "Done"}));
        }
        Gives::Json(status, schema) => {
            let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
            let content = json!({"application/json": {"schema": schema}});
            responses.insert(status.to_string(), json!({"description": "Found", "content": content}));
        }
        Gives::Audio => {
            for header in ["range", "if-range", "if-none-match", "if-modified-since"] {
                parameters.push(json!({"name": header, "in": "header", "schema": {"type": "string"}}));
            }
            let audio = || json!({"schema": {"type": "string", "format": "binary"}});
            let whole = json!({"description": "The song", "content": {"audio/mpeg": audio()}});
            let parts = json!({"audio/mpeg": audio(), "multipart/byteranges": audio()});
            responses.insert("200".into(), whole);
            responses.insert("206".into(), json!({"description": "Parts of it", "content": parts}));
            responses.insert("304".into(), json!({"description": "The client has it"}));
            responses.insert("412".into(), problem());
            responses.insert("416".into(), problem());
        }
    }
    if matches!(endpoint.gives, Gives::Json(200, _)) && endpoint.method == "GET" {
        responses.entry("304").or_insert_with(|| json!({"description": "The client has it"}));
        responses.entry("412").or_insert_with(problem);
    }
    // Any request may be malformed, lack its key, come too often or meet a tier that is full or down.
    for status in endpoint.fails.iter().chain(&[400, 401, 429, 500, 502, 503, 504]) {
        responses.entry(status.to_string()).or_insert_with(problem);
    }
    let mut operation = json!({
        "operationId": endpoint.op.name(),
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = endpoint.takes {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        let content = json!({"application/json": {"schema": schema}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn parameter(param: &Param) -> Value {
    let (required, schema) = match param.kind {
        Kind::Integer { min, max, default } => {
            (false, json!({"type": "integer", "minimum": min, "maximum": max, "default": default}))
        }
        Kind::Text { max } => (true, json!({"type": "string", "maxLength": max})),
    };
    json!({"name": param.name, "in": "query", "required": required, "description": param.what, "schema": schema})
}

/// An object of which every property is required.
fn record(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().map(|all| all.keys().collect()).unwrap_or_default();
    json!({"type": "object", "required": required, "properties": properties})
}

/// The records that go over the wire; a test holds real answers against them.
fn schemas() -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let many = |name: &str| json!({"type": "array", "items": reference(name)});
    let (id, text, count) =
        (reference("Id"), json!({"type": "string"}), json!({"type": "integer", "minimum": 0}));
    let next = json!({"type": ["integer", "null"], "minimum": 1});
    let link = json!({"type": "string", "format": "uri-reference"});
    json!({
        "Id": {"type": "integer", "minimum": 1, "maximum": u64::MAX, "format": "uint64"},
        "Problem": record(&json!({"title": text, "status": count, "detail": text})),
        "OpenApi": {"type": "object"},
        "Song": record(&json!({
            "id": id, "title": text, "artist": text, "artist_id": id, "album": text, "album_id": id,
            "track": count, "duration_s": count, "released": {"type": "string", "format": "date"}, "audio": link,
        })),
        "FoundSong": record(&json!({
            "id": id, "title": text, "artist": text, "artist_id": id, "album_id": id, "duration_s": count,
            "audio": link,
        })),
        "SearchPage": record(&json!({"songs": many("FoundSong"), "next_offset": next})),
        "SongPage": record(&json!({"songs": many("FoundSong"), "next_offset": next})),
        "Country": record(&json!({"code": {"type": "string", "pattern": "^[A-Z]{2}$"}, "name": text})),
        "AlbumLine": record(&json!({
            "id": id, "title": text, "released": {"type": "string", "format": "date"}, "songs": count,
        })),
        "Artist": record(&json!({
            "id": id, "name": text, "also_known_as": {"type": ["string", "null"]},
            "country": reference("Country"), "albums": many("AlbumLine"),
        })),
        "Album": record(&json!({
            "id": id, "title": text, "artist": text, "artist_id": id,
            "released": {"type": "string", "format": "date"}, "songs": many("FoundSong"),
        })),
        "Play": record(&json!({"song": id})),
        "Heat": record(&json!({"window_s": count, "songs": many("HeatSong")})),
        "HeatSong": record(&json!({"song": id, "plays": count, "plays_per_minute": {"type": "number", "minimum": 0}})),
        "NewPlaylist": record(&json!({"name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "\\S"}})),
        "PlaylistLine": record(&json!({"id": id, "name": text, "songs": count})),
        "PlaylistPage": record(&json!({"playlists": many("PlaylistLine"), "next_offset": next})),
        "Playlist": record(&json!({"id": id, "name": text, "songs": {"type": "array", "items": id}})),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_is_there() {
        let document = build();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        for endpoint in &ENDPOINTS {
            let operation = &document["paths"][endpoint.path][endpoint.method.to_lowercase()];
            assert_eq!(operation["operationId"], endpoint.op.name());
            assert!(operation["responses"]["503"].is_object());
        }
        assert_eq!(document["paths"]["/v1/playlists"].as_object().unwrap().len(), 2);
    }
}
