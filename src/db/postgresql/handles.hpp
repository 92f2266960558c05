#pragma once

// Owning handles of libpq's objects.

#include <libpq-fe.h>

#include <memory>

namespace tare::db::detail {

struct free_pq {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* result) const noexcept { PQclear(result); }
  void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

template <class T>
using pq = std::unique_ptr<T, free_pq>;

}  // namespace tare::db::detail
