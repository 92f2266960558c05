#include "cli/live_screen.hpp"

#include "cli/figures.hpp"
#include "cli/live_report.hpp"
#include "cli/short_name.hpp"
#include "cli/text_width.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <ranges>
#include <utility>

namespace tare::cli {
namespace {

using inspect::live_site;
using look = screen_line::look;
using key = screen_key::kind;
using namespace std::chrono_literals;

constexpr std::array<std::chrono::milliseconds, 8> intervals{200ms, 500ms, 1s, 2s, 5s, 10s, 30s, 60s};
constexpr std::size_t min_height = 5;
constexpr std::size_t min_width = 24;

constexpr std::array<std::string_view, 11> help{
    "Up, Down, Page Up, Page Down, Home, End: select a place",
    "Enter, Right: who waits for what is suspended there; Left closes it",
    "t  sort by the bytes of all frames of a place",
    "c  sort by their number",
    "e  sort by the bytes of each",
    "g  sort by growth since the beginning",
    "n  sort by name",
    "/  show only places whose function or file has this text; Escape shows all",
    "p  pause, go on",
    "+ -  look less often, more often",
    "q  quit",
};

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

/// "server.cpp:42", or nothing.
std::string base_place(const inspect::source_line& where) {
  if (where.line == 0) return {};
  return fmt::format("{}:{}", std::filesystem::path(where.file).filename().string(), where.line);
}

/// A function and its place in so many columns; the place goes first where both do not fit.
std::string named(const live_site& site, std::size_t columns) {
  constexpr std::size_t min_name = 12;
  std::string behind;
  if (const auto place = base_place(site.where); !place.empty()) behind += "  " + short_name(place);
  if (const auto state = state_of(site); !state.empty()) behind += fmt::format(" ({})", state);
  if (text_width(behind) + min_name > columns) behind.clear();
  return short_name(site.function, columns - std::min(columns, text_width(behind))) + behind;
}

std::string right(std::string_view text, std::size_t columns) { return fmt::format("{:>{}}", text, columns); }

}  // namespace

/// Which figures are shown, and how wide; 0: not at all.
struct live_screen::columns {
  std::size_t bytes = 0;
  std::size_t share = 0;
  std::size_t count = 0;
  std::size_t each = 0;
  std::size_t growth = 0;

  static constexpr std::size_t gap = 2;
  [[nodiscard]] std::size_t width() const {
    std::size_t all = 0;
    for (const std::size_t one : {bytes, share, count, each, growth}) all += one == 0 ? 0 : one + gap;
    return all;
  }
};

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
  // Whoever has chosen nothing sees what comes first.
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
      for (const auto& one : inspect::waiters_for(snapshot_, site)) rows_.push_back({.site = site, .waiter = one});
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
  // No room is left empty while there are rows above.
  top_ = std::min(top_, rows_.size() - std::min(rows_.size(), body));
}

void live_screen::move(std::ptrdiff_t by) {
  const auto to = static_cast<std::ptrdiff_t>(selected_) + by;
  select(to < 0 ? 0 : static_cast<std::size_t>(to));
}

std::vector<std::string> live_screen::header() const {
  std::vector<std::string> all;
  for (const auto line : std::views::split(live_head(snapshot_), '\n')) {
    if (!line.empty()) all.emplace_back(line.begin(), line.end());
  }
  // On a low screen the places matter more than the figures.
  constexpr std::size_t low = 12;
  if (height_ < low) all.resize(1);
  return all;
}

std::size_t live_screen::body_height() const {
  constexpr std::size_t others = 3;  // status, head, footer
  const std::size_t used = header().size() + others;
  return height_ > used ? height_ - used : 0;
}

std::string live_screen::status() const {
  constexpr std::array<std::string_view, 5> orders{"bytes", "number", "bytes each", "name", "growth"};
  std::string text = paused_ ? "paused" : fmt::format("every {:g} s", static_cast<double>(interval_.count()) / 1e3);
  text += fmt::format(", by {}", orders.at(static_cast<std::size_t>(order_)));
  if (!filter_.empty()) {
    text += fmt::format(", {} of {} places have '{}'", matching_, snapshot_.sites.size(), short_name(filter_));
  }
  return text;
}

std::string live_screen::footer() const {
  if (editing_filter_) return fmt::format("show only: {}_", filter_);
  if (helping_) return "? closes this";
  return "q quit  ? help  / filter  Enter who waits  t c e g n sort  p pause  + - interval";
}

live_screen::columns live_screen::columns_that_fit() const {
  columns shown{.bytes = 5, .share = 7, .count = 5, .each = 4, .growth = 6};
  for (std::size_t i = 0; i < snapshot_.sites.size(); ++i) {
    const auto& site = snapshot_.sites[i];
    shown.bytes = std::max(shown.bytes, with_commas(site.total_bytes).size());
    shown.count = std::max(shown.count, with_commas(site.count).size());
    shown.each = std::max(shown.each, with_commas(site.frame_bytes).size());
    shown.growth = std::max(shown.growth, with_sign(growth_[i]).size());
  }
  // The name of a function is worth more than its figures, apart from those that it is sorted by.
  constexpr std::size_t room_for_names = 36;
  const auto leave_out = [&](std::size_t& column, bool needed) {
    if (!needed && shown.width() + room_for_names > width_) column = 0;
  };
  leave_out(shown.share, false);
  leave_out(shown.growth, order_ == order::growth);
  leave_out(shown.each, order_ == order::each);
  leave_out(shown.count, order_ == order::count);
  return shown;
}

std::string live_screen::head_text(const columns& shown) const {
  std::string text;
  const auto add = [&](std::string_view title, std::size_t wide) {
    if (wide != 0) text += right(title, wide) + std::string(columns::gap, ' ');
  };
  add("bytes", shown.bytes);
  add("share", shown.share);
  add("count", shown.count);
  add("each", shown.each);
  add("growth", shown.growth);
  return text + "suspended in";
}

std::string live_screen::row_text(const row& of, const columns& shown) const {
  const auto& site = snapshot_.sites[of.site];
  std::string text;
  const auto add = [&](const std::string& figure, std::size_t wide) {
    if (wide != 0) text += right(figure, wide) + std::string(columns::gap, ' ');
  };
  const std::size_t room = width_ - std::min(width_, shown.width());
  if (!of.waiter) {
    add(with_commas(site.total_bytes), shown.bytes);
    add(percent(site.total_bytes, snapshot_.frame_bytes), shown.share);
    add(with_commas(site.count), shown.count);
    add(site.frame_bytes == 0 ? "?" : with_commas(site.frame_bytes), shown.each);
    add(growth_[of.site] == 0 ? "" : with_sign(growth_[of.site]), shown.growth);
    return text + named(site, room);
  }
  add(with_commas(of.waiter->bytes), shown.bytes);
  add("", shown.share);
  add(with_commas(of.waiter->count), shown.count);
  add("", shown.each);
  add("", shown.growth);
  constexpr std::size_t deepest_indent = 10;
  const std::string lead = std::string(2 * std::min(of.waiter->level, deepest_indent), ' ') + "└ ";
  if (!of.waiter->site) return text + lead + "no coroutine waits for these";
  return text + lead + named(snapshot_.sites[*of.waiter->site], room - std::min(room, text_width(lead)));
}

void live_screen::add_body(std::vector<screen_line>& to) const {
  const std::size_t body = body_height();
  if (helping_) {
    for (const auto line : help | std::views::take(body)) to.push_back({std::string(line), look::plain});
    return;
  }
  const auto shown = columns_that_fit();
  if (rows_.empty()) {
    to.push_back({snapshot_.sites.empty() ? "no suspended coroutine found" : "nothing has this text", look::dim});
    return;
  }
  for (std::size_t i = top_; i < rows_.size() && i < top_ + body; ++i) {
    to.push_back({row_text(rows_[i], shown), i == selected_    ? look::selected
                                             : rows_[i].waiter ? look::dim
                                                               : look::plain});
  }
}

std::vector<screen_line> live_screen::lines() const {
  std::vector<screen_line> all;
  if (height_ < min_height || width_ < min_width) {
    all.push_back({"the terminal is too small", look::plain});
  } else {
    for (auto& line : header()) all.push_back({std::move(line), all.empty() ? look::bold : look::plain});
    all.push_back({status(), look::dim});
    all.push_back({helping_ ? std::string("keys") : head_text(columns_that_fit()), look::head});
    add_body(all);
    all.resize(height_ - 1);
    all.push_back({footer(), editing_filter_ ? look::bold : look::dim});
  }
  all.resize(std::min(all.size(), height_));
  for (auto& line : all) {
    const std::size_t width = text_width(line.text);
    line.text = std::string(clipped(line.text, width_));
    const bool bar = line.how == look::head || line.how == look::selected;
    if (bar && width < width_) line.text += std::string(width_ - width, ' ');
  }
  return all;
}

}  // namespace tare::cli
