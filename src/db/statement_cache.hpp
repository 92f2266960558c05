#pragma once

// The prepared statements of one connection, by text; evicts the least recently used.

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tare::db::detail {

template <class Statement>
class statement_cache {
 public:
  explicit statement_cache(std::size_t most) noexcept : most_(most == 0 ? 1 : most) {}

  /// nullptr if it is not cached. The returned entry stays valid until it is removed or evicted.
  [[nodiscard]] Statement* find(std::string_view sql) {
    const auto found = by_text_.find(sql);
    if (found == by_text_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  /// The statement to evict before the next one can be added; nullptr if there is room.
  [[nodiscard]] Statement* surplus() noexcept { return entries_.size() < most_ ? nullptr : &entries_.back().second; }
  void drop_surplus() {
    by_text_.erase(entries_.back().first);
    entries_.pop_back();
  }

  Statement& add(std::string_view sql, Statement statement) {
    entries_.emplace_front(std::string(sql), std::move(statement));
    by_text_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }

  void remove(std::string_view sql) {
    const auto found = by_text_.find(sql);
    if (found == by_text_.end()) return;
    const auto entry = found->second;
    by_text_.erase(found);
    entries_.erase(entry);
  }

  void clear() noexcept {
    by_text_.clear();
    entries_.clear();
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  using entry_list = std::list<std::pair<std::string, Statement>>;

  std::size_t most_;
  entry_list entries_;  ///< most recently used first
  std::unordered_map<std::string_view, typename entry_list::iterator> by_text_;
};

}  // namespace tare::db::detail
