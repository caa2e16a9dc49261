// Where the tests find the replay server and its scenarios, and a server that notices closed sockets.
#ifndef SERVER_HPP
#define SERVER_HPP

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include <thalweg.hpp>

// With /v1, from the command line.
inline std::string &base_url() {
  static std::string url;
  return url;
}

inline thalweg::options agent_options(std::string_view url = base_url()) {
  return thalweg::options().set("model", "hand-written-1").set("base_url", url).set("api_key", "anything");
}

// Sends one delta after the other, and never ends. `is_closed` once its client has closed the connection. For one connection.
class endless {
 public:
  endless() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    auto *place = reinterpret_cast<sockaddr *>(&address);
    if (listener_ < 0 || bind(listener_, place, len) != 0 || listen(listener_, 8) != 0 ||
        getsockname(listener_, place, &len) != 0)
      throw std::runtime_error("no port on the loopback");
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1";
    thread_ = std::thread([this] { serve(); });
  }
  endless(const endless &) = delete;
  endless &operator=(const endless &) = delete;
  ~endless() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  const std::string &url() const { return url_; }

  bool is_closed_within(std::chrono::milliseconds time) const {
    auto end = std::chrono::steady_clock::now() + time;
    while (!is_closed_ && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return is_closed_;
  }

 private:
  void serve() {
    int connection = accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    char request[65536];
    if (recv(connection, request, sizeof request, 0) > 0) {
      const std::string delta = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"on \"}}]}\n\n";
      char size[16];
      std::snprintf(size, sizeof size, "%zx\r\n", delta.size());
      std::string out = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
      do {
        out += size + delta + "\r\n";
        if (send(connection, out.data(), out.size(), MSG_NOSIGNAL) < 0) break;
        out.clear();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      } while (true);
    }
    close(connection);
    is_closed_ = true;
  }

  int listener_;
  std::string url_;
  std::atomic<bool> is_closed_{false};
  std::thread thread_;
};

#endif
