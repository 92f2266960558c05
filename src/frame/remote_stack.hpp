#pragma once

// A stack of arena objects that any thread pushes to and one thread empties: Treiber's stack (IBM RJ 5118, 1986)
// without pop. The consumer takes everything at once, so there is no ABA problem, and no memory is needed beyond the
// objects: the link is in the first 4 bytes of each.
//
// `Atomic` is std::atomic except in the test that runs every interleaving (tests/frame).

#include "frame/poison.hpp"

#include <tare/detail/link.hpp>

#include <atomic>

namespace tare::detail {

template <template <class> class Atomic>
class basic_remote_stack {
 public:
  /// Any thread. True if the stack was empty: then the consumer may have to be woken.
  bool push(void* object) noexcept {
    const link pushed = to_link(object);
    link top = top_.load(std::memory_order_relaxed);
    do {
      write_link(object, top);
    } while (!top_.compare_exchange_weak(top, pushed, std::memory_order_release, std::memory_order_relaxed));
    return top == no_link;
  }

  /// Consumer: returns the newest object, each linked to the one pushed before it; no_link if there is none.
  [[nodiscard]] link take_all() noexcept { return top_.exchange(no_link, std::memory_order_acquire); }

  [[nodiscard]] bool empty() const noexcept { return top_.load(std::memory_order_relaxed) == no_link; }

 private:
  Atomic<link> top_{no_link};
};

using remote_stack = basic_remote_stack<std::atomic>;

/// The same objects, oldest first.
[[nodiscard]] inline link oldest_first(link newest) noexcept {
  link reversed = no_link;
  while (newest != no_link) {
    void* object = from_link<void>(newest);
    const link older = read_link(object);
    write_link(object, reversed);
    reversed = newest;
    newest = older;
  }
  return reversed;
}

}  // namespace tare::detail
