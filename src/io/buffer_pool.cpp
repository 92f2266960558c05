#include "io/buffer_pool.hpp"

#include "frame/arena.hpp"
#include "frame/heap.hpp"
#include "io/reactor.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/net/lease.hpp>

#include <new>

namespace tare::detail {

void buffer_pool::trim() noexcept {
  while (count_ != 0) free_record(warm_[--count_]);
}

std::byte* buffer_pool::take() noexcept {
  if (count_ != 0) return warm_[--count_];
  try {
    return static_cast<std::byte*>(allocate_record(buffer_bytes));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void buffer_pool::give_back(std::byte* buffer) noexcept {
  if (count_ < max_warm) {
    warm_[count_++] = buffer;
  } else {
    free_record(buffer);
  }
}

}  // namespace tare::detail

namespace tare::net::detail {

void give_back_buffer(std::byte* buffer) noexcept {
  using namespace tare::detail;
  // A lease may end on a different shard than it began on, or on none; the arena then returns its memory to the owner.
  reactor* const here = reactor::if_any();
  if (here != nullptr && arena::instance().slab_of(buffer)->heap == current_heap->number()) {
    here->buffers().give_back(buffer);
  } else {
    free_record(buffer);
  }
}

}  // namespace tare::net::detail
