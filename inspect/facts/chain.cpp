#include "inspect/facts/chain.hpp"

#include <algorithm>
#include <string_view>

namespace tare::inspect {

chains::chains(std::span<const coroutine> all)
    : all_(all), children_(all.size()), weights_(all.size(), 0), state_(all.size(), 0) {
  std::unordered_map<std::string_view, std::size_t> by_name;
  for (std::size_t i = 0; i < all.size(); ++i) by_name.emplace(all[i].linkage_name, i);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const auto& await : all[i].awaits) {
      for (const auto& name : await.children) {
        const auto child = by_name.find(name);
        if (child == by_name.end()) continue;
        if (std::ranges::find(children_[i], child->second) == children_[i].end()) {
          children_[i].push_back(child->second);
        }
      }
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) weights_[i] = weigh(i);
}

std::uint64_t chains::weigh(std::size_t root) {
  // With an explicit stack, because chains in generated code may be deep.
  struct step {
    std::size_t coroutine;
    std::size_t next_child;
  };
  if (state_[root] == 2) return weights_[root];
  std::vector<step> stack{{root, 0}};
  state_[root] = 1;
  while (!stack.empty()) {
    step& top = stack.back();
    const auto& children = children_[top.coroutine];
    if (top.next_child < children.size()) {
      const std::size_t child = children[top.next_child++];
      if (state_[child] == 0) {
        state_[child] = 1;
        stack.push_back({child, 0});
      }
      continue;
    }
    std::uint64_t below = 0;
    // rustc's futures contain their children, so nothing is added.
    const bool inside = all_[top.coroutine].made_by == producer::rustc;
    for (const std::size_t child : children) {
      if (!inside && state_[child] == 2) below = std::max(below, weights_[child]);
    }
    weights_[top.coroutine] = all_[top.coroutine].frame_bytes.value_or(0) + below;
    state_[top.coroutine] = 2;
    stack.pop_back();
  }
  return weights_[root];
}

std::optional<std::size_t> chains::heaviest_child(std::size_t coroutine) const {
  std::optional<std::size_t> best;
  for (const std::size_t child : children_[coroutine]) {
    const std::uint64_t weight = all_[coroutine].frame_bytes.value_or(0) + weights_[child];
    if (weight <= weights_[coroutine] && (!best || weights_[child] > weights_[*best])) best = child;
  }
  return best;
}

}  // namespace tare::inspect
