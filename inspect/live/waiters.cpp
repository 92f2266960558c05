#include "inspect/live/waiters.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

/// One node of the site, and how far up its path has been followed.
struct follower {
  const stack_node* frames;
  std::uint32_t at;
};

struct group {
  waiter step;
  std::vector<follower> followers;
};

/// Goes one step up from these and combines those that reach the same site, the heaviest first.
std::vector<group> one_step_up(const live_snapshot& snapshot, const std::vector<follower>& followers,
                               std::size_t level) {
  std::map<std::optional<std::uint32_t>, group> groups;
  for (const auto& each : followers) {
    const std::uint32_t parent = snapshot.stacks[each.at].parent;
    const bool root = parent == stack_node::no_parent;
    // The end of a path is listed only if it ends at once; further up, it is clear from the lack of more steps.
    if (root && level != 0) continue;
    const auto site = root ? std::nullopt : std::optional(snapshot.stacks[parent].site);
    auto& its_group = groups[site];
    its_group.step.site = site;
    its_group.step.level = level;
    its_group.step.count += each.frames->count;
    its_group.step.bytes += each.frames->bytes;
    if (!root) its_group.followers.push_back({each.frames, parent});
  }
  std::vector<group> sorted;
  sorted.reserve(groups.size());
  for (auto& [site, each] : groups) sorted.push_back(std::move(each));
  std::ranges::sort(sorted, [](const group& a, const group& b) {
    return std::tuple(b.step.bytes, b.step.count, a.step.site) < std::tuple(a.step.bytes, a.step.count, b.step.site);
  });
  return sorted;
}

}  // namespace

std::vector<waiter> waiters_for(const live_snapshot& snapshot, std::uint32_t site, std::size_t levels,
                                std::size_t steps) {
  std::vector<follower> all;
  for (std::uint32_t i = 0; i < snapshot.stacks.size(); ++i) {
    if (snapshot.stacks[i].site == site) all.push_back({&snapshot.stacks[i], i});
  }
  std::vector<waiter> ways;
  std::vector<group> waiting;
  const auto add = [&](const std::vector<follower>& followers, std::size_t level) {
    if (level >= levels) return;
    auto next = one_step_up(snapshot, followers, level);
    for (auto& each : std::views::reverse(next)) waiting.push_back(std::move(each));
  };
  add(all, 0);
  while (!waiting.empty() && ways.size() < steps) {
    const group each = std::move(waiting.back());
    waiting.pop_back();
    ways.push_back(each.step);
    add(each.followers, each.step.level + 1);
  }
  return ways;
}

}  // namespace tare::inspect
