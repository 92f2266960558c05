#pragma once

// What the compiler recorded about its coroutines: the section .tare.frames, which clang's plugin tare-frames-pass.so
// adds to object files. It is not loaded, and linkers concatenate it.
//
// It is a list of strings that end with a zero byte, in any order and any number of times. Each is one coroutine in
// JSON:
//
//   {"coroutine": "_Z5servev", "line": 12, "frame": 96, "align": 8,
//    "awaits": [{"index": 0, "line": 12}, {"index": 1, "line": 15, "file": "..."}, {"index": 2, "line": 12, "final":
//    true}], "objects": [{"at": 32, "bytes": 24, "names": [["text", 13]], "states": "dld"}], "values": [{"at": 56,
//    "bytes": 4, "names": [["n", 12], ["left", 14]]}]}
//
// "frame" is rounded up to the alignment. An object is a variable or a temporary that has an address; its states are
// those at the awaits, in their order: l for live, h for held, d for dead. A value is what the frame keeps of a
// variable that has none. "file" is there only where it is not the coroutine's own. A name comes with the line of the
// variable's declaration.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

struct compiler_record {
  struct await {
    std::uint64_t index = 0;
    source_line where;  ///< without a file if it is the coroutine's own
    bool final = false;
    friend bool operator==(const await&, const await&) = default;
  };
  struct variable {
    std::string name;
    std::uint32_t line = 0;
    friend bool operator==(const variable&, const variable&) = default;
  };
  struct place {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::vector<variable> variables;
    std::vector<byte_state> states;  ///< by await; empty: a value
    friend bool operator==(const place&, const place&) = default;
  };

  std::string coroutine;  ///< its linkage name
  std::uint32_t line = 0;
  std::uint64_t frame_bytes = 0;  ///< rounded up to the alignment
  std::uint64_t alignment = 1;
  std::vector<await> awaits;
  std::vector<place> places;
  friend bool operator==(const compiler_record&, const compiler_record&) = default;
};

/// The records of a binary.
class compiler_records {
 public:
  /// Adds a section's content. Records that cannot be read are ignored and counted.
  void add(std::string_view section);
  [[nodiscard]] std::size_t refused() const noexcept { return refused_; }
  [[nodiscard]] std::size_t size() const noexcept { return by_name_.size(); }

  /// The one that describes this frame, whose fields are still the debug information's. Nullptr if there is none, also
  /// where two differ: they are then of functions with one name in several files, or built with other options.
  [[nodiscard]] const compiler_record* of(const coroutine& coroutine) const;

  [[nodiscard]] auto begin() const noexcept { return by_name_.begin(); }
  [[nodiscard]] auto end() const noexcept { return by_name_.end(); }

 private:
  std::multimap<std::string, compiler_record, std::less<>> by_name_;
  std::size_t refused_ = 0;
};

}  // namespace tare::inspect
