#include "cli/live_report.hpp"

#include "cli/figures.hpp"
#include "cli/frames_report.hpp"
#include "cli/short_name.hpp"
#include "cli/table.hpp"
#include "cli/text_width.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <ranges>
#include <tuple>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using inspect::live_site;
using inspect::live_snapshot;
using inspect::stack_node;

std::string_view state_text(inspect::suspension kind) {
  switch (kind) {
    case inspect::suspension::initial:
      return "not started";
    case inspect::suspension::await:
      return "";
    case inspect::suspension::final:
      return "ended";
  }
  return "";
}

std::string_view plural(std::uint64_t number) { return number == 1 ? "" : "s"; }

std::string frames_text(std::uint64_t number) {
  return fmt::format("{} suspended frame{}", with_commas(number), plural(number));
}

/// Indices of the sites, the heaviest first: the order in a file is not trusted.
std::vector<std::size_t> heaviest_sites(const live_snapshot& snapshot) {
  std::vector<std::size_t> order(snapshot.sites.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const auto &x = snapshot.sites[a], &y = snapshot.sites[b];
    return std::tuple(y.total_bytes, y.count, a) < std::tuple(x.total_bytes, x.count, b);
  });
  return order;
}

/// The tree of a snapshot from the roots: each node with its children.
class tree {
 public:
  explicit tree(const live_snapshot& snapshot) : of_(snapshot), below_(snapshot.stacks.size()) {
    for (std::uint32_t i = 0; i < snapshot.stacks.size(); ++i) {
      const auto parent = snapshot.stacks[i].parent;
      (parent == stack_node::no_parent ? roots_ : below_[parent]).push_back(i);
    }
    sort(roots_);
    for (auto& children : below_) sort(children);
  }

  [[nodiscard]] const std::vector<std::uint32_t>& roots() const noexcept { return roots_; }
  [[nodiscard]] const std::vector<std::uint32_t>& below(std::uint32_t node) const { return below_[node]; }

 private:
  void sort(std::vector<std::uint32_t>& nodes) const {
    std::ranges::sort(nodes, [&](std::uint32_t a, std::uint32_t b) {
      const auto &x = of_.stacks[a], &y = of_.stacks[b];
      return std::tuple(y.bytes_with_below, y.count, a) < std::tuple(x.bytes_with_below, x.count, b);
    });
  }

  const live_snapshot& of_;
  std::vector<std::uint32_t> roots_;
  std::vector<std::vector<std::uint32_t>> below_;
};

/// Draws the tree line by line from its roots, without recursion.
class drawing {
 public:
  drawing(const live_snapshot& snapshot, const tree_limits& limits) : of_(snapshot), limits_(limits), tree_(snapshot) {}

  std::string text() {
    table rows({"with below", "here", "frames"}, 0);
    std::vector<branch> branches{{.text = "who waits for whom"}};
    add(tree_.roots(), "", 0);
    while (!waiting_.empty()) {
      step step = std::move(waiting_.back());
      waiting_.pop_back();
      branches.push_back({.text = step.lead + step.text, .node = step.node});
      if (step.node == stack_node::no_parent) {
        rows.add({step.left_out == 0 ? "" : with_commas(step.left_out), "", ""});
        continue;
      }
      const auto& node = of_.stacks[step.node];
      rows.add({with_commas(node.bytes_with_below), with_commas(node.bytes), with_commas(node.count)});
      add(tree_.below(step.node), step.indent, step.depth + 1);
    }
    return joined(rows.text(), branches);
  }

 private:
  struct step {
    std::uint32_t node;  ///< no_parent: the line for what was left out
    std::size_t depth;
    std::string lead;    ///< in front of its own name
    std::string indent;  ///< in front of what is below it
    std::string text;
    std::uint64_t left_out = 0;  ///< bytes
  };

  void add(const std::vector<std::uint32_t>& nodes, const std::string& indent, std::size_t depth) {
    if (nodes.empty()) return;
    constexpr std::size_t deepest = 256;
    const std::size_t shown = depth >= std::min(limits_.depth, deepest) ? 0 : std::min(nodes.size(), limits_.width);
    std::vector<step> steps;
    steps.reserve(shown + 1);
    for (std::size_t i = 0; i < shown; ++i) steps.push_back({nodes[i], depth, "", "", ""});
    if (shown < nodes.size()) {
      std::uint64_t bytes = 0;
      for (std::size_t i = shown; i < nodes.size(); ++i) bytes += of_.stacks[nodes[i]].bytes_with_below;
      steps.push_back({stack_node::no_parent, depth, "", "",
                       fmt::format("… and {} more{}", with_commas(nodes.size() - shown), shown == 0 ? " below" : ""),
                       bytes});
    }
    for (auto& each : steps) {
      const bool last = &each == &steps.back();
      if (depth == 0) continue;
      each.lead = indent + (last ? "└─ " : "├─ ");
      each.indent = indent + (last ? "   " : "│  ");
    }
    for (auto& each : std::views::reverse(steps)) waiting_.push_back(std::move(each));
  }

  [[nodiscard]] std::uint32_t site(std::uint32_t node) const { return of_.stacks[node].site; }

  /// A line of the tree: its branches, and a name or the text in its place.
  struct branch {
    std::string text;
    std::uint32_t node = stack_node::no_parent;
  };

  [[nodiscard]] std::string text_of(const branch& branch, std::size_t figures) const {
    constexpr std::size_t least = 40;
    const std::size_t before = figures + text_width(branch.text);
    if (branch.node == stack_node::no_parent) return branch.text;
    const std::size_t room =
        limits_.columns == 0 ? 0 : std::max(least, limits_.columns - std::min(limits_.columns, before));
    return branch.text + site_text(of_.sites[site(branch.node)], room);
  }

  /// The columns of figures, followed by the names.
  [[nodiscard]] std::string joined(const std::string& columns, const std::vector<branch>& branches) const {
    std::string text;
    std::size_t width = 0;
    std::size_t row = 0;
    for (const auto line : std::views::split(columns, '\n')) {
      const std::string_view figures(line.begin(), line.end());
      if (row == 0) width = figures.size();
      if (row == 1) {
        text += std::string(width + 2 + branches.front().text.size(), '-') + '\n';
      } else if (row <= branches.size()) {
        text += fmt::format("{:<{}}  {}\n", figures, width, text_of(branches[row == 0 ? 0 : row - 1], width + 2));
      }
      ++row;
    }
    return text;
  }

  const live_snapshot& of_;
  const tree_limits& limits_;
  tree tree_;
  std::vector<step> waiting_;
};

/// "serve(tcp::socket):42", without the characters that end a name or a line in the folded form.
std::string folded_name(const live_site& site) {
  std::string name = site.where.line == 0 ? site.function : fmt::format("{}:{}", site.function, site.where.line);
  for (char& c : name) {
    if (c == ';') c = ':';
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return name;
}

/// What is special about some of the frames, and what was left out; empty if nothing is.
std::string told_apart(const live_snapshot& snapshot) {
  std::vector<std::string> parts;
  if (snapshot.not_started != 0) parts.push_back(fmt::format("{} not started", with_commas(snapshot.not_started)));
  if (snapshot.half_built != 0) parts.push_back(fmt::format("{} half-built", with_commas(snapshot.half_built)));
  std::string text = parts.empty() ? "" : fmt::format("of these {}", fmt::join(parts, ", "));
  if (snapshot.freed != 0) {
    text += fmt::format("{}{} freed frame{} left out", text.empty() ? "" : "; ", with_commas(snapshot.freed),
                        plural(snapshot.freed));
  }
  return text;
}

}  // namespace

std::string process_text(const live_snapshot& snapshot) {
  return fmt::format("{} (process {})", short_name(std::filesystem::path(snapshot.command).filename().string()),
                     snapshot.pid);
}

std::string_view state_of(const live_site& site) {
  if (site.half_built) return "half-built";
  return site.merged ? "merged" : state_text(site.kind);
}

std::string place_text(const inspect::source_line& where, inspect::suspension kind) {
  const auto state = state_text(kind);
  return state.empty() ? shortest_place(where) : fmt::format("{} ({})", shortest_place(where), state);
}

std::string site_text(const live_site& site, std::size_t width) {
  std::string behind;
  if (site.where.line != 0) behind += " at " + shortest_place(site.where);
  if (const auto state = state_of(site); !state.empty()) behind += fmt::format(" ({})", state);
  constexpr std::size_t usual = 60;
  constexpr std::size_t least = 20;
  if (width == 0) return short_name(site.function) + behind;
  if (text_width(behind) + least > width) behind = end_of(behind, width - std::min(width, least));
  return short_name(site.function, std::min(usual, width - std::min(width, text_width(behind)))) + behind;
}

std::string live_head(const live_snapshot& snapshot) {
  std::string text = process_text(snapshot) + ": ";
  if (snapshot.rss_bytes != 0) {
    text += fmt::format("{} in memory, {} of it ({}) in {}\n", readable_bytes(snapshot.rss_bytes),
                        readable_bytes(snapshot.frame_bytes), percent(snapshot.frame_bytes, snapshot.rss_bytes),
                        frames_text(snapshot.frames));
  } else {
    text += fmt::format("{} in {}\n", readable_bytes(snapshot.frame_bytes), frames_text(snapshot.frames));
  }
  if (snapshot.left_out > snapshot.frames) {
    text += fmt::format(
        "most of what looks like frames is left out: {} places inside other objects, left over or in "
        "a pool; --pools counts them\n",
        with_commas(snapshot.left_out));
  }
  if (const std::string apart = told_apart(snapshot); !apart.empty()) text += apart + '\n';
  if (snapshot.paused_seconds > 0) text += fmt::format("stopped for {}, ", readable_seconds(snapshot.paused_seconds));
  text += fmt::format("{} looked through in {}\n", readable_bytes(snapshot.scanned_bytes),
                      readable_seconds(snapshot.seconds));
  if (snapshot.uncertain != 0) {
    text += fmt::format("{} of the frames may have been freed: the allocator of their memory is unknown\n",
                        with_commas(snapshot.uncertain));
  }
  return text;
}

std::string memory_table(const live_snapshot& snapshot) {
  const auto& parts = snapshot.memory;
  const std::uint64_t all = parts.sum();
  if (all == 0) return {};
  table rows({"memory", "bytes", "share"});
  const std::array<std::pair<std::string_view, std::uint64_t>, 8> named{{
      {"suspended frames", parts.frames},
      {"free for frames, in the arena", parts.arena_free},
      {"bookkeeping of the runtime", parts.runtime},
      {"malloc, in use", parts.malloc_used},
      {"malloc, free", parts.malloc_free},
      {"stacks", parts.stacks},
      {"programs, libraries, files", parts.binaries},
      {"the rest", parts.rest},
  }};
  for (const auto& [name, bytes] : named) {
    if (bytes != 0) rows.add({std::string(name), with_commas(bytes), percent(bytes, all)});
  }
  rows.add({"in memory", with_commas(all), percent(all, all)});
  return rows.text();
}

std::string live_table(const live_snapshot& snapshot, std::size_t top, std::size_t width) {
  if (snapshot.sites.empty()) return "no suspended coroutine found\n";
  const bool states = std::ranges::any_of(snapshot.sites, [](const auto& each) { return !state_of(each).empty(); });
  const bool uncertain = std::ranges::any_of(snapshot.sites, [](const auto& each) { return each.uncertain != 0; });
  std::vector<std::string> head{"suspended in", "at"};
  if (states) head.emplace_back("state");
  head.insert(head.end(), {"count", "bytes each", "bytes", "share"});
  if (uncertain) head.emplace_back("uncertain");
  table rows(std::move(head), states ? 3 : 2);

  const auto order = heaviest_sites(snapshot);
  const std::size_t shown = top == 0 ? order.size() : std::min(top, order.size());
  for (const std::size_t index : order | std::views::take(shown)) {
    const auto& site = snapshot.sites[index];
    std::vector<std::string> row{short_name(site.function), shortest_place(site.where)};
    if (states) row.emplace_back(state_of(site));
    row.insert(row.end(), {with_commas(site.count), site.frame_bytes == 0 ? "?" : with_commas(site.frame_bytes),
                           with_commas(site.total_bytes), percent(site.total_bytes, snapshot.frame_bytes)});
    if (uncertain) row.push_back(site.uncertain == 0 ? "" : with_commas(site.uncertain));
    rows.add(std::move(row));
  }
  std::string text = rows.text(width);
  if (shown < order.size()) {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    for (const std::size_t index : order | std::views::drop(shown)) {
      count += snapshot.sites[index].count;
      bytes += snapshot.sites[index].total_bytes;
    }
    text += fmt::format("… and {} more places: {} in {}\n", with_commas(order.size() - shown), readable_bytes(bytes),
                        frames_text(count));
  }
  return text;
}

std::string stacks_text(const live_snapshot& snapshot, const tree_limits& limits) {
  if (snapshot.stacks.empty()) return "no suspended coroutine found\n";
  return drawing(snapshot, limits).text();
}

std::string folded_text(const live_snapshot& snapshot, folded_weight weight) {
  constexpr std::size_t deepest = 512;
  const std::size_t nodes = snapshot.stacks.size();
  std::vector<std::size_t> depth(nodes, 1);
  std::vector<std::size_t> counts_to(nodes);  // the node itself, or its nearest ancestor that is not too deep
  std::vector<std::uint64_t> held(nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    const auto& node = snapshot.stacks[i];
    counts_to[i] = i;
    if (node.parent != stack_node::no_parent) {
      depth[i] = depth[node.parent] + 1;
      if (depth[i] > deepest) counts_to[i] = counts_to[node.parent];
    }
    held[counts_to[i]] += weight == folded_weight::bytes ? node.bytes : node.count;
  }
  std::vector<std::string> names;
  names.reserve(snapshot.sites.size());
  for (const auto& site : snapshot.sites) names.push_back(folded_name(site));

  std::string text;
  std::vector<std::string_view> path;
  for (std::size_t i = 0; i < nodes; ++i) {
    if (held[i] == 0) continue;
    path.clear();
    for (auto found = static_cast<std::uint32_t>(i); found != stack_node::no_parent;
         found = snapshot.stacks[found].parent) {
      path.push_back(names[snapshot.stacks[found].site]);
    }
    bool first = true;
    for (const auto name : std::views::reverse(path)) {
      if (!first) text += ';';
      first = false;
      text += name;
    }
    text += fmt::format(" {}\n", held[i]);
  }
  return text;
}

}  // namespace tare::cli
