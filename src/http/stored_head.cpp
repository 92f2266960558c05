#include "http/stored_head.hpp"

#include "http/route.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/http/request.hpp>

#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace tare::http::detail {

stored_head::stored_head(const request_head& head, std::string_view text) noexcept
    : length_(head.length),
      text_bytes_(static_cast<std::uint32_t>(text.size())),
      target_bytes_(static_cast<std::uint32_t>(head.target.size())),
      authority_bytes_(static_cast<std::uint32_t>(head.authority.size())),
      method_bytes_(static_cast<std::uint8_t>(head.method.size())),
      chunked_(head.chunked) {
  const auto position = [&text](const char* place) { return static_cast<std::uint32_t>(place - text.data()); };
  const char* const target_end = head.target.data() + head.target.size();
  if (head.path.data() >= head.target.data() && head.path.data() < target_end) {
    path_at_ = position(head.path.data());
    path_bytes_ = static_cast<std::uint32_t>(head.path.size());
  } else {
    path_at_ = position(head.query.empty() ? target_end : head.query.data() - 1);
  }
  if (!head.authority.empty()) authority_at_ = position(head.authority.data());
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): only the position
  fields_at_ = position(head.fields.text().data());
  std::memcpy(reinterpret_cast<char*>(this + 1), text.data(), text.size());
}

stored_head::owner stored_head::make(const request_head& head) {
  const std::string_view fields = head.fields.text();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the size includes what follows the method
  const std::string_view text(head.method.data(),
                              static_cast<std::size_t>(fields.data() - head.method.data()) + fields.size());
  void* const room = tare::detail::allocate_block(sizeof(stored_head) + text.size());
  return owner(::new (room) stored_head(head, text));
}

static_assert(std::is_trivially_destructible_v<stored_head>);

stored_head::owner stored_head::copy() const {
  void* const room = tare::detail::allocate_block(bytes());
  std::memcpy(room, this, bytes());
  return owner(static_cast<stored_head*>(room));
}

void free_stored_head::operator()(stored_head* freed) const noexcept {
  const std::size_t bytes = freed->bytes();
  std::destroy_at(freed);
  tare::detail::free_block(freed, bytes);
}

std::optional<std::string> stored_head::query_value(std::string_view name) const {
  for (std::string_view rest = query(); !rest.empty();) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (percent_decode(pair.substr(0, equals), true) == name) {
      return percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return std::nullopt;
}

std::string stored_head::param(std::string_view name) const {
  if (route_ == nullptr) return {};
  // The percent signs of a target have already been checked.
  return percent_decode(route_->value_in(path(), name)).value_or(std::string());
}

}  // namespace tare::http::detail
