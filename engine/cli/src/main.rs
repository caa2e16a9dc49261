//! The `thalweg` command: one module a subcommand, one place each for output, for the choice of endpoint, for plugins.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::{Failure, say};

mod attachment;
mod command;
mod conformance;
mod endpoint;
mod facts;
mod failure;
mod keeper;
mod plugins;
mod prompt;
mod render;
mod scaffold;
mod session;
mod team;
mod timing;
mod watch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A streaming engine for LLM agents.
#[derive(Parser)]
#[command(name = "thalweg", version, long_about = LONG_ABOUT, after_help = SHORT_HELP, after_long_help = LONG_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Run a plugin in a process of its own, so that a crash, a hang or a leak ends nothing else: its id, its file, or `all`
    #[arg(long, global = true, value_name = "PLUGIN", value_delimiter = ',')]
    isolate: Vec<String>,
    /// Let a plugin ask a host by HTTP, and perhaps with the key that an environment variable holds:
    /// `example.search=https://api.example.com,EXAMPLE_KEY`
    #[arg(long, global = true, value_name = "PLUGIN=ORIGIN[,KEY]")]
    allow_http: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    Chat(command::chat::Chat),
    Run(command::run::Run),
    Decode(command::decode::Decode),
    Bench(command::bench::Bench),
    #[command(subcommand)]
    Plugin(command::plugin::Plugin),
    Providers(command::providers::Providers),
    Models(command::models::Models),
    #[command(subcommand)]
    Sessions(command::sessions::Sessions),
    Record(command::record::Record),
    Replay(command::replay::Replay),
    /// The process of a plugin that `--isolate` names; started by the command itself
    #[cfg(unix)]
    #[command(name = "plugin-host", hide = true)]
    PluginHost,
    #[command(name = "install-c")]
    InstallC(command::install_c::InstallC),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    plugins::isolate(arguments.isolate);
    if let Err(failure) = plugins::allow_http(&arguments.allow_http) {
        return end(&failure);
    }
    // One thread: it starts faster than a pool, and a conversation never needs more. Tools that block have their own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return end(&Failure::run(format_args!("cannot start the event loop: {error}")));
        }
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Chat(chat) => chat.execute().await,
            Command::Run(run) => run.execute().await,
            Command::Decode(decode) => decode.execute(),
            Command::Bench(bench) => bench.execute(),
            Command::Plugin(plugin) => plugin.execute(),
            Command::Providers(providers) => providers.execute(),
            Command::Models(models) => models.execute().await,
            Command::Sessions(sessions) => sessions.execute(),
            Command::Record(record) => record.execute().await,
            Command::Replay(replay) => replay.execute().await,
            #[cfg(unix)]
            Command::PluginHost => thalweg::plugin::serve_isolated().map_err(Failure::run),
            Command::InstallC(install) => install.execute(),
        }
    });
    // A tool that ignores its cancel, or a terminal that is being read, must not keep the process alive.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn end(failure: &Failure) -> ExitCode {
    if !failure.message().is_empty() {
        say(failure.message());
    }
    failure.exit_code()
}

const LONG_ABOUT: &str = "\
A streaming engine for LLM agents: provider streams are decoded without copies, by plugins behind a C ABI, and drive
an agent that calls tools.

Without a key and without a model server on this machine, `chat` plays a built-in recording through the whole engine:
a real HTTP server on a loopback port, the provider plugin and two tool plugins loaded from files.";

const SHORT_HELP: &str = "\
Try:  thalweg chat \"What is the weather in Paris, and what is 17 * 23?\"
      thalweg help chat      thalweg --help for environment variables and exit codes";

const LONG_HELP: &str = "\
Examples:
  thalweg chat \"What is the weather in Paris, and what is 17 * 23?\"
  thalweg chat                                     a conversation; Ctrl-C stops a reply, Ctrl-D ends
  thalweg chat --model anthropic/claude-haiku-4-5 \"Hello\"
  thalweg chat --base-url http://127.0.0.1:8080/v1 --model my-model \"Hello\"
  thalweg chat --continue                          goes on with the last conversation
  thalweg sessions search paris                    finds what was said
  thalweg providers                                who is known, and whose key is set
  thalweg models openai                            what its server offers
  git diff | thalweg chat -                        stdin is the prompt
  thalweg run \"What is 17 * 23?\" | jq -r 'select(.type==\"agent_end\")'
  thalweg decode --dialect anthropic reply.sse
  thalweg bench session.jsonl                      how fast a recording of your own is decoded
  thalweg plugin new my-tool --kind tool --lang c
  thalweg plugin check ./my_tool.so
  thalweg record --upstream https://api.openai.com/v1 --out session.jsonl
  thalweg replay session.jsonl --pace max

What is talked to, the first that is there:
  1. --base-url and --model, or --model provider/model[:thinking]
  2. --replay: the built-in recordings
  3. a key in the environment: OPENAI_API_KEY, ANTHROPIC_API_KEY, OPENROUTER_API_KEY, and others of `thalweg providers`
  4. a model server on this machine: Ollama 11434, llama.cpp 8080, vLLM 8000, LM Studio 1234
  5. the built-in recordings, for the prompts they hold; not with --live

Environment:
  OPENAI_API_KEY       key for api.openai.com
  ANTHROPIC_API_KEY    key for api.anthropic.com
  OPENROUTER_API_KEY   key for openrouter.ai; `thalweg providers` lists the keys of the others
  THALWEG_PROVIDERS    file with providers of one's own, instead of thalweg/providers.toml in the folder of configuration
  THALWEG_SESSIONS     file of the conversations, instead of thalweg/sessions.db in the folder of data; `off` keeps none
  HTTPS_PROXY          proxy for https, with HTTP_PROXY for http and NO_PROXY for exceptions
  SSL_CERT_FILE        certificates to trust, for a private certificate authority
  NO_COLOR             no colours, whatever the terminal

Exit codes:
  0    done
  1    the run failed: provider, network, plugin or tool plugin
  2    wrong usage, a file that cannot be read, or nothing to talk to
  130  a reply was interrupted with Ctrl-C (record and replay are ended by it, with 0)";
