// FILE of the C library, which std::fstream uses too: its own calls do not come here, so a file of a simulated disk
// gets one that reads and writes through the simulated calls.

#include "sim/calls/real.hpp"
#include "sim/calls/simulating.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

using tare::sim::detail::content_of;
using tare::sim::detail::is_of_system;
using tare::sim::detail::kernel;
using tare::sim::detail::means_real_file;

namespace tare::sim::detail {

void use_stream_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

std::map<FILE*, int>& streams() {
  static auto& all = *new std::map<FILE*, int>;
  return all;
}

[[nodiscard]] int descriptor_of(void* cookie) noexcept {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(cookie));
}

ssize_t read_stream(void* cookie, char* into, size_t size) { return ::read(descriptor_of(cookie), into, size); }

ssize_t write_stream(void* cookie, const char* bytes, size_t size) {
  const ssize_t written = ::write(descriptor_of(cookie), bytes, size);
  return written < 0 ? 0 : written;
}

int seek_stream(void* cookie, off64_t* offset, int from) {
  const off_t now = ::lseek(descriptor_of(cookie), *offset, from);
  if (now < 0) return -1;
  *offset = now;
  return 0;
}

int close_stream(void* cookie) { return ::close(descriptor_of(cookie)); }

/// -1 with EINVAL.
[[nodiscard]] int flags_of(std::string_view mode) noexcept {
  const bool both = mode.find('+') != std::string_view::npos;
  int flags = both ? O_RDWR : O_WRONLY;
  switch (mode.empty() ? '\0' : mode.front()) {
    case 'r':
      flags = both ? O_RDWR : O_RDONLY;
      break;
    case 'w':
      flags |= O_CREAT | O_TRUNC;
      break;
    case 'a':
      flags |= O_CREAT | O_APPEND;
      break;
    default:
      errno = EINVAL;
      return -1;
  }
  if (mode.find('x') != std::string_view::npos) flags |= O_EXCL;
  return flags;
}

FILE* open_on_disk(const char* path, const char* mode) {
  const int flags = flags_of(mode);
  if (flags < 0) return nullptr;
  const int opened = ::open(path, flags, 0666);
  if (opened < 0) return nullptr;
  const cookie_io_functions_t calls{
      .read = &read_stream, .write = &write_stream, .seek = &seek_stream, .close = &close_stream};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a cookie
  FILE* const made = ::fopencookie(reinterpret_cast<void*>(static_cast<std::intptr_t>(opened)), mode, calls);
  if (made == nullptr) {
    (void)::close(opened);
  } else {
    streams()[made] = opened;
  }
  return made;
}

FILE* open_stream(kernel& in, const char* path, const char* mode) {
  if (const auto content = content_of(in, path)) {
    if (content->empty()) {
      errno = ENOENT;
      return nullptr;
    }
    FILE* const made = ::fmemopen(nullptr, content->size(), "w+");
    if (made == nullptr) return nullptr;
    (void)std::fwrite(content->data(), 1, content->size(), made);
    (void)std::fseek(made, 0, SEEK_SET);
    return made;
  }
  const bool reads = std::string_view(mode).starts_with('r') && std::string_view(mode).find('+') == std::string::npos;
  if (reads && means_real_file(in, path)) return TARE_SIM_REAL(fopen)(path, mode);
  if (is_of_system(path)) kernel::refuse((std::string("fopen of ") + path).c_str());
  return open_on_disk(path, mode);
}

}  // namespace

extern "C" {

FILE* fopen(const char* path, const char* mode) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(fopen)(path, mode);
  return open_stream(*in, path, mode);
}

FILE* fopen64(const char* path, const char* mode) { return ::fopen(path, mode); }

int fclose(FILE* closed) {
  if (kernel::of_caller() != nullptr) streams().erase(closed);
  return TARE_SIM_REAL(fclose)(closed);
}

int fileno(FILE* of) noexcept {
  if (kernel::of_caller() != nullptr) {
    if (const auto found = streams().find(of); found != streams().end()) return found->second;
  }
  return TARE_SIM_REAL(fileno)(of);
}

FILE* fdopen(int fd, const char* mode) noexcept {
  if (kernel::is_simulated(fd)) kernel::refuse("fdopen");
  return TARE_SIM_REAL(fdopen)(fd, mode);
}

FILE* tmpfile() {
  if (kernel::of_caller() != nullptr) kernel::refuse("tmpfile");
  return TARE_SIM_REAL(tmpfile)();
}
}
