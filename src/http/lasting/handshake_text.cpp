#include "http/lasting/handshake_text.hpp"

#include <tare/http/request.hpp>

#include <algorithm>

namespace tare::http {

namespace detail {

void free_handshake_text::operator()(handshake_text* freed) const noexcept { delete freed; }

namespace {

/// Appends `part` and returns where it is.
place append(std::string& whole, std::string_view part) {
  const auto begin = static_cast<std::uint32_t>(whole.size());
  whole.append(part);
  return {.begin = begin, .size = static_cast<std::uint32_t>(part.size())};
}

}  // namespace

handshake_owner handshake_text::copy(const request_head& head, const matched_route& found) {
  handshake_owner made(new handshake_text{
      .text = {}, .target = {}, .path = {}, .query = {}, .authority = {}, .fields = {}, .route = found});
  std::string& text = made->text;
  text.reserve(head.target.size() + head.path.size() + head.query.size() + head.authority.size() +
               head.fields.text().size());
  made->target = append(text, head.target);
  made->path = append(text, head.path);
  made->query = append(text, head.query);
  made->authority = append(text, head.authority);
  made->fields = append(text, head.fields.text());
  return made;
}

}  // namespace detail

namespace {

std::string_view part(const detail::handshake_owner& text, detail::place detail::handshake_text::* of) noexcept {
  if (!text) return {};
  const detail::place where = text.get()->*of;
  return std::string_view(text->text).substr(where.begin, where.size);
}

}  // namespace

std::string_view handshake::target() const noexcept { return part(text_, &detail::handshake_text::target); }
std::string_view handshake::path() const noexcept { return part(text_, &detail::handshake_text::path); }
std::string_view handshake::query() const noexcept { return part(text_, &detail::handshake_text::query); }
std::string_view handshake::authority() const noexcept { return part(text_, &detail::handshake_text::authority); }
fields_view handshake::fields() const noexcept { return fields_view(part(text_, &detail::handshake_text::fields)); }
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
  if (!text_ || text_->route.chosen == nullptr) return {};
  const auto& names = text_->route.chosen->names;
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return {};
  const detail::place value = text_->route.values.at(static_cast<std::size_t>(at - names.begin()));
  // The percent signs of a target have already been checked.
  return percent_decode(path().substr(value.begin, value.size)).value_or(std::string());
}

}  // namespace tare::http
