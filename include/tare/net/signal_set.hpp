#pragma once

// Signals of the system, as something to wait for.
//
//   auto stop = tare::net::signal_set::of({SIGTERM, SIGINT});
//   co_await stop->next();                      // result<int>: which
//   listener.close();                           // and drain
//
// A handler of ours passes them on through a socket, so it does not matter on which thread they arrive, and nothing has
// to be blocked before threads start. Two of a kind that come close together may count as one.

#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace tare::net {

/// Move-only; belongs to the shard that made it. Restores the signals' former dispositions when it ends.
class signal_set {
 public:
  /// Each signal can be in one set of the process at a time: std::errc::device_or_resource_busy. SIGKILL, SIGSTOP and
  /// numbers that are no signals give std::errc::invalid_argument.
  [[nodiscard]] static result<signal_set> of(std::initializer_list<int> signals);

  signal_set(signal_set&& other) noexcept;
  signal_set& operator=(signal_set&& other) noexcept;
  signal_set(const signal_set&) = delete;
  signal_set& operator=(const signal_set&) = delete;
  ~signal_set();

  /// Waits for one: its number. Signals that came since the last call are given first, in the order of arrival.
  [[nodiscard]] task<result<int>> next();

 private:
  struct entry {
    int number;
    struct sigaction before;
  };

  signal_set(stream receiving, int sending) noexcept : receiving_(std::move(receiving)), sending_(sending) {}
  void restore() noexcept;

  stream receiving_;
  int sending_ = -1;
  std::vector<entry> signals_;
};

}  // namespace tare::net
