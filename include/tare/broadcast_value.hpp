#pragma once

// What a receiver of a broadcast gets (broadcast.hpp).
//
// **Bytes** 24; the value exists once for all receivers.

#include <cstdint>
#include <memory>
#include <utility>

namespace tare {

/// A received value, shared with the other receivers.
template <class T>
class broadcast_value {
 public:
  broadcast_value(std::shared_ptr<const T> value, std::uint64_t skipped) noexcept
      : value_(std::move(value)), skipped_(skipped) {}

  [[nodiscard]] const T& operator*() const noexcept { return *value_; }
  [[nodiscard]] const T* operator->() const noexcept { return value_.get(); }
  /// Number of values that this receiver missed directly before this one.
  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
  /// For keeping the value longer than this object, and longer than the broadcast.
  [[nodiscard]] const std::shared_ptr<const T>& share() const noexcept { return value_; }

 private:
  std::shared_ptr<const T> value_;
  std::uint64_t skipped_;
};

}  // namespace tare
