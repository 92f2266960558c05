#pragma once

// Asking a server to stop a session's statement, over a connection of its own: 16 bytes in the clear
// (PostgreSQL's documentation, "Canceling Requests in Progress").

#include "db/postgresql/backend_key.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/task.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace tare::db::detail {

/// Whom to ask, and about whom.
struct cancel_target {
  net::endpoint server;
  backend_key key;
};

[[nodiscard]] std::array<std::byte, 16> cancel_request(const backend_key& key) noexcept;

/// How far a request has come, whatever becomes of the task that makes it.
enum class cancel_stage : std::uint8_t {
  not_sent,   ///< the server knows nothing of it
  sent,       ///< it may reach the session at any time
  confirmed,  ///< the session has been told, or the server knows no such session
};

/// Sends one, and waits until the server has closed the connection, which confirms it. May wait for ever.
///
/// **Cancellation**: `stage` says how far it has come.
task<> ask_to_cancel(const cancel_target& target, cancel_stage& stage);

}  // namespace tare::db::detail
