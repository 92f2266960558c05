#include "load/http_exchange.hpp"

#include "http/response_reader.hpp"
#include "load/event_counter.hpp"

#include <tare/net/lease.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace tare::load {
namespace {

using http::detail::response_reader;

/// The bytes of a connection, with the reader of the response in them.
class response_source {
 public:
  explicit response_source(http::detail::transport from) noexcept : from_(from) { reader_.next("GET"); }

  /// Reads up to the next event of the reader that is not `incomplete`.
  task<std::expected<response_reader::progress, failure>> next() {
    for (;;) {
      const auto reached = reader_.feed(left_);  // a response without a body is complete without another byte
      left_.remove_prefix(reader_.consumed());
      if (reached == response_reader::progress::failed) co_return std::unexpected(failure("the response is not HTTP"));
      if (reached != response_reader::progress::incomplete) co_return reached;
      if (auto more = co_await refill(); !more) co_return std::unexpected(more.error());
    }
  }
  /// Reads until the head of the final response, or of one that switches to another protocol.
  task<std::expected<void, failure>> head() {
    for (;;) {
      const auto reached = co_await next();
      if (!reached) co_return std::unexpected(reached.error());
      if (reader_.status() >= 200 || reader_.status() == 101) co_return std::expected<void, failure>();
      reader_.next("GET");  // an interim response; the final one follows
    }
  }
  [[nodiscard]] const response_reader& reader() const noexcept { return reader_; }
  [[nodiscard]] std::string_view left() const noexcept { return left_; }

 private:
  task<std::expected<void, failure>> refill() {
    auto got = co_await from_.read();
    if (!got) co_return std::unexpected(fmt::format("cannot receive: {}", got.error().message()));
    if (got->empty()) {
      co_return std::unexpected(
          failure(reader_.under_way() ? "the response was truncated" : "closed without a response"));
    }
    lease_ = std::move(*got);
    left_ = {reinterpret_cast<const char*>(lease_.bytes().data()), lease_.bytes().size()};
    co_return std::expected<void, failure>();
  }

  http::detail::transport from_;
  response_reader reader_{{}};
  net::lease lease_;
  std::string_view left_;
};

failure responded_with(unsigned status) { return fmt::format("responded with {}", status); }

}  // namespace

task<std::expected<void, failure>> send_all(http::detail::transport to, std::string_view bytes) {
  const std::array<std::span<const std::byte>, 1> whole{std::as_bytes(std::span(bytes))};
  const auto sent = co_await to.write(whole);
  if (!sent) co_return std::unexpected(fmt::format("cannot send: {}", sent.error().message()));
  co_return std::expected<void, failure>();
}

task<std::expected<void, failure>> receive_response(http::detail::transport from, unsigned status,
                                                    std::string_view body) {
  response_source source(from);
  if (auto head = co_await source.head(); !head) co_return head;
  std::string_view expected = body;
  bool is_wrong = false;
  for (;;) {
    const auto reached = co_await source.next();
    if (!reached) co_return std::unexpected(reached.error());
    if (*reached == response_reader::progress::complete) break;
    if (*reached != response_reader::progress::data || body.empty()) continue;
    const std::string_view part = source.reader().data();
    const std::size_t size = std::min(part.size(), expected.size());
    is_wrong = is_wrong || !expected.starts_with(part.substr(0, size)) ||
               part.find_first_not_of("\r\n", size) != std::string_view::npos;
    expected.remove_prefix(size);
  }
  if (source.reader().status() != status) co_return std::unexpected(responded_with(source.reader().status()));
  if (is_wrong || !expected.empty()) co_return std::unexpected(failure("responded with a wrong body"));
  if (!source.left().empty()) co_return std::unexpected(failure("sent more than the response"));
  if (!source.reader().keep_alive()) co_return std::unexpected(failure("does not keep the connection open"));
  co_return std::expected<void, failure>();
}

task<std::expected<std::string, failure>> receive_switch(http::detail::transport from, std::string_view accept_key) {
  response_source source(from);
  if (auto head = co_await source.head(); !head) co_return std::unexpected(head.error());
  if (source.reader().status() != 101) co_return std::unexpected(responded_with(source.reader().status()));
  const auto key = source.reader().fields().find("sec-websocket-accept");
  if (key != accept_key) {
    co_return std::unexpected(failure("the response to the WebSocket handshake has a wrong Sec-WebSocket-Accept"));
  }
  co_return std::string(source.left());
}

task<std::expected<void, failure>> receive_events(http::detail::transport from, std::size_t count) {
  response_source source(from);
  if (auto head = co_await source.head(); !head) co_return head;
  const response_reader& reader = source.reader();
  if (reader.status() != 200) co_return std::unexpected(responded_with(reader.status()));
  if (!reader.fields().find("content-type").value_or("").starts_with("text/event-stream")) {
    co_return std::unexpected(failure("the response is not an event stream"));
  }
  event_counter events;
  while (events.count() < count) {
    const auto reached = co_await source.next();
    if (!reached) co_return std::unexpected(reached.error());
    if (*reached == response_reader::progress::complete) break;
    if (*reached == response_reader::progress::data) events.feed(reader.data());
  }
  if (events.count() >= count) co_return std::expected<void, failure>();
  co_return std::unexpected(fmt::format("ended the event stream after {} of {} events", events.count(), count));
}

}  // namespace tare::load
