#include "http/client/call.hpp"

#include "http/client/tokens.hpp"

#include <tare/event.hpp>
#include <tare/net/connect.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>
#include <tare/when.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace tare::http::detail {

namespace {

using std::chrono::nanoseconds;

// Maximum number of interim responses (1xx) before the response.
constexpr unsigned max_interim_responses = 16;

std::span<const std::byte> bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

bool is_idempotent(std::string_view method) noexcept {
  constexpr std::array<std::string_view, 6> idempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(idempotent, method) != idempotent.end();
}

/// The errors of a connection that its server has closed, with or without close_notify.
bool is_gone(std::error_code error) noexcept {
  return error == errc::truncated || error == std::errc::connection_reset || error == std::errc::broken_pipe ||
         error == std::errc::connection_aborted;
}

std::chrono::steady_clock::time_point after(nanoseconds time) {
  using clock = std::chrono::steady_clock;
  const auto present = now();
  return time >= clock::time_point::max() - present ? clock::time_point::max() : present + time;
}

}  // namespace

// --- a connection ---------------------------------------------------------------------------------------------------

client_call::client_call(client_core& core, client_request request, url to)
    : core_(core),
      request_(std::move(request)),
      to_(std::move(to)),
      host_(core.connections().host(to_)),
      reader_({.head_bytes = core.options().max_head_bytes}),
      deadline_(after(core.options().call_timeout)),
      head_deadline_(clock::time_point::max()) {}

task<result<void>> client_call::run() {
  auto permitted = co_await acquire();
  if (!permitted) co_return permitted;
  if (auto kept = core_.connections().take(*host_)) {
    connection_ = std::move(*kept);
    auto done = co_await exchange();
    if (done || !may_repeat(done.error())) co_return done;
  }
  auto connected = co_await connect();
  if (!connected) co_return connected;
  co_return co_await exchange();
}

task<result<void>> client_call::acquire() {
  permit_ = host_->permits.try_acquire();
  if (permit_) co_return result<void>();
  auto acquired = co_await timeout(deadline_ - now(), host_->permits.acquire());
  if (!acquired) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
  permit_ = std::move(*acquired);
  co_return result<void>();
}

task<result<void>> client_call::connect() {
  const nanoseconds limit = std::min<nanoseconds>(core_.options().connect_timeout, deadline_ - now());
  auto limited = co_await timeout(limit, reach());
  if (!limited) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
  if (!*limited) co_return std::unexpected(limited->error());
  connection_ = std::move(**limited);
  co_return result<void>();
}

task<result<connection>> client_call::reach() {
  auto plain = co_await net::connect(to_.host, to_.port);
  if (!plain) co_return std::unexpected(plain.error());
  if (!to_.tls) co_return connection(std::move(*plain));
  auto trusted = core_.tls();
  if (!trusted) co_return std::unexpected(trusted.error());
  auto secret = co_await net::tls::stream::connect(std::move(*plain), *trusted, to_.host);
  if (!secret) co_return std::unexpected(secret.error());
  co_return connection(std::move(*secret));
}

/// On a new connection: the reused one had ended before a byte of a response arrived, and it does no harm if the server
/// has nevertheless acted on the request.
bool client_call::may_repeat(std::error_code error) const noexcept {
  return !heard_ && !request_.stream && is_idempotent(request_.method) && is_gone(error);
}

// --- sending --------------------------------------------------------------------------------------------------------

std::string client_call::head() const {
  std::string text = request_.method + ' ' + to_.target + " HTTP/1.1\r\nhost: " + to_.host_field + "\r\n";
  if (!core_.options().user_agent.empty() && !request_.fields.find("user-agent")) {
    text += "user-agent: " + core_.options().user_agent + "\r\n";
  }
  if (request_.fields.find("upgrade")) text += "connection: upgrade\r\n";
  text += request_.fields.view().text();
  if (request_.stream) {
    text += "transfer-encoding: chunked\r\n";
  } else if (!request_.body.empty() || request_.method == "POST" || request_.method == "PUT" ||
             request_.method == "PATCH") {
    text += "content-length: " + std::to_string(request_.body.size()) + "\r\n";
  }
  return text + "\r\n";
}

/// Sends what the system accepts now, but not so much that other tasks have to wait.
void client_call::push() {
  constexpr int max_writes = 16;
  for (int i = 0; i < max_writes && sending_ && !upload_.at_hand().empty(); ++i) {
    const auto gone = connection_.way().try_write(bytes_of(upload_.at_hand()));
    if (!gone) {
      // The server may have responded before it closed.
      send_error_ = gone.error();
      stop_sending();
      return;
    }
    if (*gone == 0) return;
    upload_.consume(*gone);
    write_waited_ = read_waited_ = {};
    if (upload_.complete()) stop_sending();
  }
}

/// Because everything has been sent, or because the server does not want the rest.
void client_call::stop_sending() noexcept {
  sending_ = false;
  head_deadline_ = after(core_.options().read_timeout);
}

/// The caller may take long to make the next piece; a refusal by the server is noticed meanwhile.
task<> client_call::next_piece() {
  if (head_done_) {
    co_await produce();
  } else {
    auto first = co_await when_any(produce(), watch());
    (void)first;
  }
}

task<> client_call::produce() {
  const std::string_view piece = co_await request_.stream();
  upload_.add_piece(piece);
}

/// Reads the response's head. Ends the sending only if the response makes the rest unnecessary.
task<> client_call::watch() {
  while (!head_done_) {
    connection_.way().expires_after(deadline_ - now());
    const auto waited = co_await connection_.way().readable();
    connection_.way().expires_never();
    if (waited) {
      read_head();
    } else {
      error_ = waited.error();
    }
    if (error_ || !sending_) co_return;
  }
  event never;
  co_await never.wait();
}

// --- reading --------------------------------------------------------------------------------------------------------

void client_call::begin() {
  upload_.begin(head(), request_.body, static_cast<bool>(request_.stream));
  reader_.next(request_.method);
  input_.release();
  error_ = send_error_ = {};
  write_waited_ = read_waited_ = {};
  interim_count_ = 0;
  sending_ = true;
  heard_ = ended_ = head_done_ = switched_ = complete_ = false;
}

task<result<void>> client_call::exchange() {
  begin();
  connection_.way().expires_never();
  while (!head_done_ && !error_) {
    if (sending_ && upload_.needs_piece()) co_await next_piece();
    if (head_done_ || error_) break;
    push();
    // Between two pieces, only what has already arrived is checked.
    if (!sending_ || !upload_.needs_piece()) co_await wait();
    if (!error_) read_head();
  }
  if (!error_ && !switched_ && !reader_.has_body()) finish();
  if (error_) {
    connection_.close();
    co_return std::unexpected(error_);
  }
  co_return result<void>();
}

/// Reads what has arrived into `input_`, or notes the end. False if nothing has arrived.
bool client_call::read_now() {
  auto got = connection_.way().try_read();
  if (!got) {
    if (got.error() != std::errc::operation_would_block) error_ = got.error();
    return false;
  }
  input_ = std::move(*got);
  ended_ = input_.empty();
  heard_ = heard_ || !ended_;
  read_waited_ = {};
  return true;
}

/// Parses what has arrived of the response's head.
void client_call::read_head() {
  while (!head_done_ && !error_) {
    if (input_.empty()) {
      if (!read_now()) break;
      if (ended_) error_ = send_error_ ? send_error_ : make_error_code(errc::truncated);
      continue;
    }
    const auto bytes = input_.bytes();
    const auto reached = reader_.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    input_.consume(reader_.consumed());
    if (reached == response_reader::progress::failed) error_ = reader_.error();
    if (reached == response_reader::progress::head) on_head();
  }
  if (error_ && !heard_ && send_error_) error_ = send_error_;
}

void client_call::on_head() {
  const unsigned status = reader_.status();
  if (status == 101) {
    // A switch that was not requested, or comes before the end of the request: the bytes after it have no defined
    // meaning.
    switched_ = !sending_ && is_among(reader_.fields().find("upgrade"), request_.fields.find("upgrade"));
    if (!switched_) error_ = errc::malformed;
  } else if (status < 200) {
    if (++interim_count_ > max_interim_responses) error_ = errc::malformed;
    reader_.next(request_.method);
    return;
  }
  head_done_ = true;
  if (status >= 300 && sending_) stop_sending();
}

/// Waits until there is something to read, or room for what is to be sent. Enforces the timeouts.
task<> client_call::wait() {
  const transport way = connection_.way();
  const auto began = now();
  way.expires_after(time_left());
  net::result<void> waited;
  if (sending_ && !upload_.at_hand().empty()) {
    auto first = co_await when_any(way.readable(), way.writable());
    waited = first.index() == 0 ? std::get<0>(first) : std::get<1>(first);
  } else {
    waited = co_await way.readable();
  }
  connection_.way().expires_never();
  const bool expired = !waited && waited.error() == std::errc::timed_out;
  if (!waited && !expired) {
    error_ = waited.error();
  } else {
    on_waited(now() - began, expired);
  }
}

nanoseconds client_call::time_left() const {
  const client_options& options = core_.options();
  nanoseconds left = deadline_ - now();
  if (sending_) left = std::min<nanoseconds>(left, options.write_timeout - write_waited_);
  if (head_done_) {
    left = std::min<nanoseconds>(left, options.read_timeout - read_waited_);
  } else if (!sending_) {
    left = std::min<nanoseconds>(left, head_deadline_ - now());
  }
  return left;
}

void client_call::on_waited(nanoseconds time, bool expired) {
  const client_options& options = core_.options();
  if (sending_) write_waited_ += time;
  if (head_done_) read_waited_ += time;
  const auto present = now();
  if (present >= deadline_) {
    error_ = std::make_error_code(std::errc::timed_out);
  } else if (head_done_ ? expired && read_waited_ >= options.read_timeout : !sending_ && present >= head_deadline_) {
    error_ = errc::too_slow;
  } else if (sending_ && expired && write_waited_ >= options.write_timeout) {
    // A response that has begun is read to the end.
    if (!head_done_) error_ = errc::too_slow;
    stop_sending();
  }
}

task<result<std::span<const std::byte>>> client_call::read() {
  input_.consume(std::exchange(piece_bytes_, 0));
  if (!error_ && !complete_ && !switched_) connection_.way().expires_never();
  while (!error_ && !complete_ && !switched_) {
    const auto bytes = input_.bytes();
    const auto reached = reader_.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (reached == response_reader::progress::data) {
      piece_bytes_ = reader_.consumed();
      co_return bytes_of(reader_.data());
    }
    input_.consume(reader_.consumed());
    if (reached == response_reader::progress::complete) {
      finish();
    } else if (reached == response_reader::progress::failed) {
      fail(reader_.error());
    } else if (ended_) {
      if (reader_.end_of_stream() == response_reader::progress::complete) {
        finish();
      } else {
        fail(errc::truncated);
      }
    } else if (!read_now() && !error_) {
      if (sending_ && upload_.needs_piece()) co_await next_piece();
      push();
      if (!sending_ || !upload_.needs_piece()) co_await wait();
    }
    if (error_) fail(error_);
  }
  if (error_) co_return std::unexpected(error_);
  co_return std::span<const std::byte>();
}

task<result<std::string>> client_call::read_all() {
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

// --- the end --------------------------------------------------------------------------------------------------------

void client_call::finish() {
  complete_ = true;
  const bool is_clean = upload_.complete() && !send_error_ && input_.empty() && !ended_;
  if (is_clean && reader_.keep_alive()) core_.connections().keep(host_, std::move(connection_));
  drop_connection();
}

void client_call::drop_connection() noexcept {
  input_.release();
  connection_.close();
  permit_ = {};
}

void client_call::fail(std::error_code error) noexcept {
  error_ = error;
  drop_connection();
}

upgraded_stream client_call::take_stream() {
  if (!switched_) throw std::logic_error("tare::http::client_response: the server has not switched protocols");
  if (!connection_.is_open()) throw std::logic_error("tare::http::client_response: the stream has already been taken");
  connection_.way().expires_never();
  upgraded_stream taken(std::move(connection_), std::move(input_));
  drop_connection();
  return taken;
}

}  // namespace tare::http::detail
