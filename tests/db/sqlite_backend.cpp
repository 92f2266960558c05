#include "db/backend.hpp"
#include "support/temporary_folder.hpp"

#include <memory>

namespace db_test {

namespace {
std::unique_ptr<support::temporary_folder> folder;
}  // namespace

const char* const backend::numbering = "INTEGER PRIMARY KEY";
const char* const backend::bad_value = "abs(-9223372036854775808)";

backend::backend() {
  folder = std::make_unique<support::temporary_folder>();
  uri_ = "sqlite:" + (*folder / "test.db").string();
}

backend::~backend() { folder.reset(); }

std::string backend::series(const std::string& count) {
  return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + count + ") SELECT i FROM n";
}

}  // namespace db_test
