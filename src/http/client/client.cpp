#include <tare/http/client.hpp>

#include "http/characters.hpp"
#include "http/client/url.hpp"
#include "http/response_reader.hpp"

#include <tare/http/detail/connection.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls.hpp>
#include <tare/semaphore.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>
#include <stdexcept>
#include <utility>

namespace tare::http {

namespace detail {

namespace {

std::span<const std::byte> bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

bool is_idempotent(std::string_view method) noexcept {
  constexpr std::array<std::string_view, 6> idempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(idempotent, method) != idempotent.end();
}

std::error_code or_too_slow(std::error_code error) noexcept {
  return error == std::errc::timed_out ? make_error_code(errc::too_slow) : error;
}

}  // namespace

/// The connections to one host and port.
struct client_host {
  explicit client_host(std::size_t most) : permits(most) {}
  semaphore permits;
};

class client_core {
 public:
  using clock = std::chrono::steady_clock;

  explicit client_core(client_options options) : options_(std::move(options)) {
    for (std::chrono::nanoseconds* limit :
         {&options_.connect_timeout, &options_.read_timeout, &options_.write_timeout, &options_.idle_timeout}) {
      if (limit->count() <= 0) *limit = std::chrono::nanoseconds::max();
    }
  }

  [[nodiscard]] const client_options& options() const noexcept { return options_; }

  /// Hosts stay for the client's life: their permits may be waited for.
  [[nodiscard]] client_host& host(const url& to) {
    return hosts_.try_emplace((to.tls ? "tls " : "") + to.host + ' ' + to.port, options_.max_connections_per_host)
        .first->second;
  }

  /// The connection to `to` that was used last, if one is left that its server has not closed.
  [[nodiscard]] std::optional<connection> take_idle(const client_host& to) {
    const clock::time_point present = now();
    while (!idle_.empty() && present - idle_.front().since > options_.idle_timeout) idle_.pop_front();
    for (;;) {
      const auto found = std::ranges::find(idle_.rbegin(), idle_.rend(), &to, &idle_connection::to);
      if (found == idle_.rend()) return std::nullopt;
      connection kept = std::move(found->kept);
      idle_.erase(std::next(found).base());
      // A server that has something to say without being asked, be it goodbye, is not to be asked.
      const auto unasked = kept.way().try_read();
      if (!unasked && unasked.error() == std::errc::operation_would_block) return kept;
    }
  }

  void keep(const client_host& to, connection of) {
    if (options_.max_idle_connections == 0) return;
    of.way().expires_never();
    if (idle_.size() >= options_.max_idle_connections) idle_.pop_front();
    idle_.push_back({.to = &to, .kept = std::move(of), .since = now()});
  }

  [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }

  /// What TLS trusts. Made when it is first needed, unless it was given.
  [[nodiscard]] net::result<net::tls::context> tls() {
    if (!options_.tls) {
      auto made = net::tls::context::client({.alpn = {"http/1.1"}});
      if (!made) return made;
      options_.tls = std::move(*made);
    }
    return *options_.tls;
  }

 private:
  struct idle_connection {
    const client_host* to;
    connection kept;
    clock::time_point since;
  };

  client_options options_;
  std::map<std::string, client_host> hosts_;
  std::deque<idle_connection> idle_;  ///< the one that waits longest first
};

/// One request and its response.
class client_call {
 public:
  client_call(client_core& core, client_host& to, semaphore_permit permit)
      : core_(core), to_(to), permit_(std::move(permit)), reader_({.head_bytes = core.options().max_head_bytes}) {}
  client_call(const client_call&) = delete;
  client_call& operator=(const client_call&) = delete;
  ~client_call() = default;

  /// Sends, and reads the response's head.
  task<result<void>> run(const client_request& request, const url& to) {
    for (;;) {
      if (auto kept = core_.take_idle(to_)) {
        connection_ = std::move(*kept);
        auto done = co_await exchange(request, to);
        const bool stale =
            !done && !heard_ && !request.stream && is_idempotent(request.method) && is_gone(done.error());
        if (!stale) co_return done;
        continue;
      }
      auto connected = co_await connect(to);
      if (!connected) co_return std::unexpected(connected.error());
      connection_ = std::move(*connected);
      co_return co_await exchange(request, to);
    }
  }

  [[nodiscard]] const response_reader& reader() const noexcept { return reader_; }

  task<result<std::span<const std::byte>>> read() {
    input_.consume(std::exchange(piece_bytes_, 0));
    if (error_) co_return std::unexpected(error_);
    while (!complete_) {
      const auto reached = reader_.feed(input_text());
      switch (reached) {
        case response_reader::progress::data:
          piece_bytes_ = reader_.consumed();
          co_return bytes_of(reader_.data());
        case response_reader::progress::complete:
          input_.consume(reader_.consumed());
          finish();
          continue;
        case response_reader::progress::failed:
          fail(reader_.error());
          co_return std::unexpected(error_);
        default:
          input_.consume(reader_.consumed());
          break;
      }
      auto more = co_await read_more();
      if (!more) {
        fail(more.error());
        co_return std::unexpected(error_);
      }
      if (*more) continue;
      if (reader_.end_of_stream() != response_reader::progress::complete) {
        fail(errc::truncated);
        co_return std::unexpected(error_);
      }
      complete_ = true;
      drop_connection();
    }
    co_return std::span<const std::byte>();
  }

  task<result<std::string>> read_all() {
    std::string whole;
    for (;;) {
      auto piece = co_await read();
      if (!piece) co_return std::unexpected(piece.error());
      if (piece->empty()) co_return whole;
      if (piece->size() > core_.options().max_body_bytes - whole.size()) {
        fail(errc::body_too_large);
        co_return std::unexpected(error_);
      }
      whole.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
  }

 private:
  static bool is_gone(std::error_code error) noexcept {
    return error == errc::truncated || error == std::errc::connection_reset || error == std::errc::broken_pipe;
  }

  [[nodiscard]] std::string_view input_text() const noexcept {
    const auto bytes = input_.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void drop_connection() noexcept {
    connection_.close();
    permit_ = {};
  }

  void fail(std::error_code error) noexcept {
    error_ = error;
    input_.release();
    drop_connection();
  }

  /// The response is complete: the connection may be used again, unless it is not to be kept or more came than asked
  /// for.
  void finish() {
    complete_ = true;
    if (reader_.keep_alive() && input_.empty() && sent_all_) core_.keep(to_, std::move(connection_));
    drop_connection();
  }

  task<result<connection>> connect(const url& to) {
    auto limited = co_await timeout(core_.options().connect_timeout, reach(to));
    if (!limited) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
    co_return std::move(*limited);
  }

  task<result<connection>> reach(const url& to) {
    auto plain = co_await net::connect(to.host, to.port);
    if (!plain) co_return std::unexpected(plain.error());
    if (!to.tls) co_return connection(std::move(*plain));
    auto trusted = core_.tls();
    if (!trusted) co_return std::unexpected(trusted.error());
    auto secret = co_await net::tls::stream::connect(std::move(*plain), *trusted, to.host);
    if (!secret) co_return std::unexpected(secret.error());
    co_return connection(std::move(*secret));
  }

  /// False at the end of the stream.
  task<result<bool>> read_more() {
    const transport way = connection_.way();
    way.expires_after(core_.options().read_timeout);
    auto more = co_await way.read();
    if (!more) co_return std::unexpected(or_too_slow(more.error()));
    input_ = std::move(*more);
    co_return !input_.empty();
  }

  task<result<void>> write(pieces what) {
    const transport way = connection_.way();
    way.expires_after(core_.options().write_timeout);
    auto written = co_await way.write(what);
    if (!written) co_return std::unexpected(or_too_slow(written.error()));
    co_return {};
  }

  [[nodiscard]] std::string head_of(const client_request& request, const url& to) const {
    std::string head = request.method + ' ' + to.target + " HTTP/1.1\r\nhost: " + to.host_field + "\r\n";
    if (!core_.options().user_agent.empty() && !request.fields.find("user-agent")) {
      head += "user-agent: " + core_.options().user_agent + "\r\n";
    }
    head += request.fields.view().text();
    if (request.stream) {
      head += "transfer-encoding: chunked\r\n";
    } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
               request.method == "PATCH") {
      head += "content-length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return head + "\r\n";
  }

  task<result<void>> send(const client_request& request, const url& to) {
    const std::string head = head_of(request, to);
    const std::array<std::span<const std::byte>, 2> both{bytes_of(head), bytes_of(request.body)};
    if (auto sent = co_await write(both); !sent) co_return sent;
    if (request.stream) {
      std::string chunk;
      for (;;) {
        const std::string_view piece = co_await request.stream();
        std::array<char, 16> digits{};
        chunk.assign(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16).ptr);
        chunk.append("\r\n").append(piece).append("\r\n");
        const std::array<std::span<const std::byte>, 1> whole{bytes_of(chunk)};
        if (auto sent = co_await write(whole); !sent) co_return sent;
        if (piece.empty()) break;
      }
    }
    sent_all_ = true;
    co_return {};
  }

  task<result<void>> exchange(const client_request& request, const url& to) {
    heard_ = sent_all_ = false;
    input_.release();
    reader_.next(request.method);
    // A server may refuse, and close, before it has taken everything: then its answer counts, not that it could not be
    // sent.
    const auto sent = co_await send(request, to);
    if (!sent && sent.error() != std::errc::broken_pipe && sent.error() != std::errc::connection_reset) {
      connection_.close();
      co_return sent;
    }
    for (;;) {
      if (!input_.empty()) {
        const auto reached = reader_.feed(input_text());
        input_.consume(reader_.consumed());
        if (reached == response_reader::progress::failed) {
          fail(reader_.error());
          co_return std::unexpected(error_);
        }
        if (reached == response_reader::progress::head) {
          if (reader_.status() >= 200 || reader_.status() == 101) break;
          reader_.next(request.method);
          continue;
        }
      }
      auto more = co_await read_more();
      if (!more || !*more) {
        const std::error_code error = !more ? more.error() : make_error_code(errc::truncated);
        connection_.close();
        co_return std::unexpected(sent || error != errc::truncated ? error : sent.error());
      }
      heard_ = true;
    }
    if (!reader_.has_body()) finish();
    co_return {};
  }

  client_core& core_;
  client_host& to_;
  semaphore_permit permit_;
  connection connection_;
  net::lease input_;
  response_reader reader_;
  std::size_t piece_bytes_ = 0;  ///< at the front of `input_`: what the reader of the body still looks at
  std::error_code error_;
  bool complete_ = false;
  bool heard_ = false;     ///< a byte of an answer has come
  bool sent_all_ = false;  ///< of the request
};

}  // namespace detail

client_response::client_response(std::unique_ptr<detail::client_call> call) noexcept : call_(std::move(call)) {}
client_response::client_response(client_response&&) noexcept = default;
client_response& client_response::operator=(client_response&&) noexcept = default;
client_response::~client_response() = default;

unsigned client_response::status() const noexcept { return call_->reader().status(); }
fields_view client_response::fields() const noexcept { return call_->reader().fields(); }
std::optional<std::uint64_t> client_response::length() const noexcept { return call_->reader().length(); }
task<result<std::span<const std::byte>>> client_response::read() { return call_->read(); }
task<result<std::string>> client_response::read_all() { return call_->read_all(); }

client::client(client_options options) : core_(std::make_unique<detail::client_core>(std::move(options))) {}
client::~client() = default;

task<result<client_response>> client::send(client_request request) {
  if (request.method.empty() || !detail::all(request.method, detail::token_character)) {
    throw std::invalid_argument("tare::http::client: not a method: '" + request.method + "'");
  }
  for (const char* own : {"host", "content-length", "transfer-encoding", "connection", "expect"}) {
    if (request.fields.find(own)) {
      throw std::invalid_argument(std::string("tare::http::client: the client sets '") + own + "' by itself");
    }
  }
  const auto to = detail::parse_url(request.url);
  if (!to) co_return std::unexpected(to.error());
  detail::client_host& host = core_->host(*to);
  auto permit = co_await host.permits.acquire();
  auto call = std::make_unique<detail::client_call>(*core_, host, std::move(permit));
  if (auto done = co_await call->run(request, *to); !done) co_return std::unexpected(done.error());
  co_return client_response(std::move(call));
}

task<result<client_response>> client::get(std::string url) { return send({.method = "GET", .url = std::move(url)}); }

task<result<client_response>> client::post(std::string url, std::string_view content_type, std::string body) {
  client_request request{.method = "POST", .url = std::move(url)};
  request.fields.set("content-type", content_type);
  request.body = std::move(body);
  return send(std::move(request));
}

std::size_t client::idle_connections() const noexcept { return core_->idle(); }

}  // namespace tare::http
