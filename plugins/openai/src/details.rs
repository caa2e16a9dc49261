//! `reasoning_details`: what signs thinking, as routers of many models have it. A block of thinking keeps those that hold
//! more than its text, the lists of all deltas one behind the other; here they become one list again.

use serde_json::{Map, Value, json};

/// The details of a block with this text and signature. Nothing if the signature is of another dialect.
pub(crate) fn of_block(text: &str, signature: &str) -> Vec<Value> {
    let lists = serde_json::Deserializer::from_str(signature).into_iter::<Vec<Map<String, Value>>>();
    let Ok(lists) = lists.collect::<Result<Vec<_>, _>>() else { return Vec::new() };
    let details: Vec<Map<String, Value>> = lists.into_iter().flatten().collect();
    let is_kind = |detail: &Map<String, Value>, kind: &str| detail.get("type").is_some_and(|it| it == kind);
    if !details.iter().all(|it| it.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with(PREFIX))) {
        return Vec::new();
    }
    // The text came in pieces, and its signature with the last one or behind it.
    let (texts, others): (Vec<_>, Vec<_>) = details.into_iter().partition(|detail| is_kind(detail, "reasoning.text"));
    let signed = texts.into_iter().rfind(|detail| detail.get("signature").is_some_and(|it| !it.is_null()));
    let mut all = Vec::new();
    if let Some(mut signed) = signed {
        signed.insert("text".into(), text.into());
        all.push(signed.into());
    } else if !text.is_empty()
        && let Some(first) = others.first()
    {
        let format = first.get("format").cloned().unwrap_or_default();
        let is_summary = format.as_str().is_some_and(|format| format.contains("responses"));
        let (kind, field) = if is_summary { ("reasoning.summary", "summary") } else { ("reasoning.text", "text") };
        all.push(json!({"type": kind, field: text, "format": format, "index": first.get("index")}));
    }
    all.extend(others.into_iter().filter(|detail| !is_kind(detail, "reasoning.summary")).map(Value::from));
    all
}

const PREFIX: &str = "reasoning.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_gets_its_whole_text_back() {
        let signature = r#"[{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0}]"#;
        assert_eq!(
            of_block("hm", signature),
            [json!({"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0})]
        );
    }

    #[test]
    fn what_is_encrypted_follows_the_text_in_the_form_of_its_provider() {
        let detail =
            |format: &str, data: &str| json!({"type":"reasoning.encrypted","data":data,"format":format,"index":1});
        let of_two = |format: &str| format!("[{}][{}]", detail(format, "a"), detail(format, "b"));
        assert_eq!(
            of_block("hm", &of_two("openai-responses-v1")),
            [
                json!({"type":"reasoning.summary","summary":"hm","format":"openai-responses-v1","index":1}),
                detail("openai-responses-v1", "a"),
                detail("openai-responses-v1", "b"),
            ]
        );
        assert_eq!(
            of_block("hm", &of_two("google-gemini-v1"))[0],
            json!({"type":"reasoning.text","text":"hm","format":"google-gemini-v1","index":1})
        );
        assert_eq!(of_block("", &of_two("google-gemini-v1"))[0], detail("google-gemini-v1", "a"));
    }

    #[test]
    fn signatures_of_other_dialects_are_left_out() {
        for signature in
            ["c2ln", r#"{"type":"reasoning","encrypted_content":"q"}"#, "[1]", r#"[{"type":"x"}]"#, r#"[{"#]
        {
            assert!(of_block("hm", signature).is_empty(), "{signature}");
        }
    }
}
