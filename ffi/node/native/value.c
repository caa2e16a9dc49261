/* Values of JavaScript, in and out. */
#include "native.h"

napi_value text_value(napi_env env, const char *text, size_t len) {
    napi_value value;
    if (napi_create_string_utf8(env, text == NULL ? "" : text, len, &value) != napi_ok)
        return failure_type(env, "a text is too long for a string");
    return value;
}

char *text_of(napi_env env, napi_value value, size_t *len) {
    size_t size = 0;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
        failure_type(env, "a string is wanted");
        return NULL;
    }
    char *text = malloc(size + 1);
    if (text == NULL || napi_get_value_string_utf8(env, value, text, size + 1, len) != napi_ok) {
        free(text);
        failure_type(env, "a string could not be read");
        return NULL;
    }
    return text;
}

napi_value text_taken(napi_env env, char *text, const thw_error *error) {
    if (text == NULL) return failure_throw(env, error, NULL);
    napi_value value = text_value(env, text, strlen(text));
    thw_free(text);
    return value;
}

void *unwrap(napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
    size_t given = count;
    napi_value self;
    void *data = NULL;
    if (napi_get_cb_info(env, info, &given, arguments, &self, NULL) != napi_ok || napi_unwrap(env, self, &data) != napi_ok)
        failure_type(env, "the method is called on something else");
    return data;
}

napi_value undefined(napi_env env) {
    napi_value value = NULL;
    napi_get_undefined(env, &value);
    return value;
}

napi_ref add_class(napi_env env, napi_value exports, const char *name, napi_callback make,
                   const napi_property_descriptor *methods, size_t count) {
    napi_value class;
    napi_ref reference = NULL;
    if (napi_define_class(env, name, NAPI_AUTO_LENGTH, make, NULL, count, methods, &class) != napi_ok) return NULL;
    napi_set_named_property(env, exports, name, class);
    napi_create_reference(env, class, 1, &reference);
    return reference;
}
