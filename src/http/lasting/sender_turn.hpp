#pragma once

// Who sends on a lasting connection: one frame at a time, one message at a time.

#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "http/websocket/deflate.hpp"

#include <tare/mutex.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace tare::http::detail {

/// A sender and its turn.
class lasting::sending {
 public:
  /// Throws std::bad_alloc.
  explicit sending(lasting_connection& by) : by_(&by) { ++lasting(by).begin_work().senders; }
  sending(sending&& other) noexcept
      : turn(std::move(other.turn)),
        by_(std::exchange(other.by_, nullptr)),
        copied_bytes_(std::exchange(other.copied_bytes_, 0)) {}
  sending& operator=(sending&&) = delete;
  sending(const sending&) = delete;
  sending& operator=(const sending&) = delete;
  ~sending() {
    if (by_ == nullptr) return;
    lasting self(*by_);
    self.server().release_lasting(copied_bytes_);
    turn.release();
    --self.work()->senders;
    self.go_on();
    self.settle();
  }

  /// Counts a copy of what is to be sent. False if there is no room for it.
  [[nodiscard]] bool admit(std::size_t bytes) noexcept {
    if (!lasting(*by_).server().admit_lasting(bytes)) return false;
    copied_bytes_ += bytes;
    return true;
  }

  semaphore_permit turn;

 private:
  lasting_connection* by_;
  std::size_t copied_bytes_ = 0;
};

/// A sender that waits for the end of a message in pieces.
class lasting::message_waiter {
 public:
  /// Throws std::bad_alloc.
  explicit message_waiter(lasting_connection& by) : by_(by) { ++lasting(by).begin_work().waiters; }
  message_waiter(const message_waiter&) = delete;
  message_waiter& operator=(const message_waiter&) = delete;
  ~message_waiter() {
    lasting self(by_);
    turn.release();
    --self.work()->waiters;
    self.go_on();
    self.settle();
  }

  semaphore_permit turn;

 private:
  lasting_connection& by_;
};

/// A message that is sent in pieces. Its writer owns it.
struct outgoing_message {
  lasting_connection* of = nullptr;  ///< nullptr once it has been sent
  semaphore_permit turn;             ///< among messages
  opcode as = opcode::binary;
  bool has_begun = false;                       ///< a frame of it has been sent, or a part of one
  bool is_broken = false;                       ///< a piece has been sent in part
  std::uint32_t writes = 0;                     ///< under way
  std::unique_ptr<message_deflater> deflating;  ///< once it has begun, if it is compressed; admitted
};

}  // namespace tare::http::detail
