#pragma once

// The page for trying the gateway, as built into the program.

#include <span>
#include <string_view>

namespace push {

struct page_file {
  std::string_view path;
  std::string_view type;  ///< for Content-Type
  std::string_view text;
};

[[nodiscard]] std::span<const page_file> page_files() noexcept;

}  // namespace push
