// Files: those of the system that name resolution and memory limits read have simulated content. Certificates and the
// like may be read; a program that changes files is refused.

#include "sim/calls/real.hpp"
#include "sim/kernel.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

using tare::sim::detail::address;
using tare::sim::detail::kernel;

namespace tare::sim::detail {

void use_file_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

/// nullopt: the simulation has no such file.
[[nodiscard]] std::optional<std::string> content_of(kernel& in, std::string_view path) {
  if (path == "/etc/hosts") {
    std::string text = "127.0.0.1 localhost\n";
    for (const auto& each : in.machines()) text += tare::sim::detail::text_of_ip(each->ip) + ' ' + each->name + '\n';
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

[[nodiscard]] bool may_read(std::string_view path) noexcept {
  return path.starts_with("/proc/self/maps") || path.starts_with("/sys/fs/cgroup") || path.ends_with(".pem") ||
         path.ends_with(".crt") || path.ends_with(".key") || path.ends_with("openssl.cnf") || path.starts_with("/usr/");
}

/// A real descriptor with the content of a simulated file.
int open_content(kernel& in, const std::string& content) {
  const int made = ::memfd_create("tare-sim", MFD_CLOEXEC);
  if (made < 0) return -1;
  if (TARE_SIM_REAL(write)(made, content.data(), content.size()) < 0) std::abort();
  (void)::lseek(made, 0, SEEK_SET);
  in.remember_real_file(made);
  return made;
}

int open_simulated(kernel& in, const char* path, int flags) {
  if (const auto content = content_of(in, path)) return open_content(in, *content);
  if ((flags & O_ACCMODE) != O_RDONLY || !may_read(path)) kernel::refuse((std::string("open of ") + path).c_str());
  const int made = TARE_SIM_REAL(open)(path, flags, 0);
  if (made >= 0) in.remember_real_file(made);
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
  if (*mode != 'r' || !may_read(path)) kernel::refuse((std::string("fopen of ") + path).c_str());
  return TARE_SIM_REAL(fopen)(path, mode);
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
  return open_simulated(*in, path, flags);
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
  if (kernel::of_caller() != nullptr) kernel::refuse("openat");
  return TARE_SIM_REAL(openat)(folder, path, flags, mode);
}
// NOLINTEND(cert-dcl50-cpp)

FILE* fopen(const char* path, const char* mode) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(fopen)(path, mode);
  return open_stream(*in, path, mode);
}

FILE* fopen64(const char* path, const char* mode) { return ::fopen(path, mode); }

int unlink(const char* path) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("unlink");
  return TARE_SIM_REAL(unlink)(path);
}

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
