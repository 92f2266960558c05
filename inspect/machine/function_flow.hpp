#pragma once

// A function's instructions, the paths between them, and the known state of the machine before each.

#include "inspect/machine/disassembler.hpp"
#include "inspect/machine/interpreter.hpp"
#include "inspect/machine/landing_pads.hpp"
#include "inspect/machine/switch_bounds.hpp"

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

/// A call of a function at a known address.
struct direct_call {
  std::uint64_t instruction = 0;
  std::uint64_t target = 0;
};

class function_flow {
 public:
  /// Decodes the ranges, which are the function and the parts that were split off it, and follows its paths. A path
  /// ends at bytes that cannot be decoded.
  function_flow(const image& code, const disassembler& decoder, const landing_pads& pads,
                std::vector<code_range> ranges);

  [[nodiscard]] bool empty() const noexcept { return blocks_.empty(); }
  [[nodiscard]] std::span<const instruction> instructions() const noexcept { return instructions_; }
  [[nodiscard]] std::span<const basic_block> blocks() const noexcept { return blocks_; }
  [[nodiscard]] std::span<const memory_access> accesses(std::size_t instruction) const;
  [[nodiscard]] std::span<const direct_call> calls() const noexcept { return calls_; }
  [[nodiscard]] bool contains(std::uint64_t address) const;
  /// True if the function is too large; then nothing is known about its memory accesses.
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }
  /// True if no path to some of its code was found, because the targets of a jump are not known.
  [[nodiscard]] bool has_gap() const noexcept { return has_gap_; }

  /// The state just before the instruction that covers the address; nullptr if no path leads there.
  [[nodiscard]] const machine_state* state_at(std::uint64_t address) const;
  /// The number of the block of an instruction, and the number of the instruction.
  [[nodiscard]] std::optional<std::size_t> block_of(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::size_t> index_of(std::uint64_t address) const;

  struct entry_point {
    std::uint64_t address = 0;      ///< the target of the last branch that is decided
    std::vector<std::size_t> path;  ///< the instructions on the path there
  };
  /// A known number in memory when the function is entered.
  struct known_word {
    std::int64_t offset = 0;  ///< from `first_argument_origin`
    std::uint32_t bytes = 0;
    std::uint64_t content = 0;
  };
  /// Follows the function from its beginning while these words decide its branches.
  [[nodiscard]] entry_point enter(std::span<const known_word> known) const;

 private:
  void decode(std::vector<code_range> ranges);
  void find_blocks();
  void connect();
  void solve();
  void run(std::size_t entry);
  void list_accesses();
  void find_gap();
  /// An indirect jump, and what is known there after the straight code before it.
  struct table_jump {
    std::size_t instruction = 0;
    machine_state before;
    switch_bounds bounds;
  };
  [[nodiscard]] table_jump followed_to(std::size_t jump, std::size_t first) const;
  [[nodiscard]] std::vector<std::uint64_t> jump_targets(const table_jump& jump) const;

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
