#include <tare/http/handshake.hpp>

#include "http/route.hpp"
#include "http/stored_head.hpp"

#include <tare/http/request.hpp>

namespace tare::http {

std::string_view handshake::target() const noexcept { return text_ ? text_->target() : std::string_view(); }
std::string_view handshake::path() const noexcept { return text_ ? text_->path() : std::string_view(); }
std::string_view handshake::query() const noexcept { return text_ ? text_->query() : std::string_view(); }
std::string_view handshake::authority() const noexcept { return text_ ? text_->authority() : std::string_view(); }
fields_view handshake::fields() const noexcept { return text_ ? text_->fields() : fields_view(); }
std::string_view handshake::last_event_id() const noexcept { return fields().find("last-event-id").value_or(""); }

std::optional<std::string> handshake::query_value(std::string_view name) const {
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

std::string handshake::param(std::string_view name) const {
  if (!text_ || text_->chosen() == nullptr) return {};
  // The percent signs of a target have already been checked.
  return percent_decode(text_->chosen()->value_in(path(), name)).value_or(std::string());
}

}  // namespace tare::http
