// Tests that register themselves, and what they say when something is not as it should be.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct test {
  std::string name;
  std::function<void()> body;
};

inline std::vector<test> &tests() {
  static std::vector<test> all;
  return all;
}

struct registered {
  registered(std::string name, std::function<void()> body) { tests().push_back({std::move(name), std::move(body)}); }
};

#define TEST_NAME(line) test_##line
#define TEST_AT(name, line) static void TEST_NAME(line)(); static registered registered_##line(name, TEST_NAME(line)); static void TEST_NAME(line)()
#define TEST_LINE(name, line) TEST_AT(name, line)
#define TEST(name) TEST_LINE(name, __LINE__)

inline std::string place(const char *file, int line) { return std::string(file) + ":" + std::to_string(line) + ": "; }

#define CHECK(condition) \
  do { \
    if (!(condition)) throw std::runtime_error(place(__FILE__, __LINE__) + #condition); \
  } while (false)

#define CHECK_EQUAL(left, right) \
  do { \
    const auto a = (left); \
    const auto b = (right); \
    if (!(a == b)) { \
      std::ostringstream out; \
      out << place(__FILE__, __LINE__) << #left << " is " << a << ", not " << b; \
      throw std::runtime_error(out.str()); \
    } \
  } while (false)

// The error that an expression throws.
#define CHECK_THROWS(expression) \
  [&]() -> thalweg::error { \
    try { \
      static_cast<void>(expression); \
    } catch (const thalweg::error &thrown) { \
      return thrown; \
    } \
    throw std::runtime_error(place(__FILE__, __LINE__) + #expression + " threw nothing"); \
  }()

#endif
