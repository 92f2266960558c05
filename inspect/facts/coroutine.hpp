#pragma once

// What a binary says about its coroutines: how large their frames are, what lies where in them, at which places they
// can be suspended, and which bytes are still of use there.
//
// Nothing here needs the debug information any more: it can be kept, sorted, compared with another build's.

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

/// What a frame begins with: the resume and destroy pointers.
inline constexpr std::uint64_t frame_head_bytes = 16;

/// What a range of a frame is for.
enum class field_kind : std::uint8_t {
  abi,        ///< the resume and destroy pointers, the suspend index, the compiler's flags
  promise,    ///< the promise object
  parameter,  ///< a copy of an argument
  local,      ///< a variable
  awaiter,    ///< the object that an await waits with, or another temporary
  child,      ///< the whole frame of a callee that was merged into this one
  unnamed,    ///< in use, but the debug information does not say for what
  padding,    ///< never in use
};

/// Where a frame's memory comes from, as far as the binary tells.
enum class allocation : std::uint8_t {
  unknown,  ///< the promise has an operator new of its own, or the frame is not described
  malloc,   ///< the global operator new, taken to be glibc's malloc
  arena,    ///< this library's
  asio,  ///< Boost.Asio's: malloc behind a cache of two blocks a thread, which may give a larger one than was asked for
  inside,  ///< none of its own: a future of Rust lies in whoever awaits it, or in the box or task that it was put into
};

/// A range of the frame under a name. Ranges may overlap: a compiler gives one place to several variables that are
/// never needed at the same time.
struct frame_field {
  std::string name;  ///< empty for padding
  std::string type;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  field_kind kind = field_kind::unnamed;
  source_line declared{};
  std::uint64_t type_entry = 0;  ///< where the debug information describes its type; 0: nowhere
};

/// A variable of a class that takes more bytes than its members would in another order.
struct loose_variable {
  std::string name;
  std::string type;  ///< the class; the variable may be an array of it
  source_line type_declared;
  std::uint64_t bytes = 0;  ///< that the order costs
};

enum class byte_state : std::uint8_t {
  live,  ///< used after the await
  held,  ///< in scope, or its address is known elsewhere; a later use was not seen
  dead,  ///< not used any more, not yet in use, or padding
};

/// How the state of the bytes was found out.
enum class evidence : std::uint8_t {
  compiler,      ///< the compiler itself wrote it down (tare-frames-pass.so, or rustc's layout of the state)
  machine_code,  ///< from the uses in the machine code and the scopes in the debug information
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
  bool touched_later = false;  ///< read, written or handed on afterwards, be it as another variable in its place
  bool lent = false;           ///< its address went out since the coroutine was resumed last: it may be used meanwhile
};

enum class suspension : std::uint8_t {
  initial,  ///< before the body
  await,    ///< co_await or co_yield in the body
  final,    ///< after the body
};

/// A place where the coroutine can be suspended.
struct await_point {
  std::uint64_t index = 0;  ///< what the frame's suspend index holds there
  suspension kind = suspension::await;
  source_line where;
  std::uint64_t live_bytes = 0;  ///< these three add up to the frame
  std::uint64_t held_bytes = 0;
  std::uint64_t dead_bytes = 0;
  evidence known_by = evidence::whole_frame;
  std::vector<variable_at_await> variables;  ///< by offset; every byte of the frame is in one of them
  std::vector<std::string> children;         ///< linkage names of the coroutines that are awaited there, if known
};

/// A member of the promise that may lead to the frame of whoever waits for the coroutine.
struct promise_link {
  std::string name;
  std::uint64_t offset = 0;  ///< in the frame
  bool telling = true;       ///< its name says so, such as "continuation"; else it is a handle of any name
};

struct coroutine {
  std::string name;          ///< readable: "serve(tcp::socket)"
  std::string linkage_name;  ///< as in the symbol table
  source_line declared;
  producer made_by = producer::clang;
  std::string image;  ///< the file that it is in; of an archive "libx.a(member.o)"

  std::optional<std::uint64_t> frame_bytes;  ///< what operator new is asked for; nothing: no debug information
  allocation allocated_by = allocation::unknown;
  std::optional<std::uint64_t> allocated_bytes;  ///< with the allocator's rounding; nothing if unknown or inside
  std::uint64_t abi_bytes = 0;
  std::uint64_t promise_bytes = 0;
  std::uint64_t padding_bytes = 0;
  std::string promise_type;
  std::vector<frame_field> fields;               ///< by offset
  std::vector<loose_variable> loose;             ///< those that have their place in the frame for themselves
  std::vector<await_point> awaits;               ///< by index
  std::optional<std::uint64_t> declared_budget;  ///< TARE_FRAME_BUDGET beside it

  // For finding frames in memory: the first two words of a suspended frame are the addresses of these functions.
  // Addresses are those of the file; a process adds its load bias.
  std::uint64_t resume_address = 0;   ///< 0: not there
  std::uint64_t destroy_address = 0;  ///< in the second word
  std::uint64_t cleanup_address = 0;  ///< in the second word of a frame that was merged into its caller's
  std::uint64_t promise_offset = frame_head_bytes;
  std::optional<std::uint64_t> index_offset;
  std::uint32_t index_bytes = 0;
  std::vector<promise_link> links;  ///< the most telling first

  /// The place at which the suspend index holds this; nullptr if there is none.
  [[nodiscard]] const await_point* await_with(std::uint64_t index) const noexcept {
    const auto point = std::ranges::find(awaits, index, &await_point::index);
    return point == awaits.end() ? nullptr : &*point;
  }
  /// Whether more is known of the frame than its size.
  [[nodiscard]] bool is_described() const noexcept { return !fields.empty(); }
  [[nodiscard]] std::uint64_t overhead_bytes() const noexcept { return abi_bytes + promise_bytes + padding_bytes; }
};

}  // namespace tare::inspect
