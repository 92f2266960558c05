#include "event_id.hpp"

#include <array>
#include <charconv>
#include <system_error>

namespace push {

namespace {

void append_number(std::string& to, std::uint64_t number, int base) {
  std::array<char, 20> room{};
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number, base).ptr;
  to.append(room.data(), end);
}

}  // namespace

event_ids::event_ids(std::chrono::microseconds since_1970) {
  constexpr int letters_and_digits = 36;
  append_number(prefix_, static_cast<std::uint64_t>(since_1970.count()), letters_and_digits);
  prefix_ += '-';
}

std::string event_ids::text(std::uint64_t sequence) const {
  std::string id = prefix_;
  append_number(id, sequence, 10);
  return id;
}

std::optional<std::uint64_t> event_ids::sequence_of(std::string_view id) const noexcept {
  if (!id.starts_with(prefix_)) return std::nullopt;
  id.remove_prefix(prefix_.size());
  std::uint64_t sequence = 0;
  const auto [end, failure] = std::from_chars(id.data(), id.data() + id.size(), sequence);
  if (failure != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return sequence;
}

}  // namespace push
