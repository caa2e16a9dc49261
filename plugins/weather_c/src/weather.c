// A tool in plain C99: the weather of a few cities, from a built-in table of sample data.
//
// A plugin against thalweg_plugin.h and nothing else: one manifest, one entry, one table of tools with one tool. It
// allocates nothing and keeps no state.

#include "thalweg_plugin.h"

#include <stdio.h>
#include <string.h>

// ---- Sample data ----

typedef struct city {
  const char *name;
  const char *key; // The name in lower-case ASCII.
  int celsius;
  const char *conditions;
} city;

static const city CITIES[] = {
  { "Paris", "paris", 18, "partly cloudy" },
  { "London", "london", 14, "light rain" },
  { "Berlin", "berlin", 16, "overcast" },
  { "Madrid", "madrid", 27, "clear" },
  { "Rome", "rome", 25, "sunny" },
  { "New York", "new york", 21, "windy" },
  { "San Francisco", "san francisco", 17, "fog" },
  { "S\xc3\xa3o Paulo", "sao paulo", 23, "thunderstorms" },
  { "Cairo", "cairo", 34, "clear" },
  { "Mumbai", "mumbai", 31, "humid" },
  { "Tokyo", "tokyo", 22, "partly cloudy" },
  { "Sydney", "sydney", 19, "showers" },
};
#define CITY_COUNT (sizeof CITIES / sizeof CITIES[0])

// ---- The arguments: a JSON object ----

// A place in JSON text. Every function below returns 1 and moves on, or returns 0 when the text is not JSON.
typedef struct cursor {
  const uint8_t *at;
  const uint8_t *end;
} cursor;

#define NESTING_MAX 32
#define VALUE_BYTES 96

static void skip_space(cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

// Passes over one character of JSON's grammar, with the space before it.
static int take(cursor *c, char expected) {
  skip_space(c);
  if (c->at == c->end || *c->at != (uint8_t)expected) return 0;
  c->at++;
  return 1;
}

static int read_hex4(cursor *c, uint32_t *value) {
  if (c->end - c->at < 4) return 0;
  *value = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t h = *c->at++;
    uint32_t digit;
    if (h >= '0' && h <= '9') digit = (uint32_t)(h - '0');
    else if (h >= 'a' && h <= 'f') digit = (uint32_t)(h - 'a' + 10);
    else if (h >= 'A' && h <= 'F') digit = (uint32_t)(h - 'A' + 10);
    else return 0;
    *value = *value << 4 | digit;
  }
  return 1;
}

// A string of JSON, unescaped. What does not fit is cut: no name that is looked for is that long.
typedef struct text {
  char bytes[VALUE_BYTES];
  size_t len;
} text;

static void put(text *out, uint32_t byte) {
  if (out != NULL && out->len < sizeof out->bytes) out->bytes[out->len++] = (char)byte;
}

static void put_code_point(text *out, uint32_t code) {
  if (code < 0x80) {
    put(out, code);
  } else if (code < 0x800) {
    put(out, 0xC0 | code >> 6);
    put(out, 0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(out, 0xE0 | code >> 12);
    put(out, 0x80 | (code >> 6 & 0x3F));
    put(out, 0x80 | (code & 0x3F));
  } else {
    put(out, 0xF0 | code >> 18);
    put(out, 0x80 | (code >> 12 & 0x3F));
    put(out, 0x80 | (code >> 6 & 0x3F));
    put(out, 0x80 | (code & 0x3F));
  }
}

// The rest of a \u escape; two of them make a character beyond 0xFFFF.
static int read_unicode_escape(cursor *c, text *out) {
  uint32_t code, low;
  if (!read_hex4(c, &code)) return 0;
  if (code >= 0xDC00 && code <= 0xDFFF) return 0;
  if (code >= 0xD800 && code <= 0xDBFF) {
    if (c->end - c->at < 2 || c->at[0] != '\\' || c->at[1] != 'u') return 0;
    c->at += 2;
    if (!read_hex4(c, &low) || low < 0xDC00 || low > 0xDFFF) return 0;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  put_code_point(out, code);
  return 1;
}

// `out` may be NULL.
static int read_string(cursor *c, text *out) {
  static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  if (!take(c, '"')) return 0;
  while (c->at < c->end) {
    uint8_t byte = *c->at++;
    if (byte == '"') return 1;
    if (byte < 0x20) return 0;
    if (byte != '\\') {
      put(out, byte);
      continue;
    }
    if (c->at == c->end) return 0;
    byte = *c->at++;
    if (byte == 'u') {
      if (!read_unicode_escape(c, out)) return 0;
    } else {
      const char *known = byte == 0 ? NULL : strchr(escapes, byte);
      if (known == NULL) return 0;
      put(out, (uint32_t)meanings[known - escapes]);
    }
  }
  return 0;
}

// Passes over any value.
static int skip_value(cursor *c, int depth) {
  skip_space(c);
  if (c->at == c->end || depth > NESTING_MAX) return 0;
  if (*c->at == '"') return read_string(c, NULL);
  if (*c->at == '{' || *c->at == '[') {
    int object = *c->at++ == '{';
    char closing = object ? '}' : ']';
    if (take(c, closing)) return 1;
    do {
      if (object && (!read_string(c, NULL) || !take(c, ':'))) return 0;
      if (!skip_value(c, depth + 1)) return 0;
    } while (take(c, ','));
    return take(c, closing);
  }
  // A number, true, false or null: the engine has checked the JSON, so the letters need no second look.
  const uint8_t *start = c->at;
  while (c->at < c->end && (strchr("+-.", *c->at) != NULL || (*c->at >= '0' && *c->at <= '9') ||
                            (*c->at >= 'a' && *c->at <= 'z') || (*c->at >= 'A' && *c->at <= 'Z'))) {
    if (*c->at == 0) break;
    c->at++;
  }
  return c->at > start;
}

typedef struct arguments {
  text city, unit;
  int has_city, has_unit;
} arguments;

static int is(const text *t, const char *literal) {
  return t->len == strlen(literal) && memcmp(t->bytes, literal, t->len) == 0;
}

// A string goes to `out`; any other value is passed over.
static int read_member(cursor *c, text *out, int *has) {
  skip_space(c);
  if (c->at == c->end || *c->at != '"') return skip_value(c, 1);
  out->len = 0;
  *has = 1;
  return read_string(c, out);
}

static int read_arguments(cursor c, arguments *out) {
  memset(out, 0, sizeof *out);
  if (!take(&c, '{')) return 0;
  if (!take(&c, '}')) {
    do {
      text key;
      key.len = 0;
      if (!read_string(&c, &key) || !take(&c, ':')) return 0;
      int ok = is(&key, "city")   ? read_member(&c, &out->city, &out->has_city)
               : is(&key, "unit") ? read_member(&c, &out->unit, &out->has_unit)
                                  : skip_value(&c, 1);
      if (!ok) return 0;
    } while (take(&c, ','));
    if (!take(&c, '}')) return 0;
  }
  skip_space(&c);
  return c.at == c.end;
}

// ---- The answer ----

// The name up to a comma ("Paris, France"), without space around it, in lower case and with an a for the one of Sao Paulo that has a tilde.
static void to_key(const text *name, text *key) {
  key->len = 0;
  size_t start = 0, end = 0;
  while (end < name->len && name->bytes[end] != ',') end++;
  while (start < end && name->bytes[start] == ' ') start++;
  while (end > start && name->bytes[end - 1] == ' ') end--;
  for (size_t i = start; i < end; i++) {
    uint8_t byte = (uint8_t)name->bytes[i];
    if (byte == 0xC3 && i + 1 < end && ((uint8_t)name->bytes[i + 1] == 0xA3 || (uint8_t)name->bytes[i + 1] == 0x83)) {
      byte = 'a';
      i++;
    }
    put(key, byte >= 'A' && byte <= 'Z' ? (uint32_t)(byte - 'A' + 'a') : byte);
  }
}

static const city *find_city(const text *name) {
  text key;
  to_key(name, &key);
  for (size_t i = 0; i < CITY_COUNT; i++) {
    if (is(&key, CITIES[i].key)) return &CITIES[i];
  }
  return NULL;
}

// Fills the caller's error, which may be NULL or of another size.
static thw_status fail(thw_error *error, const char *message) {
  if (error != NULL && error->struct_size >= sizeof *error) {
    int len = snprintf((char *)error->message, sizeof error->message, "%s", message);
    error->code = THW_E_FAILED;
    error->http_status = 0;
    error->flags = 0;
    error->retry_after_ms = -1;
    error->message_len = len < 0 ? 0 : (uint32_t)len < sizeof error->message ? (uint32_t)len : sizeof error->message - 1;
  }
  return THW_E_FAILED;
}

static thw_status fail_unknown_city(thw_error *error) {
  char message[THW_ERROR_MESSAGE_BYTES];
  size_t used = (size_t)snprintf(message, sizeof message, "no sample data for this city; there is data for ");
  for (size_t i = 0; i < CITY_COUNT && used < sizeof message; i++) {
    used += (size_t)snprintf(message + used, sizeof message - used, "%s%s", i == 0 ? "" : ", ", CITIES[i].name);
  }
  return fail(error, message);
}

// ---- The tool ----

static const char PARAMETERS[] =
  "{\"type\":\"object\",\"properties\":{"
  "\"city\":{\"type\":\"string\",\"description\":\"Name of the city, for example Paris.\"},"
  "\"unit\":{\"type\":\"string\",\"enum\":[\"C\",\"F\"],\"description\":\"Celsius or Fahrenheit; C if absent.\"}},"
  "\"required\":[\"city\"],\"additionalProperties\":false}";

static uint32_t tool_count(void *context) {
  (void)context;
  return 1;
}

static thw_str str(const char *literal) {
  thw_str s;
  s.ptr = (const uint8_t *)literal;
  s.len = strlen(literal);
  return s;
}

static thw_status tool_describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  if (index != 0 || out == NULL || out->struct_size < sizeof *out) return THW_E_INVALID;
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY | THW_TOOL_IDEMPOTENT;
  out->name = str("get_weather");
  out->description = str("Gives the present weather of a city, from built-in sample data.");
  out->parameters = str(PARAMETERS);
  return THW_OK;
}

// The context is the table of services, which lives as long as the process.
static thw_status tool_invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *json,
                              thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  const thw_host_services *services = context;
  (void)call_id;
  (void)cancel; // It answers at once; there is nothing to stop.
  if (index != 0 || json == NULL || (json->ptr == NULL && json->len > 0)) return fail(error, "a wrong call of the tool");

  arguments args;
  cursor start = { json->ptr, json->len == 0 ? json->ptr : json->ptr + json->len };
  if (!read_arguments(start, &args)) return fail(error, "the arguments are not a JSON object; pass {\"city\": \"Paris\"}");
  if (!args.has_city) return fail(error, "`city` is missing or no string; pass {\"city\": \"Paris\"}");
  int fahrenheit = args.has_unit && (is(&args.unit, "F") || is(&args.unit, "f"));
  if (args.has_unit && !fahrenheit && !is(&args.unit, "C") && !is(&args.unit, "c")) {
    return fail(error, "`unit` is \"C\" or \"F\"");
  }
  const city *found = find_city(&args.city);
  if (found == NULL) return fail_unknown_city(error);

  // Rounded to the nearest degree, also below zero.
  int tenths = found->celsius * 18 + 320;
  int degrees = fahrenheit ? (tenths >= 0 ? tenths + 5 : tenths - 5) / 10 : found->celsius;
  char answer[256];
  int len = snprintf(answer, sizeof answer,
                     "{\"city\":\"%s\",\"temperature\":%d,\"unit\":\"%s\",\"conditions\":\"%s\",\"source\":\"sample data\"}",
                     found->name, degrees, fahrenheit ? "F" : "C", found->conditions);
  if (len < 0 || (size_t)len >= sizeof answer) return fail(error, "the answer does not fit");

  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = THW_EVENT_TOOL_RESULT;
  event.text.ptr = (const uint8_t *)answer;
  event.text.len = (size_t)len;
  // If nobody listens any more, there is still the sink to finish.
  (void)services->sink_push(sink, &event, 1);
  (void)services->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = {
  sizeof(thw_tool), 0, tool_count, tool_describe, tool_invoke,
};

// ---- The plugin ----

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return id != NULL && strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("thalweg.weather_c", PLUGIN_VERSION);

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host;
  (void)host_minor;
  if (plugin == NULL || plugin->struct_size < sizeof *plugin) return THW_E_INVALID;
  if (!THW_HAS(services, sink_push) || !THW_HAS(services, sink_finish)) return fail(error, "the engine takes no answers of tools");
  plugin->struct_size = sizeof *plugin;
  plugin->context = (void *)(uintptr_t)services;
  plugin->get_interface = get_interface;
  return THW_OK;
}
