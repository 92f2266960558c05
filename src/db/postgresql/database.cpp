#include "db/postgresql/database.hpp"

#include "db/postgresql/handles.hpp"
#include "db/postgresql/session.hpp"

#include <string>
#include <utility>

namespace tare::db::detail {

namespace {

class postgresql_database final : public database {
 public:
  postgresql_database(pq<PQconninfoOption> options, std::size_t cached_statements) : options_(std::move(options)) {
    shared_.cached_statements = cached_statements;
    for (const PQconninfoOption* each = options_.get(); each->keyword != nullptr; ++each) {
      if (each->val != nullptr) add(each->keyword, each->val);
    }
    // The last one of a keyword counts.
    add("client_encoding", "UTF8");
    add("fallback_application_name", "tare");
    shared_.keywords.push_back(nullptr);
    shared_.values.push_back(nullptr);
  }

  [[nodiscard]] std::unique_ptr<session> make_session() override {
    return std::make_unique<postgresql_session>(shared_);
  }

 private:
  void add(const char* keyword, const char* value) {
    shared_.keywords.push_back(keyword);
    shared_.values.push_back(value);
  }

  pq<PQconninfoOption> options_;
  postgresql_shared shared_{};
};

}  // namespace

result<std::unique_ptr<database>> make_postgresql(std::string_view uri, const pool_options& options) {
  char* why = nullptr;
  pq<PQconninfoOption> parsed(PQconninfoParse(std::string(uri).c_str(), &why));
  if (parsed == nullptr) {
    std::string message = why == nullptr ? "out of memory" : why;
    PQfreemem(why);
    while (!message.empty() && message.back() == '\n') message.pop_back();
    // Without the URI, which may have a password in it.
    return std::unexpected(error(error_kind::syntax, "", "the URI of the database cannot be read: " + message));
  }
  return std::make_unique<postgresql_database>(std::move(parsed), options.cached_statements);
}

}  // namespace tare::db::detail
