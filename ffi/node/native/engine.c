/* Engine: threads, connections, plugins; and the drain of all its runs. */
#include "native.h"

#include "loop.h"

/* The poll is a handle of libuv, which frees itself once closed. */
typedef struct engine {
    thw_engine *handle;
    napi_env env;
    uv_poll_t *poll;
    napi_async_context context;
    /* Called when there is something to drain. */
    napi_ref on_readable;
    napi_async_cleanup_hook_handle hook;
    /* Texts of a drain, and the numbers that go with them; those are the memory of an Int32Array. */
    char *texts;
    size_t texts_room;
    int32_t *numbers;
    size_t numbers_room;
    napi_ref array;
} engine;

static void readable(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    engine *self = uv_handle_get_data((uv_handle_t *)poll);
    napi_handle_scope scope;
    napi_value function, receiver, result;
    if (napi_open_handle_scope(self->env, &scope) != napi_ok) return;
    if (napi_get_reference_value(self->env, self->on_readable, &function) == napi_ok && napi_get_global(self->env, &receiver) == napi_ok) {
        /* Also runs what was promised: the consumers get their turn. */
        if (napi_make_callback(self->env, self->context, receiver, function, 0, NULL, &result) == napi_pending_exception) {
            napi_value exception;
            if (napi_get_and_clear_last_exception(self->env, &exception) == napi_ok) napi_fatal_exception(self->env, exception);
        }
    }
    napi_close_handle_scope(self->env, scope);
}

static void closed(uv_handle_t *poll) {
    napi_async_cleanup_hook_handle hook = uv_handle_get_data(poll);
    free(poll);
    if (hook != NULL) napi_remove_async_cleanup_hook(hook);
}

static void close_engine(engine *self) {
    if (self->poll != NULL) {
        uv_poll_stop(self->poll);
        uv_handle_set_data((uv_handle_t *)self->poll, self->hook);
        self->hook = NULL;
        uv_close((uv_handle_t *)self->poll, closed);
        self->poll = NULL;
    }
    if (self->hook != NULL) napi_remove_async_cleanup_hook(self->hook);
    self->hook = NULL;
    thw_engine_free(self->handle);
    self->handle = NULL;
    if (self->on_readable != NULL) napi_delete_reference(self->env, self->on_readable);
    self->on_readable = NULL;
    if (self->context != NULL) napi_async_destroy(self->env, self->context);
    self->context = NULL;
}

/* The environment ends. */
static void cleanup(napi_async_cleanup_hook_handle hook, void *data) {
    (void)hook;
    close_engine(data);
}

static void finalize(napi_env env, void *data, void *hint) {
    (void)hint;
    engine *self = data;
    close_engine(self);
    if (self->array != NULL) napi_delete_reference(env, self->array);
    free(self->texts);
    free(self);
}

/* Sets up the poll of a new engine. */
static const char *watch(engine *self, int fd) {
    struct uv_loop_s *loop;
    if (napi_get_uv_event_loop(self->env, &loop) != napi_ok) return "there is no event loop";
    uv_poll_t *poll = calloc(1, uv_handle_size(UV_POLL));
    if (poll == NULL) return "out of memory";
    if (uv_poll_init(loop, poll, fd) != 0) {
        free(poll);
        return "the event loop cannot watch the engine";
    }
    self->poll = poll;
    uv_handle_set_data((uv_handle_t *)poll, self);
    uv_unref((uv_handle_t *)poll);
    if (napi_add_async_cleanup_hook(self->env, cleanup, self, &self->hook) != napi_ok) return "there is no end to wait for";
    return uv_poll_start(poll, UV_READABLE, readable) == 0 ? NULL : "the event loop cannot watch the engine";
}

/* new Engine(options, onReadable) */
static napi_value make(napi_env env, napi_callback_info info) {
    napi_value arguments[2], object, name;
    size_t count = 2, len;
    napi_get_cb_info(env, info, &count, arguments, &object, NULL);
    char *options = text_of(env, arguments[0], &len);
    if (options == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_engine *handle = thw_engine_new(options, len, &error);
    free(options);
    if (handle == NULL) return failure_throw(env, &error, NULL);
    int fd = thw_engine_fd(handle, &error);
    engine *self = calloc(1, sizeof *self);
    if (fd < 0 || self == NULL) {
        thw_engine_free(handle);
        free(self);
        return fd < 0 ? failure_throw(env, &error, NULL) : failure_type(env, "out of memory");
    }
    self->handle = handle;
    self->env = env;
    napi_create_string_utf8(env, "thalweg", NAPI_AUTO_LENGTH, &name);
    const char *wrong = NULL;
    if (napi_create_reference(env, arguments[1], 1, &self->on_readable) != napi_ok || napi_async_init(env, NULL, name, &self->context) != napi_ok)
        wrong = "a function is wanted";
    if (wrong == NULL) wrong = watch(self, fd);
    if (wrong != NULL || napi_wrap(env, object, self, finalize, NULL, NULL) != napi_ok) {
        finalize(env, self, NULL);
        return failure_type(env, wrong == NULL ? "an engine is made with `new`" : wrong);
    }
    return object;
}

thw_engine *engine_handle(napi_env env, napi_value object) {
    void *data = NULL;
    napi_unwrap(env, object, &data);
    return data == NULL ? NULL : ((engine *)data)->handle;
}

static napi_value engine_close(napi_env env, napi_callback_info info) {
    engine *self = unwrap(env, info, 0, NULL);
    if (self != NULL) close_engine(self);
    return NULL;
}

static napi_value load_plugin(napi_env env, napi_callback_info info) {
    napi_value path;
    size_t len;
    engine *self = unwrap(env, info, 1, &path);
    char *text = self == NULL ? NULL : text_of(env, path, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_engine_load_plugin(self->handle, text, len, &error);
    free(text);
    return status < 0 ? failure_throw(env, &error, NULL) : undefined(env);
}

/* Whether the engine keeps the process alive. */
static napi_value keep(napi_env env, napi_callback_info info) {
    napi_value value;
    bool is_kept = false;
    engine *self = unwrap(env, info, 1, &value);
    if (self == NULL || self->poll == NULL) return NULL;
    napi_get_value_bool(env, value, &is_kept);
    (is_kept ? uv_ref : uv_unref)((uv_handle_t *)self->poll);
    return NULL;
}

/* Length as JavaScript counts it. The text is UTF-8 by the rules of the library. */
static int32_t utf16_len(thw_str text) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) len += ((text.ptr[i] & 0xC0) != 0x80) + (text.ptr[i] >= 0xF0);
    return (int32_t)len;
}

static bool reserve_texts(engine *self, size_t len) {
    if (len <= self->texts_room) return true;
    size_t room = len + len / 2 + 4096;
    char *texts = realloc(self->texts, room);
    if (texts == NULL) return false;
    self->texts = texts;
    self->texts_room = room;
    return true;
}

/* Has room for so many numbers, in an array of JavaScript that is `numbers` of the object. */
static bool reserve_numbers(engine *self, napi_value object, size_t len) {
    if (len <= self->numbers_room) return true;
    size_t room = len + len / 2 + 4096;
    napi_value buffer, array;
    void *data;
    napi_ref reference;
    if (napi_create_arraybuffer(self->env, room * sizeof(int32_t), &data, &buffer) != napi_ok ||
        napi_create_typedarray(self->env, napi_int32_array, room, buffer, 0, &array) != napi_ok ||
        napi_create_reference(self->env, array, 1, &reference) != napi_ok)
        return false;
    if (self->array != NULL) napi_delete_reference(self->env, self->array);
    self->array = reference;
    self->numbers = data;
    self->numbers_room = room;
    return napi_set_named_property(self->env, object, "numbers", array) == napi_ok;
}

/* What a run's consumer wants; lies in the lowest bits of its number. See lib/stream.js, which reads what is written here. */
enum { ALL_EVENTS, ONLY_TEXT, NOTHING, WANTS };

static size_t append(engine *self, size_t at, thw_str text, bool *is_ascii) {
    uint8_t all = 0;
    for (size_t i = 0; i < text.len; i++) all |= text.ptr[i];
    if (all >= 0x80) *is_ascii = false;
    if (text.len > 0) memcpy(self->texts + at, text.ptr, text.len);
    return at + text.len;
}

/* drain(): the texts of the next batches, and `numbers`; undefined if there are none. */
static napi_value drain(napi_env env, napi_callback_info info) {
    napi_value object, texts;
    void *data = NULL;
    if (napi_get_cb_info(env, info, NULL, NULL, &object, NULL) != napi_ok || napi_unwrap(env, object, &data) != napi_ok) return NULL;
    engine *self = data;
    const thw_batch *batches = NULL;
    size_t count = 0;
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_engine_next(self->handle, 0, &batches, &count, &error);
    if (status < 0) return failure_throw(env, &error, NULL);
    if (status != THW_OK) return undefined(env);
    size_t bytes = 0, numbers = 1;
    for (size_t i = 0; i < count; i++) {
        numbers += 3 + batches[i].count * 10;
        for (size_t j = 0; j < batches[i].count; j++) bytes += batches[i].events[j].text.len + batches[i].events[j].aux.len;
    }
    if (!reserve_texts(self, bytes) || !reserve_numbers(self, object, numbers)) return failure_type(env, "out of memory");
    int32_t *out = self->numbers + 1;
    size_t at = 0;
    bool is_ascii = true;
    for (size_t i = 0; i < count; i++) {
        uintptr_t user = (uintptr_t)batches[i].user;
        int want = (int)(user % WANTS);
        int32_t *head = out;
        out += 3;
        int32_t items = 0;
        for (size_t j = 0; j < batches[i].count; j++) {
            const thw_event *event = &batches[i].events[j];
            if (want == ONLY_TEXT) {
                if (event->kind != THW_EVENT_TEXT || event->sub != 0) continue;
                at = append(self, at, event->text, &is_ascii);
                *out++ = utf16_len(event->text);
                items++;
            } else if (want == ALL_EVENTS) {
                at = append(self, at, event->text, &is_ascii);
                at = append(self, at, event->aux, &is_ascii);
                uint64_t num = (uint64_t)event->num;
                int32_t record[10] = { (int32_t)event->kind, (int32_t)event->flags, (int32_t)event->block, (int32_t)event->sub,
                                       utf16_len(event->text), utf16_len(event->aux), (int32_t)num, (int32_t)(num >> 32),
                                       (int32_t)event->seq, (int32_t)(event->seq >> 32) };
                memcpy(out, record, sizeof record);
                out += 10;
                items++;
            }
        }
        head[0] = (int32_t)user;
        head[1] = items;
        head[2] = batches[i].status == THW_EOF;
    }
    self->numbers[0] = (int32_t)(out - self->numbers);
    napi_status made = (is_ascii ? napi_create_string_latin1 : napi_create_string_utf8)(env, at == 0 ? "" : self->texts, at, &texts);
    return made == napi_ok ? texts : failure_type(env, "events are too long for a string");
}

void engine_init(napi_env env, napi_value exports) {
    const napi_property_descriptor methods[] = {
        METHOD("close", engine_close),
        METHOD("loadPlugin", load_plugin),
        METHOD("keep", keep),
        METHOD("drain", drain),
    };
    add_class(env, exports, "Engine", make, methods, LENGTH(methods));
}
