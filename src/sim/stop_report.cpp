#include "sim/stop_report.hpp"

#include "sim/injected_fault.hpp"

#include <array>
#include <cstdio>

namespace tare::sim::detail {

namespace {

const scheduler* running = nullptr;
std::uint64_t running_seed = 0;
std::array<char, 65536> signal_stack;

void print(int signal) {
  // The handler of one signal runs once; after that the default applies.
  std::fprintf(stderr, "the last steps:\n%s%s\n%s\n", describe_last_steps(*running).c_str(),  // NOLINT(*-vararg)
               how_to_repeat(running_seed).c_str(), fault_in_progress::text().c_str());
  (void)std::raise(signal);
}

}  // namespace

stop_report::stop_report(std::uint64_t seed, const scheduler& fibers) noexcept {
  running = &fibers;
  running_seed = seed;
  // A fiber's stack may have overflowed.
  const stack_t own{.ss_sp = signal_stack.data(), .ss_flags = 0, .ss_size = signal_stack.size()};
  (void)::sigaltstack(&own, nullptr);
  struct sigaction printing{};
  printing.sa_handler = &print;
  printing.sa_flags = static_cast<int>(static_cast<unsigned>(SA_RESETHAND) | SA_ONSTACK | SA_NODEFER);
  (void)::sigaction(SIGABRT, &printing, &on_abort_before_);
  (void)::sigaction(SIGSEGV, &printing, &on_fault_before_);
}

stop_report::~stop_report() {
  (void)::sigaction(SIGABRT, &on_abort_before_, nullptr);
  (void)::sigaction(SIGSEGV, &on_fault_before_, nullptr);
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  (void)::sigaltstack(&none, nullptr);
  running = nullptr;
}

std::string describe_last_steps(const scheduler& fibers) {
  std::string text;
  for (const step& each : fibers.steps().last()) {
    std::array<char, 160> line{};
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
    (void)std::snprintf(line.data(), line.size(), "  %14.6f ms  %-24s %s", static_cast<double>(each.time) * 1e-6,
                        fibers.label_of(each.fiber).c_str(), each.what);
    text += line.data();
    if (each.descriptor >= 0) text += "(" + std::to_string(each.descriptor) + ")";
    text += " = " + std::to_string(each.result) + '\n';
  }
  return text;
}

std::string how_to_repeat(std::uint64_t seed) {
  return "tare::sim: to repeat it: TARE_SIM_SEED=" + std::to_string(seed) +
         ", or options{.seed = " + std::to_string(seed) + "}";
}

}  // namespace tare::sim::detail
