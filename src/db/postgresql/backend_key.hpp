#pragma once

// The two numbers that identify a session to the server in a cancel request. Before version 17, libpq makes them
// available only to PQcancel, which blocks without a time limit. So they are read from libpq's message trace for
// debugging: PQtrace.

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

/// Parses a line of PQtrace, if it contains the key: "B<tab>12<tab>BackendKeyData<tab> 4711 -559038737".
[[nodiscard]] std::optional<backend_key> parse_backend_key(std::string_view line) noexcept;

/// Traces a connection attempt during its lifetime. What the client sends, such as its password, is not stored.
class backend_key_listener {
 public:
  explicit backend_key_listener(PGconn* to) noexcept;
  backend_key_listener(const backend_key_listener&) = delete;
  backend_key_listener& operator=(const backend_key_listener&) = delete;
  ~backend_key_listener();

  /// Empty if the server sent none, or if libpq prints it in another format.
  [[nodiscard]] std::optional<backend_key> key() const noexcept { return key_; }

 private:
  void listen(std::string_view text) noexcept;

  PGconn* connection_;
  std::FILE* trace_ = nullptr;
  std::optional<backend_key> key_;
  std::array<char, 80> line_{};  ///< the part of a line that is needed, if the server sent it
  std::size_t size_ = 0;
  bool at_start_ = true;
  bool from_server_ = false;
};

}  // namespace tare::db::detail
