#pragma once

// Bodies in JSON, with nlohmann's library. Not part of <tare/http.hpp>, because tare does not need that library itself
// (Debian: nlohmann-json3-dev).
//
//   struct item { std::string name; double price; };
//   NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(item, name, price)
//
//   tare::task<> add(http::request& asked, http::response& to) {
//     auto made = co_await http::read_json<item>(asked);
//     if (!made) { co_await http::refuse_json(to, made.error()); co_return; }
//     ...
//     co_await http::send_json(to, {{"id", id}}, 201);
//   }

#include <tare/http/detail/json_body.hpp>
#include <tare/http/error.hpp>
#include <tare/http/parameters.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

#include <nlohmann/json.hpp>

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tare::http {

/// Objects and arrays may contain each other to this depth, so that no client can make a function recurse without end.
inline constexpr int max_json_depth = 64;

namespace detail {

inline std::expected<nlohmann::json, request_error> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto limit_depth = [&](int outer, nlohmann::json::parse_event_t event, nlohmann::json&) {
    using enum nlohmann::json::parse_event_t;
    if ((event == object_start || event == array_start) && outer >= max_json_depth) too_deep = true;
    return !too_deep;
  };
  try {
    auto parsed = nlohmann::json::parse(text, limit_depth);
    if (!too_deep) return parsed;
  } catch (const nlohmann::json::parse_error& error) {
    if (!too_deep) {
      return std::unexpected(
          request_error{.message = "the body is not JSON: error at byte " + std::to_string(error.byte)});
    }
  } catch (const nlohmann::json::out_of_range&) {
    if (!too_deep) return std::unexpected(request_error{.message = "the body has a number that is out of range"});
  }
  return std::unexpected(request_error{.message = "the body is nested too deeply"});
}

}  // namespace detail

/// Reads the rest of the body and converts it to T with nlohmann's `from_json`.
///
/// **Errors** 415 if the Content-Type is not that of JSON (it may be absent); 413 if the body exceeds the limit; 400 if
/// it cannot be read, is not JSON, is nested too deeply, or is not a T. Throws std::bad_alloc. **Cancellation** Part of
/// the body has been read. **Threads** On the shard of the request. **Bytes** The text and what is made from it, at the
/// same time. A server with a memory budget has admitted the text; declare the rest with request::reserve if it is
/// larger.
template <class T = nlohmann::json>
task<std::expected<T, request_error>> read_json(request& request) {
  if (!detail::is_json_type(request.fields().find("content-type"))) {
    co_return std::unexpected(request_error{.status = 415, .message = "the Content-Type is not application/json"});
  }
  result<std::string> text = co_await request.body().read_all();
  if (!text) co_return std::unexpected(detail::unreadable_body(text.error()));
  std::expected<nlohmann::json, request_error> parsed = detail::parse_json(*text);
  *text = std::string();
  if (!parsed) co_return std::unexpected(std::move(parsed.error()));
  std::expected<T, request_error> made;
  try {
    made = parsed->template get<T>();
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.out_of_range.403] key 'name' not found": the part in brackets is for programmers.
    const std::string_view what = error.what();
    const std::size_t end = what.find("] ");
    made = std::unexpected(request_error{.message = std::string(end == what.npos ? what : what.substr(end + 2))});
  }
  co_return made;
}

/// Responds with JSON. Bytes that are not UTF-8 are replaced by U+FFFD.
///
/// **Errors** Those of response::send. Throws std::bad_alloc. **Cancellation** As response::send. **Threads** On the
/// shard of the request. **Bytes** The text.
inline task<result<void>> send_json(response& to, nlohmann::json body, unsigned status = 200) {
  const std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  body = nullptr;
  to.status(status);
  co_return co_await to.send("application/json", text);
}

/// Responds with the status and {"error": message}.
inline task<result<void>> refuse_json(response& to, request_error why) {
  nlohmann::json body = nlohmann::json::object();
  body["error"] = std::move(why.message);
  return send_json(to, std::move(body), why.status);
}

}  // namespace tare::http
