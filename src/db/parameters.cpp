#include <tare/db/parameters.hpp>

namespace tare::db {

void parameters::allocate(std::size_t count, std::size_t heap_size) {
  block_ = std::make_unique_for_overwrite<std::byte[]>(sizeof(header) + count * sizeof(detail::cell) + heap_size);
  ::new (block_.get()) header{count};
  for (std::size_t i = 0; i < count; ++i) ::new (block_.get() + sizeof(header) + i * sizeof(detail::cell)) detail::cell;
}

void parameters::put_bytes(std::size_t at, std::size_t& used, value_kind kind, const void* data, std::size_t size) {
  if (size >= std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error("tare::db: a text or blob of 4 GiB or more was bound");
  }
  auto* to = reinterpret_cast<char*>(cells() + head().count) + used;
  if (size != 0) std::memcpy(to, data, size);
  to[size] = '\0';
  detail::cell& into = cells()[at];
  into.kind = kind;
  into.size = static_cast<std::uint32_t>(size);
  into.offset = used;
  used += size + 1;
}

}  // namespace tare::db
