//! Everything that `chat` puts on the screen, in one place: colours, line breaks, alignment, flushing.
//!
//! What a model or a tool says is untrusted: on a terminal its control characters are not passed on.

use std::fmt::{Display, Write as _};
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::time::Duration;

use serde_json::Value;
use thalweg::Outcome;
use thalweg_agent::event::{BlockKind, EventView, UpdateView};

/// The writer of a conversation.
#[derive(Debug)]
pub(crate) struct Screen<W: Write = BufWriter<Stdout>> {
    out: W,
    style: Style,
    what: What,
    /// What the line that is being written belongs to.
    line: Line,
    /// Who of a team spoke last.
    member: String,
}

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// No escapes; text goes out byte for byte.
    Plain,
    /// A terminal without colours: text is stripped of control characters.
    Terminal,
    /// A terminal with colours.
    Colour,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The reply, the tools, the plugins and the figures.
    Everything,
    /// The reply alone.
    ReplyOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Text,
    Thinking,
}

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";
/// Longest piece of a tool's arguments or answer that is shown.
const TOOL_CHARS_MAX: usize = 160;

impl Screen {
    /// On stdout, in colours if that is a terminal and `NO_COLOR` is not set.
    pub(crate) fn stdout(what: What) -> Self {
        let stdout = io::stdout();
        let style = if !stdout.is_terminal() {
            Style::Plain
        } else if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
        {
            Style::Terminal
        } else {
            Style::Colour
        };
        Self::new(BufWriter::new(stdout), style, what)
    }
}

impl<W: Write> Screen<W> {
    pub(crate) const fn new(out: W, style: Style, what: What) -> Self {
        Self { out, style, what, line: Line::Empty, member: String::new() }
    }

    /// A quiet line about what happens.
    pub(crate) fn note(&mut self, label: &str, text: impl Display) -> io::Result<()> {
        if self.what == What::ReplyOnly {
            return Ok(());
        }
        self.break_line()?;
        let (on, off) = self.paint(DIM);
        writeln!(self.out, "{on}{label:<LABEL_WIDTH$}{text}{off}")
    }

    /// More of the reply.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if self.line == Line::Thinking {
            self.break_line()?;
        }
        self.put(text)?;
        self.line = if text.ends_with('\n') { Line::Empty } else { Line::Text };
        Ok(())
    }

    /// More of the model's thinking.
    pub(crate) fn thinking(&mut self, text: &str) -> io::Result<()> {
        if self.what == What::ReplyOnly || text.is_empty() {
            return Ok(());
        }
        if self.line == Line::Text {
            self.break_line()?;
        }
        let (on, off) = self.paint(DIM);
        self.out.write_all(on.as_bytes())?;
        self.put(text)?;
        self.out.write_all(off.as_bytes())?;
        self.line = if text.ends_with('\n') { Line::Empty } else { Line::Thinking };
        Ok(())
    }

    /// Whatever an event of a run has to show.
    pub(crate) fn show(&mut self, event: &EventView<'_>) -> io::Result<()> {
        match event {
            EventView::MessageUpdate(UpdateView::Delta { block, delta, member, .. }) if !delta.is_empty() => {
                self.turn_to(member)?;
                match block {
                    BlockKind::Text | BlockKind::Refusal => self.text(delta),
                    BlockKind::Thinking => self.thinking(delta),
                    // Shown whole when the tool starts.
                    BlockKind::ToolCall => Ok(()),
                }
            }
            EventView::ToolExecutionStart { payload, .. } => {
                let call = ToolLine::read(payload);
                self.note("call", format_args!("{} {}", call.name, one_line(&call.arguments)))
            }
            EventView::ToolExecutionUpdate { payload, .. } => {
                let call = ToolLine::read(payload);
                self.note("", format_args!("{} {}", call.name, one_line(&call.answer)))
            }
            EventView::ToolExecutionEnd { payload, .. } => {
                let call = ToolLine::read(payload);
                let answer = one_line(&call.answer);
                if call.is_error {
                    self.warn("failed", format_args!("{} {answer}", call.name))
                } else {
                    self.note("result", format_args!("{} {answer}", call.name))
                }
            }
            // The next reply begins on a line of its own, also where nothing is shown between the two.
            EventView::MessageEnd { .. } => self.break_line(),
            _ => Ok(()),
        }
    }

    /// What follows is said by `member`, where several speak.
    fn turn_to(&mut self, member: &str) -> io::Result<()> {
        if member.is_empty() || member == self.member {
            return Ok(());
        }
        member.clone_into(&mut self.member);
        self.note("member", one_line(member))
    }

    /// The last line of a reply: how fast, how much, and where it came from.
    pub(crate) fn figures(&mut self, outcome: &Outcome, provenance: Option<&str>) -> io::Result<()> {
        self.note(if outcome.error.is_none() { "done" } else { "ended" }, figures(outcome, provenance))
    }

    /// A line that should be noticed.
    pub(crate) fn warn(&mut self, label: &str, text: impl Display) -> io::Result<()> {
        if self.what == What::ReplyOnly {
            return Ok(());
        }
        self.break_line()?;
        let (on, off) = self.paint(RED);
        writeln!(self.out, "{on}{label:<LABEL_WIDTH$}{text}{off}")
    }

    /// The line that is being written ends here, if one is.
    pub(crate) fn break_line(&mut self) -> io::Result<()> {
        if self.line != Line::Empty {
            self.line = Line::Empty;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Room between two parts.
    pub(crate) fn blank_line(&mut self) -> io::Result<()> {
        if self.what == What::ReplyOnly {
            return Ok(());
        }
        self.break_line()?;
        self.out.write_all(b"\n")
    }

    /// Sends on what was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn paint(&self, code: &'static str) -> (&'static str, &'static str) {
        if self.style == Style::Colour { (code, RESET) } else { ("", "") }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        if self.style == Style::Plain || !text.contains(is_unsafe_control) {
            return self.out.write_all(text.as_bytes());
        }
        text.split(is_unsafe_control).try_for_each(|part| self.out.write_all(part.as_bytes()))
    }
}

/// Columns taken by the label of a note.
const LABEL_WIDTH: usize = 8;

/// Characters with which a text could move the cursor, set colours or the title of a terminal.
fn is_unsafe_control(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

/// The text on one line, without control characters, cut with an ellipsis when long.
pub(crate) fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * TOOL_CHARS_MAX));
    for (n, c) in text.trim().chars().enumerate() {
        if n == TOOL_CHARS_MAX {
            shown.push('…');
            break;
        }
        shown.push(if c.is_control() { ' ' } else { c });
    }
    shown
}

/// What a tool event says, ready to be shown.
struct ToolLine {
    name: String,
    arguments: String,
    answer: String,
    is_error: bool,
}

impl ToolLine {
    fn read(payload: &str) -> Self {
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        let name = payload["tool_name"].as_str().unwrap_or_default();
        let parts = [&payload["result"], &payload["partial_result"]];
        let texts = parts.iter().filter_map(|part| part["content"].as_array()).flatten();
        Self {
            name: one_line(&match payload["member"].as_str() {
                Some(member) => format!("{member}: {name}"),
                None => name.to_owned(),
            }),
            arguments: payload["args"].to_string(),
            answer: texts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" "),
            is_error: payload["is_error"] == true,
        }
    }
}

fn figures(outcome: &Outcome, provenance: Option<&str>) -> String {
    let stats = &outcome.stats;
    let mut line = match stats.first_delta {
        Some(time) => format!("first delta {}", duration(time)),
        None => "no delta".to_owned(),
    };
    // Writing to a text cannot fail.
    // A plugin that drives itself has no events of a wire, only those that it gives.
    let _ = write!(line, " · {} events", if stats.frames > 0 { stats.frames } else { stats.events });
    if let Some(cost) = stats.decode_ns_per_event() {
        // Cold: between two chunks the machine did other things. Warm: the same bytes decoded again, back to back.
        let _ = match stats.decode_warm {
            Some(warm) => write!(line, " · decode {} ns/event CPU ({cost:.0} cold)", warm.as_nanos()),
            None => write!(line, " · decode {cost:.0} ns/event CPU"),
        };
    }
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let usage = &outcome.usage;
    let _ = match (usage.input_tokens, usage.output_tokens) {
        (None, None) => write!(line, " · tokens not counted"),
        (input, output) => write!(line, " · tokens {} in, {} out", count(input), count(output)),
    };
    if let Some(cost) = &outcome.cost {
        let at_least = if cost.is_partial { "at least " } else { "" };
        let _ = write!(line, " · {at_least}{}", cost.total);
    }
    if let Some(provenance) = provenance {
        let _ = write!(line, " · {provenance}");
    }
    line
}

fn duration(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 10.0 => format!("{seconds:.1} s"),
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.01 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{:.1} ms", seconds * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, what: What, write: impl Fn(&mut Screen<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Screen::new(&mut out, style, what)).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_note_never_lands_in_the_middle_of_the_reply() {
        let out = written(Style::Plain, What::Everything, |screen| {
            screen.text("Let me see")?;
            screen.show(&EventView::ToolExecutionStart {
                tool_call_id: "a",
                payload: r#"{"tool_name":"calculator","args":{"expression":"1+1"}}"#,
            })?;
            screen.show(&EventView::ToolExecutionEnd {
                tool_call_id: "a",
                payload: r#"{"tool_name":"calculator","result":{"content":[{"type":"text","text":"2"}]},"is_error":false}"#,
            })?;
            screen.text("It is 2.")?;
            screen.break_line()
        });
        assert_eq!(out, "Let me see\ncall    calculator {\"expression\":\"1+1\"}\nresult  calculator 2\nIt is 2.\n");
    }

    #[test]
    fn a_model_cannot_send_escapes_to_a_terminal() {
        let write = |screen: &mut Screen<&mut Vec<u8>>| screen.text("a\x1b]0;title\x07b\n\tc\u{9b}d");
        assert_eq!(written(Style::Terminal, What::Everything, write), "a]0;titleb\n\tcd");
        assert_eq!(written(Style::Plain, What::Everything, write), "a\x1b]0;title\x07b\n\tc\u{9b}d");
    }

    #[test]
    fn the_reply_alone_is_the_reply_alone() {
        let out = written(Style::Colour, What::ReplyOnly, |screen| {
            screen.note("plugin", "a.so")?;
            screen.thinking("hm")?;
            screen.text("yes")?;
            screen.warn("failed", "t")?;
            screen.text(" and no")?;
            screen.show(&EventView::MessageEnd { role: "assistant", message: "{}" })?;
            screen.text("maybe")?;
            screen.break_line()
        });
        assert_eq!(out, "yes and no\nmaybe\n");
    }

    #[test]
    fn members_of_a_team_are_named_when_another_one_speaks_or_runs_a_tool() {
        let say = |block, delta, member| {
            EventView::MessageUpdate(UpdateView::Delta { block, content_index: 0, delta, member })
        };
        let tool = r#"{"tool_name":"calculate","args":{"expression":"1+1"},"member":"panel/pro"}"#;
        let out = written(Style::Plain, What::Everything, |screen| {
            screen.show(&say(BlockKind::Thinking, "Let me", "panel/pro"))?;
            screen.show(&say(BlockKind::Thinking, " see", "panel/pro"))?;
            screen.show(&EventView::ToolExecutionStart { tool_call_id: "panel/pro/a", payload: tool })?;
            screen.show(&say(BlockKind::Text, "", "editor"))?;
            screen.show(&say(BlockKind::Thinking, "2", "panel/pro"))?;
            screen.show(&say(BlockKind::Text, "It is 2.", "editor"))?;
            screen.break_line()
        });
        let expected = [
            "member  panel/pro",
            "Let me see",
            "call    panel/pro: calculate {\"expression\":\"1+1\"}",
            "2",
            "member  editor",
            "It is 2.",
            "",
        ];
        assert_eq!(out, expected.join("\n"));
    }

    #[test]
    fn a_long_answer_of_a_tool_is_cut_at_a_character() {
        let shown = one_line(&"ä".repeat(500));
        assert_eq!(shown.chars().count(), TOOL_CHARS_MAX + 1);
        assert!(shown.ends_with('…'));
    }
}
