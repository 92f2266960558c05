#pragma once

// A function's instructions, the paths between them, and what is known before each.

#include "inspect/machine/disassembler.hpp"
#include "inspect/machine/interpreter.hpp"
#include "inspect/machine/landing_pads.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace tare::inspect {

struct code_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  friend bool operator==(const code_range&, const code_range&) = default;
};

struct basic_block {
  std::size_t first = 0;  ///< index of its first instruction
  std::size_t last = 0;   ///< one past its last
  std::vector<std::size_t> successors;
  machine_state entry;
  bool reached = false;
};

/// A call of a function that is known by its address.
struct direct_call {
  std::uint64_t instruction = 0;
  std::uint64_t target = 0;
};

class function_flow {
 public:
  /// Decodes the ranges, which are the function and the parts that were split off it, and follows its paths.
  /// What cannot be decoded ends a path.
  function_flow(const image& code, const disassembler& decoder, const landing_pads& pads,
                std::vector<code_range> ranges);

  [[nodiscard]] bool empty() const noexcept { return blocks_.empty(); }
  [[nodiscard]] std::span<const instruction> instructions() const noexcept { return instructions_; }
  [[nodiscard]] std::span<const basic_block> blocks() const noexcept { return blocks_; }
  [[nodiscard]] std::span<const memory_access> accesses(std::size_t instruction) const;
  [[nodiscard]] std::span<const direct_call> calls() const noexcept { return calls_; }
  [[nodiscard]] bool contains(std::uint64_t address) const;
  /// True if it gave up because the function is too large; then nothing about its memory is known.
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }
  /// True if there is code in it that no way was found to: some jump leads to where it could not be followed.
  [[nodiscard]] bool has_gap() const noexcept { return has_gap_; }

  /// What is known just before the instruction that covers the address; nothing if no way leads there.
  [[nodiscard]] const machine_state* state_at(std::uint64_t address) const;
  /// The block of an instruction, and its number.
  [[nodiscard]] std::optional<std::size_t> block_of(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::size_t> index_of(std::uint64_t address) const;

  struct entry_point {
    std::uint64_t address = 0;      ///< where the last branch that is certain leads to
    std::vector<std::size_t> path;  ///< the instructions on the way there
  };
  /// A number in memory that is known when the function begins.
  struct known_word {
    std::int64_t offset = 0;  ///< from `first_argument_origin`
    std::uint32_t bytes = 0;
    std::uint64_t content = 0;
  };
  /// Goes from the function's beginning as far as branches are certain when these words are in memory.
  [[nodiscard]] entry_point enter(std::span<const known_word> known) const;

 private:
  void decode(std::vector<code_range> ranges);
  void find_blocks();
  void connect();
  void solve();
  void run(std::size_t entry);
  void list_accesses();
  void find_gap();
  [[nodiscard]] std::vector<std::uint64_t> jump_targets(std::size_t block_first, std::size_t jump) const;

  const image& code_;
  const disassembler& decoder_;
  const landing_pads& pads_;
  mutable interpreter interpreter_;
  std::vector<code_range> ranges_;
  std::vector<instruction> instructions_;
  std::vector<std::vector<std::uint64_t>> indirect_targets_;  ///< by instruction, only of indirect jumps
  std::vector<covered_call_sites> call_sites_;
  std::vector<basic_block> blocks_;
  std::vector<std::vector<memory_access>> accesses_;
  std::vector<direct_call> calls_;
  mutable std::size_t cached_block_ = ~std::size_t{0};
  mutable std::size_t cached_instruction_ = 0;
  mutable machine_state cached_state_;
  bool gave_up_ = false;
  bool has_gap_ = false;
};

}  // namespace tare::inspect
