#pragma once

// A client's WebSocket: the connection is its own, and the state that a server's connections share is shared by the
// client's sockets of the shard.

#include "http/server_core.hpp"
#include "http/websocket/frame.hpp"

#include <tare/http/detail/connection.hpp>
#include <tare/http/detail/connection_group.hpp>
#include <tare/http/detail/lasting_connection.hpp>
#include <tare/http/websocket.hpp>
#include <tare/net/lease.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <utility>

namespace tare::http::detail {

/// Fills it from the system's random numbers. False if there are none, which no Debian system does after its boot.
[[nodiscard]] bool fill_random(std::span<std::byte> buffer) noexcept;

/// Masks for frames, which nobody can predict.
class mask_source {
 public:
  /// Aborts the program if the system, which has had random numbers for the handshake, has none any more.
  [[nodiscard]] frame_mask next() noexcept;

 private:
  static constexpr std::size_t buffered = 64;  ///< 256 bytes: as many as one call returns without being interrupted
  std::array<frame_mask, buffered> masks_{};
  std::size_t left_ = 0;
};

/// What the sockets of a shard share; it exists as long as there is one. In the arena, because they link to it.
class client_home {
 public:
  /// Refers to the home of the shard.
  class reference {
   public:
    /// Throws std::bad_alloc.
    reference();
    reference(reference&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
    reference& operator=(reference&&) = delete;
    reference(const reference&) = delete;
    reference& operator=(const reference&) = delete;
    ~reference();

    client_home& operator*() const noexcept { return *to_; }
    client_home* operator->() const noexcept { return to_; }

   private:
    client_home* to_;
  };

  [[nodiscard]] connection_group& group() noexcept { return group_; }
  [[nodiscard]] mask_source& masks() noexcept { return masks_; }

 private:
  explicit client_home(server_options options);

  server_core core_;  ///< of a server that serves nobody
  connection_group group_;
  mask_source masks_;
  std::size_t references_ = 0;
};

/// lasting_connection has a function of the name.
using client_connection = connection;

struct client_socket final : other_lasting_connection {
  /// What the handshake has agreed on.
  struct agreed {
    std::uint8_t protocol = 0;  ///< its number in the options plus 1; 0: none
    bool compresses = false;
  };
  /// `input` is what has arrived after the handshake. Throws std::bad_alloc.
  static client_socket& make(client_connection over, net::lease input, websocket_options with, const agreed& on,
                             std::chrono::nanoseconds write_timeout);
  client_socket(client_home::reference shared, client_connection taken, served begins, websocket_options with,
                std::chrono::nanoseconds write_limit) noexcept;
  /// Closes the connection, with a close frame if it is not closed already, and frees it. Aborts the program if a task
  /// still uses it, or a subscription.
  static void leave(client_socket& freed) noexcept;

  client_home::reference home;
  client_connection over;
  websocket_options options;
  std::chrono::nanoseconds write_timeout;
  std::size_t subscriptions = 0;  ///< to topics
};

}  // namespace tare::http::detail
