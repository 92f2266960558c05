#include "net/tls/record_buffer.hpp"

#include "io/buffer_pool.hpp"
#include "io/reactor.hpp"

#include <tare/net/lease.hpp>

#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace tare::net::tls {

using tare::detail::buffer_pool;
using tare::detail::reactor;

static_assert(std::is_trivially_destructible_v<record_buffer>);

record_buffer::owner record_buffer::make(std::size_t capacity) noexcept {
  constexpr std::size_t warm_capacity = buffer_pool::buffer_bytes - sizeof(record_buffer);
  reactor* const here = reactor::if_any();
  const bool is_warm = here != nullptr && capacity <= warm_capacity;
  void* const memory = is_warm ? static_cast<void*>(here->buffers().take())
                               : ::operator new(sizeof(record_buffer) + capacity, std::nothrow);
  if (memory == nullptr) return nullptr;
  return owner(new (memory) record_buffer(is_warm ? warm_capacity : capacity, is_warm));
}

bool record_buffer::reserve(owner& buffer, std::size_t more) noexcept {
  const std::size_t present = buffer == nullptr ? 0 : buffer->bytes().size();
  if (buffer != nullptr && buffer->space().size() >= more) return true;
  owner larger = make(present + more);
  if (larger == nullptr) return false;
  if (buffer != nullptr) {
    std::memcpy(larger->data(), buffer->bytes().data(), present);
    larger->add(present);
    larger->unreported = buffer->unreported;
    larger->unreported_hash = buffer->unreported_hash;
  }
  buffer = std::move(larger);
  return true;
}

void record_buffer::give_back::operator()(record_buffer* buffer) const noexcept {
  if (buffer->is_warm_) {
    net::detail::give_back_buffer(reinterpret_cast<std::byte*>(buffer));
  } else {
    ::operator delete(buffer);
  }
}

void record_buffer::compact() noexcept {
  std::memmove(data(), data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

}  // namespace tare::net::tls
