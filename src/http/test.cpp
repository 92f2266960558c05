#include <tare/http/test.hpp>

#include "http/characters.hpp"
#include "http/recorded_stream.hpp"
#include "http/response_reader.hpp"

#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tare::http::test {

namespace {

using detail::response_reader;

void require_word(std::string_view text, const char* what) {
  if (text.empty() || !detail::all(text, detail::value_character) ||
      text.find_first_of(" \t") != std::string_view::npos) {
    throw std::invalid_argument("http::test::call: the " + std::string(what) + " \"" + std::string(text) +
                                "\" is empty or contains whitespace or control characters");
  }
}

std::string text_of(const request& request) {
  require_word(request.method, "method");
  require_word(request.target, "target");
  http::fields sent = request.fields;
  if (!sent.view().contains("host")) sent.add("host", "localhost");
  const bool has_length = sent.view().contains("content-length") || sent.view().contains("transfer-encoding");
  if (!request.body.empty() && !has_length) sent.add("content-length", std::to_string(request.body.size()));
  std::string text = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  text += sent.view().text();
  text += "\r\n";
  text += request.body;
  return text;
}

constexpr bool is_interim(unsigned status) noexcept { return status < 200 && status != 101; }

/// The final response among what the server has written.
reply reply_in(std::string_view received, std::string_view method) {
  response_reader reader({.head_bytes = received.size(), .fields = std::numeric_limits<unsigned>::max()});
  reader.next(method);
  reply got;
  for (;;) {
    const auto made = reader.feed(received);
    received.remove_prefix(reader.consumed());
    switch (made) {
      case response_reader::progress::head:
        got.status = reader.status();
        if (is_interim(got.status)) {
          reader.next(method);
          break;
        }
        for (const auto [name, value] : reader.fields()) got.fields.add(name, value);
        break;
      case response_reader::progress::data:
        got.body += reader.data();
        break;
      case response_reader::progress::complete:
        got.is_complete = true;
        return got;
      case response_reader::progress::incomplete:
        got.is_complete = reader.end_of_stream() == response_reader::progress::complete;
        return got;
      case response_reader::progress::failed:
        return got;
    }
  }
}

}  // namespace

task<reply> call(handler handle, request request, server_options options) {
  const std::string text = text_of(request);
  detail::recorded_client client{.unread = text, .received = {}};
  server serving(std::move(handle), std::move(options));
  co_await serving.serve_stream(detail::recorded_stream(client));
  co_return reply_in(client.received, request.method);
}

}  // namespace tare::http::test
