#pragma once

// What a lasting connection has under way: a part of a message, bytes after it, control frames that wait for the
// socket, senders that take turns. It exists only while there is any of this. In the arena.

#include "http/access_note.hpp"
#include "http/stored_head.hpp"
#include "http/topic/published.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket/frame.hpp"

#include <tare/detail/io_wait.hpp>
#include <tare/http/detail/lasting_connection.hpp>
#include <tare/http/websocket.hpp>
#include <tare/mutex.hpp>
#include <tare/net/lease.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace tare::http::detail {

/// What `receive` returns.
struct socket_event {
  const lasting_connection* of = nullptr;  ///< the socket that has received it; nullptr if it was taken
  message_data data;
  bool is_text = false;
  bool is_last = true;  ///< of the pieces of a message
  std::error_code error;
};

struct outgoing_message;  // sender_turn.hpp

/// What the handlers of a route run on.
class lasting_route {
 public:
  lasting_route() = default;
  lasting_route(const lasting_route&) = delete;
  lasting_route& operator=(const lasting_route&) = delete;
  virtual ~lasting_route() = default;

  /// The handler's task.
  [[nodiscard]] virtual task<> begin(tare::detail::link connection, handshake_owner head) const = 0;
  [[nodiscard]] virtual const websocket_options& options() const noexcept = 0;
};

/// What becomes of the message that is arriving.
enum class arrival : std::uint8_t {
  whole,
  pieces,   ///< a piece of it has been received
  dropped,  ///< the rest of it
};

/// The wait without a task for room in the system's buffer.
struct lasting_work : tare::detail::io_wait {
  explicit lasting_work(frame_reader empty) noexcept : io_wait(tare::detail::no_link), reader(std::move(empty)) {}

  lasting_connection* of = nullptr;  ///< once its handler has begun
  net::lease input;                  ///< received, not yet parsed
  frame_reader reader;
  std::string unsent;                   ///< control frames
  mutex turn;                           ///< of the sender
  mutex messages;                       ///< locked while a message is sent in pieces
  outgoing_message* message = nullptr;  ///< such a message
  std::uint32_t waiters = 0;            ///< for its end
  published_text pinned;                ///< by a topic, of which a part has been sent
  std::size_t pinned_at = 0;
  tare::detail::link behind = tare::detail::no_link;  ///< subscriptions that have something to send
  std::uint32_t senders = 0;
  std::uint32_t moved = 0;          ///< the sweep during which bytes last arrived
  std::uint32_t waiting_since = 0;  ///< the sweep since which it waits for room in the budget, plus 1
  bool is_shed = false;             ///< others need its memory
  bool is_listed = false;
  bool is_packed = false;  ///< a whole message has arrived, or its end, and must be decompressed
  arrival arriving = arrival::whole;
  bool receives = false;                        ///< a task of its own reads for a stream without a slot
  socket_event outcome;                         ///< of that task
  std::unique_ptr<message_inflater> inflating;  ///< of a message that is received in pieces
  std::exception_ptr error;                     ///< of the handler

  /// Whatever is to be sent must wait, also between the pieces of a message.
  [[nodiscard]] bool is_sending() const noexcept { return senders != 0 || !unsent.empty() || pinned != nullptr; }

  // Until the handler begins.
  const lasting_route* route = nullptr;
  handshake_owner head;
  access_note::owner note;  ///< for longer if the server had no memory to keep it
  std::uint16_t route_number = 0;
  std::uint8_t protocol = 0;
  bool is_events = false;
  bool is_chunked = false;
  bool compresses = false;

  // In the server's list.
  lasting_work* next = nullptr;
  lasting_work* previous = nullptr;
};

static_assert(sizeof(lasting_work) <= 512, "docs/bytes.md says so");

/// Throws std::bad_alloc.
[[nodiscard]] lasting_work& make_work(frame_reader::role as, std::size_t max_message_bytes, bool compresses);
void free_work(lasting_work& freed) noexcept;
/// Tries again for the work that waits for room; returns how many do.
std::size_t retry_waiting_for_room(lasting_work* first) noexcept;

}  // namespace tare::http::detail
