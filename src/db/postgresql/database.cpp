#include "db/postgresql/database.hpp"

#include "db/postgresql/handles.hpp"
#include "db/postgresql/session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace tare::db::detail {

namespace {

class postgresql_database final : public database {
 public:
  postgresql_database(pq<PQconninfoOption> parsed, const pool_options& options) : options_(std::move(parsed)) {
    shared_.cached_statements = options.cached_statements;
    shared_.reset_connections = options.reset_connections;
    for (const PQconninfoOption* each = options_.get(); each->keyword != nullptr; ++each) {
      if (each->val != nullptr) add(each->keyword, each->val);
    }
    // The last value of a keyword counts.
    add("client_encoding", "UTF8");
    add("fallback_application_name", "tare");
    shared_.login.keywords.push_back(nullptr);
    shared_.login.values.push_back(nullptr);
  }

  [[nodiscard]] std::unique_ptr<session> make_session() override {
    return std::make_unique<postgresql_session>(shared_);
  }

 private:
  void add(const char* keyword, const char* value) {
    shared_.login.keywords.push_back(keyword);
    shared_.login.values.push_back(value);
  }

  pq<PQconninfoOption> options_;
  postgresql_shared shared_{};
};

std::vector<std::string_view> elements_of(std::string_view list) {
  std::vector<std::string_view> all;
  for (;;) {
    const std::size_t comma = list.find(',');
    all.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return all;
    list.remove_prefix(comma + 1);
  }
}

bool is_number(std::string_view text, int min, int max) noexcept {
  int number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  return wrong == std::errc() && end == text.data() + text.size() && number >= min && number <= max;
}

/// Checks values that libpq would check only when it connects; empty if they are valid.
std::string complaint(const PQconninfoOption* options) {
  const auto value = [options](std::string_view keyword) -> std::string_view {
    for (const PQconninfoOption* each = options; each->keyword != nullptr; ++each) {
      if (keyword == each->keyword) return each->val == nullptr ? "" : each->val;
    }
    return "";
  };
  const auto quoted = [](std::string_view what, std::string_view text) {
    return std::string(what) + " '" + std::string(text) + "'";
  };
  const auto ports = elements_of(value("port"));
  for (const std::string_view port : ports) {
    if (!port.empty() && !is_number(port, 1, UINT16_MAX)) return quoted("not a port:", port);
  }
  const std::string_view addresses = value("hostaddr");
  const auto hosts = elements_of(addresses.empty() ? value("host") : addresses);
  if (ports.size() > 1 && ports.size() != hosts.size()) return "the number of ports must be 1 or that of the hosts";
  const std::string_view limit = value("connect_timeout");
  if (!limit.empty() && !is_number(limit, INT_MIN, INT_MAX)) return quoted("not a connect_timeout:", limit);
  const std::string_view mode = value("sslmode");
  constexpr std::array modes{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
  if (std::ranges::find(modes, mode) == modes.end()) return quoted("not an sslmode:", mode);
  return {};
}

}  // namespace

result<std::unique_ptr<database>> make_postgresql(std::string_view uri, const pool_options& options) {
  char* why = nullptr;
  pq<PQconninfoOption> parsed(PQconninfoParse(std::string(uri).c_str(), &why));
  if (parsed == nullptr) {
    std::string message = why == nullptr ? "out of memory" : why;
    PQfreemem(why);
    while (!message.empty() && message.back() == '\n') message.pop_back();
    // Without the URI, which may contain a password.
    return std::unexpected(error(error_kind::syntax, "", "the URI of the database cannot be read: " + message));
  }
  if (const std::string wrong = complaint(parsed.get()); !wrong.empty()) {
    return std::unexpected(error(error_kind::syntax, "", "the URI of the database cannot be used: " + wrong));
  }
  return std::make_unique<postgresql_database>(std::move(parsed), options);
}

}  // namespace tare::db::detail
