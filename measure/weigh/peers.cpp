#include "measure/weigh/peers.hpp"

#include "base/text_file.hpp"
#include "measure/process/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <system_error>
#include <utility>

namespace tare::measure {
namespace {

constexpr std::string_view workload_place = "{workload}";
constexpr std::string_view kind_place = "{kind}";
constexpr std::string_view default_workload = "empty";
constexpr std::chrono::seconds check_time_limit{30};

/// Reads one file. The first error wins; all readers after it return nothing.
class reader {
 public:
  explicit reader(std::string file) : file_(std::move(file)) {}

  [[nodiscard]] const std::optional<base::error>& error() const { return error_; }

  void complain(const toml::node& where, std::string_view what) { complain(where.source().begin.line, what); }
  void complain(toml::source_index line, std::string_view what) {
    if (!error_) error_ = base::error{base::fault::input, fmt::format("{}:{}: {}", file_, line, what)};
  }

  void allow_keys(const toml::table& table, std::span<const std::string_view> known, std::string_view owner) {
    for (const auto& [key, value] : table) {
      if (std::ranges::find(known, key.str()) != known.end()) continue;
      complain(key.source().begin.line,
               fmt::format("unknown key '{}' in {}; known: {}", key.str(), owner, fmt::join(known, ", ")));
    }
  }

  /// A non-empty string of one line.
  std::string text(const toml::node& node, std::string_view key) {
    const auto value = node.value_exact<std::string>();
    if (!value) {
      complain(node, fmt::format("'{}' must be a string", key));
      return {};
    }
    const bool printable = std::ranges::all_of(*value, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
    if (value->empty() || !printable) complain(node, fmt::format("'{}' must be one line, and not empty", key));
    return *value;
  }

  std::vector<std::string> arguments(const toml::node& node, std::string_view key) {
    std::vector<std::string> words;
    const auto* array = node.as_array();
    if (array == nullptr || array->empty()) {
      complain(node, fmt::format("'{}' must be a list of strings, the command and its arguments", key));
      return words;
    }
    for (const auto& element : *array) {
      const auto word = element.value_exact<std::string>();
      if (!word) {
        complain(element, fmt::format("'{}' must contain only strings", key));
        return words;
      }
      if (word->contains('\0')) complain(element, fmt::format("'{}' contains a zero byte", key));
      words.push_back(*word);
    }
    if (words.front().empty()) complain(node, fmt::format("'{}' begins with an empty string", key));
    return words;
  }

 private:
  std::string file_;
  std::optional<base::error> error_;
};

need read_need(reader& in, const toml::node& node) {
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
    wanted.check = in.arguments(*check, "check");
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

bool flag(reader& in, const toml::table& table, std::string_view key) {
  const auto* node = table.get(key);
  if (node == nullptr) return false;
  const auto value = node->value_exact<bool>();
  if (!value) in.complain(*node, fmt::format("'{}' must be true or false", key));
  return value.value_or(false);
}

std::uint64_t max_count(reader& in, const toml::node& node, std::string_view key) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < 1) in.complain(node, fmt::format("'{}' must be a whole number above 0", key));
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value.value_or(1), 1));
}

/// The workloads and limits of the peer.
void read_workloads(reader& in, const toml::table& table, peer& one) {
  const bool can_choose = std::ranges::any_of(one.run, [](const auto& word) { return word.contains(workload_place); });
  if (const auto* workloads = table.get("workloads")) {
    one.workloads = in.arguments(*workloads, "workloads");
    if (!can_choose) in.complain(*workloads, "'workloads' needs a {workload} in 'run'");
  } else if (!can_choose) {
    one.workloads = {std::string(default_workload)};
  }
  if (const auto* max_n = table.get("max_n")) one.max_n = max_count(in, *max_n, "max_n");
  if (const auto* limits = table.get("limits")) {
    const auto* each = limits->as_table();
    if (each == nullptr) {
      in.complain(*limits, "'limits' must be a table such as { churn = 1000000 }");
      return;
    }
    for (const auto& [workload, value] : *each) {
      one.limits.emplace(workload.str(), max_count(in, value, workload.str()));
    }
  }
}

/// The kinds of connections that a server speaks.
void read_kinds(reader& in, const toml::table& table, peer& one) {
  const auto* kinds = table.get("kinds");
  if (kinds == nullptr) {
    if (one.is_server()) one.kinds = {connection_kind::http};
    return;
  }
  if (!one.is_server()) in.complain(*kinds, "'kinds' needs a {port} in 'run'");
  const auto* array = kinds->as_array();
  if (array == nullptr || array->empty()) {
    in.complain(*kinds, R"('kinds' must be a list of strings, such as ["http", "websocket"])");
    return;
  }
  for (const auto& element : *array) {
    const auto kind = parse_connection_kind(element.value_exact<std::string>().value_or(""));
    if (!kind) {
      in.complain(element, kind.error().message);
    } else if (one.speaks(*kind)) {
      in.complain(element, fmt::format("'kinds' lists '{}' twice", name_of(*kind)));
    } else {
      one.kinds.push_back(*kind);
    }
  }
}

peer read_peer(reader& in, const toml::table& table) {
  static constexpr std::array<std::string_view, 13> keys{"name",    "title", "language", "subject",   "floor",
                                                         "version", "build", "run",      "workloads", "kinds",
                                                         "needs",   "max_n", "limits"};
  in.allow_keys(table, keys, "[[peer]]");
  peer one;
  if (const auto* name = table.get("name")) {
    one.name = in.text(*name, "name");
  } else {
    in.complain(table, "a peer has a 'name'");
  }
  one.title = one.name;
  if (const auto* title = table.get("title")) one.title = in.text(*title, "title");
  if (const auto* language = table.get("language")) one.language = in.text(*language, "language");
  one.subject = flag(in, table, "subject");
  one.floor = flag(in, table, "floor");
  if (const auto* version = table.get("version")) {
    if (version->is_array()) {
      one.version = in.arguments(*version, "version");
    } else {
      one.version = in.text(*version, "version");
    }
  }
  if (const auto* build = table.get("build")) one.build = in.arguments(*build, "build");
  if (const auto* run = table.get("run")) {
    one.run = in.arguments(*run, "run");
    if (!command{one.run, {}}.takes_count() && !one.is_server()) {
      in.complain(*run, "'run' has no {n} for the number of tasks, nor a {port} as a server");
    }
  } else {
    in.complain(table, fmt::format("the peer '{}' has no 'run'", one.name));
  }
  read_workloads(in, table, one);
  read_kinds(in, table, one);
  if (const auto* needs = table.get("needs")) {
    if (const auto* array = needs->as_array()) {
      for (const auto& element : *array) one.needs.push_back(read_need(in, element));
    } else {
      in.complain(*needs, "'needs' must be a list");
    }
  }
  return one;
}

peer_list read_list(reader& in, const toml::table& top, const std::filesystem::path& file) {
  static constexpr std::array<std::string_view, 3> keys{"root", "page", "peer"};
  in.allow_keys(top, keys, "the file");
  peer_list list;
  list.root = file.parent_path();
  if (const auto* root = top.get("root")) list.root /= in.text(*root, "root");
  if (list.root.empty()) list.root = ".";
  if (const auto* page = top.get("page")) list.page = list.root / in.text(*page, "page");

  const auto* peers = top.get("peer");
  if (peers == nullptr) {
    in.complain(1, "no [[peer]]");
    return list;
  }
  const auto* array = peers->as_array();
  if (array == nullptr) {
    in.complain(*peers, "'peer' must be written as [[peer]]");
    return list;
  }
  if (array->empty()) in.complain(*peers, "no [[peer]]");
  for (const auto& element : *array) {
    const auto* table = element.as_table();
    if (table == nullptr) {
      in.complain(element, "'peer' must be written as [[peer]]");
      break;
    }
    peer one = read_peer(in, *table);
    if (std::ranges::find(list.peers, one.name, &peer::name) != list.peers.end()) {
      in.complain(element, fmt::format("a second peer named '{}'", one.name));
    }
    list.peers.push_back(std::move(one));
  }
  return list;
}

command filled(command what, std::string_view place, std::string_view value) {
  for (auto& word : what.arguments) {
    for (auto at = word.find(place); at != std::string::npos; at = word.find(place, at)) {
      word.replace(at, place.size(), value);
      at += value.size();
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

base::result<peer_list> parse_peers(std::string_view text, const std::filesystem::path& file) {
  toml::table top;
  try {
    top = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return base::input_error(fmt::format("{}:{}: {}", file.string(), error.source().begin.line, error.description()));
  }
  reader in(file.string());
  peer_list list = read_list(in, top, file);
  if (in.error()) return std::unexpected(*in.error());
  return list;
}

base::result<peer_list> read_peers(const std::filesystem::path& file) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  auto list = parse_peers(*text, file);
  std::error_code ignored;
  if (list && !std::filesystem::is_directory(list->root, ignored)) {
    return base::input_error(fmt::format("{}: root is not a folder: {}", file.string(), list->root.string()));
  }
  return list;
}

base::result<std::vector<peer>> select_peers(const peer_list& list, const std::vector<std::string>& names) {
  if (names.empty()) return list.peers;
  for (const auto& name : names) {
    if (std::ranges::find(list.peers, name, &peer::name) != list.peers.end()) continue;
    std::vector<std::string_view> known;
    known.reserve(list.peers.size());
    for (const auto& one : list.peers) known.push_back(one.name);
    return base::input_error(fmt::format("no peer is named '{}'; there are: {}", name, fmt::join(known, ", ")));
  }
  std::vector<peer> selected;
  for (const auto& one : list.peers) {
    if (std::ranges::find(names, one.name) != names.end()) selected.push_back(one);
  }
  return selected;
}

std::optional<need> missing_need(const peer& one, const std::filesystem::path& root, stop_signal stop) {
  const auto missing =
      std::ranges::find_if(one.needs, [&](const need& wanted) { return !is_there(wanted, root, stop); });
  if (missing == one.needs.end()) return std::nullopt;
  return *missing;
}

}  // namespace tare::measure
