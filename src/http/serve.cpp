// The life of a connection in the server: accepted, idle in the frame of server::serve_connection, and in
// serve_requests while there are bytes.

#include "http/exchange.hpp"
#include "http/linger.hpp"
#include "http/server_core.hpp"
#include "http/websocket/frame.hpp"
#include "net/tls/client_hello.hpp"
#include "sched/usage.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/timer_node.hpp>
#include <tare/error.hpp>
#include <tare/http/server.hpp>
#include <tare/memory_budget.hpp>
#include <tare/net/idle.hpp>
#include <tare/sleep.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <new>
#include <utility>

namespace tare::http {

using namespace std::chrono_literals;

namespace detail {

/// Closing with unread bytes makes the system reset the connection, which may destroy the response in transit. So the
/// peer gets a second to read it and to close (RFC 9112, 9.6).
task<> linger(transport connection) {
  constexpr std::size_t max_bytes = 1U << 20U;
  connection.expires_after(1s);
  for (std::size_t dropped = 0; dropped < max_bytes;) {
    auto got = co_await connection.read();
    if (!got || got->empty()) co_return;
    dropped += got->size();
  }
}

namespace {

enum class afterwards : std::uint8_t { idle, close, linger, last };

/// If the last response is complete, announces the end of the connection, over TLS with close_notify; a truncated
/// response must not look complete.
afterwards end_connection(exchange& x) noexcept {
  const transport connection = x.connection();
  if (x.cut_off()) {
    if (x.ends_with_connection()) connection.abort();
    return afterwards::close;
  }
  connection.shutdown_write();
  const bool has_unread = !x.body_complete() || x.has_input() || x.upgraded();
  return has_unread && !x.is_shed() ? afterwards::linger : afterwards::close;
}

/// Makes sure that the request gets a response, if the client is still there.
task<> complete_response(exchange& x, const request_guard& guard) {
  if (guard.client_left()) {
    x.close_after();
    co_return;
  }
  if (!guard.error()) {
    // If the handler gave up because the body could not be read, the server responds.
    if (const auto& refusal = x.refusal_to_send(); refusal && !x.started()) {
      (void)co_await x.send_instead(refusal->status, refusal->why);
    } else {
      (void)co_await x.finish();
    }
    co_return;
  }
  if (x.timed_out) {
    (void)co_await x.send_instead(503, "the request took too long");
    co_return;
  }
  x.server().report(guard.error());
  (void)co_await x.send_instead(500, "internal server error");
}

/// Tells the peer of a WebSocket that its handler has ended, if these four bytes can be sent without waiting.
void send_close_frame(transport connection, bool going_away) noexcept {
  const close_code code = going_away ? close_code::going_away : close_code::normal;
  const frame_head head(opcode::close, 2);
  const std::array<std::byte, 4> frame{head.bytes()[0], head.bytes()[1],
                                       static_cast<std::byte>(std::to_underlying(code) >> 8U),
                                       static_cast<std::byte>(std::to_underlying(code) & 0xFFU)};
  (void)connection.try_write(frame);
}

/// Reads what has already arrived, without waiting.
void drop_input(transport connection) noexcept {
  for (int i = 0; i < 16; ++i) {
    const auto got = connection.try_read();
    if (!got || got->empty()) return;
  }
}

task<> fail_handler(std::exception_ptr error) {
  std::rethrow_exception(std::move(error));
  co_return;
}

/// A handler may throw before its coroutine exists.
task<> call_handler(server_core& server, request& asked, response& answer) {
  try {
    return server.answer()(asked, answer);
  } catch (...) {
    return fail_handler(std::current_exception());
  }
}

/// Serves the requests that have arrived. Nothing of them remains when the connection is closed.
task<afterwards> serve_arrived(transport connection, connection_group& group, memory_share& left, served& lasting) {
  exchange x(connection, group);
  for (;;) {
    auto arrived = x.try_read_head();
    if (!arrived) arrived = co_await x.read_head();
    if (arrived == exchange::arrival::none) co_return afterwards::idle;
    if (arrived == exchange::arrival::over) {
      connection.shutdown_write();
      co_return afterwards::close;
    }
    if (!x.is_admitted()) {
      // Immediately and without an await, because no other task may run while the request is held.
      x.refuse_for_memory();
      if (!x.keeps_connection()) break;
      connection.expires_after(x.server().options().idle_timeout, net::direction::read);
      co_return afterwards::idle;
    }
    if (arrived == exchange::arrival::refused) {
      if (const auto& refusal = x.refusal_to_send()) (void)co_await x.send_instead(refusal->status, refusal->why);
      break;
    }
    {
      request asked(x);
      response answer(x);
      request_guard guard;
      x.server().begin_handler(x, guard);
      co_await guard.run(call_handler(x.server(), asked, answer));
      x.server().end_handler(x);
      if (x.handed_over().lasts()) {
        lasting = std::move(x.handed_over());
        co_return afterwards::last;
      }
      if (x.upgraded()) {
        if (guard.error() && !x.timed_out) x.server().report(guard.error());
        connection.expires_after(1s);
        if (x.close_frame_due()) send_close_frame(connection, guard.error() != nullptr);
        break;
      }
      if (!x.complete() || guard.error()) co_await complete_response(x, guard);
    }
    if (x.is_shed() || !x.keeps_connection()) break;
    if (!x.body_complete() && !co_await x.skip_body()) break;
    x.next();
    if (!x.has_input()) {
      connection.expires_after(x.server().options().idle_timeout, net::direction::read);
      co_return afterwards::idle;
    }
  }
  const afterwards then = end_connection(x);
  if (then == afterwards::linger) left = x.take_share();
  co_return then;
}

}  // namespace

std::chrono::nanoseconds first_wait(const server_core& server) noexcept { return server.options().head_timeout; }

task<served> serve_requests(transport connection, connection_group& group) {
  memory_share left;
  served lasting(false);
  const afterwards then = co_await serve_arrived(connection, group, left, lasting);
  if (then == afterwards::last) co_return std::move(lasting);
  if (then != afterwards::linger) co_return served(then == afterwards::idle);
  left.keep_from_reserve();
  left.shrink_to(exchange::frames_bytes);
  if (group.server().budget() != nullptr && !left) {
    drop_input(connection);
  } else {
    co_await linger(connection);
  }
  co_return served(false);
}

}  // namespace detail

server::server(handler answer, server_options options)
    : core_((tare::detail::require_task("tare::http::server::server"),
             ::new (tare::detail::allocate_record(sizeof(detail::server_core)))
                 detail::server_core(std::move(answer), std::move(options)))) {}

server::~server() = default;

void server::stop() noexcept {
  tare::detail::require_task("tare::http::server::stop");
  core_->stop();
}
void server::stop(std::chrono::nanoseconds drain_timeout) noexcept {
  stop();
  core_->end_drains_after(std::max(drain_timeout, std::chrono::nanoseconds(0)));
}
std::size_t server::connections() const noexcept { return core_->connections(); }
std::size_t server::lasting_connections() const noexcept { return core_->lasting_connections(); }
std::size_t server::active_requests() const noexcept { return core_->handlers(); }
std::uint64_t server::requests() const noexcept { return core_->requests(); }

namespace {

constexpr auto accept_retry = 10ms;
// Only a few at a time: their memory is available at the next check.
constexpr std::size_t shed_at_once = 32;

/// Erases expired ticket keys even if no client connects for long.
class ticket_key_timer : tare::detail::timer_node {
 public:
  explicit ticket_key_timer(net::tls::context of) noexcept : of_(std::move(of)) {
    expired = [](timer_node& timer) noexcept { static_cast<ticket_key_timer&>(timer).erase(); };
    erase();
  }
  ~ticket_key_timer() { tare::detail::disarm(*this); }
  ticket_key_timer(const ticket_key_timer&) = delete;
  ticket_key_timer& operator=(const ticket_key_timer&) = delete;

 private:
  void erase() noexcept { tare::detail::arm(*this, of_.erase_old_ticket_keys().count()); }

  net::tls::context of_;
};

/// Waits until all connections of a stopping server have ended.
task<> wait_for_connections(scope& connections) { co_await connections.join(); }

}  // namespace

// What the handshake needs is not kept for the life of the connection.
task<> server::serve_tls(net::stream below, net::tls::context with, detail::connection_group& group,
                         scope& connections) {
  try {
    below.expires_after(detail::first_wait(group.server()));
    auto bytes = co_await net::tls::wait_for_client_hello(below);
    if (!bytes) co_return;
    memory_share share;
    if (group.server().budget() != nullptr) {
      // Not queued, because an admitted client that does nothing soon makes room for others.
      for (int i = 0; i < 100 && !share; ++i) {
        if (i != 0) co_await sleep_for(accept_retry * 2);
        share = group.server().budget()->try_admit(*bytes);
        if (!share) group.server().end_stalled_handshakes();
      }
      if (!share) co_return;
    }
    net::result<net::tls::stream> agreed = co_await net::tls::stream::accept(std::move(below), std::move(with));
    if (agreed) connections.spawn(serve_connection(std::move(*agreed), group));
  } catch (const std::bad_alloc&) {
    co_return;  // this connection is closed; the others continue
  }
}

task<net::result<void>> server::serve(net::listener listener) {
  return accept_all(std::move(listener),
                    [](net::stream client, scope& /*connections*/, detail::connection_group& group) {
                      return serve_connection(std::move(client), group);
                    });
}

task<net::result<void>> server::serve(net::listener listener, net::tls::context with) {
  const ticket_key_timer timer(with);
  auto serving = accept_all(std::move(listener), [with = std::move(with)](net::stream client, scope& connections,
                                                                          detail::connection_group& group) {
    return serve_tls(std::move(client), with, group, connections);
  });
  co_return co_await std::move(serving);
}

// Memory may run out at any await of this loop, and it continues: it calls only the coroutines of connections.
// Everything needed for shutdown is allocated before the first connection is accepted, because a scope must not be
// destroyed while its tasks live.
template <class Serve>
task<net::result<void>> server::accept_all(net::listener listener, Serve serve) {
  scope connections;
  detail::connection_group group(*core_, &connections);
  task<> ending = wait_for_connections(connections);
  detail::server_core::acceptor self{.listening = &listener, .connections = &connections};
  core_->add(self);
  net::result<void> outcome;
  bool was_cancelled = false;
  try {
    while (listener.is_open()) {
      const server_options& options = core_->options();
      if (options.connection_bytes != 0 && !memory().has_room(options.connection_bytes)) {
        // First those that hold much, because an idle client may be about to send a request.
        if (!core_->make_room() && options.shed_idle) (void)net::expire_idle(shed_at_once);
        co_await sleep_for(accept_retry);
        continue;
      }
      auto client = co_await listener.accept();
      bool no_memory = false;
      if (client) {
        try {
          connections.spawn(serve(std::move(*client), connections, group));
        } catch (const std::bad_alloc&) {
          no_memory = true;  // this connection is closed; the others continue
        }
      } else if (client.error() == std::errc::not_enough_memory) {
        no_memory = true;
      } else {
        if (client.error() != std::errc::operation_canceled) outcome = std::unexpected(client.error());
        break;
      }
      if (no_memory) {
        if (options.shed_idle) (void)net::expire_idle(shed_at_once);
        co_await sleep_for(accept_retry);
      }
    }
  } catch (const cancelled&) {
    was_cancelled = true;
  }
  listener.close();
  group.begin_drain();
  connections.cancel();
  co_await shield(std::move(ending));
  core_->remove(self);
  if (was_cancelled) throw cancelled();
  co_return outcome;
}

}  // namespace tare::http
