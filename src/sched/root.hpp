#pragma once

// From the leaf of a task to its root.

#include <tare/detail/wait_state.hpp>

namespace tare::detail {

[[nodiscard]] inline wait_state& root_of(wait_state& leaf) noexcept {
  wait_state* root = &leaf;
  while (root->parent != no_link && root->kind_of_parent() == parent_kind::frame) {
    root = from_link<wait_state>(root->parent);
  }
  return *root;
}

}  // namespace tare::detail
