#include "cli/live_screen.hpp"

#include "cli/live_report.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <ranges>
#include <string_view>
#include <tuple>
#include <utility>

namespace tare::cli {
namespace {

using inspect::live_site;
using key = screen_key::kind;
using namespace std::chrono_literals;

constexpr std::array<std::chrono::milliseconds, 8> intervals{200ms, 500ms, 1s, 2s, 5s, 10s, 30s, 60s};

void append_utf8(std::string& text, char32_t character) {
  const auto byte = [&](char32_t bits) { text += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (character < 0x80) {
    byte(character);
  } else if (character < 0x800) {
    byte(0xC0U | (character >> 6U));
    byte(0x80U | (character & 0x3FU));
  } else if (character < 0x10000) {
    byte(0xE0U | (character >> 12U));
    byte(0x80U | ((character >> 6U) & 0x3FU));
    byte(0x80U | (character & 0x3FU));
  } else {
    byte(0xF0U | (character >> 18U));
    byte(0x80U | ((character >> 12U) & 0x3FU));
    byte(0x80U | ((character >> 6U) & 0x3FU));
    byte(0x80U | (character & 0x3FU));
  }
}

void remove_last_character(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.pop_back();
  if (!text.empty()) text.pop_back();
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool has(std::string_view text, std::string_view part) {
  return !std::ranges::search(text, part, {}, lower, lower).empty() || part.empty();
}

}  // namespace

live_screen::identity live_screen::identity_of(const live_site& site) {
  return {site.function, site.where.file, site.where.line, site.kind, site.image};
}

void live_screen::show(inspect::live_snapshot snapshot) {
  const anchor selected = selection();
  snapshot_ = std::move(snapshot);
  std::map<identity, std::uint64_t> bytes;
  for (const auto& site : snapshot_.sites) bytes[identity_of(site)] += site.total_bytes;
  if (!first_bytes_) first_bytes_ = bytes;
  growth_.clear();
  for (const auto& site : snapshot_.sites) {
    const auto its_identity = identity_of(site);
    const auto first = first_bytes_->find(its_identity);
    growth_.push_back(
        static_cast<std::int64_t>(bytes[its_identity] - (first == first_bytes_->end() ? 0 : first->second)));
  }
  arrange(selected);
}

void live_screen::resize(std::size_t height, std::size_t width) {
  height_ = height;
  width_ = width;
  select(selected_);
}

void live_screen::press(const screen_key& pressed) {
  if (editing_filter_) return edit_filter(pressed);
  const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(body_height(), 2)) - 1;
  switch (pressed.what) {
    case key::character:
      return press_command(pressed.character);
    case key::up:
      return move(-1);
    case key::down:
      return move(1);
    case key::page_up:
      return move(-page);
    case key::page_down:
      return move(page);
    case key::home:
      return select(0);
    case key::end:
      return select(rows_.size());
    case key::left:
      return open(false);
    case key::right:
      return open(true);
    case key::enter:
      return open(selected_ < rows_.size() && !open_.contains(identity_of(snapshot_.sites[rows_[selected_].site])));
    case key::escape:
      helping_ = false;
      filter_.clear();
      return arrange(selection());
    case key::backspace:
      return;
  }
}

void live_screen::press_command(char32_t character) {
  switch (character) {
    case 'q':
      quits_ = true;
      return;
    case '?':
      helping_ = !helping_;
      return;
    case 'p':
      paused_ = !paused_;
      return;
    case '+':
      return change_interval(true);
    case '-':
      return change_interval(false);
    case '/':
      editing_filter_ = true;
      return;
    case 't':
      order_ = order::bytes;
      break;
    case 'c':
      order_ = order::count;
      break;
    case 'e':
      order_ = order::each;
      break;
    case 'n':
      order_ = order::name;
      break;
    case 'g':
      order_ = order::growth;
      break;
    default:
      return;
  }
  arrange(selection());
}

void live_screen::edit_filter(const screen_key& pressed) {
  switch (pressed.what) {
    case key::character:
      if (pressed.character >= ' ') append_utf8(filter_, pressed.character);
      break;
    case key::backspace:
      remove_last_character(filter_);
      break;
    case key::escape:
      filter_.clear();
      editing_filter_ = false;
      break;
    default:
      editing_filter_ = false;
      break;
  }
  arrange(selection());
}

void live_screen::open(bool opened) {
  if (selected_ >= rows_.size()) return;
  const auto site = identity_of(snapshot_.sites[rows_[selected_].site]);
  if (opened) {
    open_.insert(site);
    return arrange(selection());
  }
  open_.erase(site);
  arrange({.site = site, .below = 0});
}

void live_screen::change_interval(bool longer) {
  if (longer) {
    const auto next = std::ranges::upper_bound(intervals, interval_);
    if (next != intervals.end()) interval_ = *next;
  } else {
    const auto next = std::ranges::lower_bound(intervals, interval_);
    if (next != intervals.begin()) interval_ = *std::prev(next);
  }
}

bool live_screen::matches(const live_site& site) const {
  return has(site.function, filter_) || has(site.where.file, filter_);
}

bool live_screen::comes_before(std::uint32_t a, std::uint32_t b) const {
  const auto &x = snapshot_.sites[a], &y = snapshot_.sites[b];
  switch (order_) {
    case order::bytes:
      break;
    case order::count:
      if (x.count != y.count) return x.count > y.count;
      break;
    case order::each:
      if (x.frame_bytes != y.frame_bytes) return x.frame_bytes > y.frame_bytes;
      break;
    case order::name:
      if (x.function != y.function) return x.function < y.function;
      if (x.where.line != y.where.line) return x.where.line < y.where.line;
      break;
    case order::growth:
      if (growth_[a] != growth_[b]) return growth_[a] > growth_[b];
      break;
  }
  return std::tuple(y.total_bytes, y.count, a) < std::tuple(x.total_bytes, x.count, b);
}

std::vector<std::uint32_t> live_screen::sorted_sites() const {
  std::vector<std::uint32_t> sites;
  for (std::uint32_t i = 0; i < snapshot_.sites.size(); ++i) {
    if (matches(snapshot_.sites[i])) sites.push_back(i);
  }
  std::ranges::sort(sites, [&](std::uint32_t a, std::uint32_t b) { return comes_before(a, b); });
  return sites;
}

live_screen::anchor live_screen::selection() const {
  if (selected_ >= rows_.size()) return {};
  anchor held{.site = identity_of(snapshot_.sites[rows_[selected_].site]), .below = 0};
  while (rows_[selected_ - held.below].waiter) ++held.below;
  // Without a selection, the first row stays selected.
  if (selected_ == 0 && !open_.contains(*held.site)) return {};
  return held;
}

void live_screen::arrange(const anchor& selected) {
  rows_.clear();
  const auto sites = sorted_sites();
  matching_ = sites.size();
  std::size_t chosen = selected_;
  for (const std::uint32_t site : sites) {
    const auto its_identity = identity_of(snapshot_.sites[site]);
    const std::size_t its_row = rows_.size();
    rows_.push_back({.site = site, .waiter = {}});
    if (open_.contains(its_identity)) {
      for (const auto& each : inspect::waiters_for(snapshot_, site)) rows_.push_back({.site = site, .waiter = each});
    }
    if (selected.site == its_identity) chosen = std::min(its_row + selected.below, rows_.size() - 1);
  }
  select(chosen);
}

void live_screen::select(std::size_t wanted) {
  selected_ = rows_.empty() ? 0 : std::min(wanted, rows_.size() - 1);
  const std::size_t body = std::max<std::size_t>(body_height(), 1);
  if (selected_ < top_) top_ = selected_;
  if (selected_ >= top_ + body) top_ = selected_ + 1 - body;
  // Fill the screen while there are rows above.
  top_ = std::min(top_, rows_.size() - std::min(rows_.size(), body));
}

void live_screen::move(std::ptrdiff_t count) {
  const auto to = static_cast<std::ptrdiff_t>(selected_) + count;
  select(to < 0 ? 0 : static_cast<std::size_t>(to));
}

std::size_t live_screen::body_height() const {
  constexpr std::size_t others = 3;  // status, head, footer
  const std::size_t used = header().size() + others;
  return height_ > used ? height_ - used : 0;
}

}  // namespace tare::cli
