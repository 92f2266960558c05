#include "db/postgresql/backend_key.hpp"

#include <charconv>

namespace tare::db::detail {

std::optional<backend_key> parse_backend_key(std::string_view line) noexcept {
  constexpr std::string_view name = "\tBackendKeyData\t";
  const std::size_t at = line.find(name);
  if (!line.starts_with("B\t") || at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + name.size());
  const auto next = [&line](std::uint32_t& number) {
    if (!line.starts_with(' ')) return false;
    line.remove_prefix(1);
    std::int32_t read = 0;
    const auto [end, wrong] = std::from_chars(line.data(), line.data() + line.size(), read);
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    number = static_cast<std::uint32_t>(read);
    return wrong == std::errc();
  };
  backend_key key;
  if (!next(key.process) || !next(key.secret) || !line.empty()) return std::nullopt;
  return key;
}

backend_key_listener::backend_key_listener(PGconn* to) noexcept : connection_(to) {
  const cookie_io_functions_t calls{
      .read = nullptr,
      .write = [](void* self, const char* text, std::size_t size) -> ssize_t {
        static_cast<backend_key_listener*>(self)->listen({text, size});
        return static_cast<ssize_t>(size);
      },
      .seek = nullptr,
      .close = nullptr,
  };
  trace_ = ::fopencookie(this, "w", calls);
  if (trace_ == nullptr) return;
  (void)std::setvbuf(trace_, nullptr, _IONBF, 0);  // so that no sent data stays in a buffer
  ::PQtrace(connection_, trace_);
  ::PQsetTraceFlags(connection_, PQTRACE_SUPPRESS_TIMESTAMPS);
}

backend_key_listener::~backend_key_listener() {
  if (trace_ == nullptr) return;
  ::PQuntrace(connection_);
  (void)std::fclose(trace_);
}

void backend_key_listener::listen(std::string_view text) noexcept {
  for (const char c : text) {
    if (c == '\n') {
      if (from_server_) {
        if (const auto found = parse_backend_key({line_.data(), size_})) key_ = found;
      }
      size_ = 0;
      at_start_ = true;
      from_server_ = false;
      continue;
    }
    if (at_start_) from_server_ = c == 'B';
    at_start_ = false;
    if (from_server_ && size_ < line_.size()) line_[size_++] = c;
  }
}

}  // namespace tare::db::detail
