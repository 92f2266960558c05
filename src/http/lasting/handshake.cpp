#include <tare/http/handshake.hpp>

#include "http/stored_head.hpp"

namespace tare::http {

std::string_view handshake::target() const noexcept { return text_ ? text_->target() : std::string_view(); }
std::string_view handshake::path() const noexcept { return text_ ? text_->path() : std::string_view(); }
std::string_view handshake::query() const noexcept { return text_ ? text_->query() : std::string_view(); }
std::string_view handshake::authority() const noexcept { return text_ ? text_->authority() : std::string_view(); }
fields_view handshake::fields() const noexcept { return text_ ? text_->fields() : fields_view(); }
std::string_view handshake::last_event_id() const noexcept { return fields().find("last-event-id").value_or(""); }

std::optional<std::string> handshake::query_value(std::string_view name) const {
  return text_ ? text_->query_value(name) : std::nullopt;
}

std::string handshake::param(std::string_view name) const { return text_ ? text_->param(name) : std::string(); }

}  // namespace tare::http
