#include "measure/weigh/weigh.hpp"

#include "base/proc/cpu_time.hpp"
#include "base/proc/process_tree.hpp"
#include "measure/process/process.hpp"
#include "measure/weigh/line_watch.hpp"

#include <fmt/format.h>

#include <poll.h>

#include <algorithm>
#include <string>
#include <utility>

namespace tare::measure {
namespace {

/// "NAME exited with status 1 before READY with n = 5: its last words".
std::unexpected<base::error> failure(const command& program, std::string_view what, std::uint64_t n,
                                     const tail& errors) {
  const std::string last = errors.last_line();
  return base::command_error(
      fmt::format("{} {} with n = {}{}{}", program.arguments.front(), what, n, last.empty() ? "" : ": ", last));
}

bool has_ended(const process& running) {
  pollfd watched{running.exit_report().get(), POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

}  // namespace

base::result<sample> weigh_once(const command& program, std::uint64_t n, std::chrono::nanoseconds time_limit,
                                stop_signal stop, std::chrono::nanoseconds settle) {
  if (!program.takes_count()) return base::command_error("the command has no {n} where the number of tasks goes");
  const command counted = program.with_count(n);
  const auto running = process::start(counted);
  if (!running) return std::unexpected(running.error());

  line_watch ready(ready_line);
  report_reader reports;
  const auto heard = listen(*running, running->started_at() + time_limit, stop, [&](std::string_view bytes) {
    reports.feed(bytes);
    return ready.feed(bytes);
  });
  const auto heard_at = process::clock::now();
  if (!heard) return std::unexpected(heard.error());
  if (heard->ended) {
    const auto text = fmt::format("{} {} READY", heard->ended->text(), heard->enough ? "right after" : "before");
    return failure(counted, text, n, heard->errors);
  }
  if (!heard->enough) {
    const double seconds = std::chrono::duration<double>(time_limit).count();
    const auto text = heard->output_closed
                          ? std::string("closed its standard output without printing READY")
                          : fmt::format("did not print READY within {} s (is its output flushed?)", seconds);
    return failure(counted, text, n, heard->errors);
  }

  if (settle.count() > 0) {
    const auto settled = listen(*running, heard_at + settle, stop, [](std::string_view) { return false; });
    if (!settled) return std::unexpected(settled.error());
    if (settled->ended) return failure(counted, settled->ended->text() + " after READY", n, settled->errors);
  }
  const auto processes = base::descendants(running->supervisor());
  if (!processes) return std::unexpected(processes.error());
  const auto cpu = base::read_cpu_time(*processes);
  const auto held = base::read_memory(*processes);
  // First, because it explains why there may be nothing to read.
  if (has_ended(*running)) return failure(counted, "ended while its memory was being read", n, heard->errors);
  if (!held) return std::unexpected(held.error());
  return sample{
      .n = n, .held = *held, .ready = heard_at - running->started_at(), .cpu = cpu, .reported = reports.values()};
}

weighed weigh(const weighing& what, stop_signal stop, const std::function<void(std::uint64_t n)>& progress) {
  weighed all;
  for (const std::uint64_t n : what.counts) {
    if (progress) progress(n);
    auto measured = weigh_once(what.program, n, what.time_limit, stop);
    if (!measured) {
      all.failed = std::move(measured.error());
      break;
    }
    all.samples.push_back(*measured);
  }
  return all;
}

}  // namespace tare::measure
