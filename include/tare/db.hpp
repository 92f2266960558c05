#pragma once

// All headers of tare::db: SQLite and PostgreSQL behind one interface.

#include <tare/db/batch.hpp>
#include <tare/db/connection.hpp>
#include <tare/db/error.hpp>
#include <tare/db/parameters.hpp>
#include <tare/db/pool.hpp>
#include <tare/db/row.hpp>
#include <tare/db/rows.hpp>
#include <tare/db/statements.hpp>
#include <tare/db/transaction.hpp>
#include <tare/db/value_kind.hpp>
