#include "measure/race/workload.hpp"

#include <algorithm>
#include <array>

namespace tare::measure {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::uint64_t, 5> sleeping{1, 10'000, 100'000, 1'000'000, 10'000'000};
constexpr std::array<std::uint64_t, 3> sleeping_quick{1, 100'000, 1'000'000};
constexpr std::array<std::uint64_t, 3> parked{1, 10'000, 50'000};
constexpr std::array<std::uint64_t, 2> parked_quick{1, 10'000};
constexpr std::array<std::uint64_t, 1> awaited{1'000'000};
constexpr std::array<std::uint64_t, 4> churned{0, 200'000, 1'000'000, 10'000'000};
constexpr std::array<std::uint64_t, 2> churned_quick{0, 200'000};

constexpr std::array<workload, 9> all{{
    {"empty", "asleep", measures::weight, sleeping, sleeping_quick},
    {"handler-at-read", "handler as people write it, at the read", measures::weight, parked, parked_quick},
    {"handler-at-query", "handler as people write it, at the query", measures::weight, parked, parked_quick},
    {"trimmed-at-read", "trimmed handler, at the read", measures::weight, parked, parked_quick},
    {"trimmed-at-query", "trimmed handler, at the query", measures::weight, parked, parked_quick},
    {"nested-at-leaf", "eight awaits deep, at the leaf", measures::weight, parked, parked_quick},
    {"nested-at-top", "eight awaits deep, at the top", measures::weight, parked, parked_quick},
    {"mostly-ready", "a million awaits, 99 % ready at once", measures::speed, awaited, awaited},
    {"churn", "short tasks beside 100,000 asleep", measures::churn, churned, churned_quick, milliseconds(1500)},
}};

}  // namespace

std::span<const workload> workloads() { return all; }

const workload* find_workload(std::string_view name) {
  const auto* const found = std::ranges::find(all, name, &workload::name);
  return found == all.end() ? nullptr : found;
}

}  // namespace tare::measure
