#pragma once

// What makes a thread of a fiber: its thread_local variables. All fibers run on one thread, so the variables of the
// program are copied out and in when another fiber continues, at the same addresses. The library is linked statically,
// so its thread_local variables are among the program's.
//
// Besides them, a fiber has its own errno, its own exceptions in flight, its own values of pthread keys, and its own
// list of destructors to call at its end.

#include <pthread.h>

#include <array>
#include <cstddef>
#include <map>
#include <vector>

namespace tare::sim::detail {

class thread_image {
 public:
  /// The variables have their initial values.
  thread_image();

  /// Copies the thread's state here.
  void save() noexcept;
  /// The reverse.
  void restore() const noexcept;

  void at_end(void (*destroy)(void*), void* object) { destructors_.push_back({destroy, object}); }
  [[nodiscard]] void* value_of(pthread_key_t key) const noexcept;
  void set_value_of(pthread_key_t key, void* value) { values_[key] = value; }
  /// Destroys the thread_local variables and the values of keys; the image must be in place.
  void destroy_variables() noexcept;

 private:
  struct destructor {
    void (*destroy)(void*);
    void* object;
  };
  void destroy_values() noexcept;

  std::vector<std::byte> variables_;
  std::array<std::byte, 16> exceptions_{};
  int errno_ = 0;
  std::vector<destructor> destructors_;
  std::map<pthread_key_t, void*> values_;
};

/// False for keys made before the program's constructors ran, and under AddressSanitizer for all: it
/// finds the real thread with one.
[[nodiscard]] bool is_of_fibers(pthread_key_t key) noexcept;
/// Recorded when the program makes or deletes a key.
void remember_key(pthread_key_t key, void (*destroy)(void*)) noexcept;

}  // namespace tare::sim::detail
