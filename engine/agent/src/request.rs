//! The canonical request envelope: all of a request but its messages.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A tool as the model is told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// Whether the model may, must or must not call tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// No tool.
    None,
    /// At least one tool, whichever.
    Required,
    /// This tool.
    #[serde(untagged)]
    Tool {
        /// Its name.
        name: String,
    },
}

impl ToolChoice {
    /// Whether the model has no way around a tool.
    #[must_use]
    pub const fn is_forced(&self) -> bool {
        matches!(self, Self::Required | Self::Tool { .. })
    }
}

/// How much the model shall think.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thinking {
    /// `none`, `minimal`, `low`, `medium`, `high` or `xhigh`.
    pub level: String,
    /// Tokens it may spend, where the provider takes a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u32>,
}

/// The form that a reply has to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Output {
    /// Any JSON.
    Json,
    /// JSON of a schema.
    JsonSchema {
        /// The schema.
        schema: Value,
        /// Its name, where the provider wants one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Whether the reply has to keep to it exactly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

/// How long a provider keeps a prompt in its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Not at all, where that is up to the request.
    None,
    /// Some minutes.
    Short,
    /// An hour or a day, as the provider has it.
    Long,
}

/// Which messages are marked as ends of what the provider shall keep in its cache, where a dialect has such marks. At most
/// four marks go into a request, that of the system prompt among them; older ones are taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheMarks {
    /// The system prompt, and each message of the user that ends with text: what stays the same from turn to turn.
    AllUser,
    /// The system prompt, and the last message of the user or of its tools.
    LastUser,
    /// The last text of the user or of the model, and nothing else: what routers ask for.
    LastText,
}

/// What goes into every request of a conversation. A field that is not set is left to the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Id of the model.
    pub model: String,
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The tools on offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether tools may or must be called; a forced choice holds for the first turn of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tools: Option<bool>,
    /// Most tokens of one reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Sampling temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sampling from so many of the likeliest tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// The same seed gives the same reply, as far as the provider can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Makes what was said often less likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Makes what was said at all less likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Texts that end the reply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// How much to think.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// The form that the reply has to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// Whether the provider shall keep the prompt in its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Which messages are marked for that; without, the dialect's own way is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_marks: Option<CacheMarks>,
    /// A name of the conversation, for the provider's cache or for the server that it is routed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Merged into the body as it is.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Whether the reply comes as a stream or at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As a stream.
    Stream,
    /// At once.
    Whole,
}

impl Request {
    /// Sets a field by its name; one that there is no word for goes into the body as it is. Null takes back what was set.
    /// A single text is taken for `stop` and for the level of `thinking`.
    ///
    /// # Errors
    /// When the field cannot have this value; nothing changes then.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), serde_json::Error> {
        if !FIELDS.contains(&name) {
            match value {
                Value::Null => drop(self.extra.shift_remove(name)),
                value => drop(self.extra.insert(name.to_owned(), value)),
            }
            return Ok(());
        }
        let value = match (name, value) {
            ("stop", Value::String(text)) => Value::Array(vec![Value::String(text)]),
            ("thinking", Value::String(level)) => serde_json::json!({ "level": level }),
            (_, value) => value,
        };
        let mut fields = serde_json::to_value(&*self)?;
        if let Some(fields) = fields.as_object_mut() {
            match value {
                Value::Null => drop(fields.shift_remove(name)),
                value => drop(fields.insert(name.to_owned(), value)),
            }
        }
        *self = serde_json::from_value(fields)?;
        Ok(())
    }

    /// The envelope for turn `turn` of a run, counted from 1.
    ///
    /// A forced tool choice is sent in the first turn only: the model could never answer otherwise. Without tools there
    /// is no choice to send, since providers refuse one.
    #[must_use]
    pub fn envelope(&self, turn: u32, delivery: Delivery) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            #[serde(flatten)]
            request: &'a Request,
            stream: bool,
        }
        let stream = delivery == Delivery::Stream;
        let choice_ends = turn > 1 && self.tool_choice.as_ref().is_some_and(ToolChoice::is_forced);
        let json = if self.tool_choice.is_some() && (choice_ends || self.tools.is_empty()) {
            let request = Self { tool_choice: None, ..self.clone() };
            serde_json::to_string(&Envelope { request: &request, stream })
        } else {
            serde_json::to_string(&Envelope { request: self, stream })
        };
        // Strings, numbers and JSON values only, with string keys: there is nothing here that can fail to serialise.
        json.unwrap_or_default()
    }
}

/// The names of what [`Request`] has a word for. What a program decides, model and tools, is not among them.
pub const FIELDS: [&str; 16] = [
    "system",
    "tool_choice",
    "parallel_tools",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "thinking",
    "output",
    "cache",
    "cache_marks",
    "session",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn envelope(request: &Request, turn: u32) -> Value {
        serde_json::from_str(&request.envelope(turn, Delivery::Stream)).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let request = Request { model: "m".into(), ..Request::default() };
        assert_eq!(envelope(&request, 1), json!({"model":"m","stream":true}));
    }

    #[test]
    fn everything_set_is_sent_in_the_canonical_form() {
        let request = Request {
            model: "m".into(),
            system: Some("s".into()),
            tools: vec![ToolSpec { name: "t".into(), description: "d".into(), parameters: json!({"type":"object"}) }],
            tool_choice: Some(ToolChoice::Auto),
            max_tokens: Some(9),
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(3),
            seed: Some(7),
            frequency_penalty: Some(0.25),
            presence_penalty: Some(0.75),
            parallel_tools: Some(false),
            output: Some(Output::JsonSchema { schema: json!({}), name: Some("n".into()), strict: Some(true) }),
            cache: Some(Cache::Long),
            cache_marks: Some(CacheMarks::AllUser),
            session: Some("c".into()),
            stop: vec!["x".into()],
            thinking: Some(Thinking { level: "low".into(), budget_tokens: Some(7) }),
            extra: Map::from_iter([("seed".to_owned(), json!(1))]),
        };
        let expected = json!({"model":"m","system":"s",
            "tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "tool_choice":"auto","max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,
            "seed":7,"frequency_penalty":0.25,"presence_penalty":0.75,"parallel_tools":false,"cache":"long","cache_marks":"all_user","session":"c",
            "output":{"type":"json_schema","schema":{},"name":"n","strict":true},"stop":["x"],
            "thinking":{"level":"low","budget_tokens":7},"extra":{"seed":1},"stream":true});
        assert_eq!(envelope(&request, 3), expected);
        // What can be set by its name is all of that but what the program decides.
        let mut named: Vec<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
        named.retain(|name| !["model", "tools", "extra", "stream"].contains(name));
        named.sort_unstable();
        let mut fields = FIELDS;
        fields.sort_unstable();
        assert_eq!(named, fields);
    }

    #[test]
    fn a_field_is_set_by_its_name() {
        let mut request = Request { model: "m".into(), ..Request::default() };
        for (name, value) in [
            ("temperature", json!(0.5)),
            ("max_tokens", json!(9)),
            ("stop", json!("x")),
            ("thinking", json!("low")),
            ("output", json!({"type": "json"})),
            ("logit_bias", json!({"1": 2})),
            ("top_k", json!(3)),
        ] {
            request.set(name, value).unwrap();
        }
        request.set("top_k", Value::Null).unwrap();
        let expected = json!({"model":"m","temperature":0.5,"max_tokens":9,"stop":["x"],"thinking":{"level":"low"},
            "output":{"type":"json"},"extra":{"logit_bias":{"1":2}},"stream":true});
        assert_eq!(envelope(&request, 1), expected);
        assert!(request.set("temperature", json!("hot")).is_err());
        assert_eq!(envelope(&request, 1), expected, "nothing changes then");
    }

    #[test]
    fn a_forced_choice_holds_for_the_first_turn_only() {
        let tools = vec![ToolSpec { name: "t".into(), description: String::new(), parameters: json!({}) }];
        for (choice, expected) in
            [(ToolChoice::Required, json!("required")), (ToolChoice::Tool { name: "t".into() }, json!({"name":"t"}))]
        {
            let request = Request { tools: tools.clone(), tool_choice: Some(choice), ..Request::default() };
            assert_eq!(envelope(&request, 1)["tool_choice"], expected);
            assert_eq!(envelope(&request, 2).get("tool_choice"), None);
        }
        let request = Request { tools, tool_choice: Some(ToolChoice::None), ..Request::default() };
        assert_eq!(envelope(&request, 2)["tool_choice"], json!("none"));
    }

    #[test]
    fn a_choice_without_tools_is_not_sent() {
        let request = Request { tool_choice: Some(ToolChoice::Required), ..Request::default() };
        assert_eq!(envelope(&request, 1).get("tool_choice"), None);
    }
}
