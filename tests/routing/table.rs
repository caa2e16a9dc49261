//! The table itself: built in, of the user, of a plugin.

use std::fs;
use std::time::Instant;

use serde_json::json;
use thalweg::provider::{Provider, Source, Table, Wish};

use crate::{key_of, set};

#[test]
fn the_built_in_table_is_sound() {
    let table = Table::built_in();
    let rows: Vec<&Provider> = table.iter().map(|row| &**row).collect();
    assert!(rows.len() >= 55, "{} rows", rows.len());
    let mut names: Vec<&str> =
        rows.iter().flat_map(|row| std::iter::once(&row.id).chain(&row.aliases)).map(String::as_str).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two rows have one name: {names:?}");
    for row in rows {
        assert!(matches!(row.source, Source::BuiltIn));
        assert!(row.is_local() || !row.keys.is_empty() || row.finds_credentials(), "{} has no key", row.id);
        assert_eq!(row.id, row.id.to_lowercase());
        let dialects = [
            "openai-chat",
            "openai-responses",
            "openai-completions",
            "anthropic",
            "gemini",
            "ollama",
            "cohere-v2",
            "bedrock",
        ];
        assert!(dialects.contains(&row.dialect.as_str()), "{}: {}", row.id, row.dialect);
        if let Ok(url) = row.base_url(&|_| None) {
            assert!(url.starts_with("https://") || row.is_local(), "{}", row.id);
            assert!(row.owns(&url, &|_| None), "{}", row.id);
        }
    }
}

#[test]
fn a_later_row_replaces_an_earlier_one_and_the_others_stay() {
    let mut table = Table::built_in().clone();
    let count = table.iter().count();
    table
        .add_toml(
            "mine",
            r#"
            [dialects]
            house = "deepseek"
            [[provider]]
            id = "OPENAI"
            base_url = "https://proxy.example/openai"
            dialect = "openai-responses"
            keys = "PROXY_KEY"
            headers = { x-team = "a" }
            [[provider]]
            id = "house"
            like = "mistral"
            aliases = ["groq", "haus"]
            base_url = "http://10.0.0.7:8000/v1"
            keys = ["HOUSE_KEY"]
            key_without_tls = true
            "#,
        )
        .expect("two rows");
    assert_eq!(table.iter().count(), count + 1);
    assert_eq!(table.iter().next().map(|row| row.id.as_str()), Some("OPENAI"), "one's own rows come first");
    let go = |model: &str| {
        table.route(&Wish::model(model), &set("PROXY_KEY=secret-one HOUSE_KEY=secret-two OPENAI_API_KEY=no"))
    };
    let openai = go("openai/m").expect("the new row");
    assert_eq!(
        (openai.base_url.as_str(), openai.dialect.as_str()),
        ("https://proxy.example/openai", "openai-responses")
    );
    assert_eq!((openai.headers.len(), openai.flags.len()), (1, 0), "nothing of the old row is left");
    assert_eq!(key_of(&openai), Some((Some("PROXY_KEY"), "secret-one".to_owned())));
    let house = go("groq/m").expect("a later alias goes before an earlier id");
    assert_eq!((house.name(), house.dialect.as_str()), ("house", "openai-chat"));
    assert_eq!(house.flags, Table::built_in().find("mistral").expect("in the table").flags, "like another");
    assert_eq!(key_of(&house), Some((Some("HOUSE_KEY"), "secret-two".to_owned())), "http was allowed by the row");
    assert_eq!(table.dialect("house").0, "openai-chat");
}

#[test]
fn a_wrong_row_is_told_with_its_line_and_what_to_do() {
    let row = "[[provider]]\nid = \"x\"\nbase_url = \"https://h.example\"\ndialect = \"openai-chat\"\n";
    for (text, place, part) in [
        (format!("\n\n{row}base-url = \"y\""), "mine.toml:7", "unknown field `base-url`"),
        (format!("{row}api_key = \"sk-secret\""), "mine.toml:5", "put the key into an environment variable"),
        (format!("{row}keys = \"sk-secret\""), "mine.toml:1", "no name of an environment variable"),
        (format!("{row}flags = \"sk-secret\""), "mine.toml:5", "invalid type"),
        (
            format!("{row}auth = {{ kind = \"beerer\" }}"),
            "mine.toml:1",
            "unknown variant `beerer`, expected one of `none`, `bearer`",
        ),
        (format!("{row}auth = {{ kind = \"header\" }}"), "mine.toml:1", "missing field `name`"),
        (format!("{row}hosts = \"https://h\""), "mine.toml:1", "hosts"),
        (format!("{row}hosts = \"*.com\""), "mine.toml:1", "hosts"),
        (format!("{row}like = \"nobody\""), "mine.toml:1", "like names \"nobody\""),
        (format!("{row}\n{row}"), "mine.toml:6", "two rows"),
        (format!("{row}headers = {{ a = 1 }}"), "mine.toml:1", "must be a text"),
        ("[[provider]]\nid = \"x\"\n".to_owned(), "mine.toml:1", "missing field `base_url`"),
        ("[[provider]]\nid = \"x\"\nbase_url = \"https://h\"\n".to_owned(), "mine.toml:1", "has no dialect"),
        (
            "\n[[provider]]\nid = \"a/b\"\nbase_url = \"https://h\"\ndialect = \"d\"".to_owned(),
            "mine.toml:2",
            "id must be",
        ),
        ("[[provider]]\nid = \"x\"\nbase_url = \"h\"\ndialect = \"d\"".to_owned(), "mine.toml:1", "must begin with"),
        ("[[provider]]\nid = \"x\"\nbase_url = []\ndialect = \"d\"".to_owned(), "mine.toml:1", "has no base_url"),
        (
            "[[provider]]\nid = \"x\"\nbase_url = \"http://h\"\ndialect = \"d\"\nkeys = \"K\"".to_owned(),
            "mine.toml:1",
            "key_without_tls",
        ),
        ("[[provider]\nid = sk-secret".to_owned(), "mine.toml:1", ""),
        ("id = \"sk-secret\"".to_owned(), "mine.toml:1", "unknown field"),
    ] {
        let error = Table::empty().add_toml("mine.toml", &text).expect_err(&text).to_string();
        assert!(error.starts_with(&format!("{place}: ")) && error.contains(part), "{error}\n{text}");
        assert!(!error.contains("sk-secret"), "{error}");
    }
}

#[test]
fn the_rows_of_the_documentation_are_read() {
    let text = include_str!("../../docs/PROVIDERS.md");
    let rows = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let mut table = Table::built_in().clone();
    table.add_toml("docs/PROVIDERS.md", rows).expect("sound rows");
    let go = |model: &str| {
        let environment =
            set("HOUSE_API_KEY=secret-one DEEPSEEK_EU_KEY=secret-two LAB_KEY=secret-three DEEPSEEK_REGION=fra");
        table.route(&Wish::model(model), &environment).expect(model)
    };
    assert_eq!(key_of(&go("haus/m")), Some((Some("HOUSE_API_KEY"), "secret-one".to_owned())));
    let eu = go("deepseek-eu/m");
    assert_eq!(eu.base_url, "https://fra.deepseek.example/v1");
    assert_eq!(eu.auth, Some(json!({"kind": "header", "name": "x-api-key"})));
    assert_eq!(eu.flags, Table::built_in().find("deepseek").expect("in the table").flags);
    assert_eq!(key_of(&go("lab/m")), Some((Some("LAB_KEY"), "secret-three".to_owned())));
    // Names of models in the commands lead where they say.
    let names = text.split_whitespace().collect::<Vec<_>>();
    let models = names.windows(2).filter(|pair| pair[0] == "--model" && pair[1].contains('/')).map(|pair| pair[1]);
    let any_key = |name: &str| name.ends_with("_KEY").then(|| "k".to_owned());
    let routes = models.map(|name| table.route(&Wish::model(name), &any_key).expect(name).name().to_owned());
    assert_eq!(routes.collect::<Vec<_>>(), ["openai", "openrouter", "ollama", "anthropic", "openai"]);
}

#[test]
fn the_users_file_is_found_by_variable_and_in_the_folder_of_configuration() {
    let folder = std::env::temp_dir().join(format!("thalweg-routing-{}", std::process::id()));
    let nested = folder.join("thalweg");
    fs::create_dir_all(&nested).expect("created");
    let row = |id: &str| {
        format!("[[provider]]\nid = \"{id}\"\nbase_url = \"https://h.example\"\ndialect = \"openai-chat\"\n")
    };
    fs::write(nested.join("providers.toml"), row("in-folder")).expect("written");
    let other = folder.join("other.toml");
    fs::write(&other, row("by-variable")).expect("written");
    let environment = |xdg: &str, file: &str| {
        let (xdg, file) = (xdg.to_owned(), file.to_owned());
        Table::of_user(&move |name| match name {
            "XDG_CONFIG_HOME" => Some(xdg.clone()),
            "THALWEG_PROVIDERS" => Some(file.clone()),
            _ => None,
        })
    };
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let found = environment(&text(&folder), "").expect("read");
    assert!(found.find("in-folder").is_some() && found.find("openai").is_some());
    let found = environment(&text(&folder), &text(&other)).expect("read");
    assert!(found.find("by-variable").is_some() && found.find("in-folder").is_none());
    assert!(environment("relative", "").expect("nothing there").find("in-folder").is_none());
    let error = environment("", &text(&folder.join("none.toml"))).expect_err("named and not there").to_string();
    assert!(error.contains("none.toml"), "{error}");
    fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_plugin_brings_rows_below_the_users_and_no_foreign_key() {
    let mut table = Table::built_in().clone();
    table
        .add_toml(
            "mine",
            "[[provider]]\nid = \"a\"\nbase_url = \"https://mine.example\"\ndialect = \"d\"\nkeys = \"A_KEY\"",
        )
        .expect("a row");
    let rows = json!([
        {"id": "a", "base_url": "https://plugin.example", "dialect": "d"},
        {"id": "groq", "base_url": "https://plugin.example", "dialect": "d", "keys": ["PLUGIN_KEY"], "flags": {"x": 1}},
        {"id": "b", "base_url": ["https://api.openai.com/v1"], "dialect": "d", "keys": "OPENAI_API_KEY"},
    ]);
    table.add_plugin("acme", &rows).expect("rows");
    assert_eq!(table.find("a").expect("a row").usual_base_url(), "https://mine.example", "the user's row stays");
    let groq = table.find("groq").expect("a row");
    assert_eq!((groq.usual_base_url(), &groq.source), ("https://plugin.example", &Source::Plugin("acme".to_owned())));
    assert!(table.find("b").is_some(), "a key may go where it goes anyway");
    for (rows, part) in [
        (json!([{"id": "c", "base_url": "https://evil.example", "dialect": "d", "keys": "OPENAI_API_KEY"}]), "key of"),
        (json!([{"id": "c", "base_url": "{OPENAI_BASE_URL}", "dialect": "d", "keys": "OPENAI_API_KEY"}]), "key of"),
        (
            json!([{"id": "c", "base_url": "https://evil.example", "dialect": "d", "keys": "GROQ_API_KEY"}]),
            "key of groq",
        ),
        (
            json!([{"id": "c", "base_url": "http://e", "dialect": "d", "keys": "K", "key_without_tls": true}]),
            "user's own",
        ),
        (json!([{"id": "c"}]), "missing field `base_url`"),
        (json!({"id": "c"}), "must be a list"),
    ] {
        let error = table.clone().add_plugin("acme", &rows).expect_err("refused").to_string();
        assert!(error.contains("plugin acme") && error.contains(part), "{error}");
    }
}

#[test]
fn a_plugin_leads_the_credentials_of_this_machine_to_no_host_of_its_own() {
    let mut table = Table::built_in().clone();
    let auth = json!({"kind": "google"});
    let rows = json!([
        {"id": "evil", "base_url": "https://evil.example/v1", "dialect": "gemini", "auth": auth},
        {"id": "good", "base_url": "https://us-east5-aiplatform.googleapis.com/v1/x", "dialect": "gemini", "auth": auth},
    ]);
    table.add_plugin("acme", &rows).expect("rows");
    let row = "[[provider]]\nid = \"mine\"\nbase_url = \"https://mine.example\"\ndialect = \"gemini\"\nauth = { kind = \"google\" }";
    table.add_toml("mine", row).expect("a row");
    for (id, url, expected) in [
        ("evil", "https://evil.example/v1", false),
        ("good", "https://us-east5-aiplatform.googleapis.com/v1/x", true),
        ("mine", "https://mine.example", true),
        ("mine", "https://evil.example", false),
        ("vertex", "https://aiplatform.googleapis.com/v1", true),
        ("vertex", "https://googleapis.com.evil.example/v1", false),
        ("vertex", "http://aiplatform.googleapis.com/v1", false),
        ("bedrock", "https://bedrock-runtime.eu-west-1.amazonaws.com", true),
        ("bedrock", "https://evil.example", false),
        ("openai", "https://evil.example", false),
    ] {
        let row = table.find(id).expect(id);
        assert_eq!(row.may_use_credentials(url, &|_| None), expected, "{id} {url}");
    }
}

#[test]
fn reading_the_table_takes_little_of_a_start() {
    let text = include_str!("../../engine/runtime/src/provider/providers.toml");
    let least = (0..20).map(|_| {
        let started = Instant::now();
        Table::empty().add_toml("providers.toml", text).expect("sound");
        started.elapsed()
    });
    let least = least.min().expect("measured");
    println!("reading {} bytes of providers took {least:?} at least", text.len());
    // A start may take 10 ms; a build without optimisation is some ten times as slow as one with it.
    assert!(least.as_millis() < if cfg!(debug_assertions) { 100 } else { 5 }, "{least:?}");
}
