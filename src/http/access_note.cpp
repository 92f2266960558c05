#include "http/access_note.hpp"

#include "http/server_core.hpp"
#include "sched/report.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/sleep.hpp>

#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace tare::http::detail {

namespace {

std::size_t size_of(const net::result<net::endpoint>& peer) noexcept { return peer ? peer->size() : 0; }

}  // namespace

void report_access(const server_core& server, const access_entry& entry) noexcept {
  try {
    server.options().on_response(entry);
  } catch (...) {
    // The log of one request must not end the others.
    tare::detail::print_exception("http::server_options::on_response ended by an exception", std::current_exception());
  }
}

access_note::access_note(std::string_view method, std::string_view target,
                         const net::result<net::endpoint>& peer) noexcept
    : begun_(now().time_since_epoch()),
      no_peer_(peer ? std::error_code() : peer.error()),
      target_bytes_(static_cast<std::uint32_t>(target.size())),
      peer_bytes_(static_cast<std::uint16_t>(size_of(peer))),
      method_bytes_(static_cast<std::uint16_t>(method.size())) {
  char* cursor = reinterpret_cast<char*>(this + 1);
  const auto append = [&cursor](const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(cursor, from, bytes);
    cursor += bytes;
  };
  if (peer) append(peer->data(), peer_bytes_);
  append(method.data(), method.size());
  append(target.data(), target.size());
}

access_note::owner access_note::make(std::string_view method, std::string_view target,
                                     const net::result<net::endpoint>& peer) {
  const std::size_t text = size_of(peer) + method.size() + target.size();
  void* const room = tare::detail::allocate_block(sizeof(access_note) + text);
  return owner(::new (room) access_note(method, target, peer));
}

static_assert(std::is_trivially_destructible_v<access_note>);

void access_note::free_note::operator()(access_note* freed) const noexcept {
  const std::size_t bytes = freed->bytes();
  std::destroy_at(freed);
  tare::detail::free_block(freed, bytes);
}

void access_note::report(const server_core& server, unsigned status, std::error_code error,
                         std::exception_ptr exception) const noexcept {
  net::result<net::endpoint> peer = std::unexpected(no_peer_);
  if (!no_peer_) {
    peer = net::endpoint::from(reinterpret_cast<const sockaddr*>(part(0, peer_bytes_).data()), peer_bytes_);
  }
  report_access(server, {.method = part(peer_bytes_, method_bytes_),
                         .target = part(std::size_t{peer_bytes_} + method_bytes_, target_bytes_),
                         .peer = peer,
                         .status = status,
                         .bytes = bytes_,
                         .duration = now().time_since_epoch() - begun_,
                         .error = error,
                         .exception = std::move(exception)});
}

}  // namespace tare::http::detail
