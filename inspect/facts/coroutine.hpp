#pragma once

// What is known about the coroutines of a binary: the sizes of their frames, the fields in them, the suspension points,
// and which bytes are still needed at each.
//
// These values do not refer to the debug information: they can be saved, sorted, and compared with another build's.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

struct source_line {
  std::string file;
  std::uint32_t line = 0;  ///< 0: not known
  friend bool operator==(const source_line&, const source_line&) = default;
};

enum class producer : std::uint8_t { clang, gcc, rustc };

[[nodiscard]] constexpr std::string_view name_of(producer made_by) {
  switch (made_by) {
    case producer::clang:
      return "clang";
    case producer::gcc:
      return "gcc";
    case producer::rustc:
      return "rustc";
  }
  return "";
}

/// The resume and destroy pointers at the beginning of a frame.
inline constexpr std::uint64_t frame_head_bytes = 16;

/// The purpose of a range of a frame.
enum class field_kind : std::uint8_t {
  abi,        ///< the resume and destroy pointers, the suspend index, the compiler's flags
  promise,    ///< the promise object
  parameter,  ///< a copy of an argument
  local,      ///< a variable
  awaiter,    ///< the awaiter of an await, or another temporary
  child,      ///< the whole frame of a callee that was merged into this one
  unnamed,    ///< in use, but not described by the debug information
  padding,    ///< never in use
};

/// The allocator of a frame's memory, as far as the binary shows it.
enum class allocation : std::uint8_t {
  unknown,  ///< the promise has an operator new of its own, or the frame is not described
  malloc,   ///< the global operator new, assumed to use glibc's malloc
  arena,    ///< this library's
  asio,     ///< Boost.Asio's: malloc with a cache of two blocks per thread, which may return a larger block
  inside,   ///< no memory of its own: a Rust future is inside its awaiter, or inside a box or task
};

/// A named range of the frame. Ranges may overlap: a compiler puts variables that are never needed at the same time
/// into the same place.
struct frame_field {
  std::string name;  ///< empty for padding
  std::string type;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  field_kind kind = field_kind::unnamed;
  source_line declared{};
  std::uint64_t type_entry = 0;  ///< the offset of its type in the debug information; 0: not described
};

/// A variable whose class would take fewer bytes with another order of its members.
struct loose_variable {
  std::string name;
  std::string type;  ///< the class; the variable may be an array of it
  source_line type_declared;
  std::uint64_t bytes = 0;  ///< that another order would save
};

enum class byte_state : std::uint8_t {
  live,  ///< used after the await
  held,  ///< in scope, or its address is known elsewhere; no later use was found
  dead,  ///< no longer used, not used yet, or padding
};

/// The source of the state of the bytes.
enum class evidence : std::uint8_t {
  compiler,      ///< recorded by the compiler (tare-frames-pass.so, or rustc's layout of the state)
  machine_code,  ///< uses in the machine code and scopes in the debug information
  whole_frame,   ///< not known: the whole frame counts as held
};

struct variable_at_await {
  std::string name;  ///< empty for bytes that have none
  std::string type;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  byte_state state = byte_state::held;
  field_kind kind = field_kind::unnamed;
  source_line declared{};
  bool touched_later = false;  ///< read, written or passed on later, possibly as another variable in the same place
  bool lent = false;  ///< its address was passed on since the last resumption, so it may be used while suspended
};

enum class suspension : std::uint8_t {
  initial,  ///< before the body
  await,    ///< co_await or co_yield in the body
  final,    ///< after the body
};

/// A suspension point.
struct await_point {
  std::uint64_t index = 0;  ///< the value of the frame's suspend index there
  suspension kind = suspension::await;
  source_line where;
  std::uint64_t live_bytes = 0;  ///< these three add up to the frame
  std::uint64_t held_bytes = 0;
  std::uint64_t dead_bytes = 0;
  evidence known_by = evidence::whole_frame;
  std::vector<variable_at_await> variables;  ///< by offset; every byte of the frame is in one of them
  std::vector<std::string> children;         ///< linkage names of the coroutines that are awaited there, if known
};

/// A member of the promise that may lead to the awaiting frame.
struct promise_link {
  std::string name;
  std::uint64_t offset = 0;  ///< in the frame
  bool telling = true;       ///< its name says so, such as "continuation"; otherwise it is a handle with any name
};

struct coroutine {
  std::string name;          ///< readable: "serve(tcp::socket)"
  std::string linkage_name;  ///< as in the symbol table
  source_line declared;
  producer made_by = producer::clang;
  std::string image;  ///< the file that it is in; of an archive "libx.a(member.o)"

  std::optional<std::uint64_t> frame_bytes;  ///< requested from operator new; nullopt: no debug information
  allocation allocated_by = allocation::unknown;
  std::optional<std::uint64_t> allocated_bytes;  ///< with the allocator's rounding; nullopt if unknown or inside
  std::uint64_t abi_bytes = 0;
  std::uint64_t promise_bytes = 0;
  std::uint64_t padding_bytes = 0;
  std::string promise_type;
  std::vector<frame_field> fields;               ///< by offset
  std::vector<loose_variable> loose;             ///< only variables that do not share their place in the frame
  std::vector<await_point> awaits;               ///< by index
  std::optional<std::uint64_t> declared_budget;  ///< TARE_FRAME_BUDGET beside it

  // For finding frames in memory: the first two words of a suspended frame are the addresses of these functions.
  // Addresses are those of the file; a process adds its load bias.
  std::uint64_t resume_address = 0;   ///< 0: does not exist
  std::uint64_t destroy_address = 0;  ///< in the second word
  std::uint64_t cleanup_address = 0;  ///< in the second word of a frame that was merged into its caller's
  std::uint64_t promise_offset = frame_head_bytes;
  std::optional<std::uint64_t> index_offset;
  std::uint32_t index_bytes = 0;
  std::vector<promise_link> links;  ///< the most telling first

  /// The suspension point with this value of the suspend index; nullptr if there is none.
  [[nodiscard]] const await_point* await_with(std::uint64_t index) const noexcept {
    const auto point = std::ranges::find(awaits, index, &await_point::index);
    return point == awaits.end() ? nullptr : &*point;
  }
  /// Whether more than the size of the frame is known.
  [[nodiscard]] bool is_described() const noexcept { return !fields.empty(); }
  [[nodiscard]] std::uint64_t overhead_bytes() const noexcept { return abi_bytes + promise_bytes + padding_bytes; }
};

}  // namespace tare::inspect
