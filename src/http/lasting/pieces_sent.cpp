// Sending a message in pieces: each is a frame, or several, and the other messages of the socket wait for the last.

#include "http/lasting/lasting.hpp"
#include "http/lasting/sender_turn.hpp"

#include <tare/detail/misuse.hpp>
#include <tare/http/message_writer.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace tare::http {

namespace detail {

namespace {

/// A piece that is being sent: the message must exist.
class piece_write {
 public:
  explicit piece_write(outgoing_message& of) noexcept : of_(of) { ++of.writes; }
  piece_write(const piece_write&) = delete;
  piece_write& operator=(const piece_write&) = delete;
  ~piece_write() { --of_.writes; }

 private:
  outgoing_message& of_;
};

}  // namespace

task<result<message_writer>> lasting::begin_message(lasting_connection& of, opcode as) {
  lasting self(of);
  // Destroyed last: when nobody waits any more, the record that has the turns may end.
  std::optional<message_waiter> waits;
  std::unique_ptr<outgoing_message> made;
  try {
    made = std::make_unique<outgoing_message>();
    waits.emplace(of);
  } catch (const std::bad_alloc&) {
    co_return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
  }
  made->turn = co_await self.work()->messages.lock();
  if (of.close_sent_ || of.close_queued_ || of.cut_ || of.finished_) co_return std::unexpected(errc::already_sent);
  made->of = &of;
  made->as = as;
  self.work()->message = made.get();
  co_return message_writer(made.release());
}

void lasting::expect_no_message() const noexcept {
  const lasting_work* const now = work();
  if (now == nullptr || now->message == nullptr) return;
  tare::detail::misuse("an http::message_writer must not outlive the socket's handler, or the client's socket");
}

// The writer may be destroyed later.
void lasting::end_message(outgoing_message& message) noexcept {
  message.of = nullptr;
  work()->message = nullptr;
  message.turn.release();
  if (message.deflating) server().release_lasting(message_deflater::state_bytes);
  message.deflating.reset();
}

void lasting::abandon(outgoing_message& message) noexcept {
  if (message.has_begun) {
    send_close(std::to_underlying(of_.group().draining() ? close_code::going_away : close_code::internal_error));
  }
  end_message(message);
  go_on();
  settle();
}

// --- frames ---------------------------------------------------------------------------------------------------------

task<std::error_code> lasting::write_frame(lasting_connection& of, sending& mine, opcode as, std::string_view payload,
                                           bool is_final) {
  lasting self(of);
  std::string first;
  frame_tail tail;
  if (payload.size() <= max_copied_bytes) {
    self.append_frame(first, as, payload, false, is_final);
  } else {
    if (of.is_client_) tail.mask = self.next_mask();
    frame_head head = tail.mask ? frame_head(as, payload.size(), *tail.mask) : frame_head(as, payload.size());
    if (!is_final) head.mark_continued();
    first.append(reinterpret_cast<const char*>(head.bytes().data()), head.bytes().size());
    tail.bytes = payload;
  }
  const std::error_code error = co_await write_all(of, first);
  if (error || tail.bytes.empty()) co_return error;
  of.cut_ = true;
  co_return co_await write_tail(of, mine, tail);
}

task<std::error_code> lasting::write_compressed(outgoing_message& message, sending& mine, opcode as,
                                                std::string_view payload) {
  lasting_connection& of = *message.of;
  constexpr std::size_t max_bytes = message_deflater::max_piece_bytes;
  // The compressed bytes and their frame.
  if (!mine.admit(2 * (std::min(payload.size(), max_bytes) + message_deflater::max_growth_bytes))) {
    co_return std::make_error_code(std::errc::not_enough_memory);
  }
  std::string packed;
  std::string frame;
  do {
    const std::string_view piece = payload.substr(0, max_bytes);
    payload.remove_prefix(piece.size());
    const bool is_last = payload.empty() && as == as_last_piece;
    packed.clear();
    message.is_broken = true;  // until the frame has been sent
    message.deflating->compress(piece, is_last, packed);
    frame.clear();
    lasting(of).append_frame(frame, message.has_begun ? opcode::continuation : message.as, packed, !message.has_begun,
                             is_last);
    message.has_begun = true;
    const std::error_code error = co_await write_all(of, frame);
    if (error) co_return error;
  } while (!payload.empty());
  message.is_broken = false;
  co_return std::error_code();
}

task<std::error_code> lasting::write_piece(outgoing_message& message, sending& mine, opcode as,
                                           std::string_view payload) {
  lasting_connection& of = *message.of;
  lasting self(of);
  const bool is_whole = as == as_last_piece && !message.has_begun;
  if (!message.has_begun && of.compresses_ && (!is_whole || payload.size() >= self.options().min_compressed_bytes) &&
      !message.deflating && self.server().admit_lasting(message_deflater::state_bytes)) {
    try {
      message.deflating = std::make_unique<message_deflater>();
    } catch (const std::bad_alloc&) {
      self.server().release_lasting(message_deflater::state_bytes);  // it is sent as it is
    }
  }
  if (message.deflating) co_return co_await write_compressed(message, mine, as, payload);
  if (!mine.admit(std::min(payload.size(), max_copied_bytes))) {
    co_return std::make_error_code(std::errc::not_enough_memory);
  }
  const opcode frame = message.has_begun ? opcode::continuation : message.as;
  message.has_begun = message.is_broken = true;  // until the frame has been sent
  const std::error_code error = co_await write_frame(of, mine, frame, payload, as == as_last_piece);
  message.is_broken = static_cast<bool>(error);
  co_return error;
}

task<std::error_code> lasting::send_piece(outgoing_message& message, opcode as, std::string_view payload) {
  const piece_write guard(message);
  lasting_connection& of = *message.of;
  lasting self(of);
  sending mine(of);
  mine.turn = co_await self.work()->turn.lock();
  const bool has_ended = message.of == nullptr;  // while this piece waited for its turn
  if (has_ended || of.close_sent_ || of.cut_ || of.finished_ || message.is_broken) co_return errc::already_sent;
  std::error_code error = co_await write_unsent(of);
  if (error) co_return error;
  if (of.close_sent_) co_return errc::already_sent;
  if (as == as_piece && payload.empty()) co_return std::error_code();
  error = co_await write_piece(message, mine, as, payload);
  if (error) co_return error;
  if (as == as_last_piece) self.end_message(message);
  co_return co_await write_unsent(of);
}

}  // namespace detail

// --- the writer -----------------------------------------------------------------------------------------------------

message_writer::~message_writer() {
  if (message_ == nullptr) return;
  if (message_->writes != 0) tare::detail::misuse("an http::message_writer was destroyed while a task writes");
  if (message_->of != nullptr) detail::lasting(*message_->of).abandon(*message_);
  delete message_;  // NOLINT(cppcoreguidelines-owning-memory): made by `begin_message`
}

detail::send_request message_writer::write(std::string_view piece) noexcept { return request(detail::as_piece, piece); }

detail::send_request message_writer::finish(std::string_view last) noexcept {
  return request(detail::as_last_piece, last);
}

detail::send_request message_writer::request(detail::opcode as, std::string_view payload) const noexcept {
  if (message_ == nullptr || message_->of == nullptr) {
    tare::detail::misuse("an http::message_writer must not be used after `finish`, or after a move");
  }
  return {.data = payload.data(),
          .size = static_cast<std::uint32_t>(payload.size()),
          .connection = tare::detail::to_link(message_->of),
          .as = as};
}

}  // namespace tare::http
