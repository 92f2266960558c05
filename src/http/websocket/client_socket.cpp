#include "http/websocket/client_socket.hpp"

#include "http/lasting/lasting.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/misuse.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace tare::http::detail {

// --- masks ----------------------------------------------------------------------------------------------------------

bool fill_random(std::span<std::byte> buffer) noexcept {
  while (!buffer.empty()) {
    const ssize_t got = ::getrandom(buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    buffer = buffer.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

frame_mask mask_source::next() noexcept {
  if (left_ == 0) {
    if (!fill_random(std::as_writable_bytes(std::span(masks_)))) {
      std::fputs("tare: a WebSocket's client needs random numbers, and getrandom(2) returns none\n", stderr);
      std::abort();
    }
    left_ = masks_.size();
  }
  return masks_.at(--left_);
}

// --- what they share ------------------------------------------------------------------------------------------------

namespace {

constinit thread_local client_home* home_of_shard = nullptr;

server_options options_of_home() {
  server_options chosen;
  chosen.request_bytes = 1;  // no request needs a reserve
  return chosen;
}

}  // namespace

client_home::client_home(server_options options) : core_(handler(), std::move(options)), group_(core_) {}

client_home::reference::reference() : to_(home_of_shard) {
  if (to_ == nullptr) {
    void* const memory = tare::detail::allocate_record(sizeof(client_home));
    try {
      to_ = ::new (memory) client_home(options_of_home());
    } catch (...) {
      tare::detail::free_record(memory);
      throw;
    }
    home_of_shard = to_;
  }
  ++to_->references_;
}

client_home::reference::~reference() {
  if (to_ == nullptr || --to_->references_ != 0) return;
  home_of_shard = nullptr;
  std::destroy_at(to_);
  tare::detail::free_record(to_);
}

// --- the socket -----------------------------------------------------------------------------------------------------

client_socket::client_socket(client_home::reference shared, client_connection taken, served begins,
                             websocket_options with, std::chrono::nanoseconds write_limit) noexcept
    : other_lasting_connection(
          [](lasting_connection& self) noexcept { return static_cast<client_socket&>(self).over.way(); },
          taken.way().slot(), shared->group(), std::move(begins)),
      home(std::move(shared)),
      over(std::move(taken)),
      options(std::move(with)),
      write_timeout(write_limit) {
  lasting(*this).begin_client();
}

client_socket& client_socket::make(client_connection over, net::lease input, websocket_options with, const agreed& on,
                                   std::chrono::nanoseconds write_timeout) {
  client_home::reference home;
  lasting_work& work = make_work(frame_reader::role::client, with.max_message_bytes, on.compresses);
  served begins(work);
  work.protocol = on.protocol;
  if (write_timeout.count() <= 0) write_timeout = std::chrono::nanoseconds::max();
  void* const memory = tare::detail::allocate_record(sizeof(client_socket));
  auto& made = *::new (memory)
                   client_socket(std::move(home), std::move(over), std::move(begins), std::move(with), write_timeout);
  lasting(made).take_input(std::move(input));
  return made;
}

void client_socket::leave(client_socket& freed) noexcept {
  if (freed.subscriptions != 0 || lasting(freed).is_in_use()) {
    tare::detail::misuse(
        "a client's http::websocket was destroyed before a subscription of it, or while a task receives or sends");
  }
  lasting(freed).end_client();
  freed.end();
  freed.over.close();
  std::destroy_at(&freed);
  tare::detail::free_record(&freed);
}

}  // namespace tare::http::detail
