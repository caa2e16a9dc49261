// thalweg.hpp: the C library of thalweg for C++17, in one header.
//
// A thin layer over thalweg.h: handles that free themselves, events as ranges, errors as exceptions, tools as callables. What
// a function does in detail, and on which thread, thalweg.h says at the function of the same name.
//
//  - `engine`, `agent`, `run`, `reader`, `decoder` can be moved, not copied. One that was moved from can be assigned to and
//    destroyed, nothing else.
//  - Text that comes in is a std::string_view of UTF-8. Events are views too: they and their texts are the reader's, until it
//    goes on to the next batch. Everything else that comes out is a std::string.
//  - What fails throws `thalweg::error`. No exception of yours crosses the C library: that of a tool is told to the model, that of
//    a batch callback ends the callback.

#ifndef THALWEG_HPP
#define THALWEG_HPP

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <locale>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg.h>

namespace thalweg {

// ---- Errors ----

// What a program can act on; THW_E_* of the C headers.
enum class errc : std::int32_t {
  invalid = THW_E_INVALID,
  version = THW_E_VERSION,
  nomem = THW_E_NOMEM,
  panic = THW_E_PANIC,
  cancelled = THW_E_CANCELLED,
  timeout = THW_E_TIMEOUT,
  protocol = THW_E_PROTOCOL,
  rejected = THW_E_REJECTED,
  unsupported = THW_E_UNSUPPORTED,
  state = THW_E_STATE,
  remote = THW_E_REMOTE,
  closed = THW_E_CLOSED,
  failed = THW_E_FAILED,
};

// What went wrong.
class error : public std::runtime_error {
 public:
  explicit error(const thw_error &from, std::string result = {})
      : std::runtime_error(std::string(reinterpret_cast<const char *>(from.message), from.message_len)),
        from_(from),
        result_(std::make_shared<const std::string>(std::move(result))) {}

  errc code() const noexcept { return static_cast<errc>(from_.code); }
  // That of the provider, or 0.
  int http_status() const noexcept { return from_.http_status; }
  // Whether it may pass when tried again.
  bool retryable() const noexcept { return (from_.flags & THW_ERROR_RETRYABLE) != 0; }
  // How long the provider asks to wait.
  std::optional<std::chrono::milliseconds> retry_after() const noexcept {
    if (from_.retry_after_ms < 0) return std::nullopt;
    return std::chrono::milliseconds(from_.retry_after_ms);
  }
  // Of a run that failed: its result as JSON, with what came before; else empty.
  const std::string &result() const noexcept { return *result_; }

 private:
  thw_error from_;
  // Shared, so that a copy cannot throw.
  std::shared_ptr<const std::string> result_;
};

namespace detail {

inline thw_error no_error() noexcept {
  thw_error error = THW_ERROR_INIT;
  return error;
}

// The status itself if it says no error.
inline thw_status check(thw_status status, const thw_error &from) {
  if (status < 0) throw error(from);
  return status;
}

template <class Handle>
Handle *check(Handle *handle, const thw_error &from) {
  if (handle == nullptr) throw error(from);
  return handle;
}

inline std::string_view view(thw_str text) noexcept {
  return {reinterpret_cast<const char *>(text.ptr), text.len};
}

inline thw_str str(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

// Frees a handle with its function.
template <auto Function>
struct freer {
  template <class Handle>
  void operator()(Handle *handle) const noexcept {
    Function(handle);
  }
};

// A text that the library gave away.
inline std::string taken(char *text, const thw_error &from) {
  std::unique_ptr<char, freer<thw_free>> owned(check(text, from));
  return owned.get();
}

inline std::uint32_t timeout(std::chrono::milliseconds time) noexcept {
  if (time.count() <= 0) return 0;
  return time.count() >= THW_FOREVER ? THW_FOREVER : static_cast<std::uint32_t>(time.count());
}

}  // namespace detail

// In the place of a timeout: wait as long as it takes.
inline constexpr std::chrono::milliseconds forever = std::chrono::milliseconds::max();

// Version of the library; that of the header is THW_VERSION.
inline std::string_view version() noexcept { return thw_version(); }

// ---- Options ----

// JSON of options, key by key: `options().set("model", "openai/gpt-4o-mini").set("max_tokens", 100)`. Where options go, a
// text that is JSON already goes as well.
class options {
 public:
  options &set(std::string_view key, std::string_view text) { return json(key, quote(text)); }
  options &set(std::string_view key, const char *text) { return set(key, std::string_view(text)); }

  template <class Value, class = std::enable_if_t<std::is_arithmetic_v<Value>>>
  options &set(std::string_view key, Value value) {
    if constexpr (std::is_same_v<Value, bool>) {
      return json(key, value ? "true" : "false");
    } else if constexpr (std::is_integral_v<Value>) {
      return json(key, std::to_string(value));
    } else {
      if (!std::isfinite(value)) throw std::invalid_argument("JSON has no number that is not finite");
      std::ostringstream out;
      out.imbue(std::locale::classic());
      out.precision(std::numeric_limits<Value>::max_digits10);
      out << value;
      return json(key, out.str());
    }
  }

  // A value that is JSON already, such as an array or an object.
  options &json(std::string_view key, std::string_view value) {
    text_.pop_back();
    if (text_.size() > 1) text_ += ',';
    text_ += quote(key);
    text_ += ':';
    text_ += value;
    text_ += '}';
    return *this;
  }

  operator std::string_view() const noexcept { return text_; }

  // A text as a JSON string, with its quotes.
  static std::string quote(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (char letter : text) {
      if (letter == '"' || letter == '\\') {
        out += '\\';
        out += letter;
      } else if (static_cast<unsigned char>(letter) < 0x20) {
        out += "\\u00";
        out += digits[letter >> 4];
        out += digits[letter & 15];
      } else {
        out += letter;
      }
    }
    return out += '"';
  }

 private:
  std::string text_ = "{}";
};

// ---- Events ----

// What happened; THW_EVENT_* of the C headers, which say what text, aux and number mean. Skip what you do not know.
enum class kind : std::uint32_t {
  reply_start = THW_EVENT_MESSAGE_START,
  text = THW_EVENT_TEXT,
  thinking = THW_EVENT_THINKING,
  thinking_signature = THW_EVENT_THINKING_SIGNATURE,
  redacted_thinking = THW_EVENT_REDACTED_THINKING,
  refusal = THW_EVENT_REFUSAL,
  tool_begin = THW_EVENT_TOOL_BEGIN,
  tool_arguments = THW_EVENT_TOOL_ARGUMENTS,
  block_end = THW_EVENT_BLOCK_END,
  usage = THW_EVENT_USAGE,
  usage_raw = THW_EVENT_USAGE_RAW,
  stop = THW_EVENT_STOP,
  error = THW_EVENT_ERROR,
  done = THW_EVENT_DONE,
  other_content = THW_EVENT_OTHER_CONTENT,
  skipped = THW_EVENT_SKIPPED,
  agent_start = THW_EVENT_AGENT_START,
  turn_start = THW_EVENT_TURN_START,
  message_start = THW_EVENT_MESSAGE_BEGIN,
  content_start = THW_EVENT_CONTENT_BEGIN,
  content_end = THW_EVENT_CONTENT_END,
  message_end = THW_EVENT_MESSAGE_END,
  tool_execution_start = THW_EVENT_TOOL_EXECUTION_START,
  tool_execution_update = THW_EVENT_TOOL_EXECUTION_UPDATE,
  tool_execution_end = THW_EVENT_TOOL_EXECUTION_END,
  turn_end = THW_EVENT_TURN_END,
  agent_end = THW_EVENT_AGENT_END,
  lagged = THW_EVENT_LAGGED,
};

// One step of a run; a view of a pointer's size.
class event {
 public:
  explicit event(const thw_event &of) noexcept : of_(&of) {}

  thalweg::kind kind() const noexcept { return static_cast<thalweg::kind>(of_->kind); }
  std::string_view text() const noexcept { return detail::view(of_->text); }
  std::string_view aux() const noexcept { return detail::view(of_->aux); }
  std::int64_t num() const noexcept { return of_->num; }
  std::uint64_t seq() const noexcept { return of_->seq; }
  // Place of the content block in its message.
  std::uint32_t block() const noexcept { return of_->block; }
  // Which of several replies; 0 is the one that counts.
  std::uint32_t choice() const noexcept { return of_->sub; }
  std::uint32_t flags() const noexcept { return of_->flags; }
  const thw_event &get() const noexcept { return *of_; }

 private:
  const thw_event *of_;
};

// Events side by side; a view.
class events {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = event;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = event;

    explicit iterator(const thw_event *at = nullptr) noexcept : at_(at) {}
    event operator*() const noexcept { return event(*at_); }
    iterator &operator++() noexcept { return ++at_, *this; }
    iterator operator++(int) noexcept { return iterator(at_++); }
    friend bool operator==(iterator a, iterator b) noexcept { return a.at_ == b.at_; }
    friend bool operator!=(iterator a, iterator b) noexcept { return a.at_ != b.at_; }

   private:
    const thw_event *at_;
  };

  events() = default;
  events(const thw_event *first, std::size_t size) noexcept : first_(first), size_(size) {}

  iterator begin() const noexcept { return iterator(first_); }
  iterator end() const noexcept { return iterator(size_ == 0 ? first_ : first_ + size_); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  event operator[](std::size_t index) const noexcept { return event(first_[index]); }

 private:
  const thw_event *first_ = nullptr;
  std::size_t size_ = 0;
};

// ---- Runs ----

namespace detail {

// A run, held by its `run` and by its readers. The last of them stops it, unless it shall go on.
struct shared_run {
  explicit shared_run(thw_run *of) noexcept : handle(of) {}
  shared_run(const shared_run &) = delete;
  shared_run &operator=(const shared_run &) = delete;
  ~shared_run() {
    if (!is_detached) thw_run_abort(handle);
    thw_run_free(handle);
  }

  std::string json() const {
    thw_str text = {nullptr, 0};
    return thw_run_result(handle, &text, nullptr) == THW_OK ? std::string(view(text)) : std::string();
  }

  // Whether it is over. Throws how it failed.
  bool wait(std::uint32_t timeout_ms) const {
    thw_error from = no_error();
    thw_status status = thw_run_wait(handle, timeout_ms, &from);
    if (status < 0) throw error(from, json());
    return status == THW_OK;
  }

  thw_run *handle;
  std::atomic<bool> is_detached{false};
};

}  // namespace detail

// One consumer of a run's events, from the first one, at its own pace; for one thread at a time. A range that can be passed
// once: `for (auto event : run.events())`. The loop ends with the run: it throws if the run failed, and just ends if it was
// aborted.
class reader {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = event;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = event;

    iterator() = default;
    event operator*() const noexcept { return event(*at_); }
    iterator &operator++() {
      if (++at_ == end_) fill();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.at_ == b.at_; }
    friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.at_ != b.at_; }

   private:
    friend class reader;
    explicit iterator(reader *of) : of_(of) { fill(); }

    void fill() {
      events batch = of_->next();
      at_ = batch.empty() ? nullptr : &batch[0].get();
      end_ = at_ + batch.size();
    }

    reader *of_ = nullptr;
    const thw_event *at_ = nullptr;
    const thw_event *end_ = nullptr;
  };

  iterator begin() { return iterator(this); }
  iterator end() { return iterator(); }

  // The next batch, valid until the next call. Empty if none came in time, or if the run is over, as `is_over` then says.
  events next(std::chrono::milliseconds timeout = forever) {
    const thw_event *first = nullptr;
    std::size_t count = 0;
    thw_error from = detail::no_error();
    thw_status status = detail::check(thw_reader_next(handle_.get(), detail::timeout(timeout), &first, &count, &from), from);
    if (status == THW_EOF) {
      is_over_ = true;
      thw_status end = thw_run_wait(run_->handle, 0, &from);
      if (end < 0 && end != THW_E_CANCELLED) throw error(from, run_->json());
    }
    return status == THW_OK ? events(first, count) : events();
  }

  // Whether the run is over and all was read.
  bool is_over() const noexcept { return is_over_; }

  // Has the run wait for this reader, down to the socket, as long as it lives: it must go on reading. It misses nothing then.
  void hold_back() {
    thw_error from = detail::no_error();
    detail::check(thw_reader_hold_back(handle_.get(), &from), from);
  }

  // A descriptor that is readable when `next` has something; for poll, epoll and event loops. Call `next` with a timeout of 0
  // until it gives nothing. The reader's. Linux only.
  int fd() {
    thw_error from = detail::no_error();
    int fd = thw_reader_fd(handle_.get(), &from);
    if (fd < 0) throw error(from);
    return fd;
  }

  thw_reader *get() const noexcept { return handle_.get(); }

 private:
  friend class run;
  explicit reader(std::shared_ptr<detail::shared_run> run) : run_(std::move(run)) {
    thw_error from = detail::no_error();
    handle_.reset(detail::check(thw_run_reader(run_->handle, &from), from));
  }

  std::shared_ptr<detail::shared_run> run_;
  std::unique_ptr<thw_reader, detail::freer<thw_reader_free>> handle_;
  bool is_over_ = false;
};

// One answer of an agent, which goes on by itself. It is aborted when the run and all its readers are destroyed; `detach` has it
// go on. All functions are for any thread.
class run {
 public:
  run(run &&) noexcept = default;
  run &operator=(run &&) noexcept = default;
  run(const run &) = delete;
  run &operator=(const run &) = delete;
  ~run() = default;

  // A reader at the first event, also of a run that is over. It keeps the run.
  reader events() const { return reader(run_); }

  // Waits for the end. Throws how the run failed, also that it was aborted.
  void wait() const { run_->wait(THW_FOREVER); }
  // The same for so long at most; false if the run goes on.
  bool wait_for(std::chrono::milliseconds timeout) const { return run_->wait(detail::timeout(timeout)); }

  // Waits for the end, and gives the text of the last reply. Throws as `wait` does.
  std::string text() const {
    wait();
    thw_str text = {nullptr, 0};
    thw_error from = detail::no_error();
    detail::check(thw_run_text(run_->handle, &text, &from), from);
    return std::string(detail::view(text));
  }

  // Waits for the end, good or bad, and gives all that came of it as JSON; see `thw_run_result`.
  std::string result() const {
    thw_run_wait(run_->handle, THW_FOREVER, nullptr);
    thw_str json = {nullptr, 0};
    thw_error from = detail::no_error();
    detail::check(thw_run_result(run_->handle, &json, &from), from);
    return std::string(detail::view(json));
  }

  // Stops the run: the socket is closed, running tools are told, what came is kept.
  void abort() const noexcept { thw_run_abort(run_->handle); }

  // Has the run go on when nobody holds it any more.
  void detach() const noexcept { run_->is_detached = true; }

  // Has all events handed to `callback(thalweg::events, bool is_over)` on a thread of the engine, where it must not block. It
  // may return a bool: false to be called no more. The last call has no events and `is_over`.
  template <class Callback>
  void on_batch(Callback callback) const {
    auto owned = std::make_unique<Callback>(std::move(callback));
    auto call = [](void *user, const thw_event *first, std::size_t count, thw_status status) -> thw_status {
      try {
        Callback &own = *static_cast<Callback *>(user);
        thalweg::events batch(first, count);
        if constexpr (std::is_same_v<std::invoke_result_t<Callback &, thalweg::events, bool>, bool>) {
          return own(batch, status == THW_EOF) ? THW_OK : THW_E_CANCELLED;
        } else {
          own(batch, status == THW_EOF);
          return THW_OK;
        }
      } catch (...) {
        return THW_E_FAILED;
      }
    };
    auto drop = [](void *user) { delete static_cast<Callback *>(user); };
    thw_error from = detail::no_error();
    // Taken over, also on an error.
    detail::check(thw_run_on_batch(run_->handle, call, owned.release(), drop, &from), from);
  }

  // Has the events handed to `engine::next` as well; `user` stands on the batches.
  void drain(void *user) const {
    thw_error from = detail::no_error();
    detail::check(thw_run_drain(run_->handle, user, &from), from);
  }

  thw_run *get() const noexcept { return run_->handle; }

 private:
  friend class agent;
  friend class client;
  explicit run(thw_run *handle) {
    try {
      run_ = std::make_shared<detail::shared_run>(handle);
    } catch (...) {
      thw_run_abort(handle);
      thw_run_free(handle);
      throw;
    }
  }

  std::shared_ptr<detail::shared_run> run_;
};

// ---- Engine ----

// New events of one run among those of `engine::next`.
struct batch {
  // As given to `run::drain`.
  void *user;
  thalweg::events events;
  // Whether it is the last one of its run.
  bool is_over;
};

// Threads, connections and plugins; one for a whole program will do. When it is destroyed its runs end, and no callback runs or
// will be called any more. Destroy it last, or first: what was logged can be read all the same.
class engine {
 public:
  explicit engine(std::string_view options = "{}") {
    thw_error from = detail::no_error();
    handle_.reset(detail::check(thw_engine_new(options.data(), options.size(), &from), from));
  }

  void load_plugin(std::string_view path) {
    thw_error from = detail::no_error();
    detail::check(thw_engine_load_plugin(handle_.get(), path.data(), path.size(), &from), from);
  }

  // The budgets that agents share, by name, as JSON; see `thw_engine_budgets`.
  std::string budgets() const {
    thw_error from = detail::no_error();
    return detail::taken(thw_engine_budgets(handle_.get(), &from), from);
  }
  // Has the next agent that names a budget begin anew.
  void forget_budget(std::string_view name) {
    thw_error from = detail::no_error();
    detail::check(thw_engine_forget_budget(handle_.get(), name.data(), name.size(), &from), from);
  }

  // The next batches of all runs that are drained, at most one a run; they are valid until the next call. Empty if none came in
  // time. For one thread at a time.
  std::vector<batch> next(std::chrono::milliseconds timeout = forever) {
    const thw_batch *first = nullptr;
    std::size_t count = 0;
    thw_error from = detail::no_error();
    thw_status status = thw_engine_next(handle_.get(), detail::timeout(timeout), &first, &count, &from);
    std::vector<batch> out;
    if (detail::check(status, from) != THW_OK) return out;
    out.reserve(count);
    for (const thw_batch *each = first; each != first + count; ++each)
      out.push_back({each->user, events(each->events, each->count), each->status == THW_EOF});
    return out;
  }

  // A descriptor that is readable when `next` has something. The engine's. Linux only.
  int fd() {
    thw_error from = detail::no_error();
    int fd = thw_engine_fd(handle_.get(), &from);
    if (fd < 0) throw error(from);
    return fd;
  }

  thw_engine *get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<thw_engine, detail::freer<thw_engine_free>> handle_;
};

// ---- Tools ----

namespace detail {

// A call of a tool until it is answered. Held by the `call` and, while the tool runs, by the one that asks it.
struct call_state : std::enable_shared_from_this<call_state> {
  call_state(std::string_view of, std::string_view with, thw_sink *to, thw_cancel *by)
      : id(of), arguments(with), sink(to), cancel(by) {}
  call_state(const call_state &) = delete;
  call_state &operator=(const call_state &) = delete;
  ~call_state() { answer(THW_E_FAILED, "the tool gave no answer"); }

  bool answer(thw_status status, std::string_view text) noexcept {
    thw_sink *answered = sink.exchange(nullptr);
    return answered != nullptr && thw_sink_answer(answered, status, text.data(), text.size()) == THW_OK;
  }

  // On any thread; no answer has been given before this returns, unless from here.
  static void cancelled(void *user) noexcept {
    auto self = static_cast<call_state *>(user);
    // The function may answer, and let go of the call with it. Nothing to hold if it is being destroyed: that waits.
    auto held = self->weak_from_this().lock();
    try {
      self->on_cancel();
    } catch (...) {
    }
  }

  std::string id, arguments;
  std::atomic<thw_sink *> sink;
  thw_cancel *cancel;
  std::function<void()> on_cancel;
};

}  // namespace detail

// A call of a tool. Answer it once, from any thread; what is dropped without an answer is answered as a failure. Its functions
// are for one thread at a time, but for `on_cancel`'s, which comes by itself.
class call {
 public:
  const std::string &id() const noexcept { return state_->id; }
  // A JSON object.
  const std::string &arguments() const noexcept { return state_->arguments; }

  // Tells those who watch how far it is: `fraction` from 0 to 1. False if nobody waits any more.
  bool progress(std::string_view text, std::optional<double> fraction = std::nullopt) {
    thw_sink *sink = state_->sink;
    int permille = fraction ? static_cast<int>(std::lround(std::fmin(std::fmax(*fraction, 0.0), 1.0) * 1000)) : -1;
    return sink != nullptr && thw_sink_progress(sink, text.data(), text.size(), permille) == THW_OK;
  }

  // Of a provider: hands on an event of its reply, and waits until there is room for more. False if nobody listens any more.
  bool push(std::uint32_t kind, std::string_view text, std::int64_t num = 0, std::uint32_t block = 0, std::string_view aux = {}) {
    thw_event event{};
    event.kind = kind, event.num = num, event.block = block;
    event.text = detail::str(text), event.aux = detail::str(aux);
    thw_sink *sink = state_->sink;
    thw_status status = sink == nullptr ? THW_E_CLOSED : thw_sink_push(sink, &event, 1);
    return (status == THW_PENDING ? thw_sink_wait(sink, -1) : status) == THW_OK;
  }

  // Whether nobody waits any more. Cheap enough for a loop.
  bool is_cancelled() const noexcept { return state_->sink == nullptr || thw_cancel_is_set(state_->cancel) != 0; }

  // Has a function called when nobody waits any more: on any thread, and at once if it is so already. It must not block. One a
  // call.
  void on_cancel(std::function<void()> function) {
    if (state_->on_cancel) throw std::logic_error("the call has a function for its cancel already");
    if (!function || state_->sink == nullptr) return;
    state_->on_cancel = std::move(function);
    thw_cancel_on(state_->cancel, detail::call_state::cancelled, state_.get());
  }

  // Ends the call. False if nobody waits any more, or it was answered before.
  bool answer(std::string_view text) { return state_->answer(THW_OK, text); }
  // Ends the call with why it failed; the model reads it, and may try again.
  bool fail(std::string_view why) { return state_->answer(THW_E_FAILED, why); }

  call(call &&) noexcept = default;
  call &operator=(call &&) noexcept = default;
  call(const call &) = delete;
  call &operator=(const call &) = delete;
  ~call() = default;

 private:
  friend class tool;
  explicit call(std::shared_ptr<detail::call_state> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<detail::call_state> state_;
};

// A callable that the model may call. It takes one of these shapes:
//
//  - `std::string (call &)`: the answer is what it returns; it may block, on a thread of its own. An exception is told to the
//    model.
//  - `void (call)`: it keeps the call, and answers it when it likes, from any thread.
class tool {
 public:
  // `parameters` is a JSON Schema of the arguments, an object; `flags` are THW_TOOL_* of the C headers: with THW_TOOL_PARALLEL
  // several calls run at once.
  template <class Function>
  tool(std::string name, std::string description, std::string parameters, Function function, std::uint32_t flags = 0)
      : name_(std::move(name)), description_(std::move(description)), parameters_(std::move(parameters)), flags_(flags) {
    if constexpr (std::is_invocable_r_v<std::string, Function &, call &>) {
      function_ = [function = std::move(function)](call call) mutable {
        // Returns before the answer is given, so that nothing of the tool runs after it.
        std::string answer = function(call);
        call.answer(answer);
      };
    } else {
      static_assert(std::is_invocable_v<Function &, call>, "a tool takes `call &` and returns a std::string, or takes a `call`");
      function_ = std::move(function);
    }
  }

 private:
  friend class callbacks;

  static thw_status invoke(void *context, const thw_str *id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                           thw_error *) noexcept {
    std::shared_ptr<detail::call_state> state;
    try {
      state = std::make_shared<detail::call_state>(detail::view(*id), detail::view(*arguments), sink, cancel);
    } catch (...) {
      return THW_E_NOMEM;
    }
    try {
      static_cast<tool *>(context)->function_(call(state));
    } catch (const std::exception &failure) {
      state->answer(THW_E_FAILED, failure.what());
    } catch (...) {
      state->answer(THW_E_FAILED, "the tool threw something that is no std::exception");
    }
    return THW_PENDING;
  }

  static void drop(void *context) noexcept { delete static_cast<tool *>(context); }

  std::string name_, description_, parameters_;
  std::uint32_t flags_;
  std::function<void(call)> function_;
};

// A callable that a run asks before it goes on, with one of the shapes of a tool's: `arguments` of the call are what THW_HOOK_* of the
// C header says, and the answer is JSON, or empty to go on as it is. Where several tools run at once, it may be asked for several
// at once.
class hook {
 public:
  template <class Function>
  hook(std::uint32_t point, Function function) : point_(point), asked_({}, {}, {}, std::move(function)) {}

 private:
  friend class callbacks;
  std::uint32_t point_;
  tool asked_;
};

// A callable that gives replies, in the place of a provider of the network: named in the agent's `model`, as "NAME/MODEL". It has one of
// the shapes of a tool's: `arguments` of the call are the request. It hands on the reply with `call::push`, a THW_EVENT_STOP among the last,
// and then answers with an empty text.
class provider {
 public:
  template <class Function>
  provider(std::string name, Function function) : asked_(std::move(name), {}, {}, std::move(function)) {}

 private:
  friend class callbacks;
  tool asked_;
};

// ---- Store ----

// A file of conversations; ":memory:" is one that is gone with the store. All functions are for any thread.
class store {
 public:
  explicit store(std::string_view path) {
    thw_error from = detail::no_error();
    handle_.reset(detail::check(thw_store_open(path.data(), path.size(), &from), from));
  }

  // Asks for something, JSON in and out: see `thw_store_ask`.
  std::string ask(std::string_view request) const {
    thw_error from = detail::no_error();
    return detail::taken(thw_store_ask(handle_.get(), request.data(), request.size(), &from), from);
  }

  thw_store *get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<thw_store, detail::freer<thw_store_free>> handle_;
};

// ---- Agent ----

// What a program gives an agent or a client, as the library takes it.
class callbacks {
 public:
  callbacks(std::vector<tool> tools, std::vector<hook> hooks, std::vector<provider> providers) {
    for (tool &each : tools) owned_.push_back(std::make_unique<tool>(std::move(each)));
    for (hook &each : hooks) owned_.push_back(std::make_unique<tool>(std::move(each.asked_)));
    for (provider &each : providers) owned_.push_back(std::make_unique<tool>(std::move(each.asked_)));
    tools_.reserve(tools.size()), hooks_.reserve(hooks.size()), providers_.reserve(providers.size());
    auto next = owned_.begin();
    for (std::size_t i = 0; i < tools.size(); i++, ++next) {
      tool &each = **next;
      tools_.push_back({sizeof(thw_host_tool), each.flags_, detail::str(each.name_), detail::str(each.description_),
                        detail::str(each.parameters_), tool::invoke, &each, tool::drop});
    }
    for (std::size_t i = 0; i < hooks.size(); i++, ++next)
      hooks_.push_back({sizeof(thw_host_hook), hooks[i].point_, tool::invoke, next->get(), tool::drop});
    for (std::size_t i = 0; i < providers.size(); i++, ++next)
      providers_.push_back({sizeof(thw_host_provider), 0, detail::str((*next)->name_), tool::invoke, next->get(), tool::drop});
    table_.tools_len = static_cast<std::uint32_t>(tools_.size()), table_.tools = tools_.data();
    table_.hooks_len = static_cast<std::uint32_t>(hooks_.size()), table_.hooks = hooks_.data();
    table_.providers_len = static_cast<std::uint32_t>(providers_.size()), table_.providers = providers_.data();
  }

  // Once, for the call that takes them over, whatever comes of it.
  const thw_callbacks *take() noexcept {
    for (auto &each : owned_) static_cast<void>(each.release());
    return &table_;
  }

 private:
  std::vector<std::unique_ptr<tool>> owned_;
  std::vector<thw_host_tool> tools_;
  std::vector<thw_host_hook> hooks_;
  std::vector<thw_host_provider> providers_;
  thw_callbacks table_ = THW_CALLBACKS_INIT;
};

// A model, its tools, and the conversation with it. All functions are for any thread.
class agent {
 public:
  // `options` is JSON, with the keys of `thw_agent_new`.
  agent(engine &engine, std::string_view options, std::vector<tool> tools = {}, std::vector<hook> hooks = {},
        std::vector<provider> providers = {}) {
    callbacks given(std::move(tools), std::move(hooks), std::move(providers));
    thw_error from = detail::no_error();
    handle_.reset(detail::check(thw_agent_new(engine.get(), options.data(), options.size(), given.take(), &from), from));
  }

  // Starts a run that answers a text.
  [[nodiscard]] run prompt(std::string_view text) { return start(thw_agent_prompt, text); }
  // The same for user messages, a JSON array.
  [[nodiscard]] run prompt_json(std::string_view messages) { return start(thw_agent_prompt_json, messages); }

  // Says something before the next request, and, with `follow_up`, once the run would end.
  void steer(std::string_view text) { say(thw_agent_steer, text); }
  void follow_up(std::string_view text) { say(thw_agent_follow_up, text); }
  // The same for user messages, a JSON array.
  void steer_json(std::string_view messages) { say(thw_agent_steer_json, messages); }
  void follow_up_json(std::string_view messages) { say(thw_agent_follow_up_json, messages); }

  // Stops the run that goes on, if one does.
  void abort() const noexcept { thw_agent_abort(handle_.get()); }
  // Whether a run goes on.
  bool is_running() const noexcept { return thw_agent_is_running(handle_.get()) != 0; }

  // The conversation as JSON, to go on with another day.
  std::string conversation() const {
    thw_error from = detail::no_error();
    return detail::taken(thw_agent_conversation(handle_.get(), &from), from);
  }
  void set_conversation(std::string_view json) { say(thw_agent_set_conversation, json); }

  // Keeps the conversation in a store from now on, or goes on with one that is there: see `thw_agent_keep`. Where it is kept, as JSON.
  std::string keep(const store &store, std::string_view options = {}) {
    thw_error from = detail::no_error();
    return detail::taken(thw_agent_keep(handle_.get(), store.get(), options.data(), options.size(), &from), from);
  }
  // The same of one that is kept, else `null`.
  std::string session() const {
    thw_error from = detail::no_error();
    return detail::taken(thw_agent_session(handle_.get(), &from), from);
  }

  thw_agent *get() const noexcept { return handle_.get(); }

 private:
  template <class Function>
  run start(Function function, std::string_view text) {
    thw_error from = detail::no_error();
    return run(detail::check(function(handle_.get(), text.data(), text.size(), nullptr, &from), from));
  }

  template <class Function>
  void say(Function function, std::string_view text) {
    thw_error from = detail::no_error();
    detail::check(function(handle_.get(), text.data(), text.size(), &from), from);
  }

  std::unique_ptr<thw_agent, detail::freer<thw_agent_free>> handle_;
};

// ---- Client ----

// A model that is asked for one reply at a time; nothing runs the calls of tools in it. All functions are for any thread.
class client {
 public:
  // `options` is JSON, with the keys of `thw_agent_new`.
  client(engine &engine, std::string_view options, std::vector<tool> tools = {}, std::vector<hook> hooks = {},
         std::vector<provider> providers = {}) {
    callbacks given(std::move(tools), std::move(hooks), std::move(providers));
    thw_error from = detail::no_error();
    handle_.reset(detail::check(thw_client_new(engine.get(), options.data(), options.size(), given.take(), &from), from));
  }

  // The whole reply to messages, a JSON array, as JSON.
  std::string chat(std::string_view messages, std::chrono::milliseconds timeout = forever) const {
    thw_error from = detail::no_error();
    char *reply = thw_client_chat(handle_.get(), messages.data(), messages.size(), detail::timeout(timeout), &from);
    return detail::taken(reply, from);
  }
  // The same as it comes: a run of one turn.
  [[nodiscard]] run stream(std::string_view messages) const {
    thw_error from = detail::no_error();
    return run(detail::check(thw_client_stream(handle_.get(), messages.data(), messages.size(), nullptr, &from), from));
  }

  thw_client *get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<thw_client, detail::freer<thw_client_free>> handle_;
};

// ---- The bare decoder ----

// A stream that cannot be read any further, or was cut off.
class stream_error : public error {
 public:
  stream_error(const thw_error &from, thalweg::events before) : error(from), before_(before) {}
  // What came before; the decoder's, until the next call on it.
  thalweg::events events() const noexcept { return before_; }

 private:
  thalweg::events before_;
};

// Bytes of a provider's stream in, events out; no engine, no thread, no socket. For one thread at a time.
class decoder {
 public:
  explicit decoder(std::string_view dialect, std::string_view options = "{}") {
    thw_error from = detail::no_error();
    thw_decoder *handle =
        thw_decoder_new(dialect.data(), dialect.size(), options.data(), options.size(), &from);
    handle_.reset(detail::check(handle, from));
  }

  // The events of the next bytes, cut anywhere. Texts lie in `bytes` where they can, else in the decoder, until the next call.
  thalweg::events feed(std::string_view bytes) {
    return take([&](const thw_event **first, std::size_t *count, thw_error *from) {
      return thw_decoder_feed(handle_.get(), detail::str(bytes).ptr, bytes.size(), first, count, from);
    });
  }

  // The body has ended: what was held back. Throws if it was cut off.
  thalweg::events finish() {
    return take([&](const thw_event **first, std::size_t *count, thw_error *from) {
      return thw_decoder_finish(handle_.get(), first, count, from);
    });
  }

  // A whole body that is no stream, such as that of an HTTP error.
  thalweg::events body(unsigned http_status, std::string_view bytes) {
    return take([&](const thw_event **first, std::size_t *count, thw_error *from) {
      return thw_decoder_body(handle_.get(), http_status, detail::str(bytes).ptr, bytes.size(), first, count, from);
    });
  }

  // Forgets the reply read so far.
  void reset() noexcept { thw_decoder_reset(handle_.get()); }

  thw_decoder *get() const noexcept { return handle_.get(); }

 private:
  template <class Call>
  thalweg::events take(Call call) {
    const thw_event *first = nullptr;
    std::size_t count = 0;
    thw_error from = detail::no_error();
    if (call(&first, &count, &from) < 0) throw stream_error(from, thalweg::events(first, count));
    return thalweg::events(first, count);
  }

  std::unique_ptr<thw_decoder, detail::freer<thw_decoder_free>> handle_;
};

}  // namespace thalweg

#endif  // THALWEG_HPP
