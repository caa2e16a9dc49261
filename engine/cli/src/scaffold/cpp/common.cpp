#include "thalweg_plugin.h"

#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

// What the engine offers, and its lookups in JSON. Set by the entry function; lives as long as the process.
const thw_host_services *services;
const thw_json *json;

thw_str str(std::string_view text) {
  return { reinterpret_cast<const uint8_t *>(text.data()), text.size() };
}

std::string_view view(const thw_str &text) {
  return { reinterpret_cast<const char *>(text.ptr), text.len };
}

// Fills the caller's error, which may be null.
thw_status fail(thw_error *error, thw_status code, std::string_view message) {
  if (error != nullptr && error->struct_size >= sizeof *error) {
    size_t len = message.size() < sizeof error->message ? message.size() : sizeof error->message - 1;
    std::memcpy(error->message, message.data(), len);
    error->message[len] = 0;
    error->message_len = static_cast<uint32_t>(len);
    error->code = code;
    error->http_status = 0;
    error->flags = 0;
    error->retry_after_ms = -1;
  }
  return code;
}

// Runs the body of a function of a table. No exception may cross to the engine.
template <class Work>
thw_status guarded(thw_error *error, Work &&work) noexcept {
  try {
    return work();
  } catch (const std::invalid_argument &what) {
    return fail(error, THW_E_FAILED, what.what());
  } catch (const std::exception &what) {
    return fail(error, THW_E_PANIC, what.what());
  } catch (...) {
    return fail(error, THW_E_PANIC, "an exception that is no std::exception");
  }
}

// The JSON behind a pointer such as "/messages/-1/role".
[[maybe_unused]] std::optional<std::string_view> find(std::string_view object, std::string_view pointer) {
  thw_str where = str(object), path = str(pointer), value;
  if (json->find(&where, &path, &value) != THW_OK) return std::nullopt;
  return view(value);
}

// What a JSON string says.
[[maybe_unused]] std::optional<std::string> text_of(std::optional<std::string_view> string) {
  size_t len = 0;
  if (!string) return std::nullopt;
  thw_str raw = str(*string);
  if (json->unescape(&raw, nullptr, 0, &len) != THW_OK) return std::nullopt;
  std::string text(len, 0);
  json->unescape(&raw, reinterpret_cast<uint8_t *>(text.data()), len, &len);
  return text;
}
