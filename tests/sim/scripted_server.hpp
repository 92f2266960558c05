#pragma once

// A server on a simulated host that follows a script, over TCP or TLS.

#include "sim/http_server.hpp"
#include "sim/raw_peer.hpp"

#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tare::testing {

inline const std::string ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with each connection.
struct server_script {
  std::vector<script_step> responses;  ///< one after each request, or more after the last one
  bool reads_bodies = true;
  bool closes = false;                     ///< after the responses, without close_notify
  bool closes_late = false;                ///< when another request has come
  bool first_only = false;                 ///< later connections get `ok` for each request
  std::chrono::nanoseconds read_pause{0};  ///< after each 8 KiB of a request
};

/// One end of a connection that reads requests.
template <class Stream>
class request_source {
 public:
  request_source(Stream& from, std::chrono::nanoseconds pause) : from_(from), pause_(pause) {}

  /// False at the end of the connection.
  task<bool> next(bool with_body) {
    for (;;) {
      const std::size_t end = unread_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t at = unread_.find("content-length: ");
        const std::size_t body = with_body && at < end ? std::stoul(unread_.substr(at + 16)) : 0;
        if (unread_.size() >= end + 4 + body) {
          unread_.erase(0, end + 4 + body);
          co_return true;
        }
      }
      std::string room(8U << 10U, ' ');
      const auto got = co_await from_.read(std::as_writable_bytes(std::span(room)));
      if (!got || *got == 0) co_return false;
      unread_.append(room, 0, *got);
      if (pause_.count() != 0) co_await sleep_for(pause_);
    }
  }

 private:
  Stream& from_;
  std::string unread_;
  std::chrono::nanoseconds pause_;
};

template <class Stream>
task<> answer_all(Stream& to, request_source<Stream>& requests) {
  while (co_await requests.next(true)) {
    const auto sent = co_await to.write(bytes_in(ok));
    if (!sent) co_return;
  }
}

template <class Stream>
task<> play_server(Stream to, server_script what, bool is_first) {
  request_source<Stream> requests(to, what.read_pause);
  if (what.first_only && !is_first) {
    co_await answer_all(to, requests);
    co_return;
  }
  bool open = co_await requests.next(what.reads_bodies);
  for (const auto& step : what.responses) {
    if (!open) co_return;
    const auto sent = co_await to.write(bytes_in(step.bytes));
    if (!sent) co_return;
    if (step.pause.count() != 0) co_await sleep_for(step.pause);
    if (step.pause.count() == 0 && &step != &what.responses.back()) open = co_await requests.next(what.reads_bodies);
  }
  if (what.closes) co_return;
  if (!co_await requests.next(what.reads_bodies) || what.closes_late) co_return;
  co_await sleep_for(std::chrono::hours(24));
}

inline task<> listen_and_play(server_script what, bool secret, std::shared_ptr<int> connections) {
  auto listening = net::listener::bind(net::endpoint::any(80));
  if (!listening) co_return;
  std::optional<net::tls::context> context;
  if (secret) context = tls_server_context();
  for (;;) {
    auto client = co_await listening->accept();
    if (!client) co_return;
    const bool is_first = ++*connections == 1;
    if (!secret) {
      spawn(play_server(std::move(*client), what, is_first));
      continue;
    }
    auto with = co_await net::tls::stream::accept(std::move(*client), *context);
    if (with) spawn(play_server(std::move(*with), what, is_first));
  }
}

}  // namespace tare::testing
