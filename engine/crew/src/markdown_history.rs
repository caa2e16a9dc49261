//! What was said so far, in a Markdown file that people read and programs go on from: MiniAgents' `CHAT.md`.

use std::fs::{OpenOptions, create_dir_all, read_to_string};
use std::io::Write;
use std::path::{Path, PathBuf};

use thalweg_actor::Failure;

use crate::agent::{Agent, Interaction};
use crate::field::Field;
use crate::history::returns_full_history;
use crate::message::Message;

impl Agent {
    /// An agent that writes what it hears into a Markdown file, as it comes, and replies with that; with all that is in the
    /// file, if `return_full_history` is configured. Each message stands below a heading, its role and its model.
    ///
    /// Configured are besides `default_role` (`assistant`), `append` (true; or the file begins anew each time), `skip_empty`
    /// (true), and `ignore_no_history`: messages whose field `no_history` is true are left out unless it is set.
    pub fn markdown_history(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new("markdown_history", move |interaction: Interaction| keep(interaction, path.clone()))
    }
}

async fn keep(mut interaction: Interaction, path: PathBuf) -> Result<(), Failure> {
    let in_full = returns_full_history(&interaction);
    if !in_full {
        interaction.reply(interaction.sent());
    }
    let is_set = |name, otherwise| match interaction.configuration(name) {
        Some(Field::Bool(value)) => *value,
        _ => otherwise,
    };
    let (appends, skips_empty) = (is_set("append", true), is_set("skip_empty", true));
    let keeps_all = is_set("ignore_no_history", false);
    let role = interaction.configuration("default_role").and_then(Field::as_str).unwrap_or("assistant").to_owned();
    if let Some(folder) = path.parent() {
        create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).write(true).append(appends).truncate(!appends).open(&path)?;
    while let Some(promise) = interaction.messages.next().await {
        let promise = promise?;
        let known = |name| promise.known().get(name).and_then(Field::as_str);
        if promise.known().get("no_history") == Some(&Field::Bool(true)) && !keeps_all {
            continue;
        }
        let model = known("model").filter(|model| !model.is_empty()).map(|model| format!(" / {model}"));
        let speaker = format!("{}{}", known("role").unwrap_or(&role), model.unwrap_or_default());
        file.write_all(format!("\n{speaker}\n{}\n", "=".repeat(40)).as_bytes())?;
        let mut tokens = promise.tokens();
        while let Some(token) = tokens.next().await {
            file.write_all(token?.0.as_bytes())?;
        }
        file.write_all(b"\n")?;
    }
    if in_full {
        let mut messages = read(&path)?;
        messages.retain(|message| !skips_empty || !message.to_string().trim().is_empty());
        interaction.reply(messages);
    }
    Ok(())
}

/// The messages of a file. What stands before the first heading of a speaker is nobody's.
fn read(path: &Path) -> Result<Vec<Message>, Failure> {
    let text = read_to_string(path)?;
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let mut messages = Vec::new();
    let mut open: Option<(Speaker<'_>, usize)> = None;
    let mut fence: Option<&str> = None;
    for (at, line) in lines.iter().enumerate() {
        let mark = fence_of(line);
        match (fence, mark) {
            // A fence is ended by one that is as long and says nothing.
            (Some(opened), Some(mark)) if mark.starts_with(opened) && line.trim() == mark => fence = None,
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => {
                let Some((speaker, begin)) =
                    heading(&lines, at).and_then(|(title, begin)| Some((speaker(title)?, begin)))
                else {
                    continue;
                };
                messages.extend(open.replace((speaker, begin)).map(|(of, from)| of.says(&lines[from..at])));
            }
            (Some(_), _) => {}
        }
    }
    messages.extend(open.map(|(of, from)| of.says(&lines[from..])));
    Ok(messages)
}

struct Speaker<'a> {
    role: String,
    model: Option<&'a str>,
}

impl Speaker<'_> {
    /// The message of these lines, without the blank ones around it.
    fn says(self, lines: &[&str]) -> Message {
        let is_said = |line: &&str| !line.trim().is_empty();
        let from = lines.iter().position(is_said).unwrap_or(lines.len());
        let to = lines.iter().rposition(is_said).map_or(from, |last| last + 1);
        Message::text(lines[from..to].join("\n")).with("role", self.role).with("model", self.model.map(str::to_owned))
    }
}

/// A heading of the first level that begins in a line, and the line behind it: `# user`, or `user` with a line of equals
/// signs below it and no text above.
fn heading<'a>(lines: &[&'a str], at: usize) -> Option<(&'a str, usize)> {
    let line = lines[at];
    let text = line.trim_start_matches(' ');
    if line.len() - text.len() > 3 {
        return None;
    }
    if let Some(title) = text.strip_prefix("# ") {
        return Some((title.trim().trim_end_matches('#').trim(), at + 1));
    }
    let below = lines.get(at + 1)?;
    let rule = below.trim();
    let is_underlined = !rule.is_empty() && rule.bytes().all(|byte| byte == b'=') && !below.starts_with("    ");
    let is_alone = at == 0 || lines[at - 1].trim().is_empty();
    (is_underlined && is_alone && !text.trim().is_empty()).then(|| (text.trim(), at + 2))
}

/// Who speaks, if the heading says so: a role, and perhaps a model, which is one word.
fn speaker(title: &str) -> Option<Speaker<'_>> {
    let (role, model) = title.split_once('/').map_or((title, None), |(role, model)| (role, Some(model.trim())));
    let role = role.trim().to_lowercase();
    let is_role = ["system", "user", "assistant"].contains(&role.as_str());
    let is_word = model.is_none_or(|model| !model.contains(char::is_whitespace));
    (is_role && is_word).then_some(Speaker { role, model })
}

/// The characters that begin or end a block of code.
fn fence_of(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    if line.len() - text.len() > 3 {
        return None;
    }
    let mark = text.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
    let len = text.len() - text.trim_start_matches(mark).len();
    // Backticks behind it: that is code within a line.
    (len >= 3 && !(mark == '`' && text[len..].contains('`'))).then(|| &text[..len])
}
