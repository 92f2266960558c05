#pragma once

// Waiting for signals.
//
//   auto stop = tare::net::signal_set::of({SIGTERM, SIGINT});
//   co_await stop->next();                      // result<int>: which
//   listener.close();                           // and drain
//
// The signal handler forwards signals through a socket, so they may arrive on any thread, and you need not block them
// before threads start. Two signals of the same number in quick succession may be reported as one.

#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace tare::net {

/// Move-only. Restores the previous dispositions when destroyed.
///
/// **Threads** Belongs to the shard that made it. **Bytes** A Unix-domain connection with its slot, and the
/// dispositions; `next` is a frame while it waits.
class signal_set {
 public:
  /// **Errors** std::errc::device_or_resource_busy if the signal is in another set of the process;
  /// std::errc::invalid_argument for SIGKILL, SIGSTOP and numbers that are not signals.
  [[nodiscard]] static result<signal_set> of(std::initializer_list<int> signals);

  signal_set(signal_set&& other) noexcept;
  signal_set& operator=(signal_set&& other) noexcept;
  signal_set(const signal_set&) = delete;
  signal_set& operator=(const signal_set&) = delete;
  ~signal_set();

  /// Waits for a signal and returns its number. Signals that arrived since the last call are returned first, in order
  /// of arrival. **Errors** Those of the connection. **Cancellation** A cancelled call has taken no signal.
  task<result<int>> next();

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
