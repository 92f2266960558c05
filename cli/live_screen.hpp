#pragma once

// The screen of `tare live --watch`: its input is keys and snapshots, its output lines of text. It does not depend on a
// terminal; live_terminal.hpp does.

#include "inspect/live/snapshot.hpp"
#include "inspect/live/waiters.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace tare::cli {

/// A key that was pressed.
struct screen_key {
  enum class kind : std::uint8_t {
    character,
    up,
    down,
    left,
    right,
    page_up,
    page_down,
    home,
    end,
    enter,
    escape,
    backspace,
  };
  kind what = kind::character;
  char32_t character = 0;
};

/// A line of the screen, not wider than the screen.
struct screen_line {
  enum class look : std::uint8_t { plain, bold, dim, head, selected };
  std::string text;
  look how = look::plain;

  friend bool operator==(const screen_line&, const screen_line&) = default;
};

class live_screen {
 public:
  explicit live_screen(std::chrono::milliseconds interval) : interval_(interval) {}

  /// Sets a new snapshot. Growth is relative to the first one.
  void show(inspect::live_snapshot snapshot);
  void press(const screen_key& pressed);
  void resize(std::size_t height, std::size_t width);

  /// The lines to show, not more than the screen has.
  [[nodiscard]] std::vector<screen_line> lines() const;

  [[nodiscard]] bool quits() const noexcept { return quits_; }
  [[nodiscard]] bool paused() const noexcept { return paused_; }
  /// How long to wait between two snapshots.
  [[nodiscard]] std::chrono::milliseconds interval() const noexcept { return interval_; }

 private:
  enum class order : std::uint8_t { bytes, count, each, name, growth };
  /// Identifies a site across snapshots.
  using identity = std::tuple<std::string, std::string, std::uint32_t, inspect::suspension, std::string>;
  /// A line of the body: a site, or one of its waiters below it.
  struct row {
    std::uint32_t site = 0;
    std::optional<inspect::waiter> waiter;
  };
  /// The selection, which outlives the rows: a site, and how many rows below it.
  struct anchor {
    std::optional<identity> site;
    std::size_t below = 0;
  };
  struct columns;

  static identity identity_of(const inspect::live_site& site);
  [[nodiscard]] bool matches(const inspect::live_site& site) const;
  [[nodiscard]] bool comes_before(std::uint32_t a, std::uint32_t b) const;
  [[nodiscard]] std::vector<std::uint32_t> sorted_sites() const;
  [[nodiscard]] anchor selection() const;
  /// Recomputes the rows.
  void arrange(const anchor& selected);
  void select(std::size_t wanted);
  void move(std::ptrdiff_t count);

  void press_command(char32_t character);
  void edit_filter(const screen_key& pressed);
  void open(bool opened);
  void change_interval(bool longer);

  [[nodiscard]] std::vector<std::string> header() const;
  [[nodiscard]] std::size_t body_height() const;
  [[nodiscard]] std::string status() const;
  [[nodiscard]] std::string footer() const;
  [[nodiscard]] columns columns_that_fit() const;
  [[nodiscard]] std::string head_text(const columns& shown) const;
  [[nodiscard]] std::string row_text(const row& row, const columns& shown) const;
  void add_body(std::vector<screen_line>& to) const;

  std::chrono::milliseconds interval_;
  inspect::live_snapshot snapshot_;
  std::optional<std::map<identity, std::uint64_t>> first_bytes_;
  std::vector<std::int64_t> growth_;  ///< per site, since the first snapshot
  std::set<identity> open_;
  order order_ = order::bytes;
  std::string filter_;
  bool editing_filter_ = false;
  bool helping_ = false;
  bool paused_ = false;
  bool quits_ = false;

  std::vector<row> rows_;
  std::size_t matching_ = 0;  ///< the number of sites that match the filter
  std::size_t selected_ = 0;  ///< index into the rows
  std::size_t top_ = 0;       ///< the first row that is shown
  std::size_t height_ = 24;
  std::size_t width_ = 80;
};

}  // namespace tare::cli
