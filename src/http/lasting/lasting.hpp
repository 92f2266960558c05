#pragma once

// What a lasting connection does. A handle: make one for each call.

#include "http/lasting/lasting_work.hpp"
#include "io/slot.hpp"

#include <tare/detail/io_wait.hpp>
#include <tare/detail/link.hpp>
#include <tare/detail/wait_state.hpp>
#include <tare/http/detail/lasting_connection.hpp>
#include <tare/http/detail/websocket_awaits.hpp>
#include <tare/semaphore.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace tare::http {
class event_stream;
class message_writer;
class subscription;
}  // namespace tare::http

namespace tare::http::detail {

class exchange;
class server_core;

/// What a lasting connection that holds nothing counts as: its frames, those of its handler, and a lasting_work.
inline constexpr std::size_t lasting_bytes = 1024;
/// A frame up to this size is copied into one buffer with its head.
inline constexpr std::size_t max_copied_bytes = 16U << 10U;

class lasting {
 public:
  explicit lasting(lasting_connection& of) noexcept : of_(of) {}
  explicit lasting(tare::detail::link of) noexcept : of_(*tare::detail::from_link<lasting_connection>(of)) {}

  // The life of the connection.
  [[nodiscard]] task<> begin();
  void note_error() noexcept;
  /// What the log keeps of such a connection.
  [[nodiscard]] static std::size_t note_bytes(const access_note& note) noexcept { return note.bytes() + 64; }
  /// Tells the log, if there is one.
  void log(std::exception_ptr error) noexcept;
  [[nodiscard]] static task<> finish(lasting_connection& of);
  /// The connection is destroyed. `unfinished`: the peer has not been told.
  void end() noexcept;
  [[nodiscard]] lasting_work* work() const noexcept {
    return of_.work_ == tare::detail::no_link ? nullptr : tare::detail::from_link<lasting_work>(of_.work_);
  }
  /// Throws std::bad_alloc.
  lasting_work& begin_work();
  /// Frees the work if nothing is under way.
  void settle() noexcept;
  [[nodiscard]] server_core& server() const noexcept { return of_.server(); }
  [[nodiscard]] transport connection() const noexcept { return of_.connection(); }
  [[nodiscard]] lasting_connection& of() const noexcept { return of_; }
  [[nodiscard]] const websocket_options& options() const noexcept;
  [[nodiscard]] std::string_view protocol() const noexcept;
  [[nodiscard]] std::uint16_t peer_code() const noexcept { return of_.peer_code_; }
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;
  /// An exchange owns the stream.
  void borrow() noexcept;
  /// It is a client's (websocket/client_socket.hpp).
  void begin_client() noexcept;
  /// Its owner leaves: closes it, without waiting.
  void end_client() noexcept;
  [[nodiscard]] bool is_client() const noexcept { return of_.is_client_; }
  /// Whether a task waits for it.
  [[nodiscard]] bool is_in_use() const noexcept;
  /// A subscription begins or ends.
  void count_subscription(int change) noexcept;
  [[nodiscard]] frame_reader::role role() const noexcept {
    return of_.is_client_ ? frame_reader::role::client : frame_reader::role::server;
  }
  /// For the peer to accept a piece of what is sent.
  [[nodiscard]] std::chrono::nanoseconds write_timeout() const noexcept;
  [[nodiscard]] bool is_borrowed() const noexcept { return of_.is_borrowed_; }
  [[nodiscard]] bool is_cut() const noexcept { return of_.cut_ || (work() != nullptr && work()->is_sending()); }
  /// The close frame has been sent, or there is nobody to send it to.
  [[nodiscard]] bool is_closed() const noexcept { return of_.close_sent_ || of_.gone_; }
  void take_input(net::lease input) noexcept {
    work()->input = std::move(input);
    settle();
  }

  // Receiving (receiving.cpp).
  [[nodiscard]] bool begin_receive(bool in_pieces) noexcept;
  [[nodiscard]] std::coroutine_handle<> wait_to_receive(tare::detail::wait_state& task) noexcept;
  [[nodiscard]] socket_event take_received() noexcept;
  /// Reads what has arrived. True if `received` is what the task gets.
  [[nodiscard]] bool attempt_receive() noexcept;
  [[nodiscard]] static task<> receive_in_a_task(lasting_connection& of);

  // Messages in pieces (pieces_sent.cpp).
  [[nodiscard]] static task<result<message_writer>> begin_message(lasting_connection& of, opcode as);
  [[nodiscard]] static task<std::error_code> send_piece(outgoing_message& message, opcode as, std::string_view payload);
  /// Its writer is destroyed: the peer is told if it has half of it.
  void abandon(outgoing_message& message) noexcept;
  /// Aborts the program if there is such a message.
  void expect_no_message() const noexcept;

  // Sending (sending.cpp).
  [[nodiscard]] tare::detail::link begin_send(opcode as, std::string_view payload, std::error_code& error) noexcept;
  /// Writes what the socket accepts, perhaps nothing.
  [[nodiscard]] net::result<std::size_t> write_now(std::string_view bytes) noexcept;
  /// Without waiting; what the socket does not accept is sent later.
  void send_control(opcode as, std::string_view payload) noexcept;
  /// The same for what ends the connection, or else may be left out.
  void send_small(std::string_view bytes, bool is_end) noexcept;
  void send_close(std::uint16_t code) noexcept;
  /// What could not be sent yet.
  void flush_unsent() noexcept;

  // Topics (topic/deliveries.cpp).
  enum class encoding : std::uint8_t { frame, chunk, plain, compressed, masked };
  static constexpr std::size_t encodings = 4;  ///< that connections share; a client masks each frame anew
  [[nodiscard]] encoding encoding_of() const noexcept;
  /// The message as it is to be sent, valid until the next call; empty: uncompressed.
  [[nodiscard]] std::string_view compressed(opcode as, std::string_view payload) const noexcept;
  /// Appends the frame of a message, in one piece.
  void append_frame(std::string& to, opcode as, std::string_view payload, bool is_compressed, bool is_final = true);
  /// False once nothing can be sent any more.
  [[nodiscard]] bool may_send() const noexcept;
  /// Something can be sent at once.
  [[nodiscard]] bool is_free() const noexcept;
  /// False if only a part could be sent, or nothing will be.
  [[nodiscard]] bool send_shared(published_text text) noexcept;
  /// `go_on` will deliver to it. False if the connection has been disconnected instead.
  [[nodiscard]] bool note_behind(subscription& one) noexcept;
  void forget_behind(subscription& one) noexcept;
  /// Delivers what topics have published meanwhile.
  void go_on() noexcept;
  /// The handler gets an error, or is cancelled.
  void disconnect() noexcept;
  [[nodiscard]] static tare::detail::link link_of(const websocket& of) noexcept { return of.connection_; }
  [[nodiscard]] static tare::detail::link link_of(const event_stream& of) noexcept;

  // Event streams (events/events.cpp).
  void begin_events() noexcept;
  /// Drops what the client sends, and finds that it has left.
  void attempt_events(tare::detail::io_slot& there) noexcept;
  void cancel_handler() noexcept;
  void end_events() noexcept;
  void set_handler(tare::detail::link begun) noexcept {
    if (of_.is_events_) of_.handler_ = begun;
  }

  /// Calls of the reactor (io_call::attempt_read and attempt_write).
  static bool on_attempt(tare::detail::io_wait& wait, tare::detail::io_slot& slot, tare::detail::io_direction in);

  /// Counts what is held for received messages. False if there is no room.
  [[nodiscard]] bool hold(std::size_t bytes) noexcept;
  /// Tries again, when others may have released memory.
  void retry() noexcept;
  void shed() noexcept;
  [[nodiscard]] std::uint32_t held_bytes() const noexcept { return of_.is_events_ ? 0 : of_.held_bytes_; }

 private:
  class sending;
  class message_waiter;
  /// The part of a payload that is not copied beside its head.
  struct frame_tail {
    std::string_view bytes = {};
    std::optional<frame_mask> mask = {};
  };
  void end_handler() noexcept;
  [[nodiscard]] tare::detail::io_slot* slot() const noexcept;
  [[nodiscard]] bool deliver(std::error_code error) noexcept;
  [[nodiscard]] bool deliver_message(lasting_work& from);
  /// False if it waits for room.
  [[nodiscard]] bool deliver_packed(lasting_work& from);
  [[nodiscard]] bool deliver_data(std::string_view bytes, bool is_text, bool is_last = true);
  /// nullopt if more must arrive first.
  [[nodiscard]] std::optional<bool> deliver_piece(lasting_work& from);
  [[nodiscard]] std::optional<bool> deliver_inflated(lasting_work& from);
  /// The last frame of a message that is received in pieces has arrived.
  [[nodiscard]] std::optional<bool> end_pieces(lasting_work& from);
  /// The rest of a message of which a piece has been received.
  void drop_rest(lasting_work& of) noexcept;
  /// Nothing more will be received.
  void drop_arriving() noexcept;
  [[nodiscard]] bool fail(close_code code, std::error_code error) noexcept;
  [[nodiscard]] std::optional<bool> pass_deadline() noexcept;
  [[nodiscard]] std::optional<bool> parse(lasting_work& from);
  /// What is held for received bytes at present.
  [[nodiscard]] std::size_t held_now() const noexcept;
  /// True if it has waited for too long.
  [[nodiscard]] bool wait_for_room();
  void set_deadline() noexcept;
  [[nodiscard]] bool attempt();
  [[nodiscard]] frame_mask next_mask() noexcept;
  /// Appends what is sent, and returns the rest; nullopt if it cannot be sent.
  [[nodiscard]] std::optional<frame_tail> compose(std::string& to, opcode as, std::string_view payload);
  [[nodiscard]] tare::detail::link send_now(opcode as, std::string_view payload, std::error_code& error);
  [[nodiscard]] static task<std::error_code> send_rest(lasting_connection& of, sending mine, opcode as,
                                                       std::string rest, frame_tail tail);
  [[nodiscard]] static task<std::error_code> send_in_turn(lasting_connection& of, opcode as, std::string_view payload);
  /// Leaves the connection cut if it does not write everything.
  [[nodiscard]] static task<std::error_code> write_all(lasting_connection& of, std::string_view bytes);
  /// The same for the tail of a frame, whose head has been sent.
  [[nodiscard]] static task<std::error_code> write_tail(lasting_connection& of, sending& mine, const frame_tail& tail);
  [[nodiscard]] static task<std::error_code> write_unsent(lasting_connection& of);
  [[nodiscard]] static task<std::error_code> write_piece(outgoing_message& message, sending& mine, opcode as,
                                                         std::string_view payload);
  [[nodiscard]] static task<std::error_code> write_compressed(outgoing_message& message, sending& mine, opcode as,
                                                              std::string_view payload);
  [[nodiscard]] static task<std::error_code> write_frame(lasting_connection& of, sending& mine, opcode as,
                                                         std::string_view payload, bool is_final);
  void end_message(outgoing_message& message) noexcept;
  [[nodiscard]] bool must_wait_for_message(opcode as) const noexcept;
  [[nodiscard]] static task<std::error_code> flush_in_turn(lasting_connection& of);
  void flush_later() noexcept;
  void give_up_sending() noexcept;
  void note_broken() noexcept;
  /// True if everything has been sent.
  [[nodiscard]] bool flush_pinned();
  /// The peer does not accept a control frame in its time: the receiving task resumes with an error.
  void note_stalled() noexcept;
  void drop_work() noexcept;

  lasting_connection& of_;
};

}  // namespace tare::http::detail
