#include "inspect/live/compare.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

struct amount {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

using function_key = std::tuple<std::string, std::string, suspension>;  ///< function, file, kind
using lines = std::map<std::uint32_t, amount>;

/// Two awaits on one line cannot be distinguished, and are counted together.
std::map<function_key, lines> by_function(const live_snapshot& snapshot) {
  std::map<function_key, lines> functions;
  for (const auto& site : snapshot.sites) {
    auto& held = functions[{site.function, site.where.file, site.kind}][site.where.line];
    held.count += site.count;
    held.bytes += site.total_bytes;
  }
  return functions;
}

using functions = std::map<function_key, lines>;

/// Per file, the last line with suspended frames in both snapshots: the lines above it have not moved, otherwise it
/// would have moved too.
std::map<std::string, std::uint32_t> last_unmoved_lines(const functions& before, const functions& after) {
  std::map<std::string, std::uint32_t> last;
  for (const auto& [key, then] : before) {
    const auto now = after.find(key);
    if (now == after.end()) continue;
    auto& line_of_file = last[std::get<1>(key)];
    for (const auto& [line, ignored] : then) {
      if (now->second.contains(line)) line_of_file = std::max(line_of_file, line);
    }
  }
  return last;
}

class comparison {
 public:
  comparison(const live_snapshot& before, const live_snapshot& after)
      : before_(by_function(before)),
        after_(by_function(after)),
        may_have_moved_(before.pid != after.pid || before.command != after.command),
        last_unmoved_(last_unmoved_lines(before_, after_)) {}

  std::vector<changed_site> sites() {
    for (const auto& [key, then] : before_) {
      const auto now = after_.find(key);
      add(key, then, now == after_.end() ? lines() : now->second);
    }
    for (const auto& [key, now] : after_) {
      if (!before_.contains(key)) add(key, {}, now);
    }
    std::ranges::sort(all_, [](const changed_site& a, const changed_site& b) {
      return std::tuple(b.bytes_difference(), b.count_difference(), b.bytes_after, a.function, a.where.line, a.kind) <
             std::tuple(a.bytes_difference(), a.count_difference(), a.bytes_after, b.function, b.where.line, b.kind);
    });
    return std::move(all_);
  }

 private:
  void add(const function_key& key, const lines& then, const lines& now) {
    if (moved(key, then, now)) {
      for (auto a = then.begin(), b = now.begin(); a != then.end(); ++a, ++b) add(key, &*a, &*b);
      return;
    }
    for (const auto& each : then) {
      const auto same = now.find(each.first);
      add(key, &each, same == now.end() ? nullptr : &*same);
    }
    for (const auto& each : now) {
      if (!then.contains(each.first)) add(key, nullptr, &each);
    }
  }

  void add(const function_key& key, const lines::value_type* then, const lines::value_type* now) {
    const auto& [function, file, kind] = key;
    all_.push_back({.function = function,
                    .where = {.file = file, .line = (now != nullptr ? now : then)->first},
                    .line_before = then != nullptr ? then->first : 0,
                    .kind = kind,
                    .count_before = then != nullptr ? then->second.count : 0,
                    .count_after = now != nullptr ? now->second.count : 0,
                    .bytes_before = then != nullptr ? then->second.bytes : 0,
                    .bytes_after = now != nullptr ? now->second.bytes : 0});
  }

  [[nodiscard]] bool moved(const function_key& key, const lines& then, const lines& now) const {
    if (!may_have_moved_ || then.size() != now.size() || then.empty()) return false;
    if (std::ranges::any_of(then, [&](const auto& each) { return now.contains(each.first); })) return false;
    const auto unmoved = last_unmoved_.find(std::get<1>(key));
    return unmoved == last_unmoved_.end() || unmoved->second < std::max(then.rbegin()->first, now.rbegin()->first);
  }

  functions before_;
  functions after_;
  bool may_have_moved_;  ///< false if both snapshots are of the same process
  std::map<std::string, std::uint32_t> last_unmoved_;
  std::vector<changed_site> all_;
};

}  // namespace

snapshot_change compare(const live_snapshot& before, const live_snapshot& after) {
  return {.sites = comparison(before, after).sites(),
          .frames_difference = static_cast<std::int64_t>(after.frames - before.frames),
          .frame_bytes_difference = static_cast<std::int64_t>(after.frame_bytes - before.frame_bytes),
          .rss_difference = static_cast<std::int64_t>(after.rss_bytes - before.rss_bytes)};
}

}  // namespace tare::inspect
