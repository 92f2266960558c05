#include "inspect/live/group.hpp"

#include <algorithm>
#include <ranges>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace tare::inspect {
namespace {

constexpr std::uint32_t none = stack_node::no_parent;

/// Identifies a suspension point.
struct place {
  std::uint32_t coroutine = 0;
  std::uint32_t index = 0;
  bool ended = false;
  bool merged = false;
  friend bool operator==(const place&, const place&) = default;
};

struct place_hash {
  std::size_t operator()(const place& place) const noexcept {
    const std::uint64_t key = (std::uint64_t{place.coroutine} << 32U) ^ (std::uint64_t{place.index} << 2U) ^
                              (place.ended ? 2U : 0U) ^ (place.merged ? 1U : 0U);
    return static_cast<std::size_t>(key * 0x9E3779B97F4A7C15U >> 16U);
  }
};

/// Whether an index says that the frame has not been suspended yet. g++ begins with 0. With clang the memory is
/// uninitialized: a number that its code never stores shows it, but one that looks like an await does not.
bool is_before_first_suspension(const coroutine& coroutine, std::uint32_t index) {
  if (coroutine.awaits.empty() || index == found_frame::no_index || coroutine.made_by == producer::rustc) return false;
  return coroutine.made_by == producer::gcc ? index == 0 : index > coroutine.awaits.back().index;
}

live_site describe(const place& place, std::span<const coroutine> coroutines) {
  live_site site;
  site.merged = place.merged;
  if (place.coroutine == found_frame::unknown_coroutine) {
    site.function = "(a coroutine that no symbol names)";
    return site;
  }
  const coroutine& subject = coroutines[place.coroutine];
  site.function = subject.name;
  site.where = subject.declared;
  site.image = subject.image;
  if (place.ended) {
    site.kind = suspension::final;
    return site;
  }
  // Compilers omit the index if there is only one suspension point.
  const bool only_one = place.index == found_frame::no_index && subject.awaits.size() == 1;
  if (const auto* point = only_one ? &subject.awaits.front() : subject.await_with(place.index); point != nullptr) {
    site.kind = point->kind;
    if (point->where.line != 0) site.where = point->where;
  } else {
    site.half_built = is_before_first_suspension(subject, place.index);
  }
  return site;
}

/// The average: malloc may have given some of them a few more bytes.
std::uint64_t bytes_each(const live_site& site) {
  return site.count == 0 ? 0 : (site.total_bytes + site.count / 2) / site.count;
}

/// The site of each frame, as an index into `sites`, which are not sorted yet.
std::vector<std::uint32_t> find_sites(std::span<const found_frame> frames, std::span<const coroutine> coroutines,
                                      std::vector<live_site>& sites) {
  std::unordered_map<place, std::uint32_t, place_hash> known;
  std::vector<std::uint32_t> site_of(frames.size());
  place last;
  std::uint32_t last_site = none;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto& frame = frames[i];
    const place at{.coroutine = frame.coroutine, .index = frame.index, .ended = frame.ended, .merged = frame.merged};
    if (last_site == none || at != last) {
      const auto [found, added] = known.emplace(at, static_cast<std::uint32_t>(sites.size()));
      if (added) sites.push_back(describe(at, coroutines));
      last = at;
      last_site = found->second;
    }
    auto& site = sites[last_site];
    ++site.count;
    site.total_bytes += frame.bytes;
    site.uncertain += frame.uncertain ? 1 : 0;
    site_of[i] = last_site;
  }
  for (auto& site : sites) site.frame_bytes = bytes_each(site);
  return site_of;
}

/// A coroutine may have several awaits on one line: these become one site.
void merge_alike(std::vector<live_site>& sites, std::vector<std::uint32_t>& site_of) {
  const auto key = [&](std::uint32_t i) {
    const auto& site = sites[i];
    return std::tie(site.function, site.where.file, site.where.line, site.kind, site.merged, site.half_built,
                    site.image);
  };
  std::vector<std::uint32_t> order(sites.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  std::vector<live_site> merged;
  std::vector<std::uint32_t> moved_to(sites.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto& site = sites[order[i]];
    if (i == 0 || key(order[i - 1]) != key(order[i])) {
      merged.push_back(site);
    } else {
      auto& with = merged.back();
      with.count += site.count;
      with.total_bytes += site.total_bytes;
      with.uncertain += site.uncertain;
      with.frame_bytes = bytes_each(with);
    }
    moved_to[order[i]] = static_cast<std::uint32_t>(merged.size() - 1);
  }
  // Heaviest first.
  std::vector<std::uint32_t> ranks(merged.size());
  for (std::uint32_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
  std::ranges::sort(ranks, [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(merged[b].total_bytes, merged[b].count, a) < std::tie(merged[a].total_bytes, merged[a].count, b);
  });
  std::vector<std::uint32_t> rank_of(merged.size());
  sites.clear();
  for (std::uint32_t rank = 0; rank < ranks.size(); ++rank) {
    rank_of[ranks[rank]] = rank;
    sites.push_back(std::move(merged[ranks[rank]]));
  }
  for (auto& site : site_of) site = rank_of[moved_to[site]];
}

/// Builds the tree of which frame waits for which.
class tree {
 public:
  tree(std::span<const found_frame> frames, std::span<const std::uint32_t> site_of)
      : frames_(frames), site_of_(site_of), node_of_(frames.size(), none) {}

  std::vector<stack_node> build() {
    for (std::uint32_t i = 0; i < frames_.size(); ++i) place_frame(i);
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      auto& node = nodes_[node_of_[i]];
      ++node.count;
      node.bytes += frames_[i].bytes;
    }
    for (auto& node : nodes_) node.bytes_with_below = node.bytes;
    // A parent precedes its children.
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      if (nodes_[i].parent != none) nodes_[nodes_[i].parent].bytes_with_below += nodes_[i].bytes_with_below;
    }
    return std::move(nodes_);
  }

 private:
  /// Goes from the frame up to the root, or to a frame that already has a node, and back down.
  void place_frame(std::uint32_t frame) {
    constexpr std::uint32_t on_the_way = none - 1;
    path_.clear();
    std::uint32_t above = none;
    for (std::uint32_t index = frame; index != none;) {
      if (node_of_[index] == on_the_way) break;  // They wait for each other: memory that changed while it was read.
      if (node_of_[index] != none) {
        above = node_of_[index];
        break;
      }
      node_of_[index] = on_the_way;
      path_.push_back(index);
      index = waiter_of(index);
    }
    for (const std::uint32_t index : path_ | std::views::reverse) {
      const std::uint64_t key = (std::uint64_t{above} << 32U) | site_of_[index];
      const auto [found, added] = children_.emplace(key, static_cast<std::uint32_t>(nodes_.size()));
      if (added) nodes_.push_back({.site = site_of_[index], .parent = above});
      above = node_of_[index] = found->second;
    }
  }

  [[nodiscard]] std::uint32_t waiter_of(std::uint32_t frame) const {
    const std::uint64_t address = frames_[frame].waiter;
    if (address == 0) return none;
    const auto found = std::ranges::lower_bound(frames_, address, {}, &found_frame::address);
    if (found == frames_.end() || found->address != address) return none;
    return static_cast<std::uint32_t>(found - frames_.begin());
  }

  std::span<const found_frame> frames_;
  std::span<const std::uint32_t> site_of_;
  std::vector<std::uint32_t> node_of_;
  std::vector<stack_node> nodes_;
  std::unordered_map<std::uint64_t, std::uint32_t> children_;  ///< by parent and site
  std::vector<std::uint32_t> path_;
};

}  // namespace

live_site site_of(const found_frame& frame, std::span<const coroutine> coroutines) {
  return describe({.coroutine = frame.coroutine, .index = frame.index, .ended = frame.ended, .merged = frame.merged},
                  coroutines);
}

void group(std::span<const found_frame> frames, std::span<const coroutine> coroutines, bool stacks,
           live_snapshot& snapshot) {
  auto site_of = find_sites(frames, coroutines, snapshot.sites);
  merge_alike(snapshot.sites, site_of);
  snapshot.frames = frames.size();
  for (const auto& site : snapshot.sites) {
    snapshot.frame_bytes += site.total_bytes;
    snapshot.uncertain += site.uncertain;
    if (site.kind == suspension::initial) snapshot.not_started += site.count;
    if (site.half_built) snapshot.half_built += site.count;
  }
  if (stacks) snapshot.stacks = tree(frames, site_of).build();
}

}  // namespace tare::inspect
