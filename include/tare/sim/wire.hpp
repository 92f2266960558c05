#pragma once

// Checks the bytes of simulated connections while a scenario runs: whatever fault is injected, no byte may appear where
// no correct peer could accept it.
//
//   class one_line_each final : public tare::sim::wire_checker {
//    public:
//     std::string check(end from, std::string_view bytes) override { return ends_[from].check(bytes); }
//   };
//   w.watch(7, [] { return std::make_unique<one_line_each>(); });   // in the scenario, before the first connection
//
// **Errors** A checker must not throw: the program that sends could not pass it on. **Cancellation** Does not reach it.
// **Threads** Those of the simulation, one at a time. **Bytes** One checker per connection.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tare::sim {

/// Follows one TCP connection.
class wire_checker {
 public:
  enum class end : std::uint8_t { client, server };

  wire_checker() = default;
  wire_checker(const wire_checker&) = delete;
  wire_checker& operator=(const wire_checker&) = delete;
  virtual ~wire_checker() = default;

  /// `bytes` is what an end sends next, whether it arrives or not. Returns what is wrong with it; empty if nothing is.
  [[nodiscard]] virtual std::string check(end from, std::string_view bytes) = 0;
};

using make_wire_checker = std::function<std::unique_ptr<wire_checker>()>;

}  // namespace tare::sim
