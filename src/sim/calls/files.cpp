// Opening files: those that name resolution and memory limits read have simulated content, certificates and the like
// are read from the real system, and all others are on the disk of the host.

#include "sim/calls/real.hpp"
#include "sim/calls/simulating.hpp"
#include "sim/disk_file.hpp"
#include "sim/kernel.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

using tare::sim::detail::address;
using tare::sim::detail::admit;
using tare::sim::detail::content_of;
using tare::sim::detail::disk_call;
using tare::sim::detail::disk_core;
using tare::sim::detail::disk_file;
using tare::sim::detail::fails_with;
using tare::sim::detail::is_of_system;
using tare::sim::detail::kernel;
using tare::sim::detail::machine;
using tare::sim::detail::means_real_file;

namespace tare::sim::detail {

void use_file_calls() noexcept {}

bool may_read(std::string_view path) noexcept {
  return path.starts_with("/proc/self/maps") || path.starts_with("/sys/fs/cgroup") || path.ends_with(".pem") ||
         path.ends_with(".crt") || path.ends_with(".key") || path.ends_with("openssl.cnf") || path.starts_with("/usr/");
}

bool is_of_system(std::string_view path) noexcept {
  return path.starts_with("/proc/") || path.starts_with("/sys/") || path.starts_with("/dev/");
}

bool means_real_file(kernel& in, std::string_view path) {
  return may_read(path) && in.here().disk->find(disk_core::normal(path)) == nullptr;
}

std::optional<std::string> content_of(kernel& in, std::string_view path) {
  if (path == "/etc/hosts") {
    std::string text = "127.0.0.1 localhost\n";
    for (const auto& each : in.machines()) text += text_of_ip(each->ip) + ' ' + each->name + '\n';
    return text;
  }
  if (path == "/etc/resolv.conf") return "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
  if (path == "/etc/nsswitch.conf") return "hosts: files dns\n";
  if (path == "/etc/host.conf" || path == "/etc/svc.conf") return "";
  if (path == "/proc/self/statm") return "100000 10000 1000 1 0 1000 0\n";
  if (path == "/dev/urandom" || path == "/dev/random") {
    std::string bytes(256, '\0');
    in.fill_random(bytes.data(), bytes.size());
    return bytes;
  }
  return std::nullopt;
}

}  // namespace tare::sim::detail

namespace {

/// A real descriptor with the content of a simulated file.
int open_content(kernel& in, const std::string& content) {
  const int made = ::memfd_create("tare-sim", MFD_CLOEXEC);
  if (made < 0) return -1;
  if (TARE_SIM_REAL(write)(made, content.data(), content.size()) < 0) std::abort();
  (void)TARE_SIM_REAL(lseek)(made, 0, SEEK_SET);
  in.remember_real_file(made);
  return made;
}

/// The file of that name, made if the flags say so.
[[nodiscard]] disk_core::outcome<disk_core::node> find_or_make(kernel& in, const std::string& path, int flags,
                                                               mode_t mode) {
  disk_core& disk = *in.here().disk;
  if (auto found = disk.find(path)) {
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return std::unexpected(EEXIST);
    return found;
  }
  if ((flags & O_CREAT) == 0) {
    const int error = disk.check_parent(path);
    return std::unexpected(error == 0 ? ENOENT : error);
  }
  if (const int error = admit(in, in.here(), disk_call::name); error != 0) return std::unexpected(error);
  return disk.create(path, S_IFREG | (mode & 0777U));
}

int open_on_disk(kernel& in, const char* path, int flags, mode_t mode) {
  if ((flags & O_TMPFILE) == O_TMPFILE) kernel::refuse("open with O_TMPFILE");
  machine& here = in.here();
  if (*path == '\0') return fails_with(ENOENT);
  if (here.descriptors >= here.max_descriptors) return fails_with(EMFILE);
  const auto found = find_or_make(in, disk_core::normal(path), flags, mode);
  if (!found) return fails_with(found.error());
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if ((*found)->is_directory()) {
    if (writes || (flags & O_CREAT) != 0) return fails_with(EISDIR);
  } else {
    if ((flags & O_DIRECTORY) != 0) return fails_with(ENOTDIR);
    if ((flags & O_TRUNC) != 0 && writes && (*found)->seen.size() != 0) {
      if (const int error = admit(in, here, disk_call::write); error != 0) return fails_with(error);
      (void)here.disk->resize(**found, 0);
    }
  }
  const auto made = std::make_shared<disk_file>(in, *found, flags & (O_ACCMODE | O_APPEND));
  made->close_on_exec = (flags & O_CLOEXEC) != 0;
  return in.open(made);
}

int open_simulated(kernel& in, const char* path, int flags, mode_t mode) {
  if (const auto content = content_of(in, path)) return open_content(in, *content);
  const bool reads = (flags & O_ACCMODE) == O_RDONLY && (flags & O_CREAT) == 0;
  if (!reads || !means_real_file(in, path)) {
    if (is_of_system(path)) kernel::refuse((std::string("open of ") + path).c_str());
    return in.made("open", -1, open_on_disk(in, path, flags, mode));
  }
  const int made = TARE_SIM_REAL(open)(path, flags, 0);
  if (made >= 0) in.remember_real_file(made);
  return made;
}

/// getaddrinfo's result in one piece.
struct found_address {
  addrinfo info;
  sockaddr_storage at;
};

[[nodiscard]] std::optional<std::uint32_t> ip_of(kernel& in, const char* name, bool passive) {
  if (name == nullptr) return passive ? 0 : address::loopback;
  if (std::string_view(name) == "localhost") return address::loopback;
  if (const auto* const known = in.find(name); known != nullptr) return known->ip;
  std::uint32_t ip = 0;
  const char* at = name;
  const char* const end = name + std::strlen(name);
  for (int i = 0; i < 4; ++i) {
    unsigned part = 0;
    const auto [after, error] = std::from_chars(at, end, part);
    if (error != std::errc() || part > 255) return std::nullopt;
    ip = ip << 8U | part;
    if (i < 3 && (after == end || *after != '.')) return std::nullopt;
    if (i == 3 && after != end) return std::nullopt;
    at = after + 1;
  }
  return ip;
}

}  // namespace

extern "C" {

// NOLINTBEGIN(cert-dcl50-cpp): libc's own
int open(const char* path, int flags, ...) {
  va_list given;
  va_start(given, flags);
  const auto mode = va_arg(given, mode_t);
  va_end(given);
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(open)(path, flags, mode);
  return open_simulated(*in, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list given;
  va_start(given, flags);
  const auto mode = va_arg(given, mode_t);
  va_end(given);
  return ::open(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list given;
  va_start(given, flags);
  const auto mode = va_arg(given, mode_t);
  va_end(given);
  if (kernel::of_caller() != nullptr) {
    if (folder != AT_FDCWD && *path != '/') kernel::refuse("openat in a directory");
    return ::open(path, flags, mode);
  }
  return TARE_SIM_REAL(openat)(folder, path, flags, mode);
}
// NOLINTEND(cert-dcl50-cpp)

int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** into) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(getaddrinfo)(name, service, hints, into);
  const bool passive = hints != nullptr && (hints->ai_flags & AI_PASSIVE) != 0;
  const auto ip = ip_of(*in, name, passive);
  unsigned port = 0;
  if (service != nullptr) std::from_chars(service, service + std::strlen(service), port);
  if (!ip || (hints != nullptr && hints->ai_family == AF_INET6)) return EAI_NONAME;
  auto* const found = static_cast<found_address*>(std::calloc(1, sizeof(found_address)));
  if (found == nullptr) return EAI_MEMORY;
  address at;
  at.ip = *ip;
  at.port = static_cast<std::uint16_t>(port);
  socklen_t size = sizeof(found->at);
  at.store(reinterpret_cast<sockaddr*>(&found->at), &size);
  found->info.ai_family = AF_INET;
  found->info.ai_socktype = hints != nullptr && hints->ai_socktype != 0 ? hints->ai_socktype : SOCK_STREAM;
  found->info.ai_addrlen = size;
  found->info.ai_addr = reinterpret_cast<sockaddr*>(&found->at);
  *into = &found->info;
  return in->made("getaddrinfo", -1, 0);
}

void freeaddrinfo(addrinfo* found) noexcept {
  if (kernel::of_caller() == nullptr) {
    TARE_SIM_REAL(freeaddrinfo)(found);
  } else {
    std::free(found);
  }
}
}
