// The life of a connection in the server: accepted, idle in the frame of server::serve_connection, and in
// serve_requests while there are bytes.

#include "http/exchange.hpp"
#include "http/linger.hpp"
#include "http/server_core.hpp"
#include "http/socket_limits.hpp"
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

namespace {

enum class afterwards : std::uint8_t { close, linger, announce };

bool has_unread(const exchange& x) noexcept { return !x.body_complete() || x.has_input() || x.upgraded(); }

/// If the last response is complete, announces the end of the connection, over TLS with close_notify; a truncated
/// response must not look complete.
afterwards end_connection(exchange& x) noexcept {
  x.log();
  const transport connection = x.connection();
  if (x.cut_off()) {
    if (x.ends_with_connection()) connection.abort();
    return afterwards::close;
  }
  const bool announced = connection.shutdown_write();
  if (x.is_shed()) return afterwards::close;
  if (!announced) return afterwards::announce;
  return has_unread(x) ? afterwards::linger : afterwards::close;
}

/// Makes sure that the request gets a response, if the client is still there.
task<> complete_response(exchange& x) {
  if (x.client_left()) {
    x.close_after();
    co_return;
  }
  if (!x.guard().error()) {
    // If the handler gave up because the body could not be read, the server responds.
    if (const refusal* refusal = x.refusal_to_send(); refusal != nullptr && !x.started()) {
      (void)co_await x.send_instead(refusal->status, refusal->why);
    } else {
      (void)co_await x.finish();
    }
    co_return;
  }
  if (x.timed_out()) {
    (void)co_await x.send_instead(503, "the request took too long");
    co_return;
  }
  x.server().report_handler(x.guard().error());
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

/// What follows a handler that has taken over the connection.
void end_upgraded(exchange& x) noexcept {
  const std::exception_ptr& error = x.guard().error();
  if (error && !x.timed_out()) x.server().report_handler(error);
  x.connection().expires_after(1s);
  if (x.close_frame_due()) send_close_frame(x.connection(), error != nullptr);
}

/// Nothing of the request remains while the peer reads the last response.
task<> let_peer_read(exchange& x, afterwards then) {
  if (then == afterwards::announce) {
    co_await announce_end(x.connection());
    if (!has_unread(x)) co_return;
  }
  if (x.begin_to_linger()) {
    co_await linger(x.connection());
  } else {
    drop_input(x.connection());
  }
}

void expect_next_request(const exchange& x) noexcept {
  x.connection().expires_after(x.server().options().idle_timeout, net::direction::read);
}

/// What a connection does next. The functions that return it are not inline, so that the frame that waits for a handler
/// keeps nothing of theirs.
enum class turn : std::uint8_t {
  read_head,  ///< the rest of a head must be waited for
  handle,
  refuse,
  complete,  ///< what the handler has left to do
  next,      ///< another request has arrived
  idle,
  end,       ///< after the last response
  close,     ///< nothing can be sent
  announce,  ///< nothing can be sent but the end of the connection
  last,      ///< it has become a lasting one
};

[[gnu::noinline]] turn after_arrival(exchange& x, exchange::arrival arrived) {
  if (arrived == exchange::arrival::none) return turn::idle;
  if (arrived == exchange::arrival::over) {
    return x.connection().shutdown_write() || x.is_shed() ? turn::close : turn::announce;
  }
  if (!x.is_admitted()) {
    // Immediately and without an await, because no other task may run while the request is held.
    x.begin_log({}, {});
    x.refuse_for_memory();
    if (!x.keeps_connection()) return turn::end;
    x.log();
    expect_next_request(x);
    return turn::idle;
  }
  return arrived == exchange::arrival::refused ? turn::refuse : turn::handle;
}

[[gnu::noinline]] turn begin_request(exchange& x) {
  const auto arrived = x.try_read_head();
  return arrived ? after_arrival(x, *arrived) : turn::read_head;
}

turn after_request(exchange& x) noexcept {
  x.log();
  x.next();
  if (x.has_input()) return turn::next;
  expect_next_request(x);
  return turn::idle;
}

[[gnu::noinline]] turn after_handler(exchange& x) noexcept {
  x.server().end_handler();
  if (x.hands_over()) return turn::last;
  if (x.upgraded()) {
    end_upgraded(x);
    return turn::end;
  }
  if (!x.complete() || x.guard().error()) return turn::complete;
  if (x.is_shed() || !x.keeps_connection()) return turn::end;
  return x.body_complete() ? after_request(x) : turn::complete;
}

task<turn> complete_request(exchange& x) {
  if (!x.complete() || x.guard().error()) co_await complete_response(x);
  if (x.is_shed() || !x.keeps_connection()) co_return turn::end;
  if (!x.body_complete()) {
    const bool skipped = co_await x.skip_body();
    if (!skipped) co_return turn::end;
  }
  co_return after_request(x);
}

/// Sends the response to a head that is refused.
task<turn> refuse(exchange& x) {
  x.begin_log({}, {});
  if (const refusal* why = x.refusal_to_send(); why != nullptr) (void)co_await x.send_instead(why->status, why->why);
  co_return turn::end;
}

task<turn> announce(exchange& x) {
  co_await announce_end(x.connection());
  co_return turn::close;
}

constexpr bool must_wait(turn then) noexcept {
  return then == turn::complete || then == turn::refuse || then == turn::announce;
}

/// The task that determines the next turn. `serve` has one await for all of them, because g++ gives each await room of
/// its own in the frame, which exists while a handler waits.
[[gnu::noinline]] task<turn> next_turn(exchange& x, turn then) {
  if (then == turn::refuse) return refuse(x);
  if (then == turn::announce) return announce(x);
  return complete_request(x);
}

/// While a handler waits, this frame is what the request weighs besides its head and the handler's frames.
task<served> serve(exchange x) {
  x.enter();
  try {
    for (;;) {
      turn then = begin_request(x);
      if (then == turn::read_head) then = after_arrival(x, co_await x.read_head());
      if (then == turn::handle) {
        co_await x.handle();
        then = after_handler(x);
      }
      if (must_wait(then)) then = co_await next_turn(x, then);
      if (then == turn::last) co_return x.take_handed_over();
      if (then == turn::idle) co_return served(true);
      if (then == turn::close) co_return served(false);
      if (then != turn::next) break;
    }
  } catch (...) {
    x.log(std::current_exception());
    throw;
  }
  const afterwards then = end_connection(x);
  if (then != afterwards::close) co_await let_peer_read(x, then);
  co_return served(false);
}

}  // namespace

std::chrono::nanoseconds first_wait(const server_core& server) noexcept { return server.options().head_timeout; }

task<served> serve_requests(transport connection, connection_group& group) {
  return serve(exchange(connection, group));
}

}  // namespace detail

server::server(handler handle, server_options options)
    : core_((tare::detail::require_task("tare::http::server::server"),
             ::new (tare::detail::allocate_record(sizeof(detail::server_core)))
                 detail::server_core(std::move(handle), std::move(options)))) {}

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
  explicit ticket_key_timer(net::tls::context context) noexcept : of_(std::move(context)) {
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
    if (agreed) connections.spawn(serve_connection(std::move(*agreed), detail::group_link(group)));
  } catch (const std::bad_alloc&) {
    co_return;  // this connection is closed; the others continue
  }
}

task<net::result<void>> server::serve(net::listener listener) {
  return accept_all(std::move(listener),
                    [](net::stream client, scope& /*connections*/, detail::connection_group& group) {
                      return serve_connection(std::move(client), detail::group_link(group));
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
  if (const auto limited = detail::limit_kernel_buffers(listener, core_->options()); !limited) co_return limited;
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
