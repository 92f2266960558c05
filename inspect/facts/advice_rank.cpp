#include "inspect/facts/advice_rank.hpp"

#include "inspect/facts/chain.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

namespace tare::inspect {
namespace {

/// Whether a program starts with this coroutine.
bool begins_program(const coroutine& coroutine) {
  constexpr std::array<std::string_view, 6> beginnings{"main::",   "main(",  "async_main(",
                                                       "co_main(", "amain(", "tare::detail::keep_outcome<"};
  return std::ranges::any_of(beginnings, [&](std::string_view with) { return coroutine.name.starts_with(with); });
}

/// Per coroutine: whether it has at most one frame, judged by the coroutines that await it.
std::vector<bool> exist_once(std::span<const coroutine> all) {
  const chains ways(all);
  std::vector<std::vector<std::size_t>> parents(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::size_t child : ways.children(i)) {
      if (child != i) parents[child].push_back(i);
    }
  }
  std::vector<bool> once(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) once[i] = begins_program(all[i]);
  for (bool found = true; found;) {
    found = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (once[i] || parents[i].empty()) continue;
      if (!std::ranges::all_of(parents[i], [&](std::size_t parent) { return once[parent]; })) continue;
      once[i] = found = true;
    }
  }
  return once;
}

}  // namespace

std::vector<ranked_advice> rank_advice(std::span<const coroutine> all, const frame_counts* counts) {
  const auto once = exist_once(all);
  std::vector<ranked_advice> ranked;
  for (const auto& each : all) {
    for (auto& what : advise(each)) {
      ranked_advice entry{.of = &each, .what = std::move(what), .frames = {}};
      if (counts != nullptr) {
        const auto count = counts->find(each.name);
        entry.frames = count == counts->end() ? 0 : count->second;
      }
      ranked.push_back(std::move(entry));
    }
  }
  const auto is_last = [&](const ranked_advice& entry) {
    return counts == nullptr && once[static_cast<std::size_t>(entry.of - all.data())];
  };
  std::ranges::sort(ranked, [&](const ranked_advice& a, const ranked_advice& b) {
    return std::tuple(is_last(a), b.all_bytes(), b.what.bytes, a.of->name, a.what.message) <
           std::tuple(is_last(b), a.all_bytes(), a.what.bytes, b.of->name, b.what.message);
  });
  return ranked;
}

}  // namespace tare::inspect
