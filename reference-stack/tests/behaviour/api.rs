//! The API: find a song, look around, keep it, play it, and see it in the heat map; all as documented.

use http::StatusCode;
use serde_json::{Value, json};

use crate::service::{Service, until};

#[tokio::test]
async fn a_song_is_found_by_its_title_and_leads_to_everything_around_it() {
    let service = Service::start().await;
    let song = service.get("/v1/songs/42").await.json();
    let words = format!("{} {}", song["title"].as_str().unwrap(), song["artist"].as_str().unwrap());
    let query: String = form_urlencoded::byte_serialize(words.as_bytes()).collect();
    let found = service.get(&format!("/v1/search?q={query}")).await.json();
    let first = &found["songs"][0];
    assert_eq!(
        (&first["title"], &first["artist"]),
        (&song["title"], &song["artist"]),
        "the best match first"
    );
    let audio = service.get(song["audio"].as_str().unwrap()).await;
    assert!(audio.is_right() && audio.header("content-type") == "audio/mpeg");

    let artist = service.get(&format!("/v1/artists/{}", song["artist_id"])).await.json();
    assert_eq!(artist["name"], song["artist"]);
    assert!(artist["albums"].as_array().unwrap().iter().any(|album| album["id"] == song["album_id"]));
    let songs = service.get(&format!("/v1/artists/{}/songs?limit=50", song["artist_id"])).await.json();
    assert!(songs["songs"].as_array().unwrap().iter().any(|other| other["id"] == 42));
    let album = service.get(&format!("/v1/albums/{}", song["album_id"])).await.json();
    assert_eq!((&album["title"], &album["released"]), (&song["album"], &song["released"]));
}

#[tokio::test]
async fn names_of_all_scripts_are_found() {
    let service = Service::start().await;
    let mut found = 0;
    for artist in 1..=service.songs().await / 7 {
        let page = service.get(&format!("/v1/artists/{artist}")).await.json();
        let Some(name) = page["also_known_as"].as_str() else { continue };
        let query: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let songs = service.get(&format!("/v1/search?q={query}&limit=50")).await.json();
        assert!(songs["songs"].as_array().unwrap().iter().any(|song| song["artist_id"] == artist), "{name}");
        found += 1;
    }
    assert!(found > 5, "{found} artists have another name");
}

#[tokio::test]
async fn pages_follow_each_other_and_their_limits_are_kept() {
    let service = Service::start().await;
    let mut songs = Vec::new();
    let mut next = json!(0);
    while let Some(offset) = next.as_u64() {
        let page = service.get(&format!("/v1/search?q=golden+midnight&limit=4&offset={offset}")).await.json();
        let ids = page["songs"].as_array().unwrap().iter().map(|song| song["id"].as_u64().unwrap());
        songs.extend(ids);
        next = page["next_offset"].clone();
    }
    let count = songs.len();
    songs.sort_unstable();
    songs.dedup();
    assert!(count > 4 && songs.len() == count, "{count} songs, {} different", songs.len());
    for wrong in ["q=a&limit=0", "q=a&limit=51", "q=a&offset=-1", "q=a&limit=x", "limit=3"] {
        assert_eq!(service.get(&format!("/v1/search?{wrong}")).await.problem(), 400, "{wrong}");
    }
    for wordless in ["", "%22", "!%3F"] {
        let page = service.get(&format!("/v1/search?q={wordless}")).await.json();
        assert_eq!(page, json!({"songs": [], "next_offset": null}), "{wordless}");
    }
    let long = "x".repeat(300);
    assert_eq!(service.get(&format!("/v1/search?q={long}")).await.problem(), 400);
    assert_eq!(service.get("/v1/search?q='%3B+DROP+TABLE+song%3B--").await.status, StatusCode::OK);
    assert_eq!(service.get("/v1/songs/1").await.status, StatusCode::OK, "nothing was dropped");
}

#[tokio::test]
async fn playlists_belong_to_their_users() {
    let service = Service::start().await;
    let (ada, eve) = ([("x-user", "ada-7")], [("x-user", "eve-7")]);
    let made = service.post("/v1/playlists", &ada, &json!({"name": "Soirée 雪"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let (path, list) = (made.header("location").to_owned(), made.json());
    assert_eq!(list["name"], "Soirée 雪");
    for song in [json!(9), json!(4), json!(9.0)] {
        let added = service.post(&format!("{path}/songs"), &ada, &json!({"song": song})).await;
        assert_eq!(added.status, StatusCode::OK, "{added:?}");
    }
    assert_eq!(service.get_with(&path, &ada).await.json()["songs"], json!([9, 4]));
    let all = service.get_with("/v1/playlists?limit=50", &ada).await.json();
    let line = all["playlists"].as_array().unwrap().iter().find(|line| line["id"] == list["id"]).unwrap();
    assert_eq!(line["songs"], 2);

    assert_eq!(service.get_with(&path, &eve).await.problem(), 404);
    let delete = async |path: &str, user| service.send("DELETE", service.base(), path, user, "").await;
    assert_eq!(delete(&path, &eve).await.problem(), 404);
    assert_eq!(delete(&format!("{path}/songs/9"), &ada).await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete(&format!("{path}/songs/9"), &ada).await.problem(), 404);
    assert_eq!(service.get_with(&path, &ada).await.json()["songs"], json!([4]));
    for (body, status) in
        [(json!({"song": 0}), 400), (json!({"song": 1_000_000_000}), 404), (json!({"name": 1}), 400)]
    {
        assert_eq!(service.post(&format!("{path}/songs"), &ada, &body).await.problem(), status, "{body}");
    }
    assert_eq!(
        service.post("/v1/playlists", &[("x-user", "a b")], &json!({"name": "x"})).await.problem(),
        400
    );
    assert_eq!(service.post("/v1/playlists", &ada, &json!({"name": " "})).await.problem(), 400);
    assert_eq!(delete(&path, &ada).await.status, StatusCode::NO_CONTENT);
    assert_eq!(service.get_with(&path, &ada).await.problem(), 404);
}

#[tokio::test]
async fn plays_reach_the_heat_map_and_the_hottest_can_be_brought_to_the_edge() {
    let service = Service::start().await;
    let heat = async || service.get("/v1/heat?top=1000").await.json();
    let plays = |heat: &Value, song: u64| {
        let songs = heat["songs"].as_array().unwrap();
        songs.iter().find(|entry| entry["song"] == song).map_or(0, |entry| entry["plays"].as_u64().unwrap())
    };
    let before = heat().await;
    for song in [14, 19, 19, 12, 19, 14] {
        let told = service.post("/v1/events", &[], &json!({"song": song})).await;
        assert_eq!((told.status, told.body.len()), (StatusCode::ACCEPTED, 0));
    }
    for wrong in [json!({"song": 0}), json!({"song": 1.5}), json!({}), json!("song 1")] {
        assert_eq!(service.post("/v1/events", &[], &wrong).await.problem(), 400, "{wrong}");
    }
    assert_eq!(service.post("/v1/events", &[], &json!({"song": 1_000_000_000})).await.problem(), 404);
    until("all plays are counted", || async {
        let now = heat().await;
        [(19, 3), (14, 2), (12, 1)]
            .iter()
            .all(|&(song, more)| plays(&now, song) == plays(&before, song) + more)
    })
    .await;
    assert_eq!(heat().await["window_s"], 60);
    assert_eq!(service.get("/v1/heat?top=1").await.json()["songs"].as_array().unwrap().len(), 1);
    assert_eq!(service.get("/v1/heat?top=0").await.problem(), 400);
    let warm = service.admin("POST", "/warm?top=1000", "").await.json();
    assert!(warm["warm"].as_u64().unwrap() >= 3, "{warm}");
    assert!(service.play(19).await.header("cache-status").ends_with("edge; hit"));
}

/// Holds a value against a schema of the document; says where they differ.
fn mismatch(value: &Value, schema: &Value, document: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return mismatch(value, document.pointer(reference.trim_start_matches('#'))?, document, at);
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => false,
    };
    if !types.iter().any(|name| name.as_str().is_some_and(is)) {
        return Some(format!("{at} is {value}, expected {types:?}"));
    }
    if let (Some(given), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        if let Some(name) = known.keys().find(|name| !given.contains_key(*name)) {
            return Some(format!("{at} lacks {name}"));
        }
        for (name, value) in given {
            let Some(schema) = known.get(name) else { return Some(format!("{at} has {name}, undocumented")) };
            if let Some(found) = mismatch(value, schema, document, &format!("{at}.{name}")) {
                return Some(found);
            }
        }
    }
    let items = value.as_array().into_iter().flatten();
    items.enumerate().find_map(|(i, item)| mismatch(item, &schema["items"], document, &format!("{at}[{i}]")))
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let service = Service::start().await;
    let document = service.get("/v1/openapi.json").await;
    assert!(document.header("cache-control").contains("max-age") && document.header("etag").starts_with('"'));
    let document = document.json();
    assert_eq!(document["openapi"], "3.1.0");
    let made = service.post("/v1/playlists", &[], &json!({"name": "one"})).await;
    let list = made.header("location").to_owned();
    service.post(&format!("{list}/songs"), &[], &json!({"song": 1})).await;
    service.post("/v1/events", &[], &json!({"song": 1})).await;
    until("a hot song", || async { service.get("/v1/heat").await.json()["songs"][0].is_object() }).await;
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let schema = &operations["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let query = if path == "/v1/search" { "?q=golden" } else { "" };
        let path = path.replace("/v1/playlists/{playlist}", &list);
        let path = path.replace("{song}", "1").replace("{artist}", "1").replace("{album}", "1");
        let answer = service.get(&format!("{path}{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(mismatch(&answer.json(), schema, &document, &path), None);
        checked += 1;
    }
    assert!(checked >= 8, "{checked}");
    let problem = service.get("/v1/songs/0").await;
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    assert_eq!(mismatch(&problem.json(), &schema, &document, "problem"), None);
}
