#include "load/held_database.hpp"

#include "load/crowd.hpp"
#include "load/free_port.hpp"
#include "load/target.hpp"
#include "measure/weigh/line_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace tare::load {
namespace {

using base::result;

constexpr std::size_t max_printed_bytes = 65'536;
constexpr std::chrono::seconds patience{10};

std::string why_not(const measure::heard& from) {
  const std::string last = from.errors.last_line();
  const std::string how = from.ended ? from.ended->text() : "did not print READY in time";
  return last.empty() ? how : fmt::format("{}: {}", how, last);
}

}  // namespace

held_database::held_database(measure::process program, std::string name, std::uint16_t port,
                             std::chrono::nanoseconds time_limit)
    : program_(std::make_unique<measure::process>(std::move(program))),
      name_(std::move(name)),
      port_(port),
      time_limit_(time_limit) {}

held_database::~held_database() {
  if (!program_) return;
  ::kill(program_->pid(), SIGTERM);
  (void)measure::listen(*program_, measure::process::clock::now() + patience, -1,
                        [](std::string_view) { return false; });
}

result<held_database> held_database::start(const measure::command& what, std::chrono::nanoseconds time_limit,
                                           measure::stop_signal stop) {
  if (what.arguments.empty()) return base::input_error("connections that wait for a database need a database");
  const auto port = free_port();
  if (!port) return std::unexpected(port.error());
  auto program = measure::process::start(what.with_port(*port));
  if (!program) return std::unexpected(program.error());
  held_database made(std::move(*program), what.arguments.front(), *port, time_limit);
  std::string printed;
  measure::line_watch ready("READY");
  const auto heard =
      measure::listen(*made.program_, made.program_->started_at() + time_limit, stop, [&](std::string_view bytes) {
        if (printed.size() < max_printed_bytes) printed += bytes;
        return ready.feed(bytes);
      });
  if (!heard) return std::unexpected(heard.error());
  if (!heard->enough) {
    if (heard->ended) made.program_.reset();  // there is nothing left to stop
    return base::command_error(fmt::format("the database {} did not start: {}", made.name_, why_not(*heard)));
  }
  if (auto values = made.read(printed); !values) return std::unexpected(values.error());
  return made;
}

result<void> held_database::read(std::string_view printed) {
  const std::pair<std::string_view, std::string*> known[] = {{"url=", &url_}, {"path=", &path_}, {"body=", &body_}};
  while (!printed.empty()) {
    const std::string_view line = printed.substr(0, printed.find('\n'));
    printed.remove_prefix(std::min(printed.size(), line.size() + 1));
    for (const auto& [key, value] : known) {
      if (line.starts_with(key)) *value = line.substr(key.size());
    }
  }
  for (const auto& [key, value] : known) {
    if (value->empty()) return base::command_error(fmt::format("the database {} printed no line {}...", name_, key));
  }
  return {};
}

task<result<void>> held_database::tell(std::string_view what) {
  const auto control = target_at(net::endpoint::loopback(port_), what);
  if (!control) co_return std::unexpected(control.error());
  crowd crowd(*control, {.time_limit = time_limit_});
  const tally done = co_await crowd.open(1);
  if (done.failed == 0) co_return result<void>();
  co_return base::command_error(fmt::format("the database {} failed at {}: {}", name_, what, done.first));
}

}  // namespace tare::load
