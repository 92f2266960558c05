#pragma once

// The frame, divided into ranges (atoms) that are always used together. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_source.hpp"
#include "inspect/coroutine/variables.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace tare::inspect {

struct byte_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class frame_atoms {
 public:
  /// Divides the frame where a field, a variable or an access begins or ends.
  frame_atoms(const frame_source& source, const std::vector<scoped_variable>& variables, const coroutine& coroutine);

  [[nodiscard]] unsigned count() const { return static_cast<unsigned>(atoms_.size()); }
  [[nodiscard]] const byte_range& operator[](unsigned number) const { return atoms_[number]; }
  [[nodiscard]] std::uint64_t frame_bytes() const { return frame_bytes_; }
  /// The atom that contains this byte, which must be in the frame.
  [[nodiscard]] unsigned at(std::uint64_t offset) const;

  /// The object that a pointer to this place may be used for: the widest field there.
  [[nodiscard]] byte_range object_at(std::uint64_t offset) const;
  /// What an access with an index may touch: an array. It may begin a little later, for "numbers[i - 1]", or end a
  /// little earlier, for a loop that counts up to zero. The index may also choose one of several fields that are near
  /// each other: clang reads `condition ? a : b` so. The head of the frame has no array, so an index from there may
  /// lead anywhere.
  [[nodiscard]] byte_range indexed_from(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  const std::vector<scoped_variable>& variables_;
  const coroutine& of_;
  std::uint64_t frame_bytes_;
  std::vector<byte_range> atoms_;
};

}  // namespace tare::inspect
