// Descriptors of files: positions, sizes, syncs, locks, and files mapped into memory.

#include "sim/calls/real.hpp"
#include "sim/calls/simulating.hpp"
#include "sim/disk_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <ctime>
#include <memory>

using tare::sim::detail::describe;
using tare::sim::detail::disk_file;
using tare::sim::detail::kernel;
using tare::sim::detail::simulating;

namespace tare::sim::detail {

void use_disk_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

/// Calls `use(file)` if the descriptor is that of a file; otherwise -1 with `error`.
template <class Use>
auto with_file(kernel& in, const char* call, int fd, int error, Use use) {
  const auto found = in.at<disk_file>(fd, error);
  using result = decltype(use(*found));
  return in.made(call, fd, found == nullptr ? result{-1} : use(*found));
}

int describe_descriptor(kernel& in, int fd, struct stat* into) {
  const auto found = in.at(fd);
  if (found == nullptr) return in.made("fstat", fd, -1);
  if (const auto* const opened = dynamic_cast<const disk_file*>(found.get()); opened != nullptr) {
    describe(*opened->on->disk, *opened->node(), *into);
  } else {
    *into = {};
    into->st_mode = S_IFSOCK | 0777;
    into->st_nlink = 1;
  }
  return in.made("fstat", fd, 0);
}

void* map(kernel& in, std::size_t size, int protection, int flags, int fd, off_t offset) {
  const auto opened = in.at<disk_file>(fd, ENODEV);
  if (opened == nullptr) return MAP_FAILED;
  constexpr off_t page = 4096;
  if (size == 0 || offset < 0 || offset % page != 0) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  const bool is_shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
  if ((flags & MAP_FIXED) != 0 || (!is_shared && (protection & PROT_WRITE) != 0)) {
    kernel::refuse("a private or fixed mmap of a file");
  }
  const char* const start = opened->node()->seen.pin();
  if (start == nullptr) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  in.remember_mapping(start + offset, size, opened->node());
  (void)in.made("mmap", fd, 0);
  return const_cast<char*>(start + offset);
}

}  // namespace

extern "C" {

ssize_t pread(int fd, void* into, size_t size, off_t offset) {
  kernel* const in = simulating(fd, "pread");
  if (in == nullptr) return TARE_SIM_REAL(pread)(fd, into, size, offset);
  return with_file(*in, "pread", fd, ESPIPE,
                   [&](disk_file& from) { return from.read_at(offset, {static_cast<char*>(into), size}); });
}
ssize_t pread64(int fd, void* into, size_t size, off64_t offset) { return ::pread(fd, into, size, offset); }

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  kernel* const in = simulating(fd, "pwrite");
  if (in == nullptr) return TARE_SIM_REAL(pwrite)(fd, bytes, size, offset);
  return with_file(*in, "pwrite", fd, ESPIPE,
                   [&](disk_file& to) { return to.write_at(offset, {static_cast<const char*>(bytes), size}); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) { return ::pwrite(fd, bytes, size, offset); }

off_t lseek(int fd, off_t offset, int from) noexcept {
  kernel* const in = simulating(fd, "lseek");
  if (in == nullptr) return TARE_SIM_REAL(lseek)(fd, offset, from);
  return with_file(*in, "lseek", fd, ESPIPE, [&](disk_file& moved) { return moved.seek(offset, from); });
}
off64_t lseek64(int fd, off64_t offset, int from) noexcept { return ::lseek(fd, offset, from); }

int ftruncate(int fd, off_t size) noexcept {
  kernel* const in = simulating(fd, "ftruncate");
  if (in == nullptr) return TARE_SIM_REAL(ftruncate)(fd, size);
  return with_file(*in, "ftruncate", fd, EINVAL, [&](disk_file& changed) { return changed.resize(size); });
}
int ftruncate64(int fd, off64_t size) noexcept { return ::ftruncate(fd, size); }

int posix_fallocate(int fd, off_t offset, off_t size) {
  kernel* const in = simulating(fd, "posix_fallocate");
  if (in == nullptr) return TARE_SIM_REAL(posix_fallocate)(fd, offset, size);
  if (offset < 0 || size <= 0) return EINVAL;
  const int result =
      with_file(*in, "posix_fallocate", fd, ESPIPE, [&](disk_file& to) { return to.allocate(offset + size); });
  return result == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return ::posix_fallocate(fd, offset, size); }

int fsync(int fd) {
  kernel* const in = simulating(fd, "fsync");
  if (in == nullptr) return TARE_SIM_REAL(fsync)(fd);
  return with_file(*in, "fsync", fd, EINVAL, [](disk_file& synced) { return synced.sync(); });
}

int fdatasync(int fd) {
  kernel* const in = simulating(fd, "fdatasync");
  if (in == nullptr) return TARE_SIM_REAL(fdatasync)(fd);
  return with_file(*in, "fdatasync", fd, EINVAL, [](disk_file& synced) { return synced.sync(); });
}

int flock(int fd, int operation) noexcept {
  kernel* const in = simulating(fd, "flock");
  if (in == nullptr) return TARE_SIM_REAL(flock)(fd, operation);
  return with_file(*in, "flock", fd, EBADF, [&](disk_file& locked) { return locked.lock(operation); });
}

int fstat(int fd, struct stat* into) noexcept {
  kernel* const in = kernel::is_simulated(fd) ? simulating(fd, "fstat") : nullptr;
  if (in == nullptr) return TARE_SIM_REAL(fstat)(fd, into);
  return describe_descriptor(*in, fd, into);
}
int fstat64(int fd, struct stat64* into) noexcept { return ::fstat(fd, reinterpret_cast<struct stat*>(into)); }

int fchmod(int fd, mode_t mode) noexcept {
  kernel* const in = simulating(fd, "fchmod");
  if (in == nullptr) return TARE_SIM_REAL(fchmod)(fd, mode);
  return with_file(*in, "fchmod", fd, EINVAL, [&](disk_file& changed) {
    changed.node()->mode = (changed.node()->mode & static_cast<mode_t>(S_IFMT)) | (mode & 07777U);
    return 0;
  });
}

int fchown(int fd, uid_t user, gid_t group) noexcept {
  kernel* const in = simulating(fd, "fchown");
  if (in == nullptr) return TARE_SIM_REAL(fchown)(fd, user, group);
  return with_file(*in, "fchown", fd, EINVAL, [](disk_file& /*unchanged*/) { return 0; });
}

void* mmap(void* wanted, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  kernel* const in = kernel::is_simulated(fd) ? kernel::of_caller() : nullptr;
  if (in == nullptr) return TARE_SIM_REAL(mmap)(wanted, size, protection, flags, fd, offset);
  return map(*in, size, protection, flags, fd, offset);
}
void* mmap64(void* wanted, size_t size, int protection, int flags, int fd, off64_t offset) noexcept {
  return ::mmap(wanted, size, protection, flags, fd, offset);
}

int munmap(void* start, size_t size) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr || !in->forget_mapping(start, size)) return TARE_SIM_REAL(munmap)(start, size);
  return in->made("munmap", -1, 0);
}

int msync(void* start, size_t size, int flags) {
  kernel* const in = kernel::of_caller();
  if (in != nullptr && in->is_mapped(start)) kernel::refuse("msync");
  return TARE_SIM_REAL(msync)(start, size, flags);
}

// NOLINTNEXTLINE(cert-dcl50-cpp): libc's own
void* mremap(void* start, size_t size, size_t new_size, int flags, ...) noexcept {
  va_list given;
  va_start(given, flags);
  void* const wanted = (flags & MREMAP_FIXED) != 0 ? va_arg(given, void*) : nullptr;
  va_end(given);
  kernel* const in = kernel::of_caller();
  if (in != nullptr && in->is_mapped(start)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return TARE_SIM_REAL(mremap)(start, size, new_size, flags, wanted);
}
}
