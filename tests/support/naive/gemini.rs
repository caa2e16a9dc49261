//! The twin of `gemini`.

use serde_json::json;

use super::*;
use crate::naive_json::Value;

#[derive(Default)]
pub(super) struct Gemini {
    pub(super) steps: Vec<Step>,
    candidates: Vec<Candidate>,
    has_started: bool,
}

#[derive(Default)]
struct Candidate {
    sub: u32,
    blocks: u32,
    open: Option<(u32, u32)>,
    /// The block of the call whose arguments come in pieces, what came so far, and how much of its text was told.
    call: Option<(u32, Tree, String)>,
    has_calls: bool,
    stop: Option<(String, i64)>,
}

/// Arguments made of pieces. The texts of strings stay escaped.
#[derive(Clone, Default)]
enum Tree {
    #[default]
    Nothing,
    Plain(String),
    Text {
        content: String,
        is_open: bool,
    },
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// A step of a path: the key, or the index.
type Place = Result<String, usize>;

impl Gemini {
    pub(super) fn record(&mut self, event: &str, data: &str) {
        if data.trim_ascii() == "[DONE]" {
            return self.steps.push(Step::new(EVENT_DONE));
        }
        let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if let [first, ..] = payload.list()
            && let Some(error) = first.get("error").filter(|error| error.is_truthy())
        {
            return self.steps.push(Step { aux: error.raw.clone(), ..Step::new(EVENT_ERROR) });
        }
        if !payload.is_object() {
            return self.steps.push(skipped(event));
        }
        let inner = payload.get("response").filter(|inner| inner.is_object() && payload.get("candidates").is_none());
        self.payload(event, inner.unwrap_or(&payload), &payload);
    }

    fn payload(&mut self, event: &str, payload: &Json, whole: &Json) {
        let error = payload.get("error").filter(|error| error.is_truthy());
        if error.is_some() || event == "error" {
            // A proxy may have put the error of another one into its own.
            let inner = error.unwrap_or(whole);
            let inner = inner.get("error").filter(|inner| inner.is_truthy()).unwrap_or(inner);
            self.steps.push(Step { aux: inner.raw.clone(), ..Step::new(EVENT_ERROR) });
        } else if ["candidates", "usageMetadata", "promptFeedback"].iter().all(|name| payload.get(name).is_none()) {
            return self.steps.push(skipped(event));
        }
        let candidates: Vec<&Json> = payload.list_of("candidates").iter().filter(|json| json.is_object()).collect();
        let model = payload.text_of("modelVersion").unwrap_or_default();
        let id = payload.text_of("responseId").unwrap_or_default();
        let is_known = !model.is_empty() || !id.is_empty() || !candidates.is_empty();
        let is_first = !self.has_started;
        if is_first && is_known {
            self.has_started = true;
            self.steps.push(Step { text: model.into(), aux: id.into(), ..Step::new(EVENT_MESSAGE_START) });
        }
        if let Some(feedback) = payload.get("promptFeedback")
            && feedback.filled_text_of("blockReason").is_some()
        {
            self.steps.push(Step { aux: feedback.raw.clone(), ..Step::new(EVENT_ERROR) });
        }
        let parts =
            |json: &Json| json.get("content").map(|content| content.list_of("parts").to_vec()).unwrap_or_default();
        let is_end = candidates.iter().any(|json| json.get("finishReason").is_some_and(Json::is_truthy));
        let has_parts = candidates.iter().any(|json| parts(json).iter().any(Json::is_object));
        let usage = payload.get("usageMetadata").filter(|usage| usage.is_truthy() && usage.is_object());
        if is_first && !is_end {
            self.steps.extend(usage.into_iter().flat_map(told));
        }
        for json in &candidates {
            let sub = json.get("index").and_then(Json::int).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
            let at = self.candidates.iter().position(|candidate| candidate.sub == sub).unwrap_or_else(|| {
                self.candidates.push(Candidate { sub, ..Candidate::default() });
                self.candidates.len() - 1
            });
            let candidate = &mut self.candidates[at];
            for part in parts(json).iter().filter(|part| part.is_object()) {
                candidate.part(&mut self.steps, part);
            }
            for name in ["finishMessage", "citationMetadata", "groundingMetadata", "urlContextMetadata"] {
                if let Some(value) = json.get(name).filter(|value| value.is_truthy()) {
                    self.steps.push(other(name, &value.raw, sub));
                }
            }
            if let Some(reason) = json.filled_text_of("finishReason") {
                candidate.stop(&mut self.steps, reason);
            }
        }
        if is_end || (!is_first && !has_parts) {
            self.steps.extend(usage.into_iter().flat_map(told));
        }
    }
}

/// The usage as it is written, and the counters in it.
fn told(usage: &Json) -> Vec<Step> {
    let mut steps = vec![Step { text: usage.raw.clone(), ..Step::new(EVENT_USAGE_RAW) }];
    steps.extend(counters(&[
        (USAGE_INPUT, usage.get("promptTokenCount")),
        (USAGE_OUTPUT, usage.get("candidatesTokenCount")),
        (USAGE_TOTAL, usage.get("totalTokenCount")),
        (USAGE_REASONING, usage.get("thoughtsTokenCount")),
        (USAGE_CACHE_READ, usage.get("cachedContentTokenCount")),
    ]));
    steps
}

impl Candidate {
    fn step(&self, kind: u32, block: u32, text: &str) -> Step {
        Step { sub: self.sub, block, text: text.into(), ..Step::new(kind) }
    }

    fn take_block(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks - 1
    }

    fn part(&mut self, steps: &mut Vec<Step>, part: &Json) {
        let is_thought = part.get("thought").is_some_and(Json::is_truthy);
        if let Some(text) = part.filled_text_of("text") {
            let kind = if is_thought { EVENT_THINKING } else { EVENT_TEXT };
            let block = match self.open {
                Some((open, block)) if open == kind => block,
                _ => self.take_block(),
            };
            self.open = Some((kind, block));
            steps.push(self.step(kind, block, text));
        }
        if let Some(signature) = last_of(part, &["thoughtSignature", "thought_signature"])
            && let Some(signature) = signature.1.text().filter(|text| !text.is_empty())
        {
            let block = match self.open.take() {
                Some((EVENT_THINKING, block)) if is_thought => block,
                _ => self.take_block(),
            };
            steps.push(self.step(EVENT_THINKING_SIGNATURE, block, signature));
        }
        if let Some(call) = part.get("functionCall").filter(|call| call.is_object()) {
            self.call(steps, call);
        }
        let kept = [
            "inlineData",
            "inline_data",
            "fileData",
            "executableCode",
            "codeExecutionResult",
            "toolCall",
            "toolResponse",
            "functionResponse",
        ];
        if let Some((name, value)) = last_of(part, &kept)
            && value.is_truthy()
        {
            steps.push(other(name, &value.raw, self.sub));
        }
    }

    fn call(&mut self, steps: &mut Vec<Step>, json: &Json) {
        let name = json.text_of("name").unwrap_or_default();
        let will_continue = json.get("willContinue").is_some_and(Json::is_truthy);
        if !name.is_empty() || self.call.is_none() {
            self.end_call(steps);
            let block = self.take_block();
            self.open = None;
            self.has_calls = true;
            let aux = json.text_of("id").unwrap_or_default().into();
            steps.push(Step { aux, ..self.step(EVENT_TOOL_BEGIN, block, name) });
            if json.get("partialArgs").is_none() && json.get("willContinue").is_none() {
                let args = json.some("args").map_or("{}", |args| args.raw.as_str());
                steps.push(self.step(EVENT_TOOL_ARGUMENTS, block, args));
                return steps.push(self.step(EVENT_BLOCK_END, block, ""));
            }
            self.call = Some((block, Tree::Object(Vec::new()), String::new()));
        }
        for piece in json.list_of("partialArgs").iter().filter(|piece| piece.is_object()) {
            self.piece(steps, piece);
        }
        if !will_continue {
            self.end_call(steps);
        }
    }

    /// Puts a piece into the tree; what the text of the tree grows by is told. If the text would change before its end,
    /// the piece is skipped.
    fn piece(&mut self, steps: &mut Vec<Step>, piece: &Json) {
        let (block, mut tree, told) = self.call.take().expect("there is a call");
        let before = tree.clone();
        let is_put = places(piece).is_some_and(|places| tree.put(&places, piece));
        let text = tree.open_text();
        match text.strip_prefix(told.as_str()) {
            Some(more) if is_put => {
                steps.push(self.step(EVENT_TOOL_ARGUMENTS, block, more));
                self.call = Some((block, tree, text));
            }
            _ => {
                steps.push(self.step(EVENT_SKIPPED, block, ""));
                self.call = Some((block, before, told));
            }
        }
    }

    fn end_call(&mut self, steps: &mut Vec<Step>) {
        if let Some((block, tree, told)) = self.call.take() {
            let whole = tree.text();
            let more = whole.strip_prefix(told.as_str()).expect("a text that only grows");
            steps.push(self.step(EVENT_TOOL_ARGUMENTS, block, more));
            steps.push(self.step(EVENT_BLOCK_END, block, ""));
        }
    }

    fn stop(&mut self, steps: &mut Vec<Step>, reason: &str) {
        self.end_call(steps);
        let num = match reason {
            "STOP" if self.has_calls => STOP_TOOL_USE,
            "STOP" => STOP_END,
            "MAX_TOKENS" => STOP_LENGTH,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "LANGUAGE"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR" => STOP_CONTENT_FILTER,
            "MALFORMED_FUNCTION_CALL" | "MALFORMED_RESPONSE" | "UNEXPECTED_TOOL_CALL" | "MISSING_THOUGHT_SIGNATURE" => {
                STOP_ERROR
            }
            _ => STOP_OTHER,
        };
        if self.stop != Some((reason.into(), num)) {
            self.stop = Some((reason.into(), num));
            steps.push(Step { num, ..self.step(EVENT_STOP, 0, reason) });
        }
    }
}

/// The member that stands last of those with one of the names.
fn last_of<'j>(json: &'j Json, names: &[&str]) -> Option<(&'j str, &'j Json)> {
    let Value::Object(members) = &json.value else { return None };
    let found = members.iter().rev().find(|(name, _)| names.contains(&name.as_str()))?;
    Some((found.0.as_str(), &found.1))
}

fn places(piece: &Json) -> Option<Vec<Place>> {
    let path: Vec<char> = piece.text_of("jsonPath")?.chars().collect();
    let mut rest = path.strip_prefix(&['$'][..]).unwrap_or(&path);
    let mut places = Vec::new();
    while let Some(first) = rest.first() {
        let end = |ends: &[char]| rest[1..].iter().position(|c| ends.contains(c)).map(|at| at + 1);
        match (first, rest.get(1)) {
            ('.', _) => {
                let end = end(&['.', '[']).unwrap_or(rest.len());
                places.push(Ok(rest[1..end].iter().collect::<String>()));
                if end == 1 {
                    return None;
                }
                rest = &rest[end..];
            }
            ('[', Some(quote @ ('\'' | '"'))) => {
                let (mut key, mut at) = (String::new(), 2);
                while rest.get(at)? != quote {
                    at += usize::from(rest[at] == '\\' && at + 1 < rest.len());
                    key.push(*rest.get(at)?);
                    at += 1;
                }
                places.push(Ok(key));
                rest = rest[at + 1..].strip_prefix(&[']'][..])?;
            }
            ('[', _) => {
                let end = end(&[']'])?;
                places.push(Err(rest[1..end].iter().collect::<String>().parse().ok()?));
                rest = &rest[end + 1..];
            }
            _ => return None,
        }
    }
    (!places.is_empty() && places.len() <= 120).then_some(places)
}

impl Tree {
    /// Puts a piece at its place, which may be new. Whether it is for that place.
    fn put(&mut self, places: &[Place], piece: &Json) -> bool {
        let will_continue = piece.get("willContinue").is_some_and(Json::is_truthy);
        let value = ["stringValue", "numberValue", "boolValue"].iter().find_map(|name| piece.some(name));
        let is_null = piece.get("nullValue").is_some();
        let Some((first, rest)) = places.split_first() else {
            let more = value.and_then(Json::text).map(|_| {
                let raw = &value.expect("it is a text").raw;
                raw[1..raw.len() - 1].to_owned()
            });
            match (&mut *self, more, value) {
                (Self::Text { content, is_open: is_open @ true }, Some(more), _) => {
                    *content += &more;
                    *is_open = will_continue;
                }
                (Self::Text { is_open: is_open @ true, .. }, None, None) if !is_null => *is_open = will_continue,
                (Self::Nothing, Some(content), _) => *self = Self::Text { content, is_open: will_continue },
                (Self::Nothing, None, Some(value)) => *self = Self::Plain(value.raw.clone()),
                (Self::Nothing, None, None) if is_null => *self = Self::Plain("null".into()),
                _ => return false,
            }
            return true;
        };
        if matches!(self, Self::Nothing) {
            *self = if first.is_ok() { Self::Object(Vec::new()) } else { Self::List(Vec::new()) };
        }
        match (self, first) {
            (Self::Object(members), Ok(key)) => {
                let at = members.iter().position(|(known, _)| known == key).unwrap_or(members.len());
                if at == members.len() {
                    members.push((key.clone(), Self::Nothing));
                }
                at < 4096 && members[at].1.put(rest, piece)
            }
            (Self::List(items), Err(index)) => {
                let from = items.len().saturating_sub(1);
                let far = if items.is_empty() { *index > 4096 } else { index.saturating_sub(from) > 4096 };
                if far {
                    return false;
                }
                while items.len() < *index {
                    items.push(Self::Plain("null".into()));
                }
                if items.len() == *index {
                    items.push(Self::Nothing);
                }
                items[*index].put(rest, piece)
            }
            _ => false,
        }
    }

    /// The JSON text.
    fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Plain(json) => json.clone(),
            Self::Text { content, .. } => format!("\"{content}\""),
            Self::List(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(",")),
            Self::Object(members) => {
                let member = |(key, value): &(String, Self)| format!("{}:{}", json!(key), value.text());
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// The JSON text up to the value that stands last, which may go on.
    fn open_text(&self) -> String {
        let closed = self.text();
        let mut open = closed.as_str();
        let mut last = self;
        loop {
            last = match last {
                Self::Text { is_open: true, .. } => return open[..open.len() - 1].to_owned(),
                Self::List(items) => items.last().unwrap_or(&Self::Nothing),
                Self::Object(members) => members.last().map_or(&Self::Nothing, |(_, value)| value),
                _ => return open.to_owned(),
            };
            open = &open[..open.len() - 1];
        }
    }
}
