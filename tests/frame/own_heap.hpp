#pragma once

#include "frame/arena.hpp"
#include "frame/heap.hpp"

namespace tare::detail {

/// A heap that is the current thread's for as long as this lives.
class own_heap {
 public:
  own_heap() : heap_(arena::instance().acquire_heap()) { current_heap = &heap_; }
  own_heap(const own_heap&) = delete;
  own_heap& operator=(const own_heap&) = delete;
  ~own_heap() {
    current_heap = nullptr;
    heap_.unlock();
    arena::instance().release_heap(heap_);
  }
  [[nodiscard]] heap& operator*() noexcept { return heap_; }

 private:
  heap& heap_;
};

}  // namespace tare::detail
