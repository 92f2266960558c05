#pragma once

// A connection that has become a WebSocket or an event stream: what is left of it when nobody sends anything.
//
// It lives in the frame of its own task (serve_lasting), beside the user's handler, and holds neither parser nor
// buffer: what is under way, such as a part of a message, is in a `lasting_work`, which exists only as long. 32 bytes
// with its socket, 48 with TLS.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/link.hpp>
#include <tare/detail/promise.hpp>
#include <tare/error.hpp>
#include <tare/http/detail/connection_group.hpp>
#include <tare/http/detail/transport.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls.hpp>
#include <tare/sleep.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <type_traits>
#include <utility>

namespace tare::http::detail {

struct lasting_work;
class server_core;

/// How the service of the requests that had arrived has ended: the connection closes, or stays open, idle, or becomes
/// a lasting one.
class served {
 public:
  /// True: idle.
  explicit served(bool keeps) noexcept : link_(keeps ? idle : tare::detail::no_link) {}
  /// Owns the work.
  explicit served(lasting_work& begins) noexcept;
  served(served&& other) noexcept : link_(std::exchange(other.link_, tare::detail::no_link)) {}
  served& operator=(served&& other) noexcept {
    std::swap(link_, other.link_);
    return *this;
  }
  served(const served&) = delete;
  served& operator=(const served&) = delete;
  ~served() {
    if (lasts()) drop();
  }

  [[nodiscard]] bool is_idle() const noexcept { return link_ == idle; }
  [[nodiscard]] bool lasts() const noexcept { return link_ != idle && link_ != tare::detail::no_link; }
  [[nodiscard]] tare::detail::link release() noexcept { return std::exchange(link_, tare::detail::no_link); }

 private:
  static constexpr tare::detail::link idle = std::numeric_limits<tare::detail::link>::max();
  void drop() noexcept;

  tare::detail::link link_;
};

class lasting_connection : private tare::detail::io_wait {
 public:
  /// Where the stream is.
  enum class carrier : std::uint8_t { plain, tls, other };

  lasting_connection(carrier kind, tare::detail::link slot, connection_group& group, served begins) noexcept;
  /// Before the handler has begun.
  lasting_connection(lasting_connection&& other) noexcept;
  lasting_connection& operator=(lasting_connection&&) = delete;
  lasting_connection(const lasting_connection&) = delete;
  lasting_connection& operator=(const lasting_connection&) = delete;
  ~lasting_connection() = default;

  /// Runs the user's handler. Throws std::bad_alloc.
  tare::detail::child_request run_handler();
  /// The handler has ended by the current exception.
  void note_error() noexcept;
  /// Tells the peer that the connection ends, and waits a little for it to close.
  tare::detail::child_request finish();
  [[nodiscard]] bool is_home() noexcept;

  [[nodiscard]] transport connection() noexcept;
  [[nodiscard]] connection_group& group() const noexcept { return *tare::detail::from_link<connection_group>(group_); }
  [[nodiscard]] server_core& server() const noexcept { return group().server(); }

 protected:
  /// Before the stream is destroyed.
  void end() noexcept;

 private:
  friend class lasting;  // src/http/lasting/: everything else

  // The base is the wait of the task that receives.
  tare::detail::link group_;  ///< no_link after a move
  tare::detail::link work_;   ///< no_link if nothing is under way
  union {
    // NOLINTNEXTLINE(readability-identifier-naming): private like any other
    std::uint32_t held_bytes_ = 0;  ///< of a WebSocket: admitted for received messages
    // NOLINTNEXTLINE(readability-identifier-naming): private like any other
    tare::detail::link handler_;  ///< of an event stream: the handler's task while it runs
  };
  std::uint16_t peer_code_ = 0;  ///< of a WebSocket: the peer has closed with it
  std::uint16_t route_ = 0;      ///< its number in the server
  std::uint8_t protocol_ = 0;    ///< of a WebSocket: the number of the subprotocol plus 1
  carrier kind_ : 2;
  bool close_sent_ : 1 = false;    ///< nothing may follow
  bool close_queued_ : 1 = false;  ///< at the end of what is unsent
  bool cut_ : 1 = false;           ///< sending has stopped in the middle of a frame
  bool over_ : 1 = false;          ///< nothing more can be received
  bool gone_ : 1 = false;          ///< the peer has ended the connection, or has vanished
  bool going_away_ : 1 = false;    ///< the handler was cancelled
  bool has_failed_ : 1 = false;    ///< the handler has thrown
  bool pinged_ : 1 = false;        ///< nothing has arrived since a ping was sent
  bool finished_ : 1 = false;      ///< the peer has been told
  bool is_events_ : 1 = false;
  bool is_chunked_ : 1 = false;   ///< an event stream of HTTP/1.1
  bool is_borrowed_ : 1 = false;  ///< of websocket::accept: an exchange owns the stream
  bool is_client_ : 1 = false;    ///< of websocket::connect
  bool compresses_ : 1 = false;   ///< permessage-deflate has been negotiated
  bool in_pieces_ : 1 = false;    ///< a piece of a message will do for the task that receives
};

/// One whose stream is found by a function.
struct other_lasting_connection : lasting_connection {
  using find_stream = transport (*)(lasting_connection& connection) noexcept;
  other_lasting_connection(find_stream function, tare::detail::link of_socket, connection_group& group,
                           served begins) noexcept
      : lasting_connection(carrier::other, of_socket, group, std::move(begins)), find(function) {}
  find_stream find;
};

/// The connection and its stream.
template <class Stream>
class carried final
    : public std::conditional_t<std::is_same_v<Stream, net::stream> || std::is_same_v<Stream, net::tls::stream>,
                                lasting_connection, other_lasting_connection> {
  static constexpr bool is_plain = std::is_same_v<Stream, net::stream>;
  static constexpr bool is_tls = std::is_same_v<Stream, net::tls::stream>;
  using base = std::conditional_t<is_plain || is_tls, lasting_connection, other_lasting_connection>;

 public:
  carried(Stream&& from, connection_group& group, served begins) noexcept
    requires(is_plain || is_tls)
      : base(is_plain ? lasting_connection::carrier::plain : lasting_connection::carrier::tls, from.detail_slot(),
             group, std::move(begins)),
        stream(std::move(from)) {}
  carried(Stream&& from, connection_group& group, served begins) noexcept
    requires(!is_plain && !is_tls)
      : base(&carried::find_mine, transport::of(from).slot(), group, std::move(begins)), stream(std::move(from)) {}
  carried(carried&& other) noexcept = default;
  carried& operator=(carried&&) = delete;
  carried(const carried&) = delete;
  carried& operator=(const carried&) = delete;
  ~carried() { base::end(); }

  Stream stream;

 private:
  static transport find_mine(lasting_connection& connection) noexcept {
    return transport::of(static_cast<carried&>(connection).stream);
  }
};

/// The task of such a connection. Only the connection is in its frame.
///
/// **Cancellation** Cancels the handler; then tells the peer that the server goes away.
template <class Stream>
task<> serve_lasting(carried<Stream> connection) {
  try {
    co_await connection.run_handler();
  } catch (...) {
    connection.note_error();
  }
  // It fails if there is no memory for its frame: then this connection ends, and the others continue. But it can only
  // end at home, to which the handler may not have returned, so there it tries until there is memory.
  for (;;) {
    try {
      co_await connection.finish();
      co_return;
    } catch (...) {
      if (connection.is_home()) co_return;
    }
    try {
      co_await yield();
    } catch (const cancelled&) {  // NOLINT(bugprone-empty-catch): it is ending
    }
  }
}

/// Begins it in the scope of the connections; if they have none, returns the link to a task to await, otherwise
/// no_link. Throws std::bad_alloc.
template <class Stream>
[[nodiscard]] tare::detail::link begin_lasting(Stream& stream, connection_group& group, served& then) {
  task<> lasting = serve_lasting(carried<Stream>(std::move(stream), group, std::move(then)));
  if (group.connections() == nullptr) return lasting.release();
  group.connections()->spawn(std::move(lasting));
  return tare::detail::no_link;
}

}  // namespace tare::http::detail
