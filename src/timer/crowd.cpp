#include "timer/crowd.hpp"

#include <tare/detail/frame_memory.hpp>

#include <new>

namespace tare::detail {

static_assert(sizeof(crowd) <= 128);

crowd::crowd() noexcept {
  for (list_links& end : ends_) end = {.next = to_link(&end), .prev = to_link(&end)};
}

bool crowd::is_empty() const noexcept {
  for (std::size_t list = 0; list < list_count; ++list) {
    if (!is_empty(list)) return false;
  }
  return true;
}

crowd* crowd::make() noexcept {
  try {
    return ::new (allocate_record(sizeof(crowd))) crowd();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void crowd::destroy(crowd& made) noexcept {
  made.~crowd();
  free_record(&made);
}

}  // namespace tare::detail
