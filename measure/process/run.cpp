#include "measure/process/run.hpp"

#include "measure/process/process.hpp"
#include "measure/process/tail.hpp"

#include <fmt/format.h>

namespace tare::measure {

base::result<std::string> run(const command& what, std::chrono::nanoseconds time_limit, stop_signal stop) {
  const auto running = process::start(what);
  if (!running) return std::unexpected(running.error());
  tail output;
  const auto heard = listen(*running, running->started_at() + time_limit, stop, [&](std::string_view bytes) {
    output.feed(bytes);
    return false;
  });
  if (!heard) return std::unexpected(heard.error());
  if (!heard->ended) {
    return base::command_error(
        fmt::format("'{}' did not end within {} s", what.text(), std::chrono::duration<double>(time_limit).count()));
  }
  if (heard->ended->success()) return output.text();

  std::string last = heard->errors.last_line();
  if (last.empty()) last = output.last_line();
  return base::command_error(
      fmt::format("'{}' {}{}{}", what.text(), heard->ended->text(), last.empty() ? "" : ": ", last));
}

}  // namespace tare::measure
