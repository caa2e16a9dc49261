//! Any order of any inputs: the machine never panics, ends each run once, and leaves a history that can be sent.

use thalweg_abi::types::StreamEvent;
use thalweg_agent::assembly::End;
use thalweg_agent::machine::{
    Approval, Config, Decision, OnRepeat, QueueMode, RepeatLimit, Steering, ToolMode, ToolOutput,
};
use thalweg_agent::message::{Failure, FailureKind, Message};

use crate::support::{Driver, arguments, begin, check_laws, config, done, error, stop, text, thinking};

/// Xorshift: the same sequence on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.roll(texts.len() as u64) as usize]
    }
}

const IDS: [&str; 5] = ["a", "b", "c", "", "call_1_0"];

fn event(dice: &mut Dice) -> StreamEvent<'static> {
    let block = dice.roll(4) as u32;
    let event = match dice.roll(16) {
        0..=2 => text(block, dice.pick(&["x", "", "\u{1f600}", "\n"])),
        3 => thinking(block, dice.pick(&["h", ""])),
        4..=6 => begin(block, dice.pick(&IDS), dice.pick(&["t", "u", "unknown", ""])),
        7..=9 => arguments(block, dice.pick(&["{}", "{\"x\":", "1}", "", "null", "]", "{\n}"])),
        10 => stop(dice.roll(9) as i64, dice.pick(&["stop", ""])),
        11 => done(),
        12 => error(dice.roll(10) as i64, dice.pick(&["bad", ""])),
        // Every other kind, the engine's own and unknown ones among them.
        _ => StreamEvent::new(dice.roll(80) as u32).with_block(block).with_text(b"{\"k\":1}").with_num(3),
    };
    if dice.roll(20) == 0 { event.with_sub(dice.roll(200) as u32) } else { event }
}

fn end(dice: &mut Dice) -> End {
    match dice.roll(6) {
        0 => End::Reset("reset".into()),
        1 => End::Error(Failure::new(FailureKind::Timeout, "too long")),
        2 => End::Aborted,
        _ => End::Eof,
    }
}

fn operate(driver: &mut Driver, dice: &mut Dice) {
    match dice.roll(30) {
        24 => {
            let launched = driver.launched();
            if let Some(id) = launched.last() {
                driver.waits(id);
            }
        }
        25 => {
            driver.decide(if dice.roll(4) == 0 { Decision::Stop } else { Decision::GoOn });
        }
        26 => {
            driver.machine.handle_steer(Message::user("wait")).unwrap();
            driver.steered();
        }
        27 => driver.machine.handle_follow_up(Message::user("later")).unwrap(),
        28 => {
            let waiting = driver.machine.pending().map(|pending| pending.waiting.clone()).unwrap_or_default();
            let approvals = [Approval::approve(), Approval::deny("no"), Approval::answer("yes")];
            let decisions = waiting.into_iter().take(2).zip(approvals.into_iter().cycle().skip(dice.roll(3) as usize));
            driver.approve(decisions.collect());
        }
        29 => {
            let launched = driver.launched();
            if let Some(id) = launched.last().cloned() {
                driver.result(&id, ToolOutput::text("end").terminating());
            }
        }
        0 if !driver.machine.is_running() => driver.prompt("again"),
        1..=2 => {
            driver.end(end(dice));
        }
        3 if dice.roll(4) == 0 => match dice.roll(2) {
            0 => drop(driver.abort()),
            _ => driver.lose(),
        },
        4 => {
            driver.progress(dice.pick(&IDS), "…", Some(5));
        }
        5 => {
            driver.machine.handle_stream_restart();
        }
        6..=8 => {
            let launched = driver.launched();
            let known = launched.get(dice.roll(launched.len().max(1) as u64) as usize).cloned();
            let id = known.unwrap_or_else(|| dice.pick(&IDS).to_owned());
            let output = if dice.roll(3) == 0 { ToolOutput::error("no") } else { ToolOutput::text("yes") };
            driver.result(&id, output);
        }
        9..=12 => {
            let unknown = dice.pick(&["t", "t", "nothing"]);
            let calls = [begin(5, "x", unknown), arguments(5, "{\"x\":1}"), begin(6, "y", "u"), stop(3, "tool_calls")];
            driver.reply(&calls);
        }
        _ => {
            let event = event(dice);
            driver.feed(&[event]);
        }
    }
}

#[test]
fn random_operations_keep_every_law() {
    let (mut runs, mut launched, mut turns) = (0, 0, 0);
    for seed in 1..=600_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let tool_mode = if dice.roll(3) == 0 { ToolMode::Sequential } else { ToolMode::Parallel };
        let max_turns = dice.roll(5) as u32;
        let steering = [Steering::AfterBatch, Steering::BetweenTools, Steering::SkipRemaining][dice.roll(3) as usize];
        let steering_mode = if dice.roll(2) == 0 { QueueMode::All } else { QueueMode::OneAtATime };
        let then = if dice.roll(4) == 0 { OnRepeat::Stop } else { OnRepeat::Error };
        let mut driver = Driver::new(Config {
            tool_mode,
            max_turns,
            steering,
            steering_mode,
            follow_up_mode: steering_mode,
            tools_at_once: [None, Some(0), Some(1), Some(2)][dice.roll(4) as usize],
            repeat_limit: (dice.roll(3) == 0).then_some(RepeatLimit { calls: 3, then }),
            asks_after_turn: dice.roll(2) == 0,
            ..config(&["t", "u"])
        });
        driver.prompt("hi");
        for _ in 0..80 {
            let was_running = driver.machine.is_running();
            operate(&mut driver, &mut dice);
            if was_running && !driver.machine.is_running() {
                check_laws(&driver);
            }
        }
        driver.abort().abort();
        assert!(!driver.machine.is_running());
        check_laws(&driver);
        runs += driver.events_of("agent_end").len();
        launched += driver.launched().len();
        turns += driver.events_of("turn_start").len();
    }
    // The dice must reach what is to be tested.
    assert!(
        runs > 1_200 && launched > 1_200 && turns > runs + 200,
        "{runs} runs, {turns} turns, {launched} tools launched"
    );
}
