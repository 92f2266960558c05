#include <tare/sim/run.hpp>

#include "sim/play.hpp"
#include "sim/stop_report.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace tare::sim {

namespace {

[[nodiscard]] std::optional<std::uint64_t> number_in_environment(const char* name) {
  const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
  if (error != std::errc() || *end != '\0') {
    throw std::invalid_argument("tare::sim: " + std::string(name) + " is not a number: " + text);
  }
  return number;
}

[[nodiscard]] std::string text_of(const detail::step& step) {
  return std::string(step.what) + " of thread " + std::to_string(step.fiber) + ", descriptor " +
         std::to_string(step.descriptor) + ", result " + std::to_string(step.result) + ", at " +
         std::to_string(step.time) + " ns";
}

/// Throws what went wrong in a run.
void check(std::uint64_t seed, const detail::outcome& made) {
  if (!made.problem && !made.error) return;
  const std::string repeat = detail::how_to_repeat(seed);
  if (made.problem) throw failure(*made.problem + "\nthe last steps:\n" + made.last_steps + repeat);
  // The scenario's own error keeps its type.
  std::fprintf(stderr, "the last steps:\n%s%s\n", made.last_steps.c_str(), repeat.c_str());  // NOLINT(*-vararg)
  std::rethrow_exception(made.error);
}

void check_same(std::uint64_t seed, const detail::outcome& first, const detail::outcome& second) {
  if (first.steps.hash() == second.steps.hash()) return;
  std::string text =
      "the seed made two different runs: the scenario depends on something that the seed does not "
      "determine, such as addresses, the order of an unordered container, or static variables.\n";
  if (const auto at = detail::trace::first_difference(first.steps, second.steps)) {
    text += "The first step that differs is number " + std::to_string(*at) + ":\n";
    for (const detail::outcome* const each : {&first, &second}) {
      text += "  " + (*at < each->steps.kept().size() ? text_of(each->steps.kept()[*at]) : "the end") + '\n';
    }
  }
  throw failure(text + detail::how_to_repeat(seed));
}

}  // namespace

report run(const options& chosen, const scenario& body) {
  options used = chosen;
  used.seed = number_in_environment("TARE_SIM_SEED").value_or(chosen.seed);
  const detail::outcome first = detail::play(used.seed, used, body, {});
  check(used.seed, first);
  if (used.twice) {
    const detail::outcome second = detail::play(used.seed, used, body, {});
    check(used.seed, second);
    check_same(used.seed, first, second);
  }
  return {.hash = first.steps.hash(), .steps = first.steps.steps(), .time = std::chrono::nanoseconds(first.time)};
}

void run_seeds(std::uint64_t count, options chosen, const scenario& body) {
  if (number_in_environment("TARE_SIM_SEED")) {
    (void)run(chosen, body);
    return;
  }
  const std::uint64_t seeds = number_in_environment("TARE_SIM_SEEDS").value_or(count);
  for (std::uint64_t i = 0; i < seeds; ++i, ++chosen.seed) (void)run(chosen, body);
}

}  // namespace tare::sim
