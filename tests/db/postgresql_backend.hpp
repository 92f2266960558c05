#pragma once

#include "support/postgresql_server.hpp"

namespace db_test {

/// The one server of this program, which runs unless a test has stopped it.
support::postgresql_server& server();

}  // namespace db_test
