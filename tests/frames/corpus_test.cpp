// What is read from the binaries of the corpus, compared with what the programs did and with what their sources say.

#include "inspect/coroutine/read.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> programs(const std::string& names = support::path::corpus_list) {
  std::vector<fs::path> all;
  std::istringstream list(names);
  for (std::string each; std::getline(list, each, ':');) all.emplace_back(each);
  return all;
}

std::string output_of(const fs::path& program) {
  std::string text;
  // NOLINTNEXTLINE(bugprone-command-processor): a program of the corpus, without arguments
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(program.c_str(), "r"), ::pclose);
  if (!pipe) return text;
  std::array<char, 4096> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe.get())) text.append(part.data(), n);
  return text;
}

void erase_all(std::string& text, const std::string& what) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos;) text.erase(at, what.size());
}

/// "corpus::array_of<char, 3ul>(…)" and "array_of<char, 3>()" alike: "array_of<char,3>".
std::string plain(std::string name) {
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) {
      name.resize(i);
      break;
    }
  }
  for (const char* noise : {"corpus::", "ours::", "frames::", " "}) erase_all(name, noise);
  name = std::regex_replace(name, std::regex("([0-9])ul"), "$1");
  if (name.starts_with("one.")) name = "server::" + name.substr(4);
  return name;
}

/// The frames that the program allocated, by the coroutine's plain name.
std::map<std::string, std::uint64_t> true_sizes(const fs::path& program) {
  std::map<std::string, std::uint64_t> sizes;
  std::istringstream lines(output_of(program));
  std::uint64_t bytes = 0;
  for (std::string name; lines >> bytes && std::getline(lines, name);) sizes[plain(name)] = bytes;
  return sizes;
}

std::map<std::string, coroutine> read(const fs::path& program) {
  std::map<std::string, coroutine> found;
  const auto report = read_coroutines(program);
  if (!report) {
    ADD_FAILURE() << report.error().message;
    return found;
  }
  for (const auto& each : report->coroutines) found[plain(each.name)] = each;
  return found;
}

TEST(frames, sizes_are_what_operator_new_was_asked_for) {
  std::size_t compared = 0;
  std::set<std::string> different;
  for (const auto& program : programs()) {
    const auto truth = true_sizes(program);
    ASSERT_FALSE(truth.empty()) << program;
    const auto found = read(program);
    for (const auto& [name, bytes] : truth) {
      const auto made = found.find(name);
      if (made == found.end()) {
        ADD_FAILURE() << program.filename() << ": " << name << " was not found";
        continue;
      }
      ++compared;
      different.insert(program.filename().string().substr(0, 4) + name);
      EXPECT_EQ(made->second.frame_bytes, bytes) << program.filename() << ": " << name;
      EXPECT_GE(made->second.allocated_bytes.value_or(bytes), bytes) << name;
    }
  }
  fmt::print("{} frames of {} coroutines compared\n", compared, different.size());
  if (programs().size() > 6) {
    EXPECT_GE(different.size(), 150U);
  }
}

TEST(frames, allocated_is_what_the_allocator_gave) {
  const auto all = programs(support::path::allocated_list);
  if (all.empty()) GTEST_SKIP() << "the whole corpus is built with TARE_FRAMES_CORPUS";
  for (const auto& program : all) {
    std::map<std::string, std::size_t> compared;
    const auto truth = true_sizes(program);
    const auto found = read(program);
    for (const auto& [name, bytes] : truth) {
      const auto made = found.find(name);
      ASSERT_NE(made, found.end()) << program.filename() << ": " << name;
      EXPECT_EQ(made->second.allocated_bytes, bytes)
          << program.filename() << ": " << name << ", frame " << made->second.frame_bytes.value_or(0);
      const bool asio = name.starts_with("of_asio");
      EXPECT_EQ(made->second.allocated_by, asio ? allocation::asio : allocation::malloc) << name;
      ++compared[asio ? "asio" : "malloc"];
    }
    EXPECT_GE(compared["asio"], 10U);
    EXPECT_GE(compared["malloc"], 10U);
    fmt::print("{}: {} blocks of malloc and {} of Asio compared\n", program.filename().string(), compared["malloc"],
               compared["asio"]);
  }
}

TEST(frames, every_byte_of_a_frame_is_in_one_state_at_each_await) {
  for (const auto& program : programs()) {
    for (const auto& [name, each] : read(program)) {
      for (const auto& await : each.awaits) {
        EXPECT_EQ(await.live_bytes + await.held_bytes + await.dead_bytes, each.frame_bytes) << program << name;
        std::uint64_t end = 0;
        for (const auto& variable : await.variables) {
          EXPECT_EQ(variable.offset, end) << program << name;
          end = variable.offset + variable.bytes;
        }
        EXPECT_EQ(end, each.frame_bytes) << program << name;
      }
    }
  }
}

/// The awaits that are marked in the source: name to lines.
std::map<std::string, std::multiset<std::uint32_t>> marked_awaits(const fs::path& source) {
  std::map<std::string, std::multiset<std::uint32_t>> marked;
  std::ifstream in(source);
  const std::regex mark("// await ([A-Za-z_:0-9]+)$");
  std::uint32_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::smatch match;
    if (std::regex_search(line, match, mark)) marked[match[1]].insert(number);
  }
  return marked;
}

struct found_lines {
  std::size_t expected = 0;
  std::size_t right = 0;
  std::string wrong;
};

found_lines compare_lines(const fs::path& program, const std::map<std::string, std::multiset<std::uint32_t>>& marked) {
  found_lines all;
  const auto found = read(program);
  for (const auto& [coroutine_name, lines] : marked) {
    all.expected += lines.size();
    const auto made = found.find(coroutine_name);
    if (made == found.end()) {
      all.wrong += fmt::format("  {} not found\n", coroutine_name);
      continue;
    }
    std::multiset<std::uint32_t> seen;
    for (const auto& await : made->second.awaits) {
      if (await.kind == suspension::await) seen.insert(await.where.line);
    }
    std::multiset<std::uint32_t> both;
    std::ranges::set_intersection(lines, seen, std::inserter(both, both.end()));
    all.right += both.size();
    if (seen != lines) {
      std::string got;
      for (const auto line : seen) got += fmt::format(" {}", line);
      std::string wanted;
      for (const auto line : lines) wanted += fmt::format(" {}", line);
      all.wrong += fmt::format("  {}:{} instead of{}\n", coroutine_name, got, wanted);
    }
  }
  return all;
}

TEST(frames, awaits_have_the_lines_of_the_source) {
  const auto marked = marked_awaits(fs::path(support::path::corpus_sources) / "hand.cpp");
  ASSERT_GT(marked.size(), 25U);
  for (const auto& program : programs()) {
    const std::string name = program.filename();
    if (!name.starts_with("hand-")) continue;
    const auto [expected, right, wrong] = compare_lines(program, marked);
    fmt::print("{}: {} of {} awaits have their line\n{}", name, right, expected, wrong);
    const double least = name.contains("-gcc-")                                 ? 0.8
                         : name.contains("-recorded-") || name.ends_with("-O0") ? 1.0
                                                                                : 0.98;
    EXPECT_GE(static_cast<double>(right), least * static_cast<double>(expected)) << name << "\n" << wrong;
  }
}

TEST(frames, awaits_of_code_with_sanitizers_have_the_lines_of_the_source) {
  const auto marked = marked_awaits(fs::path(support::path::corpus_sources) / "hand.cpp");
  const auto objects = programs(support::path::sanitized_list);
  ASSERT_FALSE(objects.empty());
  for (const auto& object : objects) {
    const auto [expected, right, wrong] = compare_lines(object, marked);
    EXPECT_EQ(right, expected) << object.filename() << "\n" << wrong;
    EXPECT_EQ(wrong, "") << object.filename();
  }
}

TEST(frames, what_the_compiler_recorded_as_an_await_is_none_after_the_body) {
  const auto object = fs::path(support::path::corpus) / "hand-address-O1.o";
  if (!fs::exists(object)) GTEST_SKIP() << "the compiler's plugin is not there";
  const auto [expected, right, wrong] =
      compare_lines(object, marked_awaits(fs::path(support::path::corpus_sources) / "hand.cpp"));
  EXPECT_EQ(right, expected) << wrong;
  for (const auto& [name, each] : read(object)) {
    EXPECT_LE(std::ranges::count(each.awaits, suspension::final, &await_point::kind), 1) << name;
  }
}

TEST(frames, awaits_have_the_lines_that_the_compiler_recorded_without_the_source) {
  const auto marked = marked_awaits(fs::path(support::path::corpus_sources) / "hand.cpp");
  const support::temporary_folder folder;
  for (const auto& program : programs()) {
    const std::string name = program.filename();
    if (!name.starts_with("hand-")) continue;
    // A source that is newer than the binary is not read.
    const auto old = folder / name;
    fs::copy_file(program, old);
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::years(30));
    const auto [expected, right, wrong] = compare_lines(old, marked);
    fmt::print("{} without its source: {} of {} awaits have their line\n", name, right, expected);
    if (name.contains("-recorded-")) {
      EXPECT_EQ(right, expected) << name << "\n" << wrong;
    }
  }
}

TEST(frames, max_bytes_of_optimized_frames_have_a_name) {
  for (const auto& program : programs()) {
    const std::string name = program.filename();
    if (!name.ends_with("-clang-O2") && !name.ends_with("-recorded-O2")) continue;
    std::uint64_t all = 0;
    std::uint64_t of_variables = 0;
    std::uint64_t of_temporaries = 0;
    for (const auto& [coroutine_name, each] : read(program)) {
      // For each byte, its most precise state.
      enum class knowledge : std::uint8_t { padding, nothing, type, variable };
      std::vector<knowledge> bytes(each.frame_bytes.value_or(0), knowledge::padding);
      for (const auto& field : each.fields) {
        const knowledge what = field.kind == field_kind::unnamed   ? knowledge::nothing
                               : field.kind == field_kind::awaiter ? knowledge::type
                                                                   : knowledge::variable;
        for (std::uint64_t i = field.offset; i < field.offset + field.bytes && i < bytes.size(); ++i) {
          bytes[i] = std::max(bytes[i], what);
        }
      }
      const auto count = [&](knowledge what) { return static_cast<std::uint64_t>(std::ranges::count(bytes, what)); };
      all += bytes.size() - count(knowledge::padding);
      of_variables += count(knowledge::variable);
      of_temporaries += count(knowledge::type);
    }
    const auto share = [&](std::uint64_t part) { return 100.0 * static_cast<double>(part) / static_cast<double>(all); };
    fmt::print("{}: of {} bytes {:.1f} % have a variable's name, {:.1f} % a temporary's type\n", name, all,
               share(of_variables), share(of_temporaries));
    EXPECT_GE(share(of_variables + of_temporaries), 90.0) << name;
  }
}

}  // namespace
}  // namespace tare::inspect
