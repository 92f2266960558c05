#pragma once

// Tables of jump targets, to which compilers translate a switch.

#include "inspect/machine/instruction.hpp"
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

  /// The possible targets of an indirect jump through a table. The table ends at the first entry that is not `inside`
  /// the function.
  [[nodiscard]] std::vector<std::uint64_t> targets(const value& target,
                                                   const std::function<bool(std::uint64_t)>& inside) const;
  /// The same for "jmp [table + index * 8]".
  [[nodiscard]] std::vector<std::uint64_t> targets(const instruction& jump,
                                                   const std::function<bool(std::uint64_t)>& inside) const;

 private:
  struct table {
    std::uint64_t address = 0;
    std::uint32_t entry_bytes = 0;
    bool is_signed = false;
  };
  [[nodiscard]] std::vector<std::uint64_t> entries(const table& from, std::int64_t added,
                                                   const std::function<bool(std::uint64_t)>& inside) const;

  const image& code_;
  std::unordered_map<origin, table> tables_;  ///< by the name of the value loaded from it
};

}  // namespace tare::inspect
