#include "sim/disk_file.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tare::sim::detail {

int admit(kernel& in, machine& on, disk_call made) {
  disk_core& disk = *on.disk;
  if (disk.counts(made)) {
    disk.lose_power();
    in.power_failed(on);
  }
  if (!disk.has_power()) {
    // The machine is about to crash. One that holds a lock of the process, which other hosts need too, releases it.
    while (in.fibers.current()->locks == 0) (void)in.fibers.wait_at(&disk, "a call of a disk without power");
    return EIO;
  }
  if (++in.injected.file_calls == in.injected.failing_file_call) return EIO;
  return disk.fault_of(made);
}

std::uint32_t disk_file::readiness() const noexcept { return EPOLLIN | EPOLLOUT; }

bool disk_file::can_write() const noexcept { return (flags_ & O_ACCMODE) != O_RDONLY; }

bool disk_file::check(bool allowed, off_t offset) const noexcept {
  if (!allowed) {
    errno = EBADF;
  } else if (node_->is_directory()) {
    errno = EISDIR;
  } else if (offset < 0) {
    errno = EINVAL;
  } else {
    return true;
  }
  return false;
}

ssize_t disk_file::read_at(off_t offset, std::span<char> into) {
  if (!check((flags_ & O_ACCMODE) != O_WRONLY, offset)) return -1;
  if (const int error = admit(kernel_, *on, disk_call::read); error != 0) return fails_with(error);
  const std::string_view content = node_->seen.view();
  const auto start = std::min(static_cast<std::size_t>(offset), content.size());
  const std::size_t count = std::min(into.size(), content.size() - start);
  std::memcpy(into.data(), content.data() + start, count);
  return static_cast<ssize_t>(count);
}

ssize_t disk_file::write_at(off_t offset, std::span<const char> bytes) {
  if (!check(can_write(), offset)) return -1;
  if (const int error = admit(kernel_, *on, disk_call::write); error != 0) return fails_with(error);
  const auto taken = on->disk->write(*node_, static_cast<std::size_t>(offset), bytes);
  if (!taken) return fails_with(taken.error());
  node_->changed_at = kernel_.real_time();
  return static_cast<ssize_t>(*taken);
}

ssize_t disk_file::read(std::span<char> into) {
  const ssize_t count = read_at(position_, into);
  if (count > 0) position_ += count;
  return count;
}

ssize_t disk_file::write(std::span<const char> bytes) {
  if ((flags_ & O_APPEND) != 0) position_ = static_cast<off_t>(node_->seen.size());
  const ssize_t count = write_at(position_, bytes);
  if (count > 0) position_ += count;
  return count;
}

off_t disk_file::seek(off_t offset, int from) {
  off_t start = 0;
  switch (from) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      start = position_;
      break;
    case SEEK_END:
      start = static_cast<off_t>(node_->seen.size());
      break;
    default:
      return fails_with(EINVAL);
  }
  if (start + offset < 0) return fails_with(EINVAL);
  return position_ = start + offset;
}

int disk_file::resize(off_t size) {
  if (node_->is_directory() || !can_write() || size < 0) return fails_with(EINVAL);
  if (const int error = admit(kernel_, *on, disk_call::write); error != 0) return fails_with(error);
  if (const int error = on->disk->resize(*node_, static_cast<std::size_t>(size)); error != 0) return fails_with(error);
  node_->changed_at = kernel_.real_time();
  return 0;
}

int disk_file::allocate(off_t end) { return std::cmp_greater(end, node_->seen.size()) ? resize(end) : 0; }

int disk_file::sync() {
  disk_core& disk = *on->disk;
  if (const int error = admit(kernel_, *on, disk_call::sync); error != 0) return fails_with(error);
  const auto take_effect = [&] {
    if (!disk.has_power()) return;
    if (node_->is_directory()) {
      disk.sync_names(*node_);
    } else {
      node_->sync();
    }
  };
  // What is written meanwhile may be synced too.
  const bool is_early = disk.once_in(2);
  if (is_early) take_effect();
  if (disk.latency > 0) {
    static const char nobody_wakes = 0;
    const nanoseconds end = kernel_.fibers.now() + disk.latency +
                            static_cast<nanoseconds>(disk.below(static_cast<std::uint64_t>(disk.latency)));
    while (kernel_.fibers.now() < end) (void)kernel_.fibers.wait_at(&nobody_wakes, "fsync", end);
  }
  if (!is_early) take_effect();
  return 0;
}

int disk_file::lock(int operation) {
  const int kind = operation & ~LOCK_NB;
  if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) return fails_with(EINVAL);
  const std::shared_ptr<file> keeps_alive = kernel_.at(descriptor);
  unlock();  // as in the system, a change of the kind is not atomic
  if (kind == LOCK_UN) return 0;
  const auto is_free = [&] { return node_->locked_by == nullptr && (kind == LOCK_SH || node_->shared_locks == 0); };
  while (!is_free()) {
    if ((operation & LOCK_NB) != 0) return fails_with(EWOULDBLOCK);
    (void)kernel_.fibers.wait_at(&node_->shared_locks, "flock", std::nullopt, descriptor);
  }
  if (kind == LOCK_SH) {
    ++node_->shared_locks;
    held_ = held::shared;
  } else {
    node_->locked_by = this;
    held_ = held::exclusive;
  }
  return 0;
}

void disk_file::unlock() {
  const held before = std::exchange(held_, held::nothing);
  if (before == held::nothing) return;
  if (before == held::shared) {
    --node_->shared_locks;
  } else {
    node_->locked_by = nullptr;
  }
  (void)kernel_.fibers.wake_at(&node_->shared_locks, SIZE_MAX);
}

void disk_file::closed() { unlock(); }

void describe(const disk_core& on, const disk_node& node, struct stat& into) noexcept {
  into = {};
  into.st_dev = on.device();
  into.st_ino = node.number;
  into.st_mode = node.mode;
  into.st_nlink = node.has_name ? 1 : 0;
  into.st_uid = ::geteuid();
  into.st_gid = ::getegid();
  into.st_size = static_cast<off_t>(node.seen.size());
  into.st_blksize = 4096;
  into.st_blocks = (into.st_size + 511) / 512;
  into.st_mtim.tv_sec = node.changed_at / 1'000'000'000;
  into.st_mtim.tv_nsec = node.changed_at % 1'000'000'000;
  into.st_ctim = into.st_atim = into.st_mtim;
}

}  // namespace tare::sim::detail
