#pragma once

// The ids of events: "STREAM-SEQUENCE", such as "1jk3vq0p2xk-42". The first part is the time at which the stream began,
// so that an id of an earlier stream is never mistaken for one of this stream.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace push {

/// All events of one stream. Any thread.
class event_ids {
 public:
  explicit event_ids(std::chrono::microseconds since_1970);

  /// The id of the event with this number.
  [[nodiscard]] std::string text(std::uint64_t sequence) const;
  /// The number of the event with this id; nullopt if it is not an id of this stream.
  [[nodiscard]] std::optional<std::uint64_t> sequence_of(std::string_view id) const noexcept;

 private:
  std::string prefix_;  ///< the first part and the hyphen
};

}  // namespace push
