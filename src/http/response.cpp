#include <tare/http/response.hpp>

#include "http/exchange.hpp"

#include <array>
#include <stdexcept>
#include <string>

namespace tare::http {

namespace {

void check_free(std::string_view name) {
  // Only the server knows how the message is framed and whether the connection is kept.
  for (const std::string_view own : {"content-length", "transfer-encoding", "connection", "date", "keep-alive"}) {
    if (equal_ignoring_case(name, own)) {
      throw std::invalid_argument("tare::http::response: the server sets '" + std::string(own) + "' itself");
    }
  }
}

}  // namespace

detail::exchange& response::of() const noexcept {
  return const_cast<detail::exchange&>(static_cast<const detail::exchange&>(*this));
}

response& response::status(unsigned code) {
  of().set_status(code);
  return *this;
}

response& response::set(std::string_view name, std::string_view value) {
  check_free(name);
  of().response_fields().set(name, value);
  return *this;
}

response& response::add(std::string_view name, std::string_view value) {
  check_free(name);
  of().response_fields().add(name, value);
  return *this;
}

fields_view response::fields() const noexcept { return of().sent_fields(); }

response& response::close() noexcept {
  of().close_after();
  return *this;
}

task<result<void>> response::send(std::string_view body) { return of().send(body); }

task<result<void>> response::send(std::string_view content_type, std::string_view body) {
  of().response_fields().set("content-type", content_type);
  return of().send(body);
}

task<result<void>> response::start(std::optional<std::uint64_t> length) { return of().start(length); }
task<result<void>> response::write(std::string_view piece) { return of().write(piece); }
task<result<void>> response::finish() { return of().finish(); }
bool response::started() const noexcept { return of().started(); }

}  // namespace tare::http
