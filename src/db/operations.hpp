#pragma once

// The operations of `pool`, `connection` and `transaction`. Those on a pool borrow a session for the duration of the
// statement. They hold little until they have one, because many of them may wait; the work that follows is in separate
// frames.

#include "db/pool_core.hpp"

#include <tare/db/rows.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace tare::db::detail {

task<result<lease>> borrow(pool_core& from);

task<result<rows>> query(pool_core& from, std::string_view sql, parameters bound);
task<result<rows>> query_on(lease held, std::string_view sql, parameters bound);
task<result<std::uint64_t>> execute(pool_core& from, std::string_view sql, parameters bound);
task<result<std::uint64_t>> execute_on(lease held, std::string_view sql, parameters bound);
task<result<std::vector<std::uint64_t>>> execute_batch(pool_core& from, batch all);
task<result<std::vector<std::uint64_t>>> execute_batch_on(lease held, batch all);
task<result<void>> execute_script(pool_core& from, std::string_view sql);
task<result<void>> execute_script_on(lease held, std::string_view sql);
task<result<transaction>> begin(pool_core& from, transaction_options options);
task<result<transaction>> begin_on(lease held, transaction_options options);
task<result<void>> commit(lease held);
task<result<void>> roll_back(lease held);

}  // namespace tare::db::detail
