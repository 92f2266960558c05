#include "sim/disk_node.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

namespace tare::sim::detail {

file_bytes::~file_bytes() {
  if (pinned_ != nullptr) (void)::munmap(pinned_, max_pinned);
}

bool file_bytes::resize(std::size_t size) {
  if (pinned_ == nullptr) {
    bytes_.resize(size);
    return true;
  }
  if (size > max_pinned) return false;
  if (size < pinned_size_) std::memset(pinned_ + size, 0, pinned_size_ - size);
  pinned_size_ = size;
  return true;
}

char* file_bytes::pin() noexcept {
  if (pinned_ != nullptr) return pinned_;
  if (bytes_.size() > max_pinned) return nullptr;
  void* const mapped =
      ::mmap(nullptr, max_pinned, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  pinned_ = static_cast<char*>(mapped);
  pinned_size_ = bytes_.size();
  std::memcpy(pinned_, bytes_.data(), bytes_.size());
  bytes_ = {};
  return pinned_;
}

bool disk_node::is_directory() const noexcept { return S_ISDIR(mode); }

bool disk_node::resize(std::size_t size) {
  const std::size_t before = seen.size();
  if (!seen.resize(size)) return false;
  *used_bytes += size - before;  // wraps around if it is smaller
  return true;
}

}  // namespace tare::sim::detail
