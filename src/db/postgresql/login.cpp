#include "db/postgresql/login.hpp"

#include "db/postgresql/error.hpp"

#include <tare/net/readiness.hpp>
#include <tare/offload.hpp>

#include <sys/socket.h>

#include <utility>

namespace tare::db::detail {

namespace {

/// Empty for connections over TLS or GSSAPI, because the unencrypted request would disclose the key.
std::optional<cancel_target> cancel_target_of(PGconn* connection, const std::optional<backend_key>& key) {
  if (!key || ::PQsslInUse(connection) != 0 || ::PQgssEncInUse(connection) != 0) return std::nullopt;
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(::PQsocket(connection), generic, &size) != 0) return std::nullopt;
  return cancel_target{.server = net::endpoint::from(generic, size), .key = *key};
}

/// Waits until the connection succeeds or fails.
task<result<void>> poll_until_made(PGconn* connection) {
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    const int fd = ::PQsocket(connection);
    net::result<void> waited;
    if (state == PGRES_POLLING_READING) {
      waited = co_await net::wait_readable(fd);
    } else {
      waited = co_await net::wait_writable(fd);
    }
    if (!waited) co_return std::unexpected(error(error_kind::unavailable, "", waited.error().message()));
    state = ::PQconnectPoll(connection);
  }
  if (state != PGRES_POLLING_OK) co_return std::unexpected(login_error(connection));
  co_return result<void>();
}

}  // namespace

task<result<logged_in>> log_in(const login_parameters& with) {
  // Not on the shard, because it resolves the host name; PQconnectPoll resolves the later hosts of a list.
  auto begin = [&with] { return pq<PGconn>(::PQconnectStartParams(with.keywords.data(), with.values.data(), 0)); };
  auto made = co_await offload(std::move(begin));
  PGconn* const connection = made.get();
  if (connection == nullptr || ::PQstatus(connection) == CONNECTION_BAD) {
    co_return std::unexpected(login_error(connection));
  }
  // Otherwise notices of the server would be printed.
  ::PQsetNoticeReceiver(connection, [](void* /*nothing*/, const PGresult* /*notice*/) {}, nullptr);
  std::optional<backend_key> key;
  {
    const backend_key_listener listener(connection);
    // This makes libpq include the SQLSTATE in its message, which is the only way to get it.
    (void)::PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    auto polled = co_await poll_until_made(connection);
    if (!polled) co_return std::unexpected(std::move(polled.error()));
    key = listener.key();
  }
  (void)::PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
  if (::PQsetnonblocking(connection, 1) != 0 || ::PQenterPipelineMode(connection) != 1) {
    co_return std::unexpected(connection_error(connection));
  }
  logged_in done;
  done.cancel = cancel_target_of(connection, key);
  done.connection = std::move(made);
  co_return done;
}

}  // namespace tare::db::detail
