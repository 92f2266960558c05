#pragma once

// One request and its response, while they are under way: lies in the frame of serve_requests, which is gone while the
// connection is idle.

#include "http/request_guard.hpp"
#include "http/request_reader.hpp"
#include "http/route.hpp"

#include <tare/http/detail/transport.hpp>
#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/memory_budget.hpp>
#include <tare/net/lease.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tare::http::detail {

class server_core;

class exchange {
 public:
  /// Of a request that waits for something, with those of its handler.
  static constexpr std::size_t frames_bytes = 2048;

  exchange(transport connection, server_core& server) noexcept;
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange();

  // Reading.
  enum class arrival : std::uint8_t {
    head,     ///< a request is there
    refused,  ///< `refusal_to_send` tells what to answer
    none,     ///< it was a false alarm: not a byte is there
    over,     ///< nothing more will come, or the peer is too late to be told
  };
  /// The next request's head, if it is there. Otherwise `read_head` waits for it.
  [[nodiscard]] std::optional<arrival> try_read_head();
  [[nodiscard]] task<arrival> read_head();
  [[nodiscard]] const request_head& head() const noexcept { return reader_.head(); }
  [[nodiscard]] task<result<std::span<const std::byte>>> read_body();
  [[nodiscard]] task<result<std::string>> read_whole_body();
  void limit_body(std::uint64_t bytes) noexcept { reader_.limit_body(bytes); }
  /// Reads what is left of the body, so that the next request can follow; false if the connection has to be closed.
  [[nodiscard]] task<bool> skip_body();
  [[nodiscard]] bool body_complete() const noexcept { return body_complete_; }
  [[nodiscard]] bool has_input() const noexcept { return !input_.empty(); }
  /// Gives up what was read beyond the request: it is of another protocol.
  [[nodiscard]] net::lease take_input() noexcept;

  // Answering.
  void set_status(unsigned status);
  [[nodiscard]] fields& response_fields() noexcept { return fields_; }
  [[nodiscard]] bool complete() const noexcept { return stage_ == stage::complete; }
  [[nodiscard]] bool started() const noexcept { return stage_ != stage::open; }
  [[nodiscard]] task<result<void>> send(std::string_view body);
  [[nodiscard]] task<result<void>> start(std::optional<std::uint64_t> length);
  [[nodiscard]] task<result<void>> write(std::string_view piece);
  [[nodiscard]] task<result<void>> finish();
  /// Sends `status` and a line of text in place of what the handler would have sent.
  [[nodiscard]] task<result<void>> send_instead(unsigned status, std::string_view why);
  [[nodiscard]] const std::optional<refusal>& refusal_to_send() const noexcept { return refusal_; }
  void close_after() noexcept { keep_ = false; }
  /// A part of the response has left, and the rest will not.
  [[nodiscard]] bool cut_off() const noexcept { return stage_ == stage::failed || stage_ == stage::streaming; }
  /// Only the end of the connection tells where the body ends.
  [[nodiscard]] bool ends_with_connection() const noexcept { return until_close_; }
  [[nodiscard]] bool keeps_connection() const noexcept { return keep_ && stage_ == stage::complete; }

  /// Answers 101 and hands the connection over to another protocol.
  [[nodiscard]] task<result<void>> upgrade(const fields& with);
  [[nodiscard]] bool upgraded() const noexcept { return upgraded_; }
  /// Sends a frame of the other protocol as it is, in one piece if it is small. `already_sent` after one that was cut
  /// off: what followed would be taken for a part of it.
  [[nodiscard]] task<result<void>> send_raw(std::span<const std::byte> head, std::string_view payload);
  /// Of a WebSocket: it has been closed, or the peer is not there to be told.
  void say_no_goodbye() noexcept { goodbye_due_ = false; }
  [[nodiscard]] bool goodbye_due() const noexcept { return goodbye_due_ && complete(); }

  // Memory. The share is as large as what is held: frames, the head, a buffer that has something in it, parts of
  // records, and what the handler has or says that it will have.
  /// False: the request is to be answered by 503.
  [[nodiscard]] bool is_admitted() const noexcept { return admitted_; }
  /// Says so, if the system takes it at once. The connection can be kept if nothing of another request is here.
  void refuse_for_memory();
  [[nodiscard]] std::size_t share_bytes() const noexcept { return share_.bytes(); }
  /// Says what the handler is going to hold, the bodies that it has read included. Waits for room.
  [[nodiscard]] task<bool> reserve(std::size_t bytes);
  /// Likewise for all that the request may ever hold, without waiting.
  [[nodiscard]] bool try_reserve_all(std::size_t bytes) noexcept;
  /// Of bodies and messages that are put together. At once, or waiting for room.
  [[nodiscard]] bool try_hold_body(std::size_t bytes) noexcept;
  [[nodiscard]] task<bool> hold_body(std::size_t bytes);
  /// Waits at most `limit` for bytes, for which there is a buffer when it has been admitted: not_enough_memory if it
  /// is not.
  [[nodiscard]] task<net::result<net::lease>> read_admitted(std::chrono::nanoseconds limit);
  /// Until it ends the request holds no more than what can be seen, and it may last for ever.
  void become_lasting() noexcept;
  /// Its peer is waited for and has done nothing for a while.
  [[nodiscard]] bool is_stalled() const noexcept;
  /// Ends the connection: others need the memory.
  void shed() noexcept;
  [[nodiscard]] bool is_shed() const noexcept { return shed_; }
  /// What remains of the share for whoever closes the connection.
  [[nodiscard]] memory_share take_share() noexcept { return std::move(share_); }

  // What surrounds it.
  void set_route(const matched_route& found) noexcept { route_ = found; }
  [[nodiscard]] const matched_route& route() const noexcept { return route_; }
  [[nodiscard]] transport connection() const noexcept { return connection_; }
  [[nodiscard]] server_core& server() const noexcept { return server_; }
  /// Makes room for the next request of the connection.
  void next() noexcept;

  // For the server's sweep.
  request_guard* guard = nullptr;  ///< while the handler runs
  std::uint32_t began = 0;         ///< the sweep during which the handler began
  bool timed_out = false;          ///< the handler was cancelled for its time

 private:
  friend class server_core;
  /// While bytes are on their way, and for good if not all of them have left, it is `failed`: whatever was sent then
  /// would become a part of what was cut off.
  enum class stage : std::uint8_t { open, streaming, complete, failed };

  /// While it lives, the peer is waited for.
  class peer_wait;

  [[nodiscard]] std::size_t held_bytes() const noexcept;
  /// Makes the share as large as what is held: false if there is no room for that at once.
  [[nodiscard]] bool account() noexcept;
  [[nodiscard]] task<bool> wait_for_room();
  [[nodiscard]] arrival refuse_head() noexcept;
  [[nodiscard]] arrival accept_head() noexcept;
  [[nodiscard]] std::error_code refuse_body() noexcept;
  void note_progress() noexcept;

  [[nodiscard]] std::string_view input_text() const noexcept;
  /// Takes in what has come for a head; otherwise tells how that ends.
  [[nodiscard]] std::optional<arrival> take_for_head(net::result<net::lease>& got) noexcept;
  /// How long to wait for more of the body: `body_timeout`, and as the whole body must not be too slow, less.
  [[nodiscard]] std::chrono::nanoseconds time_for_body() const noexcept;
  /// Drops what the last piece of the body was in.
  void drop_piece() noexcept;
  [[nodiscard]] result<void> fail(std::error_code error) noexcept;
  /// Sends the scratch and `body`, if they can go at once; otherwise `send_rest` sends what is left of them. Leaves the
  /// stage `failed`: the caller sets it when all has been sent.
  [[nodiscard]] std::optional<result<void>> try_send_scratch(std::string_view body);
  [[nodiscard]] task<result<void>> send_rest(std::string_view body);
  [[nodiscard]] task<result<void>> send_scratch(std::string_view body);
  [[nodiscard]] task<result<void>> send_piece(std::string_view piece);
  void compose_head(std::string& into, std::optional<std::uint64_t> length);
  [[nodiscard]] bool may_have_body() const noexcept;

  transport connection_;
  server_core& server_;
  request_reader reader_;
  net::lease input_;
  std::size_t piece_bytes_ = 0;  ///< at the front of `input_`: what the reader of the body still looks at
  fields fields_;
  std::optional<refusal> refusal_;
  std::error_code read_error_;
  std::chrono::nanoseconds waited_{0};  ///< for the body, since `reader_.body_bytes()` are counted or skipping began
  std::uint64_t left_ = 0;              ///< of an announced length
  std::size_t sent_ = 0;                ///< of the scratch, at the first try
  matched_route route_;
  memory_share share_;
  std::size_t admitted_bytes_ = 0;  ///< what the request may hold in all, if it was admitted with that
  std::size_t reserved_bytes_ = 0;  ///< what the handler says that it will hold
  std::size_t body_bytes_ = 0;      ///< what it has read
  std::uint32_t moved_ = 0;         ///< the sweep during which bytes have come or gone
  std::uint16_t status_ = 200;
  stage stage_ = stage::open;
  bool chunked_ = false;
  bool counted_ = false;      ///< the length was announced
  bool until_close_ = false;  ///< neither: the body ends with the connection
  bool keep_ = true;
  bool continue_due_ = false;
  bool skipping_ = false;  ///< the body, which nobody reads
  bool body_complete_ = false;
  bool head_limited_ = false;  ///< its time has begun
  bool upgraded_ = false;
  bool goodbye_due_ = false;
  bool admitted_ = true;
  bool waits_for_peer_ = false;
  bool reads_ = false;  ///< a buffer is about to be taken
  bool shed_ = false;

  // In the server's list of what is under way.
  exchange* next_ = nullptr;
  exchange* previous_ = nullptr;
};

}  // namespace tare::http::detail
