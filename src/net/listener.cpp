#include <tare/net/listener.hpp>

#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "io/system.hpp"
#include "net/socket.hpp"
#include "sched/usage.hpp"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace tare::net {

namespace {

/// The path of a Unix socket in the file system; nullptr if there is none.
const char* path_of(const endpoint& address) noexcept {
  if (!address.is_unix()) return nullptr;
  const char* path = reinterpret_cast<const sockaddr_un*>(address.data())->sun_path;
  return *path == '\0' ? nullptr : path;
}

/// Removes a socket file that has no listener.
void remove_stale(const endpoint& address) {
  const char* path = path_of(address);
  struct stat found{};
  if (path == nullptr || ::stat(path, &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  const auto probe = detail::socket_handle::open(AF_UNIX, SOCK_STREAM);
  if (!probe) return;
  if (::connect(probe->get(), address.data(), address.size()) != 0 && errno == ECONNREFUSED) ::unlink(path);
}

/// The ring of a killed process keeps its listeners open until the kernel has destroyed it, which takes about 50 ms. So
/// a restarted service that uses io_uring, like its predecessor, retries for a while.
result<void> take_address(const detail::socket_handle& handle, const endpoint& address) {
  constexpr int attempts = 50;
  constexpr std::chrono::milliseconds pause{5};
  const auto here = tare::detail::reactor::here();
  const bool is_worth_it = here && (*here)->holds_descriptors();
  for (int attempt = 1;; ++attempt) {
    if (::bind(handle.get(), address.data(), address.size()) == 0) return {};
    if (errno != EADDRINUSE || address.is_unix() || !is_worth_it || attempt == attempts) return detail::last_error();
    std::this_thread::sleep_for(pause);
  }
}

result<detail::link> adopt_listener(detail::socket_handle& handle) noexcept {
  const auto here = tare::detail::reactor::here();
  if (!here) return std::unexpected(here.error());
  tare::detail::io_slot* const slot = (*here)->adopt_listener(handle.get());
  if (slot == nullptr) return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
  (void)handle.release();
  return tare::detail::to_link(slot);
}

}  // namespace

result<listener> listener::bind(const endpoint& address, listen_options options) {
  tare::detail::require_task("tare::net::listener::bind");
  auto handle = detail::socket_handle::open(address.family(), SOCK_STREAM);
  if (!handle) return std::unexpected(handle.error());
  if (address.is_unix()) {
    if (options.unlink_path) remove_stale(address);
  } else {
    if (options.reuse_address) {
      if (auto set = handle->set(SOL_SOCKET, SO_REUSEADDR, 1); !set) return std::unexpected(set.error());
    }
    if (options.reuse_port) {
      if (auto set = handle->set(SOL_SOCKET, SO_REUSEPORT, 1); !set) return std::unexpected(set.error());
    }
    if (address.family() == AF_INET6) {
      if (auto set = handle->set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0); !set) {
        return std::unexpected(set.error());
      }
    }
    // Accepted sockets inherit this.
    if (auto set = handle->set(IPPROTO_TCP, TCP_NODELAY, 1); !set) return std::unexpected(set.error());
  }
  if (auto taken = take_address(*handle, address); !taken) return std::unexpected(taken.error());
  if (::listen(handle->get(), options.backlog) != 0) return detail::last_error();
  const result<detail::link> slot = adopt_listener(*handle);
  if (!slot) return std::unexpected(slot.error());
  listener bound(*slot);
  bound.owns_path_ = path_of(address) != nullptr && options.unlink_path;
  return bound;
}

result<listener> listener::adopt(int fd) {
  tare::detail::require_task("tare::net::listener::adopt");
  if (auto made = detail::make_non_blocking(fd); !made) return std::unexpected(made.error());
  detail::socket_handle handle(fd);
  const result<detail::link> slot = adopt_listener(handle);
  (void)handle.release();
  if (!slot) return std::unexpected(slot.error());
  return listener(*slot);
}

result<endpoint> listener::local() const noexcept { return detail::local_of(slot_); }
int listener::native_handle() const noexcept { return detail::descriptor_of(slot_); }
int listener::release() noexcept {
  return detail::release_slot(std::exchange(slot_, detail::no_link), "tare::net::listener::release");
}

void listener::close() noexcept {
  if (slot_ == detail::no_link) return;
  if (std::exchange(owns_path_, false)) {
    if (const auto cursor = local(); cursor && path_of(*cursor) != nullptr) ::unlink(path_of(*cursor));
  }
  detail::close_slot(std::exchange(slot_, detail::no_link));
}

}  // namespace tare::net
