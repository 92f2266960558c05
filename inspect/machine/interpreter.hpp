#pragma once

// One instruction's effect on what is known, and the memory that it touches.

#include "inspect/machine/disassembler.hpp"
#include "inspect/machine/value.hpp"
#include "inspect/object/image.hpp"

#include <functional>
#include <optional>
#include <unordered_map>

namespace tare::inspect {

/// A use of memory at a known distance from something.
struct memory_access {
  enum class kind : std::uint8_t {
    read,
    write,
    passed,  ///< its address went to where it cannot be followed: into a call, or into other memory
  };
  kind what = kind::read;
  origin base = 0;
  std::int64_t offset = 0;
  std::uint64_t bytes = 0;          ///< 0: from there to the end of whatever it is
  bool whole = true;                ///< whether exactly these bytes are touched; false where an index is added
  bool indexed = false;             ///< an index that is not known is added: somewhere from about there on
  std::uint64_t instruction = 0;    ///< its address
  std::vector<constant> written{};  ///< what a write writes, if that is one of a few constants
  origin into = 0;                  ///< where an address that was passed by storing it was stored
  std::int64_t into_offset = 0;
};

using access_sink = std::function<void(const memory_access&)>;

class interpreter {
 public:
  interpreter(const image& code, const disassembler& decoder) : code_(code), decoder_(decoder) {}

  /// Changes `state` as the instruction does and tells each access.
  void step(machine_state& state, const instruction& one, const access_sink& tell);

  /// What a pointer plus an index touches, where the index may be one of several or is not known.
  static void touch_indexed(const machine_state& state, const instruction& one, const access_sink& tell);
  /// What a call, or a jump out of the function, hands on through the registers for arguments.
  void pass_arguments(machine_state& state, const instruction& one, std::string_view target, const access_sink& tell);

  /// What a branch on these flags does; nothing if that depends on something unknown.
  [[nodiscard]] static std::optional<bool> decide(const flags& last, std::uint8_t condition);

  [[nodiscard]] value address_of(const machine_state& state, const instruction& one) const;
  /// The name of what an instruction loads where that is not known.
  [[nodiscard]] static origin name_of_result(const instruction& one);

  /// Where an indirect jump may go, if it takes its target from a table of constants. The table ends where entries are
  /// no longer `inside` the function.
  [[nodiscard]] std::vector<std::uint64_t> targets(const value& target,
                                                   const std::function<bool(std::uint64_t)>& inside) const;
  /// The same for "jmp [table + index * 8]".
  [[nodiscard]] std::vector<std::uint64_t> targets(const instruction& jump,
                                                   const std::function<bool(std::uint64_t)>& inside) const;
  /// The constant at an address that no one writes to.
  [[nodiscard]] std::optional<std::uint64_t> constant_at(std::uint64_t address, std::uint32_t bytes) const;

 private:
  struct table {
    std::uint64_t address = 0;
    std::uint32_t entry_bytes = 0;
    bool is_signed = false;
  };
  value operand_value(const machine_state& state, const instruction& one, const operand& from, const access_sink& tell);
  void assign(machine_state& state, const instruction& one, const operand& to, value content, const access_sink& tell);
  void call(machine_state& state, const instruction& one, const access_sink& tell);
  static void pass_stack_arguments(const machine_state& state, const instruction& one, const access_sink& tell);
  [[nodiscard]] value loaded(const machine_state& state, const instruction& one, std::uint32_t bytes);

  /// The registers that a callee may change, a bit for each. g++ keeps values in registers across calls of functions
  /// whose code it has seen.
  [[nodiscard]] std::uint16_t changed_by(std::uint64_t function, int depth);

  const image& code_;
  const disassembler& decoder_;
  std::unordered_map<std::uint64_t, std::uint16_t> changed_;
  std::unordered_map<origin, table> tables_;  ///< by the name of the value loaded from it
};

}  // namespace tare::inspect
