// A provider in plain C99 that drives itself: a doctor who turns what is said into a question, after the program of 1966.
//
// A plugin against thalweg_plugin.h and nothing else. It reads the request with the engine's thw.json/1, streams its
// reply word by word, waits where the engine asks it to slow down, and ends where it is cancelled. It keeps no state.

#include "thalweg_plugin.h"

#include <stdio.h>
#include <string.h>

// What the tables of this plugin get as their context. Set once, by the entry, to what lives as long as the process.
typedef struct engine {
  const thw_host *host;
  const thw_host_services *services;
  const thw_json *json;
} engine;

static engine ENGINE;

static thw_str str(const char *literal) {
  thw_str s;
  s.ptr = (const uint8_t *)literal;
  s.len = strlen(literal);
  return s;
}

// Fills the caller's error, which may be NULL or of another size.
static thw_status fail(thw_error *error, thw_status code, const char *message) {
  if (error != NULL && error->struct_size >= sizeof *error) {
    int len = snprintf((char *)error->message, sizeof error->message, "%s", message);
    error->code = code;
    error->http_status = 0;
    error->flags = 0;
    error->retry_after_ms = -1;
    error->message_len = len < 0 ? 0 : (uint32_t)len < sizeof error->message ? (uint32_t)len : sizeof error->message - 1;
  }
  return code;
}

// ---- The reply: what is pushed, and when to wait or end ----

typedef struct reply {
  const engine *engine;
  thw_sink *sink;
  thw_status status; // THW_OK, or why nothing more is pushed.
  int64_t words;
} reply;

static void push(reply *r, const thw_event *event) {
  const thw_host_services *services = r->engine->services;
  if (r->status != THW_OK) return;
  r->status = services->sink_push(r->sink, event, 1);
  if (r->status == THW_PENDING) r->status = services->sink_wait(r->sink, -1);
}

static void push_number(reply *r, uint32_t kind, uint32_t block, int64_t num) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind;
  event.block = block;
  event.num = num;
  push(r, &event);
}

static void push_text(reply *r, uint32_t kind, const uint8_t *text, size_t len) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind;
  event.text.ptr = text;
  event.text.len = len;
  push(r, &event);
}

// One delta a word, with the space behind it.
static void say(reply *r, const uint8_t *text, size_t len) {
  size_t start = 0;
  while (start < len && r->status == THW_OK) {
    size_t end = start;
    while (end < len && text[end] != ' ') end++;
    while (end < len && text[end] == ' ') end++;
    push_text(r, THW_EVENT_TEXT, text + start, end - start);
    r->words++;
    start = end;
  }
}

// ---- What is said ----

// A phrase to listen for, and the answer: what follows the phrase takes the place of the star.
typedef struct rule {
  const char *phrase;
  const char *answer;
} rule;

static const rule RULES[] = {
  { "i need ", "What would it change for you to have *?" },
  { "i want ", "Suppose you had *. What then?" },
  { "i feel ", "Since when do you feel *?" },
  { "i am ", "Is it a good thing to be *?" },
  { "i'm ", "Is it a good thing to be *?" },
  { "i can't ", "What keeps you from it, if you say you can't *?" },
  { "i think ", "How sure are you that *?" },
  { "you are ", "Who told you that I am *?" },
  { "because ", "Are there other reasons besides *?" },
  { "my mother", "What comes to your mind first about your mother?" },
  { "my father", "What comes to your mind first about your father?" },
  { "computer", "Would you rather talk with a person than with a machine?" },
  { "always", "When was the last time?" },
  { "sorry", "There is nothing to excuse here." },
  { "hello", "Good day. What is on your mind?" },
  { "?", "What answer would you like to hear?" },
};

// For what no rule knows, one after the other.
static const char *const FILLERS[] = {
  "Go on.",
  "Say more about that.",
  "And how was that for you?",
  "What does that remind you of?",
};

static uint8_t lower(uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

// Where `phrase`, which is in lower case, stands at the beginning of a word; `len` if nowhere.
static size_t find_phrase(const uint8_t *text, size_t len, const char *phrase) {
  size_t phrase_len = strlen(phrase);
  for (size_t at = 0; at + phrase_len <= len; at++) {
    size_t same = 0;
    while (same < phrase_len && lower(text[at + same]) == (uint8_t)phrase[same]) same++;
    int starts_word = at == 0 || phrase[0] == '?' || text[at - 1] == ' ' || text[at - 1] == ',';
    if (same == phrase_len && starts_word) return at;
  }
  return len;
}

// Words that change their side when they are said back.
static const char *const SIDES[][2] = {
  { "my", "your" }, { "me", "you" },      { "i", "you" },      { "am", "are" },
  { "your", "my" }, { "myself", "yourself" }, { "mine", "yours" },
};

static void say_back(reply *r, const uint8_t *text, size_t len) {
  while (len > 0 && strchr(" .!?\n\r\t", text[len - 1]) != NULL && text[len - 1] != 0) len--;
  size_t start = 0;
  while (start < len && r->status == THW_OK) {
    size_t end = start;
    while (end < len && text[end] != ' ') end++;
    const char *other = NULL;
    for (size_t i = 0; i < sizeof SIDES / sizeof SIDES[0] && other == NULL; i++) {
      const char *word = SIDES[i][0];
      size_t same = 0;
      while (start + same < end && word[same] != 0 && lower(text[start + same]) == (uint8_t)word[same]) same++;
      if (start + same == end && word[same] == 0) other = SIDES[i][1];
    }
    if (other != NULL) say(r, (const uint8_t *)other, strlen(other));
    else say(r, text + start, end - start);
    if (end < len) push_text(r, THW_EVENT_TEXT, (const uint8_t *)" ", 1);
    start = end + 1;
  }
}

static void answer(reply *r, const uint8_t *text, size_t len, size_t turn) {
  for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
    size_t at = find_phrase(text, len, RULES[i].phrase);
    if (at == len) continue;
    const uint8_t *behind = text + at + strlen(RULES[i].phrase);
    const char *star = strchr(RULES[i].answer, '*');
    if (star == NULL) {
      say(r, (const uint8_t *)RULES[i].answer, strlen(RULES[i].answer));
    } else {
      say(r, (const uint8_t *)RULES[i].answer, (size_t)(star - RULES[i].answer));
      say_back(r, behind, (size_t)(text + len - behind));
      say(r, (const uint8_t *)star + 1, strlen(star + 1));
    }
    return;
  }
  const char *filler = FILLERS[turn % (sizeof FILLERS / sizeof FILLERS[0])];
  say(r, (const uint8_t *)filler, strlen(filler));
}

// ---- The provider ----

static thw_status describe(void *context, thw_str *json) {
  (void)context;
  if (json == NULL) return THW_E_INVALID;
  *json = str("{\"provider\":\"eliza\",\"models\":[{\"id\":\"doctor\"}]}");
  return THW_OK;
}

// Runs on a thread where it may block, so the whole reply is given before it returns.
static thw_status start(void *context, const thw_str *request, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  const engine *e = context;
  thw_str pointer, value, messages;
  size_t len = 0, turn = 0;
  (void)cancel; // sink_push and sink_wait say so, too.

  // The last text of the last message.
  pointer = str("/messages/-1/content/-1/text");
  if (e->json->find(request, &pointer, &value) != THW_OK) {
    return fail(error, THW_E_INVALID, "the conversation does not end with a text");
  }
  if (e->json->unescape(&value, NULL, 0, &len) != THW_OK) return fail(error, THW_E_INVALID, "the text is no string");
  pointer = str("/messages");
  if (e->json->find(request, &pointer, &messages) == THW_OK) (void)e->json->count(&messages, &turn);

  size_t size = len + 1; // Memory of no bytes is NULL.
  uint8_t *text = e->services->alloc(e->host, size, 1);
  if (text == NULL) return fail(error, THW_E_NOMEM, "no memory for the text");
  (void)e->json->unescape(&value, text, len, &len);

  reply r = { e, sink, THW_OK, 0 };
  push_text(&r, THW_EVENT_MESSAGE_START, (const uint8_t *)"doctor", 6);
  answer(&r, text, len, turn / 2);
  push_number(&r, THW_EVENT_USAGE, THW_USAGE_OUTPUT, r.words);
  push_number(&r, THW_EVENT_STOP, 0, THW_STOP_END);
  e->services->dealloc(e->host, text, size, 1);

  // An end that nobody waits for is an end, too.
  (void)e->services->sink_finish(sink, r.status == THW_OK ? THW_OK : THW_E_CANCELLED, NULL);
  return THW_OK;
}

static const thw_provider PROVIDER = {
  sizeof(thw_provider), 0, describe, start,
};

// ---- The list of models ----

static thw_status list(void *context, thw_str *json, thw_error *error) {
  (void)context;
  if (json == NULL) return fail(error, THW_E_INVALID, "an argument is NULL");
  *json = str("[{\"id\":\"doctor\",\"name\":\"Doctor of 1966\"}]");
  return THW_OK;
}

static const thw_models MODELS = { sizeof(thw_models), 0, list };

// ---- The plugin ----

static const void *get_interface(void *context, const char *id) {
  (void)context;
  if (id == NULL) return NULL;
  if (strcmp(id, THW_INTERFACE_PROVIDER) == 0) return &PROVIDER;
  if (strcmp(id, THW_INTERFACE_MODELS) == 0) return &MODELS;
  return NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("thalweg.eliza_c", PLUGIN_VERSION);

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor;
  if (plugin == NULL || plugin->struct_size < sizeof *plugin) return THW_E_INVALID;
  if (!THW_HAS(services, sink_wait) || !THW_HAS(services, alloc) || !THW_HAS(services, get_extension)) {
    return fail(error, THW_E_VERSION, "the engine is too old: it has no sink_wait");
  }
  const thw_json *json = services->get_extension(host, THW_EXTENSION_JSON);
  if (!THW_HAS(json, find) || !THW_HAS(json, count) || !THW_HAS(json, unescape)) {
    return fail(error, THW_E_UNSUPPORTED, "the engine does not offer thw.json/1");
  }
  ENGINE.host = host;
  ENGINE.services = services;
  ENGINE.json = json;
  plugin->struct_size = sizeof *plugin;
  plugin->context = &ENGINE;
  plugin->get_interface = get_interface;
  return THW_OK;
}
