#include "sim/injected_fault.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace tare::sim::detail {

namespace {

std::string& current() noexcept {
  // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory, the program ends
  static auto& text = *new std::string;
  return text;
}

/// The numbers after the name.
[[nodiscard]] std::array<std::uint64_t, 2> numbers_of(std::string_view text) {
  std::array<std::uint64_t, 2> numbers{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::uint64_t& each : numbers) {
    if (at == end) break;
    if (*at != ':') throw std::invalid_argument("tare::sim: not a fault");
    const auto [after, error] = std::from_chars(at + 1, end, each);
    if (error != std::errc()) throw std::invalid_argument("tare::sim: not a fault");
    at = after;
  }
  if (at != end) throw std::invalid_argument("tare::sim: not a fault");
  return numbers;
}

}  // namespace

std::string to_text(const injection& fault) {
  if (fault.cancelled_await != 0) {
    return (fault.wire.calls_wait ? "wait-cancel:" : "cancel:") + std::to_string(fault.cancelled_await);
  }
  if (fault.refused_allocation != 0) return "refuse:" + std::to_string(fault.refused_allocation);
  if (fault.late_wake != 0) return "late:" + std::to_string(fault.late_wake);
  if (fault.wire.failing_file_call != 0) return "file:" + std::to_string(fault.wire.failing_file_call);
  if (fault.wire.split_read != 0) {
    return "split:" + std::to_string(fault.wire.split_read) + ":" + std::to_string(fault.wire.split_after);
  }
  if (fault.wire.cut_write != 0) {
    const std::string how = fault.wire.then == faults::end::reset ? "reset:" : "silence:";
    return how + std::to_string(fault.wire.cut_write) + ":" + std::to_string(fault.wire.cut_after);
  }
  return fault.wire.calls_wait ? "wait" : "";
}

injection parse_fault(std::string_view text) {
  injection fault;
  const std::string_view name = text.substr(0, text.find(':'));
  const auto [number, bytes] = numbers_of(text.substr(name.size()));
  if (name == "cancel" || name == "wait-cancel") {
    fault.cancelled_await = number;
    fault.wire.calls_wait = name == "wait-cancel";
  } else if (name == "wait") {
    fault.wire.calls_wait = true;
  } else if (name == "refuse") {
    fault.refused_allocation = number;
  } else if (name == "late") {
    fault.late_wake = number;
  } else if (name == "file") {
    fault.wire.failing_file_call = number;
  } else if (name == "split") {
    fault.wire.split_read = number;
    fault.wire.split_after = bytes;
  } else if (name == "reset" || name == "silence") {
    fault.wire.cut_write = number;
    fault.wire.cut_after = bytes;
    fault.wire.then = name == "reset" ? faults::end::reset : faults::end::silence;
  } else {
    throw std::invalid_argument("tare::sim: not a fault: " + std::string(text));
  }
  return fault;
}

std::string how_to_repeat(const injection& fault) {
  const std::string text = to_text(fault);
  if (text.empty()) return "tare::sim: without a fault";
  std::string what;
  if (fault.cancelled_await != 0) {
    what = "the task was cancelled at await " + std::to_string(fault.cancelled_await) +
           (fault.wire.calls_wait ? ", while each call on a socket waits first" : "");
  } else if (fault.refused_allocation != 0) {
    what = "allocation " + std::to_string(fault.refused_allocation) + " was refused";
  } else if (fault.late_wake != 0) {
    what = "the thread of wake-up " + std::to_string(fault.late_wake) + " ran after all others";
  } else if (fault.wire.failing_file_call != 0) {
    what = "call " + std::to_string(fault.wire.failing_file_call) + " of a disk failed";
  } else if (fault.wire.split_read != 0) {
    what = "segment " + std::to_string(fault.wire.split_read) + " was split after " +
           std::to_string(fault.wire.split_after) + " bytes";
  } else if (fault.wire.cut_write == 0) {
    what = "each call on a socket waited first";
  } else {
    what = "write " + std::to_string(fault.wire.cut_write) + " was cut after " + std::to_string(fault.wire.cut_after) +
           " bytes";
  }
  return "tare::sim: the fault: " + what + "; to repeat it: TARE_SIM_FAULT=" + text;
}

fault_in_progress::fault_in_progress(const injection& fault) { current() = how_to_repeat(fault); }
fault_in_progress::~fault_in_progress() { current().clear(); }
const std::string& fault_in_progress::text() noexcept { return current(); }

}  // namespace tare::sim::detail
