// thalweg: a streaming engine for LLM agents.

/** Anything that is JSON. Objects that come from the engine have its own keys, such as `input_tokens`. */
export type Json = any;

/** Version of the C library. */
export const version: string;

/** What happened. Skip what you do not know: later versions add some. */
export type EventType =
  | 'reply_start'
  | 'text_start' | 'text_delta' | 'text_end'
  | 'thinking_start' | 'thinking_delta' | 'thinking_end' | 'thinking_signature'
  | 'redacted_thinking' | 'redacted_thinking_start' | 'redacted_thinking_end'
  | 'refusal_start' | 'refusal_delta' | 'refusal_end'
  | 'tool_call_start' | 'tool_call_delta' | 'tool_call_end'
  | 'block_end' | 'usage' | 'usage_raw' | 'stop' | 'error' | 'done' | 'other_content' | 'skipped'
  | 'agent_start' | 'agent_end' | 'turn_start' | 'turn_end' | 'message_start' | 'message_end'
  | 'tool_execution_start' | 'tool_execution_update' | 'tool_execution_end'
  | 'unknown';

/** One step of a run. What text, aux and num mean is said at each kind in thalweg.h and thalweg_plugin.h. */
export class Event {
  private constructor();
  /** What happened. */
  readonly type: EventType;
  /** The text of a delta, or the JSON of what happened. */
  readonly text: string;
  /** The text parsed as JSON. */
  readonly data: Json;
  /** A second text, such as the id of a tool call. */
  readonly aux: string;
  /** A number whose meaning depends on the kind. */
  readonly num: number;
  /** Place in the log of the run. */
  readonly seq: number;
  /** THW_EVENT_* of the C headers. */
  readonly kind: number;
  /** THW_FLAG_* of the C headers. */
  readonly flags: number;
  /** Place of the content block in its message. */
  readonly index: number;
  /** Which of several replies; 0 is the one that counts. */
  readonly choice: number;
}

export type ErrorCode =
  | 'THW_E_INVALID' | 'THW_E_VERSION' | 'THW_E_NOMEM' | 'THW_E_PANIC' | 'THW_E_CANCELLED' | 'THW_E_TIMEOUT' | 'THW_E_PROTOCOL'
  | 'THW_E_REJECTED' | 'THW_E_UNSUPPORTED' | 'THW_E_STATE' | 'THW_E_REMOTE' | 'THW_E_CLOSED' | 'THW_E_FAILED';

/** What went wrong. That of a run that was aborted has the name "AbortError", and as cause the reason of its signal. */
export class ThalwegError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  /** The status of the C library. */
  readonly code: ErrorCode;
  /** That of the provider. */
  readonly httpStatus?: number;
  /** Whether it may pass when tried again. */
  readonly retryable: boolean;
  /** How long the provider asks to wait. */
  readonly retryAfterMs?: number;
  /** What sort of failure a run ended with, such as "rate_limit", "auth", "context_overflow" or "aborted". */
  readonly kind?: string;
  /** Of a run that failed: all that came before, as `Result.json`. */
  readonly result?: Json;
}

/** What came of a run. */
export class Result {
  private constructor();
  /** Everything, as `thw_run_result` of the C library gives it. */
  readonly json: Json;
  /** The last reply; null when none came. */
  readonly message: Json | null;
  /** What the run added to the conversation, the prompt among it. */
  readonly messages: Json[];
  /** The text of the last reply. */
  readonly text: string;
  /** The thinking of the last reply. */
  readonly thinking: string;
  /** Why the last reply ended: "stop", "length", "tool_use", "stop_sequence", "content_filter", … */
  readonly stopReason?: string;
  /** Tokens of all turns. */
  readonly usage: Json;
  /** Requests, bytes, events and times. */
  readonly stats: Json;
}

/**
 * All turns of one prompt, going on or over. `for await` gives its events, each time from the first one, also when it is long over. It
 * throws at the end if the run failed, and just ends if the run was aborted. Who leaves the loop early aborts the run.
 *
 * A run goes on by itself. The process stays alive for it while somebody iterates it or waits for its result.
 */
export class Run implements AsyncIterable<Event> {
  private constructor();
  [Symbol.asyncIterator](): AsyncIterableIterator<Event>;
  /** The text of its replies, piece by piece; each time from the first one. */
  readonly texts: AsyncIterable<string>;
  /** The end, and what came of it; rejects with how the run failed, also that it was aborted. */
  result(): Promise<Result>;
  /** The same, and of it the text of the last reply. */
  text(): Promise<string>;
  /** Stops the run: its socket is closed, running tools are told, what came is kept. Returns at once. */
  abort(): void;
}

/** A call of a tool. */
export class ToolCall {
  private constructor();
  /** The id that the model gave it. */
  readonly id: string;
  /** Aborted when nobody waits for the call any more. */
  readonly signal: AbortSignal;
  /** Whether nobody waits for the call any more. */
  readonly isCancelled: boolean;
  /** Tells those who watch how far it is: a fraction from 0 to 1. False if nobody waits any more. */
  progress(text: string, fraction?: number): boolean;
}

/** A function that the model may call. */
export interface Tool<Arguments = any> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
  /** What it does, for the model. */
  description?: string;
  /** JSON Schema of its arguments, an object. */
  parameters?: Json;
  /** Whether a call may begin while another one of it goes on; true if absent. */
  parallel?: boolean;
  /**
   * Answers a call, at once or by a promise: a string as it is, anything else as JSON. What it throws is told to the model, which may
   * try again.
   */
  execute(args: Arguments, call: ToolCall): unknown;
}

export type Awaitable<T> = T | Promise<T>;

/** A call that a hook is asked about. */
export interface HookCall {
  toolCallId: string;
  toolName: string;
  args: Json;
}

/** What becomes of a call. */
export type ToolLoopControl =
  | { args: Json; terminate?: boolean }
  | { block: true; reason?: string; terminate?: boolean }
  | { result: string | Json[]; is_error?: boolean; terminate?: boolean }
  | { wait: true };

/** A piece of a reply; a text is one of its text. */
export type Piece =
  | string
  | { type: 'text_delta' | 'thinking_delta' | 'refusal_delta' | 'thinking_signature'; text: string }
  | { type: 'redacted_thinking'; data: string }
  | { type: 'tool_call'; id?: string; name: string; arguments?: Json }
  | { type: 'tool_call_start'; id?: string; name: string }
  | { type: 'tool_call_delta'; id?: string; text: string }
  | { type: 'usage'; input_tokens?: number; output_tokens?: number; total_tokens?: number; reasoning_tokens?: number;
      cache_read_tokens?: number; cache_write_tokens?: number }
  | { type: 'stop'; reason?: string }
  | { type: 'error'; kind?: string; message: string };

/** Gives a reply, as a generator, an asynchronous one, or a promise; ended or, by the signal, told when nobody listens any more. */
export type StreamFunction = (
  request: Json,
  context: { signal: AbortSignal },
) => Awaitable<Piece | Iterable<Piece> | AsyncIterable<Piece>>;

/** Who answers: a model, or a team in its place. */
export type Answering =
  | {
      /** "provider/model", such as "openai/gpt-4o-mini". With `baseUrl` or `provider`: the model as it stands. */
      model: string;
      team?: undefined;
    }
  | {
      /**
       * A team as docs/TEAMS.md describes it: `{ kind: 'pipeline', members: [{ name, model, … }, …] }`, with keys as they stand in
       * thalweg.h. The tools are its members' then, and events of text carry in `aux` the member that speaks.
       */
      team: Json;
      model?: undefined;
    };

/** Options of an agent; those of `thw_agent_new` in thalweg.h. */
export type AgentOptions = Answering & CommonOptions;

/** What an agent may be told beside who answers. */
export interface CommonOptions {
  provider?: string;
  baseUrl?: string;
  /** What is spoken there; "openai-chat" if nothing says. */
  dialect?: string;
  /** If absent, the environment variable of the provider is read, such as OPENAI_API_KEY. */
  apiKey?: string;
  headers?: Record<string, string>;
  system?: string;
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  seed?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  stop?: string[];
  thinking?: { level?: 'low' | 'medium' | 'high'; budgetTokens?: number };
  toolChoice?: 'auto' | 'none' | 'required' | { name: string };
  parallelTools?: boolean;
  output?: { type: 'json' } | { type: 'json_schema'; schema: Json; name?: string; strict?: boolean };
  cache?: 'none' | 'short' | 'long';
  session?: string;
  /** Fields that go into the body of each request as they are. */
  extra?: Record<string, Json>;
  toolMode?: 'parallel' | 'sequential';
  /** Turns that one run may take; 50 if absent. */
  maxTurns?: number;
  /** Of a request that found no answer; 3 if absent. */
  retries?: number;
  /** The conversation to go on with. */
  messages?: Json[];
  /** Functions that the model may call. */
  tools?: Tool[];
  /** A provider of the program's own: gives the reply to a request piece by piece. */
  stream?: StreamFunction;
  /** Asked before a tool runs: gives other arguments, or the reason for which it is not run; nothing to go on as it is. */
  beforeToolCall?(call: HookCall): Awaitable<void | string | ToolLoopControl>;
  /** Asked after a tool ran: gives what the model is told instead. */
  afterToolCall?(call: HookCall & { text: string; isError: boolean }): Awaitable<void | string | { text?: string; isError?: boolean; terminate?: boolean }>;
  /** Asked before each request: gives the messages to send in the place of the conversation. */
  transformContext?(messages: Json[]): Awaitable<void | Json[]>;
  /** The same, behind it. */
  convertToLlm?(messages: Json[]): Awaitable<void | Json[]>;
  /** Asked after a turn that another one would follow, with what the run has added: something true ends the run. */
  shouldStopAfterTurn?(turn: { turn: number; messages: Json[] }): Awaitable<unknown>;
  /** Asked with the provider's name before each request to a server: gives the key, or nothing for the one that there is without it. */
  getApiKey?(provider: string): Awaitable<void | null | string>;
  /** How much is asked a minute; what is beyond it waits. */
  rateLimit?: { requests_per_minute: number; burst?: number; tokens_per_minute?: number };
  /** Names of tools of loaded plugins; all of them if absent. */
  loadedTools?: string[];
  /** One of your own; else all agents share one. */
  engine?: Engine;
}

/** A model, its tools, and the conversation with it. */
export class Agent {
  constructor(options: AgentOptions);
  /** Starts a run that answers a text, or user messages. The signal aborts it. */
  prompt(prompt: string | Json[], options?: { signal?: AbortSignal }): Run;
  /** Says a text, or user messages, while a run goes on: it comes in before the next request. */
  steer(prompt: string | Json[]): void;
  /** The same, once the run would end otherwise. */
  followUp(prompt: string | Json[]): void;
  /** Stops the run that goes on, if one does. */
  abort(): void;
  /** Whether a run goes on. */
  readonly isRunning: boolean;
  /** The conversation so far. */
  messages: Json[];
  /**
   * Keeps the conversation in a store from now on, each message when it is complete, and gives the id of the session. With `session`,
   * the id of an earlier one or "last", the agent goes on with that conversation, from message `at` if that is given, and drops what it
   * had. What a run said is on the disk when its result is there.
   */
  keep(store: Store, options?: { session?: string; at?: number; title?: string }): string;
  /** Where the conversation is kept, with why nothing more is stored; undefined if it is not kept. */
  readonly session: { session: string; head: number | null; error: string | null } | undefined;
  /** The conversation as JSON with the version of its schema, for `load` on another day. */
  save(): string;
  load(json: string): void;
}

/** A session of a store. */
export interface SessionInfo {
  id: string;
  title: string | null;
  model: string | null;
  created_us: number;
  updated_us: number;
  messages: number;
  branches: number;
}

/** A conversation as it is stored. */
export interface Conversation {
  session: string;
  about: { title?: string | null; model?: string | null; system?: string | null };
  created_us: number;
  /** The message that it goes on from. */
  head: number | null;
  /** The last messages of its branches. */
  leaves: number[];
  messages: { id: number; parent: number | null; time_us: number; message: Json }[];
}

/** A message that was found. */
export interface Hit {
  session: string;
  message: number;
  role: string;
  snippet: string;
}

/**
 * A file of conversations that any number of processes use at once. What was stored is never changed: a conversation that goes on from
 * an earlier message becomes a branch. In the place of a session's id its beginning will do, or "last" for the one that was used last.
 * The methods wait for the disk.
 */
export class Store {
  /** Without a path it is gone with the object. */
  constructor(path?: string);
  /** Begins a session, and gives its id. */
  create(about?: { title?: string; model?: string; system?: string }): string;
  /** Stores messages behind the last one, or behind `parent`, null for the beginning; gives their numbers. They are on the disk then. */
  append(session: string, messages: Json[], options?: { parent?: number | null }): number[];
  /** The sessions, those used last first. */
  sessions(options?: { limit?: number }): SessionInfo[];
  /** A conversation up to message `at`, or up to where it goes on, or all branches of it. */
  read(session?: string, options?: { at?: number; all?: boolean }): Conversation;
  /** Has a session go on from message `at`, or from nothing; what came behind it stays as a branch. */
  branch(session: string, at: number | null): void;
  /** The messages that hold all words, the best first: `"two words"` in quotes stand together, `begin*` is the beginning of one. */
  search(words: string, options?: { limit?: number }): Hit[];
  /** A session with all its branches. */
  export(session?: string, format?: 'json_lines' | 'markdown'): string;
  /** Stores what `export` gave, or Markdown with a heading for each speaker, and gives the ids. */
  import(text: string): string[];
  /** Deletes a session with all its branches. */
  delete(session: string): void;
  /** Closes the file; agents that keep their conversations in it go on doing so. */
  close(): void;
}

/** Options of an engine; those of `thw_engine_new` in thalweg.h. */
export interface EngineOptions {
  threads?: number;
  connectTimeoutMs?: number;
  firstByteTimeoutMs?: number;
  idleTimeoutMs?: number;
  totalTimeoutMs?: number;
  http2?: boolean;
  proxy?: string;
  caFiles?: string[];
  userAgent?: string;
}

/** Threads, connections and plugins. */
export class Engine {
  constructor(options?: EngineOptions);
  /** That of all agents without one of their own. */
  static readonly shared: Engine;
  /** Loads a plugin by its absolute path, for agents made from now on. Its code runs in this process and may do anything. */
  loadPlugin(path: string): void;
  /** Ends the engine: runs that go on are dropped. */
  close(): void;
}
