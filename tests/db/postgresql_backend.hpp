#pragma once

#include "support/postgresql_server.hpp"

namespace db_test {

/// The only server of this program; it runs unless a test has stopped it.
support::postgresql_server& server();

}  // namespace db_test
