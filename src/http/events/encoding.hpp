#pragma once

// Events as text (WHATWG HTML, 9.2).

#include <tare/http/events.hpp>

#include <string>
#include <string_view>

namespace tare::http::detail {

/// False if the name or the id cannot be sent.
[[nodiscard]] bool is_sendable(const event& sent) noexcept;
/// Appends the event. Throws std::bad_alloc.
void append_event(std::string& to, const event& sent);
/// Makes a chunk of the text from `begin` on (RFC 9112, 7.1). Throws std::bad_alloc.
void make_chunk(std::string& text, std::size_t begin);

}  // namespace tare::http::detail
