#pragma once

#include "frame/arena.hpp"
#include "frame/heap.hpp"

namespace tare::detail {

/// Makes a new heap the current one of this thread during its lifetime.
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
