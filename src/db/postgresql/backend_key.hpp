#pragma once

// The two numbers by which a server knows a session that is to be cancelled. libpq has them and, before version 17,
// gives them to nobody but PQcancel, which blocks without a limit of time. So they are read where libpq shows every
// message to whoever debugs it: PQtrace.

#include <libpq-fe.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>

namespace tare::db::detail {

struct backend_key {
  std::uint32_t process = 0;
  std::uint32_t secret = 0;
};

/// From a line of PQtrace, if it shows one: "B<tab>12<tab>BackendKeyData<tab> 4711 -559038737".
[[nodiscard]] std::optional<backend_key> parse_backend_key(std::string_view line) noexcept;

/// Listens to a connection that is being made, for as long as this exists. What the client sends, its password for one,
/// is not kept.
class backend_key_listener {
 public:
  explicit backend_key_listener(PGconn* to) noexcept;
  backend_key_listener(const backend_key_listener&) = delete;
  backend_key_listener& operator=(const backend_key_listener&) = delete;
  ~backend_key_listener();

  /// Nothing if the server gave none, or libpq shows it in another form.
  [[nodiscard]] std::optional<backend_key> key() const noexcept { return key_; }

 private:
  void listen(std::string_view text) noexcept;

  PGconn* connection_;
  std::FILE* trace_ = nullptr;
  std::optional<backend_key> key_;
  std::array<char, 80> line_{};  ///< as much of it as is needed, if the server sent it
  std::size_t size_ = 0;
  bool at_start_ = true;
  bool from_server_ = false;
};

}  // namespace tare::db::detail
