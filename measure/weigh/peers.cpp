#include "measure/weigh/peers.hpp"

#include "base/text_file.hpp"
#include "base/toml_file.hpp"
#include "measure/process/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <utility>

namespace tare::measure {
namespace {

constexpr std::string_view workload_place = "{workload}";
constexpr std::string_view kind_place = "{kind}";
constexpr std::string_view default_workload = "empty";
constexpr std::chrono::seconds check_time_limit{30};

using base::toml_reader;

/// A command and its arguments.
std::vector<std::string> arguments(toml_reader& in, const toml::node& node, std::string_view key) {
  std::vector<std::string> words;
  const auto* array = node.as_array();
  if (array == nullptr || array->empty()) {
    in.complain(node, fmt::format("'{}' must be a list of strings, the command and its arguments", key));
    return words;
  }
  for (const auto& element : *array) {
    const auto word = element.value_exact<std::string>();
    if (!word) {
      in.complain(element, fmt::format("'{}' must contain only strings", key));
      return words;
    }
    if (word->contains('\0')) in.complain(element, fmt::format("'{}' contains a zero byte", key));
    words.push_back(*word);
  }
  if (words.front().empty()) in.complain(node, fmt::format("'{}' begins with an empty string", key));
  return words;
}

need read_need(toml_reader& in, const toml::node& node) {
  static constexpr std::array<std::string_view, 4> keys{"program", "file", "check", "hint"};
  need wanted;
  const auto* table = node.as_table();
  if (table == nullptr) {
    in.complain(node, R"('needs' must contain tables such as { program = "...", hint = "..." })");
    return wanted;
  }
  in.allow_keys(*table, keys, "'needs'");
  const auto* program = table->get("program");
  const auto* file = table->get("file");
  const auto* check = table->get("check");
  if ((program != nullptr) + (file != nullptr) + (check != nullptr) != 1) {
    in.complain(node, "a need has one of 'program', 'file' and 'check'");
    return wanted;
  }
  if (check != nullptr) {
    wanted.what = need::kind::check;
    wanted.check = arguments(in, *check, "check");
    wanted.name = command{wanted.check, {}}.text();
  } else {
    wanted.what = program != nullptr ? need::kind::program : need::kind::file;
    wanted.name = program != nullptr ? in.text(*program, "program") : in.text(*file, "file");
  }
  if (const auto* hint = table->get("hint")) {
    wanted.hint = in.text(*hint, "hint");
  } else {
    in.complain(node, "a need has a 'hint': what to install");
  }
  return wanted;
}

/// The workloads and limits of the peer.
void read_workloads(toml_reader& in, const toml::table& table, peer& peer) {
  const bool can_choose = std::ranges::any_of(peer.run, [](const auto& word) { return word.contains(workload_place); });
  if (const auto* workloads = table.get("workloads")) {
    peer.workloads = arguments(in, *workloads, "workloads");
    if (!can_choose) in.complain(*workloads, "'workloads' needs a {workload} in 'run'");
  } else if (!can_choose) {
    peer.workloads = {std::string(default_workload)};
  }
  if (const auto* max_n = table.get("max_n")) peer.max_n = in.count(*max_n, "max_n");
  if (const auto* limits = table.get("limits")) {
    const auto* made = limits->as_table();
    if (made == nullptr) {
      in.complain(*limits, "'limits' must be a table such as { churn = 1000000 }");
      return;
    }
    for (const auto& [workload, value] : *made) {
      peer.limits.emplace(workload.str(), in.count(value, workload.str()));
    }
  }
}

/// The kinds of connections that a server speaks.
void read_kinds(toml_reader& in, const toml::table& table, peer& peer) {
  const auto* kinds = table.get("kinds");
  if (kinds == nullptr) {
    if (peer.is_server()) peer.kinds = {connection_kind::http};
    return;
  }
  if (!peer.is_server()) in.complain(*kinds, "'kinds' needs a {port} in 'run'");
  const auto* array = kinds->as_array();
  if (array == nullptr || array->empty()) {
    in.complain(*kinds, R"('kinds' must be a list of strings, such as ["http", "websocket"])");
    return;
  }
  for (const auto& element : *array) {
    const auto kind = parse_connection_kind(element.value_exact<std::string>().value_or(""));
    if (!kind) {
      in.complain(element, kind.error().message);
    } else if (peer.speaks(*kind)) {
      in.complain(element, fmt::format("'kinds' lists '{}' twice", name_of(*kind)));
    } else {
      peer.kinds.push_back(*kind);
    }
  }
}

std::vector<std::string> read_database(toml_reader& in, const toml::table& table) {
  const auto* node = table.get("database");
  if (node == nullptr) return {};
  auto words = arguments(in, *node, "database");
  if (!command{words, {}}.takes_port()) in.complain(*node, "'database' has no {port} for what it is told");
  return words;
}

peer read_peer(toml_reader& in, const toml::table& table) {
  static constexpr std::array<std::string_view, 14> keys{"name",    "title", "language", "subject",   "floor",
                                                         "version", "build", "run",      "workloads", "kinds",
                                                         "needs",   "max_n", "limits",   "database"};
  in.allow_keys(table, keys, "[[peer]]");
  peer made;
  if (const auto* name = table.get("name")) {
    made.name = in.text(*name, "name");
  } else {
    in.complain(table, "a peer has a 'name'");
  }
  made.title = made.name;
  if (const auto* title = table.get("title")) made.title = in.text(*title, "title");
  if (const auto* language = table.get("language")) made.language = in.text(*language, "language");
  made.subject = in.flag(table, "subject");
  made.floor = in.flag(table, "floor");
  if (const auto* version = table.get("version")) {
    if (version->is_array()) {
      made.version = arguments(in, *version, "version");
    } else {
      made.version = in.text(*version, "version");
    }
  }
  if (const auto* build = table.get("build")) made.build = arguments(in, *build, "build");
  if (const auto* run = table.get("run")) {
    made.run = arguments(in, *run, "run");
    if (!command{made.run, {}}.takes_count() && !made.is_server()) {
      in.complain(*run, "'run' has no {n} for the number of tasks, nor a {port} as a server");
    }
  } else {
    in.complain(table, fmt::format("the peer '{}' has no 'run'", made.name));
  }
  read_workloads(in, table, made);
  read_kinds(in, table, made);
  made.database = read_database(in, table);
  if (const auto* needs = table.get("needs")) {
    if (const auto* array = needs->as_array()) {
      for (const auto& element : *array) made.needs.push_back(read_need(in, element));
    } else {
      in.complain(*needs, "'needs' must be a list");
    }
  }
  return made;
}

/// A list, and where the file says what its root is.
struct placed_list {
  peer_list list;
  toml::source_position root{.line = 1, .column = 1};
};

placed_list read_list(toml_reader& in, const toml::table& top) {
  static constexpr std::array<std::string_view, 4> keys{"root", "page", "database", "peer"};
  in.allow_keys(top, keys, "the file");
  placed_list read;
  peer_list& list = read.list;
  list.root = in.file().parent_path();
  if (const auto* root = top.get("root")) {
    list.root /= in.text(*root, "root");
    read.root = root->source().begin;
  }
  if (list.root.empty()) list.root = ".";
  if (const auto* page = top.get("page")) list.page = list.root / in.text(*page, "page");
  const auto database = read_database(in, top);

  const auto tables = in.tables(top, "peer");
  if (tables.empty()) {
    constexpr std::string_view none = "no [[peer]]: add one for each program";
    if (const auto* empty = top.get("peer")) in.complain(*empty, none);
    in.complain(none);
  }
  for (const auto* table : tables) {
    peer peer = read_peer(in, *table);
    if (std::ranges::find(list.peers, peer.name, &peer::name) != list.peers.end()) {
      in.complain(*table, fmt::format("a second peer named '{}': rename one", peer.name));
    }
    if (peer.database.empty()) peer.database = database;
    if (peer.speaks(connection_kind::database) && peer.database.empty()) {
      in.complain(*table, fmt::format("'{}' speaks database, and nothing says which: add 'database'", peer.name));
    }
    list.peers.push_back(std::move(peer));
  }
  return read;
}

base::result<placed_list> parse_list(std::string_view text, const std::filesystem::path& file) {
  const auto top = base::parse_toml(text, file);
  if (!top) return std::unexpected(top.error());
  toml_reader in(file);
  placed_list read = read_list(in, *top);
  if (in.error()) return std::unexpected(*in.error());
  return read;
}

command filled(command what, std::string_view place, std::string_view value) {
  for (auto& word : what.arguments) {
    for (auto found = word.find(place); found != std::string::npos; found = word.find(place, found)) {
      word.replace(found, place.size(), value);
      found += value.size();
    }
  }
  return what;
}

bool is_there(const need& wanted, const std::filesystem::path& root, stop_signal stop) {
  std::error_code ignored;
  switch (wanted.what) {
    case need::kind::program:
      return find_program(wanted.name, root).has_value();
    case need::kind::file:
      return std::filesystem::exists(root / wanted.name, ignored);
    case need::kind::check:
      return run({wanted.check, root}, check_time_limit, stop).has_value();
  }
  return false;
}

}  // namespace

std::string need::text() const { return what == kind::check ? hint : fmt::format("{} is missing; {}", name, hint); }

bool peer::is_server() const {
  const command program{run, {}};
  return program.takes_port() && !program.takes_count();
}

bool peer::has_workload(std::string_view workload) const {
  if (is_server()) return false;
  return workloads.empty() || std::ranges::find(workloads, workload) != workloads.end();
}

std::optional<std::uint64_t> peer::limit(std::string_view workload) const {
  const auto own = limits.find(workload);
  return own != limits.end() ? std::optional(own->second) : max_n;
}

command peer::program(std::string_view workload, const std::filesystem::path& root) const {
  return filled({run, root}, workload_place, workload);
}

bool peer::speaks(connection_kind kind) const { return std::ranges::find(kinds, kind) != kinds.end(); }

command peer::server(connection_kind kind, const std::filesystem::path& root) const {
  return filled({run, root}, kind_place, name_of(kind));
}

command peer::database_for(connection_kind kind, const std::filesystem::path& root) const {
  if (kind != connection_kind::database) return {};
  return {database, root};
}

base::result<peer_list> parse_peers(std::string_view text, const std::filesystem::path& file) {
  auto read = parse_list(text, file);
  if (!read) return std::unexpected(std::move(read.error()));
  return std::move(read->list);
}

base::result<peer_list> read_peers(const std::filesystem::path& file) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  auto read = parse_list(*text, file);
  if (!read) return std::unexpected(std::move(read.error()));
  std::error_code ignored;
  const auto& root = read->list.root;
  if (!std::filesystem::is_directory(root, ignored)) {
    const std::string what = fmt::format("'root' must be a folder, and this is not one: {}", root.string());
    return std::unexpected(base::toml_error(file, read->root, what));
  }
  return std::move(read->list);
}

base::result<std::vector<peer>> select_peers(const peer_list& list, const std::vector<std::string>& names) {
  if (names.empty()) return list.peers;
  for (const auto& name : names) {
    if (std::ranges::find(list.peers, name, &peer::name) != list.peers.end()) continue;
    std::vector<std::string_view> known;
    known.reserve(list.peers.size());
    for (const auto& each : list.peers) known.push_back(each.name);
    return base::input_error(fmt::format("no peer is named '{}'; there are: {}", name, fmt::join(known, ", ")));
  }
  std::vector<peer> selected;
  for (const auto& each : list.peers) {
    if (std::ranges::find(names, each.name) != names.end()) selected.push_back(each);
  }
  return selected;
}

std::optional<need> missing_need(const peer& peer, const std::filesystem::path& root, stop_signal stop) {
  const auto missing =
      std::ranges::find_if(peer.needs, [&](const need& wanted) { return !is_there(wanted, root, stop); });
  if (missing == peer.needs.end()) return std::nullopt;
  return *missing;
}

}  // namespace tare::measure
