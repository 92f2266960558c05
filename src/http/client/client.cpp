#include <tare/http/client.hpp>

#include "http/characters.hpp"
#include "http/client/call.hpp"
#include "http/client/url.hpp"

#include <tare/http/trace_context.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace tare::http {

namespace detail {
namespace {

using std::chrono::nanoseconds;

/// A limit of 0 or less means none.
nanoseconds limited(nanoseconds limit) noexcept { return limit.count() <= 0 ? nanoseconds::max() : limit; }

}  // namespace

client_core::client_core(client_options options)
    : options_(std::move(options)),
      connections_({.per_host = std::max<std::size_t>(1, options_.max_connections_per_host),
                    .idle = options_.max_idle_connections,
                    .idle_timeout = limited(options_.idle_timeout)}) {
  for (nanoseconds* limit :
       {&options_.call_timeout, &options_.connect_timeout, &options_.read_timeout, &options_.write_timeout}) {
    *limit = limited(*limit);
  }
}

net::result<net::tls::context> client_core::tls() {
  if (!options_.tls) {
    auto made = net::tls::context::client({.alpn = {"http/1.1"}});
    if (!made) return std::unexpected(made.error());
    options_.tls = std::move(*made);
  }
  return *options_.tls;
}

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
upgraded_stream client_response::take_stream() { return call_->take_stream(); }

client::client(client_options options) : core_(std::make_unique<detail::client_core>(std::move(options))) {}
client::~client() = default;

namespace {

void check(const client_request& request) {
  if (request.method.empty() || !detail::all(request.method, detail::token_character)) {
    throw std::invalid_argument("tare::http::client: not a method: '" + request.method + "'");
  }
  if (request.method == "CONNECT") throw std::invalid_argument("tare::http::client: CONNECT is not supported");
  for (const char* own : {"host", "content-length", "transfer-encoding", "connection", "expect"}) {
    if (request.fields.find(own)) {
      throw std::invalid_argument(std::string("tare::http::client: the client sets '") + own + "' by itself");
    }
  }
}

}  // namespace

task<result<client_response>> client::send(client_request request) {
  check(request);
  auto to = detail::parse_url(request.url);
  if (!to) co_return std::unexpected(to.error());
  if (const trace_context* const trace = co_await current_trace.get()) {
    if (!request.fields.find("traceparent")) request.fields.add("traceparent", traceparent_of(*trace));
  }
  auto call = std::make_unique<detail::client_call>(*core_, std::move(request), std::move(*to));
  auto done = co_await call->run();
  if (!done) co_return std::unexpected(done.error());
  co_return client_response(std::move(call));
}

task<result<client_response>> client::get(std::string url) { return send({.method = "GET", .url = std::move(url)}); }

task<result<client_response>> client::post(std::string url, std::string_view content_type, std::string body) {
  client_request request{.method = "POST", .url = std::move(url)};
  request.fields.set("content-type", content_type);
  request.body = std::move(body);
  return send(std::move(request));
}

std::size_t client::idle_connections() const noexcept { return core_->connections().idle(); }

}  // namespace tare::http
