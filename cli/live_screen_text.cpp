// The lines of live_screen.

#include "cli/figures.hpp"
#include "cli/live_report.hpp"
#include "cli/live_screen.hpp"
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

constexpr std::size_t min_height = 5;
constexpr std::size_t min_width = 24;

constexpr std::array<std::string_view, 11> help{
    "Up, Down, Page Up, Page Down, Home, End: select a place",
    "Enter, Right: show what waits for the frames there; Left closes it",
    "t  sort by the total bytes of a place",
    "c  sort by the number of frames",
    "e  sort by the bytes per frame",
    "g  sort by growth since the start",
    "n  sort by name",
    "/  show only places whose function or file contains a text; Escape shows all",
    "p  pause or continue",
    "+ -  take snapshots less or more often",
    "q  quit",
};

/// "server.cpp:42", or nothing.
std::string base_place(const inspect::source_line& where) {
  if (where.line == 0) return {};
  return fmt::format("{}:{}", std::filesystem::path(where.file).filename().string(), where.line);
}

/// A function and its place in this many columns; the place is dropped first if both do not fit.
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

/// The widths of the figures; 0: not shown.
struct live_screen::columns {
  std::size_t bytes = 0;
  std::size_t share = 0;
  std::size_t count = 0;
  std::size_t each = 0;
  std::size_t growth = 0;

  static constexpr std::size_t gap = 2;
  [[nodiscard]] std::size_t width() const {
    std::size_t all = 0;
    for (const std::size_t first : {bytes, share, count, each, growth}) all += first == 0 ? 0 : first + gap;
    return all;
  }
};

std::vector<std::string> live_screen::header() const {
  std::vector<std::string> all;
  for (const auto line : std::views::split(live_head(snapshot_), '\n')) {
    if (!line.empty()) all.emplace_back(line.begin(), line.end());
  }
  // On a screen with few lines, places matter more than figures.
  constexpr std::size_t low = 12;
  if (height_ < low) all.resize(1);
  return all;
}

std::string live_screen::status() const {
  constexpr std::array<std::string_view, 5> orders{"bytes", "number", "bytes each", "name", "growth"};
  std::string text = paused_ ? "paused" : fmt::format("every {:g} s", static_cast<double>(interval_.count()) / 1e3);
  text += fmt::format(", by {}", orders.at(static_cast<std::size_t>(order_)));
  if (!filter_.empty()) {
    text += fmt::format(", {} of {} places contain '{}'", matching_, snapshot_.sites.size(), short_name(filter_));
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
  // The name of a function matters more than its figures, except those that the rows are sorted by.
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

std::string live_screen::row_text(const row& row, const columns& shown) const {
  const auto& site = snapshot_.sites[row.site];
  std::string text;
  const auto add = [&](const std::string& figure, std::size_t wide) {
    if (wide != 0) text += right(figure, wide) + std::string(columns::gap, ' ');
  };
  const std::size_t room = width_ - std::min(width_, shown.width());
  if (!row.waiter) {
    add(with_commas(site.total_bytes), shown.bytes);
    add(percent(site.total_bytes, snapshot_.frame_bytes), shown.share);
    add(with_commas(site.count), shown.count);
    add(site.frame_bytes == 0 ? "?" : with_commas(site.frame_bytes), shown.each);
    add(growth_[row.site] == 0 ? "" : with_sign(growth_[row.site]), shown.growth);
    return text + named(site, room);
  }
  add(with_commas(row.waiter->bytes), shown.bytes);
  add("", shown.share);
  add(with_commas(row.waiter->count), shown.count);
  add("", shown.each);
  add("", shown.growth);
  constexpr std::size_t deepest_indent = 10;
  const std::string lead = std::string(2 * std::min(row.waiter->level, deepest_indent), ' ') + "└ ";
  if (!row.waiter->site) return text + lead + "no coroutine waits for these frames";
  return text + lead + named(snapshot_.sites[*row.waiter->site], room - std::min(room, text_width(lead)));
}

void live_screen::add_body(std::vector<screen_line>& to) const {
  const std::size_t body = body_height();
  if (helping_) {
    for (const auto line : help | std::views::take(body)) to.push_back({std::string(line), look::plain});
    return;
  }
  const auto shown = columns_that_fit();
  if (rows_.empty()) {
    to.push_back({snapshot_.sites.empty() ? "no suspended coroutine found" : "no place contains this text", look::dim});
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
