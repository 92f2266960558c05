#pragma once

// Tables of jump targets, to which compilers translate a switch.

#include "inspect/machine/instruction.hpp"
#include "inspect/machine/switch_bounds.hpp"
#include "inspect/machine/value.hpp"
#include "inspect/object/image.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

class jump_tables {
 public:
  explicit jump_tables(const image& code) : code_(code) {}

  /// The constant at an address that is never written to.
  [[nodiscard]] std::optional<std::uint64_t> constant_at(std::uint64_t address, std::uint32_t bytes) const;

  /// The value of a load whose address is a constant plus an unknown index; empty if it is not one.
  [[nodiscard]] std::optional<value> load(const machine_state& state, const instruction& insn, std::uint32_t bytes);
  /// The sign of the entries is known only when the value is extended. False if the value is not from a table.
  bool extend(const value& loaded);

  /// The possible targets of an indirect jump through a table. The table has as many entries as its index has values.
  /// If nothing bounds the index, it ends where entries are no longer `inside` the function, or where another table
  /// begins that was loaded from.
  [[nodiscard]] std::vector<std::uint64_t> targets(const value& target, const switch_bounds& bounds,
                                                   const std::function<bool(std::uint64_t)>& inside) const;
  /// The same for "jmp [table + index * 8]", with the state before it.
  [[nodiscard]] std::vector<std::uint64_t> targets(const machine_state& state, const instruction& jump,
                                                   const switch_bounds& bounds,
                                                   const std::function<bool(std::uint64_t)>& inside) const;

 private:
  struct table {
    std::uint64_t address = 0;
    std::uint32_t entry_bytes = 0;
    bool is_signed = false;
    value index;
  };
  [[nodiscard]] std::uint64_t length_of(const table& one, const switch_bounds& bounds) const;
  [[nodiscard]] std::vector<std::uint64_t> entries(const table& from, std::int64_t added, const switch_bounds& bounds,
                                                   const std::function<bool(std::uint64_t)>& inside) const;

  const image& code_;
  std::unordered_map<origin, table> tables_;  ///< by the name of the value loaded from it
};

}  // namespace tare::inspect
