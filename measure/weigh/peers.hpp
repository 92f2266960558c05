#pragma once

// A list of programs to weigh and compare, as a TOML file:
//
//   root = ".."                             # where commands run, relative to the file's folder; default: that folder
//   page = "build/page.html"                # the empty page of `tare race`, relative to root; optional
//   database = ["./database.py", "{port}"]  # started beside each server that is weighed in kind `database`; optional
//
//   [[peer]]
//   name = "asyncio"
//   title = "Python asyncio"                # its name in reports; default: the name
//   language = "Python"                     # optional
//   subject = false                         # true: the others are compared with this one
//   floor = false                           # true: not a runtime, but a lower bound; reports list it separately
//   version = ["python3", "--version"]      # a command, or the version itself as a string; optional
//   build = ["make", "-C", "bench/x"]       # run first, quietly; optional
//   run = ["python3", "bench/main.py", "{workload}", "{n}"]
//   workloads = ["empty", "churn"]          # default: all if `run` contains {workload}, else only "empty"
//   kinds = ["http", "sse"]                 # of a server, with {port} in `run`: the kinds of connections that it
//                                           # speaks, put in place of {kind}; default: http
//   database = ["./sqlite.py", "{port}"]    # instead of that of the list; optional
//   max_n = 100000                          # larger numbers of tasks are omitted; optional
//   limits = { churn = 1000000 }            # the same for one workload, instead of max_n; optional
//   needs = [{ program = "python3", hint = "apt-get install python3" }]   # or file = "...", relative to root; or
//                                           # check = ["a", "command"], which succeeds if it is present; optional

#include "base/error.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"
#include "measure/weigh/connection_kind.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tare::measure {

struct need {
  enum class kind : std::uint8_t { program, file, check };
  kind what = kind::program;
  std::string name;                     ///< of a check: the command as one would type it
  std::vector<std::string> check = {};  ///< the command; empty for the others
  std::string hint;

  /// "python3 is missing; apt-get install python3"; for a check, the hint alone.
  [[nodiscard]] std::string text() const;
};

struct peer {
  std::string name;
  std::string title;
  std::string language;
  bool subject = false;
  bool floor = false;
  std::variant<std::string, std::vector<std::string>> version;  ///< the version itself, or the command that prints it
  std::vector<std::string> build;
  std::vector<std::string> run;
  std::vector<need> needs;
  std::vector<std::string> workloads;  ///< empty: all
  std::vector<connection_kind> kinds;  ///< of a server
  std::vector<std::string> database;   ///< of a server: what is started for connections that wait for a database
  std::optional<std::uint64_t> max_n;
  std::map<std::string, std::uint64_t, std::less<>> limits;

  /// True if it takes a port instead of a number of tasks: its idle connections are weighed.
  [[nodiscard]] bool is_server() const;
  /// False for a server.
  [[nodiscard]] bool has_workload(std::string_view workload) const;
  /// The maximum number of tasks for a workload, if set.
  [[nodiscard]] std::optional<std::uint64_t> limit(std::string_view workload) const;
  /// What to run for a workload, still with `{n}`.
  [[nodiscard]] command program(std::string_view workload, const std::filesystem::path& root) const;
  [[nodiscard]] bool speaks(connection_kind kind) const;
  /// What to run for connections of this kind, still with `{port}`.
  [[nodiscard]] command server(connection_kind kind, const std::filesystem::path& root) const;
  /// What to start before it, still with `{port}`; without arguments if nothing.
  [[nodiscard]] command database_for(connection_kind kind, const std::filesystem::path& root) const;
};

struct peer_list {
  std::filesystem::path root;
  std::filesystem::path page;  ///< the page that `tare race` fills with its results; empty: none
  std::vector<peer> peers;
};

/// An error begins with the place: "bench/peers.toml:12:1: unknown key 'rnu'".
base::result<peer_list> read_peers(const std::filesystem::path& file);

/// The same from text; `file` is for messages, and `root` is relative to it.
base::result<peer_list> parse_peers(std::string_view text, const std::filesystem::path& file);

/// The peers in `names`, in list order. The error lists the existing peers.
base::result<std::vector<peer>> select_peers(const peer_list& list, const std::vector<std::string>& names);

/// The first missing need. A check may take 30 seconds; being told to stop counts as missing.
std::optional<need> missing_need(const peer& peer, const std::filesystem::path& root, stop_signal stop = -1);

}  // namespace tare::measure
