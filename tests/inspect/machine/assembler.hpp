#pragma once

// Machine code from its text, with llvm-mc.

#include "inspect/object/image_file.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace machine_test {

/// The code of these instructions, in Intel's syntax; empty if one of them is not understood.
[[nodiscard]] std::vector<std::uint8_t> assemble(const std::vector<std::string>& instructions);

/// An object file made from directives and instructions.
struct object_file {
  std::vector<std::uint8_t> content;
  std::unique_ptr<tare::inspect::image> code;
};
[[nodiscard]] object_file assemble_object(const std::string& source);
[[nodiscard]] const object_file& empty_object();

}  // namespace machine_test
