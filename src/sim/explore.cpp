#include <tare/sim/explore.hpp>

#include "sim/injected_fault.hpp"
#include "sim/play.hpp"
#include "sim/stop_report.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tare::sim {

namespace {

using detail::faults;
using detail::injection;

[[nodiscard]] std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    return std::string("the scenario ended by an exception: ") + thrown.what();
  } catch (...) {
    return "the scenario ended by an exception that is not a std::exception";
  }
}

[[nodiscard]] std::vector<explored_line> lines_of(const await_table& known) {
  std::vector<explored_line> lines;
  for (const suspension_point& point : known.awaits()) {
    if (!lines.empty() && lines.back().file == point.file && lines.back().line == point.line) continue;
    lines.push_back({.file = point.file, .line = point.line, .function = point.function});
  }
  return lines;
}

class explorer {
 public:
  explorer(const explore_options& chosen, const scenario& body) : chosen_(chosen), body_(body) {
    if (chosen.awaits != nullptr) seen_.lines = lines_of(*chosen.awaits);
  }

  detail::outcome run(const injection& fault) {
    ++seen_.runs;
    const detail::fault_in_progress noted(fault);
    detail::outcome made = detail::play(chosen_.run.seed, chosen_.run, body_, fault);
    std::string problem;
    if (made.problem) problem = *made.problem;
    if (made.error) problem = message_of(made.error);
    if (problem.empty() && chosen_.failed && chosen_.failed()) problem = "an assertion of the scenario does not hold";
    if (problem.empty()) return made;
    throw failure(problem + "\nthe last steps:\n" + made.last_steps + detail::how_to_repeat(chosen_.run.seed) + "\n" +
                  detail::how_to_repeat(fault));
  }

  exploration all() {
    injection nothing;
    nothing.wire.counts = true;
    const detail::outcome first = run(nothing);
    if (chosen_.cancel_awaits) each(first.awaits, seen_.awaits, &injection::cancelled_await);
    if (chosen_.cancel_awaits && chosen_.wait_for_sockets) cancel_where_sockets_wait();
    if (chosen_.refuse_allocations) each(first.allocations, seen_.allocations, &injection::refused_allocation);
    if (chosen_.delay_wakes) each(first.wakes, seen_.wakes, &injection::late_wake);
    if (chosen_.fail_files) fail(first.wire.file_calls);
    if (chosen_.split_reads) split(first.wire.read_bytes);
    if (chosen_.cut_writes) cut(first.wire.write_bytes);
    return seen_;
  }

 private:
  [[nodiscard]] bool has_runs_left() const noexcept { return seen_.runs < chosen_.max_runs; }

  /// Otherwise most calls succeed at once, and what awaits them is never suspended.
  void cancel_where_sockets_wait() {
    injection waits;
    waits.wire.calls_wait = true;
    const detail::outcome first = run(waits);
    if (first.wire.waited != 0) each(first.awaits, seen_.awaits, &injection::cancelled_await, waits);
  }

  void each(std::uint64_t count, explored_faults& counted, std::uint64_t injection::* at, const injection& with = {}) {
    counted.possible += count;
    for (std::uint64_t number = 1; number <= count && has_runs_left(); ++number) {
      injection fault = with;
      fault.*at = number;
      fault.awaits = chosen_.awaits;
      note_cancelled(run(fault).cancelled_at);
      ++counted.tried;
    }
  }

  void note_cancelled(const std::vector<detail::awaited_line>& path) {
    for (const auto& [point, is_shielded] : path) {
      const auto place = [](const explored_line& line) { return std::pair(line.file, line.line); };
      const auto found = std::ranges::lower_bound(seen_.lines, std::pair(point.file, point.line), {}, place);
      if (found == seen_.lines.end() || place(*found) != std::pair(point.file, point.line)) continue;
      ++(is_shielded ? found->shielded : found->cancelled);
    }
  }

  /// The first bytes of a piece after which it is cut, and the last one.
  [[nodiscard]] std::vector<std::size_t> places_in(std::size_t bytes, std::size_t from) const {
    std::vector<std::size_t> places;
    for (std::size_t at = from; at < std::min(bytes, chosen_.max_bytes); ++at) places.push_back(at);
    if (bytes > chosen_.max_bytes) places.push_back(bytes - 1);
    return places;
  }

  void fail(std::uint64_t file_calls) {
    for (std::uint64_t number = 1; number <= file_calls; ++number) {
      injection fault;
      fault.wire.failing_file_call = number;
      try_one(fault, seen_.files);
    }
  }

  void split(const std::vector<std::size_t>& pieces) {
    for (std::size_t number = 0; number < pieces.size(); ++number) {
      for (const std::size_t at : places_in(pieces[number], 1)) {
        injection fault;
        fault.wire.split_read = number + 1;
        fault.wire.split_after = at;
        try_one(fault, seen_.reads);
      }
    }
  }

  void cut(const std::vector<std::size_t>& pieces) {
    for (std::size_t number = 0; number < pieces.size(); ++number) {
      for (const std::size_t at : places_in(pieces[number], 0)) {
        for (const faults::end then : {faults::end::reset, faults::end::silence}) {
          injection fault;
          fault.wire.cut_write = number + 1;
          fault.wire.cut_after = at;
          fault.wire.then = then;
          try_one(fault, seen_.writes);
        }
      }
    }
  }

  void try_one(const injection& fault, explored_faults& counted) {
    ++counted.possible;
    if (!has_runs_left()) return;
    (void)run(fault);
    ++counted.tried;
  }

  const explore_options& chosen_;
  const scenario& body_;
  exploration seen_;
};

}  // namespace

std::string to_string(const exploration& seen) {
  const auto part = [](const char* what, const explored_faults& of) {
    return std::to_string(of.tried) + "/" + std::to_string(of.possible) + " " + what;
  };
  return part("awaits cancelled", seen.awaits) + ", " + part("allocations refused", seen.allocations) + ", " +
         part("writes cut", seen.writes) + ", " + part("segments split", seen.reads) + ", " +
         part("wake-ups delayed", seen.wakes) + ", " + part("file calls failed", seen.files) + ", " +
         std::to_string(seen.runs) + " runs";
}

exploration explore(const explore_options& chosen, const scenario& body) {
  explorer exploring(chosen, body);
  if (const char* const text = std::getenv("TARE_SIM_FAULT");  // NOLINT(concurrency-mt-unsafe): there is one thread
      text != nullptr) {
    (void)exploring.run(detail::parse_fault(text));
    exploration one;
    one.runs = 1;
    return one;
  }
  return exploring.all();
}

}  // namespace tare::sim
