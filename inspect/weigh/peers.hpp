#pragma once

// A list of programs to weigh side by side, as a TOML file:
//
//   root = ".."                             # where commands run, from the file's folder; default: that folder
//
//   [[peer]]
//   name = "asyncio"
//   subject = false                         # the others are compared with those where it is true
//   version = ["python3", "--version"]      # a command, or the version itself as a string; optional
//   build = ["make", "-C", "bench/x"]       # run first, quietly; optional
//   run = ["python3", "bench/main.py", "{n}"]
//   max_n = 100000                          # larger numbers of tasks are left out; optional
//   needs = [{ program = "python3", hint = "apt-get install python3" }]   # or file = "...", from root; optional

#include "inspect/error.hpp"
#include "inspect/process/command.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tare::inspect {

struct need {
  enum class kind : std::uint8_t { program, file };
  kind what = kind::program;
  std::string name;
  std::string hint;
};

struct peer {
  std::string name;
  bool subject = false;
  std::variant<std::string, std::vector<std::string>> version;  ///< itself, or the command that prints it
  std::vector<std::string> build;
  std::vector<std::string> run;
  std::vector<need> needs;
  std::optional<std::uint64_t> max_n;
};

struct peer_list {
  std::filesystem::path root;
  std::vector<peer> peers;
};

/// An error begins with the file and the line: "bench/peers.toml:12: unknown key 'rnu'".
result<peer_list> read_peers(const std::filesystem::path& file);

/// The same from text; `file` is for messages, and for where `root` begins.
result<peer_list> parse_peers(std::string_view text, const std::filesystem::path& file);

/// Those of `names`, in the order of the list. The error names the peers that there are.
result<std::vector<peer>> select_peers(const peer_list& list, const std::vector<std::string>& names);

/// The first need that is not there.
std::optional<need> missing_need(const peer& one, const std::filesystem::path& root);

}  // namespace tare::inspect
