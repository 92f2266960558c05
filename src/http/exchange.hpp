#pragma once

// One request and its response in progress. Lives in the frame of serve_requests, which does not exist while the
// connection is idle.
//
// A handler may wait for long, so what only reading or responding needs is outside: the parser and the buffers are in
// an `intake`, and the fields of the response in a record of their own. While the handler waits, the head of the
// request is one record of its size, until the handler discards it.

#include "http/access_note.hpp"
#include "http/intake.hpp"
#include "http/request_guard.hpp"
#include "http/stored_head.hpp"
#include "http/sweep_entry.hpp"

#include <tare/detail/link.hpp>
#include <tare/http/detail/connection_group.hpp>
#include <tare/http/detail/lasting_connection.hpp>
#include <tare/http/detail/transport.hpp>
#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/memory_budget.hpp>
#include <tare/net/lease.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tare::http::detail {

class server_core;

// NOLINTBEGIN(bugprone-derived-method-shadowing-base-method): handlers see the bases, and the server only this class
class exchange : public request, public response {
 public:
  class handler_awaiter;
  struct handler_request {
    using tare_awaiter = handler_awaiter;
    exchange& of;
  };

  /// Frames of a waiting request, including those of its handler; and of one that is being read, in addition.
#if defined(__clang__)
  static constexpr std::size_t frames_bytes = 1024;
  static constexpr std::size_t reading_frames_bytes = 512;
#else
  static constexpr std::size_t frames_bytes = 2048;
  static constexpr std::size_t reading_frames_bytes = 1024;  // g++ keeps more in a frame
#endif

  exchange(transport connection, connection_group& group) noexcept : connection_(connection), group_(group) {}
  /// Before `enter`, into the frame of the coroutine whose parameter it is.
  exchange(exchange&& unused) noexcept : exchange(unused.connection_, unused.group_) {}
  exchange& operator=(exchange&&) = delete;
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange();

  /// From now on the server's sweep sees it.
  void enter() noexcept;
  /// Calls the server's handler, and waits until it has ended; `guard().error()` is its exception. Throws
  /// std::bad_alloc.
  [[nodiscard]] handler_request handle() noexcept { return {*this}; }

  // Reading.
  enum class arrival : std::uint8_t {
    head,     ///< a request has arrived
    refused,  ///< `refusal_to_send` is the response
    none,     ///< it was a false alarm: no byte has arrived
    over,     ///< nothing more will arrive, or it is too late for a response
  };
  /// The next request's head, if it has arrived. Otherwise `read_head` waits for it.
  [[nodiscard]] std::optional<arrival> try_read_head();
  [[nodiscard]] task<arrival> read_head();
  /// Aborts the program if the handler has discarded it; `call` is the function of `request` that needs it.
  [[nodiscard]] stored_head& head(const char* call) const noexcept {
    if (!head_) [[unlikely]]
      head_is_discarded(call);
    return *head_;
  }
  void discard_head() noexcept;
  [[nodiscard]] unsigned minor_version() const noexcept { return is_http_1_0_ ? 0 : 1; }
  [[nodiscard]] task<result<std::span<const std::byte>>> read_body();
  [[nodiscard]] task<result<std::string>> read_whole_body();
  void limit_body(std::uint64_t bytes) noexcept {
    if (intake_) intake_->reader.limit_body(bytes);
  }
  /// Reads the rest of the body, so that the next request can follow; false if the connection must be closed.
  [[nodiscard]] task<bool> skip_body();
  [[nodiscard]] bool body_complete() const noexcept { return body_complete_; }
  [[nodiscard]] bool has_input() const noexcept { return intake_ && !intake_->input.empty(); }
  /// Releases what was read beyond the request: it belongs to another protocol.
  [[nodiscard]] net::lease take_input() noexcept;

  // Responding.
  void set_status(unsigned status);
  /// Throws std::bad_alloc.
  [[nodiscard]] http::fields& response_fields() {
    if (!fields_) fields_ = std::make_unique<http::fields>();
    return *fields_;
  }
  [[nodiscard]] fields_view sent_fields() const noexcept { return fields_ ? fields_->view() : fields_view(); }
  [[nodiscard]] bool complete() const noexcept { return stage_ == stage::complete; }
  [[nodiscard]] bool started() const noexcept { return stage_ != stage::open; }
  [[nodiscard]] task<result<void>> send(std::string_view body);
  [[nodiscard]] task<result<void>> start(std::optional<std::uint64_t> length);
  [[nodiscard]] task<result<void>> write(std::string_view piece);
  [[nodiscard]] task<result<void>> finish();
  /// Sends `status` and a line of text instead of the handler's response.
  [[nodiscard]] task<result<void>> send_instead(unsigned status, std::string_view why);
  /// nullptr if there is none.
  [[nodiscard]] const refusal* refusal_to_send() const noexcept {
    return intake_ && intake_->why ? &*intake_->why : nullptr;
  }
  void close_after() noexcept { keep_ = false; }
  /// Part of the response has been sent, and the rest will not be.
  [[nodiscard]] bool cut_off() const noexcept { return stage_ == stage::failed || stage_ == stage::streaming; }
  /// Only the end of the connection marks the end of the body.
  [[nodiscard]] bool ends_with_connection() const noexcept { return until_close_; }
  [[nodiscard]] bool keeps_connection() const noexcept { return keep_ && stage_ == stage::complete; }

  /// Responds with 101 and switches the connection to another protocol.
  [[nodiscard]] task<result<void>> upgrade(const http::fields& with);
  [[nodiscard]] bool upgraded() const noexcept { return upgraded_; }
  /// The connection leaves this exchange when the handler has returned, and becomes a lasting one.
  void hand_over(served to) noexcept {
    attached_ = to.release();
    hands_over_ = true;
  }
  [[nodiscard]] bool hands_over() const noexcept { return hands_over_; }
  [[nodiscard]] served take_handed_over() noexcept;
  /// For a WebSocket: it has been closed, or the peer has disconnected.
  void skip_close_frame() noexcept { close_frame_due_ = false; }
  /// Sending has stopped in the middle of a frame.
  void note_cut() noexcept { (void)fail(errc::already_sent); }
  [[nodiscard]] bool close_frame_due() const noexcept { return close_frame_due_ && complete(); }

  // Memory. The share equals what is held: frames, the head, a non-empty buffer, parts of records, and what the handler
  // holds or has reserved.
  /// False: respond with 503.
  [[nodiscard]] bool is_admitted() const noexcept { return admitted_; }
  /// Sends the 503 if the system accepts it immediately. The connection can be kept if no part of another request has
  /// arrived.
  void refuse_for_memory();
  [[nodiscard]] std::size_t share_bytes() const noexcept { return share_.bytes(); }
  /// Declares what the handler will hold, including bodies it has read. Waits for room.
  [[nodiscard]] task<bool> reserve(std::size_t bytes);
  /// The same for everything that the request may ever hold, without waiting.
  [[nodiscard]] bool try_reserve_all(std::size_t bytes) noexcept;
  /// For assembled bodies and messages. Immediately, or waiting for room.
  [[nodiscard]] bool try_hold_body(std::size_t bytes) noexcept;
  [[nodiscard]] task<bool> hold_body(std::size_t bytes);
  /// Waits at most `limit` for bytes, and admits a buffer for them; not_enough_memory if it is not admitted.
  [[nodiscard]] task<net::result<net::lease>> read_admitted(std::chrono::nanoseconds limit);
  /// From now on the request holds only what is counted, and it may last forever.
  void become_lasting() noexcept;
  /// The request waits for its peer, which has done nothing for a while.
  [[nodiscard]] bool is_stalled() const noexcept;
  /// Ends the connection because others need the memory.
  void shed() noexcept;
  [[nodiscard]] bool is_shed() const noexcept { return shed_; }
  /// The connection is closed while its peer may still read the response: releases all that this does not need. False
  /// if memory for waiting was not admitted.
  [[nodiscard]] bool begin_to_linger() noexcept;

  // The access log: without `server_options::on_response`, these do nothing.
  /// Before `hand_over`. Throws std::bad_alloc.
  void begin_log(std::string_view method, std::string_view target);
  /// Reports the request if it has not been reported. `broken` is what has ended the connection.
  void log(const std::exception_ptr& broken = nullptr) noexcept;
  [[nodiscard]] access_note* note() const noexcept {
    return attached_ == tare::detail::no_link || hands_over_ ? nullptr
                                                             : tare::detail::from_link<access_note>(attached_);
  }
  [[nodiscard]] access_note::owner take_note() noexcept;

  // Context.
  [[nodiscard]] transport connection() const noexcept { return connection_; }
  [[nodiscard]] server_core& server() const noexcept { return group_.server(); }
  [[nodiscard]] connection_group& group() const noexcept { return group_; }
  /// Resets the state for the next request of the connection.
  void next() noexcept;

  // The handler.
  [[nodiscard]] request_guard& guard() noexcept { return guard_; }
  [[nodiscard]] const request_guard& guard() const noexcept { return guard_; }
  [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
  /// It was cancelled because the client has disconnected.
  [[nodiscard]] bool client_left() const noexcept { return client_left_; }

  // The server's sweep.
  [[nodiscard]] sweep_entry& swept() noexcept { return swept_; }
  /// Cancels the handler because its time is up.
  void cancel_late() noexcept {
    timed_out_ = true;
    guard_.cancel();
  }
  /// Whether `look_at_peer` can tell that the client has disconnected. While a body arrives, its reader notices that.
  [[nodiscard]] bool may_look_at_peer() const noexcept {
    return body_complete_ && !has_input() && !upgraded_ && !ignores_peer_ && !client_left_;
  }
  /// The client has sent more, so nothing tells when it disconnects.
  void ignore_peer() noexcept { ignores_peer_ = true; }
  /// Cancels the handler because the client has disconnected.
  void cancel_left() noexcept {
    client_left_ = true;
    guard_.cancel();
  }

 private:
  /// It is `failed` while bytes are being sent, and permanently if not all of them were sent: anything sent afterwards
  /// would become part of the truncated message.
  enum class stage : std::uint8_t { open, streaming, complete, failed };

  /// During its lifetime, the request waits for the peer.
  class peer_wait {
   public:
    explicit peer_wait(exchange& exchange) noexcept : of_(exchange) { of_.waits_for_peer_ = true; }
    peer_wait(const peer_wait&) = delete;
    peer_wait& operator=(const peer_wait&) = delete;
    ~peer_wait() { of_.waits_for_peer_ = false; }

   private:
    exchange& of_;
  };

  /// Restores what the request is counted as holding when it ends, unless the growth in its lifetime was admitted: if
  /// it was refused, or its wait was cancelled.
  class growth {
   public:
    explicit growth(exchange& exchange) noexcept
        : of_(exchange), reserved_bytes_(exchange.reserved_bytes_), body_bytes_(exchange.body_bytes_) {}
    growth(const growth&) = delete;
    growth& operator=(const growth&) = delete;
    ~growth();
    bool admitted = false;

   private:
    exchange& of_;
    std::size_t reserved_bytes_;
    std::size_t body_bytes_;
  };

  /// During its lifetime, a buffer to read into is counted.
  class buffer_wait {
   public:
    explicit buffer_wait(exchange& exchange) noexcept : of_(exchange) { of_.reads_ = true; }
    buffer_wait(const buffer_wait&) = delete;
    buffer_wait& operator=(const buffer_wait&) = delete;
    ~buffer_wait() { of_.reads_ = false; }

   private:
    exchange& of_;
  };

  [[nodiscard]] std::size_t held_bytes() const noexcept;
  /// Resizes the share to what is held; false if there is no room immediately.
  [[nodiscard]] bool account() noexcept;
  /// The same while the head arrives: the part that has arrived may show that the request is urgent.
  [[nodiscard]] bool account_for_partial_head() noexcept;
  /// Replaces the share by an urgent one; without room for that, releases it.
  [[nodiscard]] bool take_urgent_share() noexcept;
  [[nodiscard]] task<bool> wait_for_room();
  [[nodiscard]] arrival refuse_head() noexcept;
  /// Throws std::bad_alloc.
  [[nodiscard]] arrival accept_head();
  void limit_head() noexcept;
  [[nodiscard]] std::error_code refuse_body() noexcept;
  void note_progress() noexcept;
  void note_sent(std::size_t bytes) noexcept {
    if (access_note* const log = note(); log != nullptr) log->count(bytes);
  }
  [[nodiscard]] std::error_code why_incomplete() const noexcept;

  [[nodiscard]] bool start_handler(tare::detail::wait_state& waiting);
  [[noreturn]] static void head_is_discarded(const char* call) noexcept;
  /// Throws std::bad_alloc if there is no memory for an intake.
  void take_in(net::lease got);
  void drop_intake() noexcept;
  /// Ends the reading of the body.
  void complete_body() noexcept;
  [[nodiscard]] std::error_code fail_body(std::error_code error, std::optional<refusal> why) noexcept;
  /// Processes the bytes of a head; otherwise returns how it ended.
  [[nodiscard]] std::optional<arrival> take_for_head(net::result<net::lease>& got);
  /// What the end of a read that has found no more of the body means.
  [[nodiscard]] std::error_code fail_body_with(const net::result<net::lease>& got) noexcept;
  void count_wait(std::chrono::nanoseconds took) noexcept;
  /// How long to wait for more of the body: `body_timeout`, or less if the whole body is too slow.
  [[nodiscard]] std::chrono::nanoseconds time_for_body() const noexcept;
  [[nodiscard]] result<void> fail(std::error_code error) noexcept;
  /// Sends the scratch buffer and `body` if possible immediately; otherwise the rest is left in the scratch buffer for
  /// `send_rest`. Leaves the stage `failed`: the caller sets it when everything has been sent.
  [[nodiscard]] std::optional<result<void>> try_send_scratch(std::string_view body);
  [[nodiscard]] task<result<void>> send_rest(std::string_view body);
  [[nodiscard]] task<result<void>> send_scratch(std::string_view body);
  [[nodiscard]] task<result<void>> send_piece(std::string_view piece);
  void compose_head(std::string& out, std::optional<std::uint64_t> length);
  [[nodiscard]] bool may_have_body() const noexcept;

  request_guard guard_;
  transport connection_;
  connection_group& group_;
  std::unique_ptr<intake> intake_;
  stored_head::owner head_;
  std::unique_ptr<http::fields> fields_;
  memory_share share_;
  std::size_t admitted_bytes_ = 0;  ///< the maximum that the request may hold, if it was admitted with that
  std::size_t reserved_bytes_ = 0;  ///< what the handler has reserved
  std::size_t body_bytes_ = 0;      ///< what it has read
  std::uint64_t left_ = 0;          ///< of the announced length
  sweep_entry swept_;
  tare::detail::link attached_ = tare::detail::no_link;  ///< the note for the log; or the work that is handed over
  std::uint16_t status_ : 10 = 200;
  stage stage_ : 2 = stage::open;
  bool chunked_ : 1 = false;
  bool counted_ : 1 = false;      ///< the length was announced
  bool until_close_ : 1 = false;  ///< neither: the body ends with the connection
  bool keep_ : 1 = true;
  bool is_http_1_0_ : 1 = false;
  bool is_head_ : 1 = false;  ///< the method: the response has no body
  bool continue_due_ : 1 = false;
  bool body_complete_ : 1 = false;
  bool head_limited_ : 1 = false;  ///< its timeout has begun
  bool upgraded_ : 1 = false;
  bool close_frame_due_ : 1 = false;
  bool admitted_ : 1 = true;
  bool waits_for_peer_ : 1 = false;
  bool reads_ : 1 = false;  ///< a buffer is about to be borrowed
  bool shed_ : 1 = false;
  bool entered_ : 1 = false;      ///< in the server's list
  bool timed_out_ : 1 = false;    ///< the handler was cancelled because its time was up
  bool client_left_ : 1 = false;  ///< the handler was cancelled because the client has disconnected
  bool hands_over_ : 1 = false;
  bool ignores_peer_ : 1 = false;
};
// NOLINTEND(bugprone-derived-method-shadowing-base-method)
static_assert(sizeof(exchange) <= 152);

class exchange::handler_awaiter {
 public:
  handler_awaiter(const handler_request& request, tare::detail::wait_state& /*waiting*/) noexcept
      : of_(tare::detail::to_link(&request.of)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> self) {
    return tare::detail::from_link<exchange>(of_)->start_handler(self.promise());
  }
  static void await_resume() noexcept {}

 private:
  tare::detail::link of_;  ///< in the frame of `serve`, so in the arena
};

}  // namespace tare::http::detail
